"""What the simulator says on the wire: error shapes, buckets, paging, filters, switches of the command line."""

from __future__ import annotations

import functools
import http.client
import json
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from simulator_process import Process

from recio.exchange.kalshi.client import KalshiClient
from recio.exchange.kalshi.models import Market
from recio.exchange.kalshi.signing import Signer

Near = Callable[[KalshiClient, float], Market]
Answer = tuple[int, Any]
ORDERS = "/portfolio/events/orders"


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    """A simulator as the specification has it, whose crypto shard nobody funded."""
    made = Process(tmp_path_factory.mktemp("strict"))
    made.start("--compat", "spec", "--fund", "0=100", "--lag-ms", "300", "--tier", "none")
    yield made
    made.end()


@functools.cache
def signer(pem: bytes) -> Signer:
    """Parsing a key takes longer than using it."""
    return Signer("k", pem)


def call(simulator: Process, method: str, path: str, body: Any = None) -> Answer:
    """A signed request, as raw as can be."""
    full = f"/trade-api/v2{path}"
    headers = signer(simulator.pem).headers(method, full, time.time()) | {"Content-Type": "application/json"}
    connection = http.client.HTTPConnection("127.0.0.1", simulator.port, timeout=5)
    connection.request(method, full, None if body is None else json.dumps(body), headers)
    response = connection.getresponse()
    raw = response.read()
    connection.close()
    return response.status, json.loads(raw) if raw else None


def order(ticker: str, price: str = "0.0100", **more: Any) -> dict[str, Any]:
    wanted = {"ticker": ticker, "side": "bid", "count": "1", "price": price, "client_order_id": str(uuid.uuid4())}
    return wanted | {"time_in_force": "good_till_canceled", "self_trade_prevention_type": "maker"} | more


def test_a_spent_budget_is_a_429_with_a_string_for_an_error(own_simulator: Process) -> None:
    own_simulator.start()
    assert call(own_simulator, "GET", "/account/limits")[1]["read"] == {"refill_rate": 200, "bucket_capacity": 400}
    answers = [call(own_simulator, "POST", f"{ORDERS}", order("NOTHING")) for _ in range(60)]
    assert answers[0][1]["error"]["code"] == "market_not_found"
    assert (429, {"error": "too many requests"}) in answers[10:]
    assert call(own_simulator, "GET", "/portfolio/orders")[0] == 200  # reads have a budget of their own
    status, body = call(own_simulator, "POST", f"{ORDERS}/batched", {"orders": [order("NOTHING")] * 11})
    assert (status, body["code"]) == (400, "bad_request") and "at most 10 orders" in body["details"]


def test_version_1_is_refused(strict: Process) -> None:
    for method, path in (
        ("POST", ""),
        ("DELETE", "/x"),
        ("POST", "/x/amend"),
        ("POST", "/x/decrease"),
        ("POST", "/batched"),
    ):
        status, body = call(strict, method, f"/portfolio/orders{path}", {})
        assert status == 400 and body["error"]["message"] == "Please switch to the V2 endpoints"


def test_an_unfunded_shard_knows_nobody_until_cash_arrives(strict: Process, near_market: Near) -> None:
    market = near_market(strict.client(), 10.0)
    status, body = call(strict, "POST", ORDERS, order(market.ticker))
    assert (status, body["error"]["code"]) == (404, "user_not_found")
    move = {
        "source": "event_contract",
        "destination": "event_contract",
        "amount": 500_000,
        "destination_exchange_shard": 2,
    }
    assert call(strict, "POST", "/portfolio/intra_exchange_instance_transfer", move)[0] == 200
    status, made = call(strict, "POST", ORDERS, order(market.ticker))
    assert status == 201 and made["remaining_count"] == "1.00"
    status, body = call(strict, "POST", ORDERS, order(market.ticker, exchange_index=0))
    assert (status, body["error"]["code"]) == (400, "market_not_found")

    path = f"/portfolio/orders/{made['order_id']}"
    assert call(strict, "GET", path)[0] == 404, "reads lag: the order is not there yet"
    time.sleep(0.4)
    row = call(strict, "GET", path)[1]["order"]
    assert row["status"] == "resting" and not {"side", "action"} & set(row)
    assert call(strict, "DELETE", f"{ORDERS}/{made['order_id']}")[0] == 404, "shard 0 does not have it"
    assert call(strict, "DELETE", f"{ORDERS}/{made['order_id']}?market_ticker={market.ticker}")[0] == 200
    assert call(strict, "GET", path)[1]["order"]["status"] == "resting", "reads lag"
    time.sleep(0.4)
    assert call(strict, "GET", path)[1]["order"]["status"] == "canceled"
    assert "liquidity_dollars" not in call(strict, "GET", f"/markets/{market.ticker}")[1]["market"]
    breakdown = call(strict, "GET", "/portfolio/balance")[1]["balance_breakdown"]
    assert breakdown == [{"exchange_index": 0, "balance": "50.000000"}, {"exchange_index": 2, "balance": "50.000000"}]


def test_pages_and_cursors(strict: Process) -> None:
    seen: list[str] = []
    cursor, pages = "", 0
    while pages < 20:
        pages += 1
        page = call(strict, "GET", f"/markets?series_ticker=KXBTCD&limit=40&cursor={cursor}")[1]
        seen += [market["ticker"] for market in page["markets"]]
        cursor = page["cursor"]
        if not cursor:
            break
    assert pages >= 2 and len(seen) == len(set(seen)) and cursor == ""
    # Events open and close while it is read; what was there all the time is on the pages.
    whole = {
        market["ticker"] for market in call(strict, "GET", "/markets?series_ticker=KXBTCD&limit=1000")[1]["markets"]
    }
    assert len(whole & set(seen)) >= 54, "two events of 27 strikes at least, at any hour of the day"
    first = call(strict, "GET", "/markets?series_ticker=KXBTCD&limit=40")[1]["markets"][0]["ticker"]
    garbage = call(strict, "GET", "/markets?series_ticker=KXBTCD&limit=40&cursor=garbage")[1]["markets"][0]["ticker"]
    assert garbage == first, "a garbage cursor reads as the first page"
    assert call(strict, "GET", "/markets?limit=1001") == (400, {"msg": "limit must be between 1 and 1000"})
    assert call(strict, "GET", "/events?limit=201")[0] == 400


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("status=open", 200), ("status=open&min_created_ts=1", 200), ("status=closed&max_close_ts=9999999999", 200),
        ("status=settled&min_settled_ts=1", 200), ("min_updated_ts=1", 200),
        ("min_updated_ts=1&mve_filter=exclude&series_ticker=KXBTCD", 200),
        ("status=active", 400), ("status=open&status=closed", 400), ("status=open&min_close_ts=1", 400),
        ("min_created_ts=1&max_close_ts=1", 400), ("min_updated_ts=1&series_ticker=KXBTCD", 400),
        ("min_close_ts=soon", 400), ("mve_filter=all", 400),
    ],
)  # fmt: skip
def test_filters_of_markets(strict: Process, query: str, status: int) -> None:
    answer = call(strict, "GET", f"/markets?limit=1&{query}")
    assert answer[0] == status and (status == 200) == ("markets" in answer[1]) and (status == 200 or "msg" in answer[1])


@pytest.mark.parametrize(
    "query", ["", "start_ts=1&end_ts=2", "start_ts=1&end_ts=2&period_interval=5", "start_ts=9&end_ts=2&period_interval=1",
              "start_ts=0&end_ts=9999999999&period_interval=1"],
)  # fmt: skip
def test_candlesticks_of_no_time(strict: Process, query: str) -> None:
    ticker = call(strict, "GET", "/markets?series_ticker=KXBTC15M&limit=1")[1]["markets"][0]["ticker"]
    status, body = call(strict, "GET", f"/series/KXBTC15M/markets/{ticker}/candlesticks?{query}")
    assert status == 400 and list(body) == ["msg"]


@pytest.mark.parametrize(
    ("path", "body", "words"),
    [
        (f"{ORDERS}/x/amend", {}, "ticker is required"),
        (f"{ORDERS}/x/amend", {"ticker": 1}, "of type string"),
        (f"{ORDERS}/x/decrease", {}, "exactly one of"),
        (f"{ORDERS}/x/decrease", {"reduce_by": "1", "reduce_to": "1"}, "exactly one of"),
        (f"{ORDERS}/x/decrease", {"reduce_by": "1", "exchange_index": -1}, "auto-routing"),
        (f"{ORDERS}/batched", {"orders": []}, "orders is required"),
        (f"{ORDERS}/batched", {"orders": [1]}, "cannot unmarshal"),
        ("/portfolio/order_groups/create", {}, "contracts_limit"),
        ("/portfolio/order_groups/create", {"contracts_limit": 2, "contracts_limit_fp": "3.00"}, "must match"),
        ("/portfolio/intra_exchange_instance_transfer", {"source": "bank"}, "source must be one of"),
        ("/portfolio/target_balance_allocation", {"allocations": [{"exchange_index": 2, "percent": 60}]}, "total 100"),
    ],
)  # fmt: skip
def test_bodies_that_make_no_sense(strict: Process, path: str, body: Any, words: str) -> None:
    status, answer = call(strict, "POST", path, body)
    assert status == 400 and words in answer["details"], answer


def test_bad_switches_end_with_a_sentence(
    own_simulator: Process, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    for wrong, words in ((("--tier", "gold"), "--tier takes one of"), (("--compat", "v1"), "compat is spec or sdk"),
                         (("--fund", "two"), "--fund takes SHARD=DOLLARS"), (("--lag-ms", "-1"), "--lag-ms takes")):  # fmt: skip
        own_simulator.start(*wrong)
        assert own_simulator.child is not None and own_simulator.child.wait(15) == 2
        own_simulator.child.stdout.close()  # type: ignore[union-attr]
        own_simulator.child = None
        assert words in capfd.readouterr().err
