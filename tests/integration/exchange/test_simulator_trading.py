"""Our client and the simulator, over real sockets: the whole life of orders."""

from __future__ import annotations

import http.client
import json
import time
import uuid
from collections import Counter
from collections.abc import Callable
from itertools import pairwise

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from simulator_process import Process

from recio.exchange.coinbase.client import CoinbaseClient
from recio.exchange.errors import ClockSkewed, OutcomeUnknown, Refused
from recio.exchange.kalshi.client import KalshiClient
from recio.exchange.kalshi.models import Market, NewOrder
from recio.exchange.kalshi.signing import Signer

Near = Callable[[KalshiClient, float], Market]


def wanted(market: Market, price_e4: int, **more: object) -> NewOrder:
    values = {"ticker": market.ticker, "book_side": "bid", "count_e2": 300, "yes_price_e4": price_e4}
    return NewOrder(**(values | {"client_order_id": str(uuid.uuid4())} | more))  # type: ignore[arg-type]


def test_the_exchange_has_open_markets_with_quotes_and_volume(simulator: Process) -> None:
    client = simulator.client()
    assert client.exchange_status().trading_active
    strikes = {
        series: sorted(Counter(m.event_ticker for m in client.markets(series, "open")).values())
        for series in ("KXBTCD", "KXBTC15M", "KXBTCSIM")
    }
    # The hour's 75 strikes, and the 27 of the 5 pm event; in the hour before 5 pm two of those. Every event is listed as
    # open for a second after its close, so that at a change there is one more.
    assert set(strikes["KXBTCD"]) <= {27, 75} and 27 in strikes["KXBTCD"] and 2 <= len(strikes["KXBTCD"]) <= 3
    assert set(strikes["KXBTC15M"]) == {1} and len(strikes["KXBTC15M"]) <= 2
    assert set(strikes["KXBTCSIM"]) == {15} and 3 <= len(strikes["KXBTCSIM"]) <= 5
    price = CoinbaseClient(f"http://{simulator.coinbase}").price_e2()
    ladder = sorted(client.markets("KXBTCD", "open"), key=lambda m: abs((m.floor_strike_e2 or 0) - price))
    # Ten, since in the hour before 5 pm two events of the same strikes are open, 500 dollars apart, one of them a day old.
    busy = [m for m in ladder[:10] if m.volume_e2 >= 100_000]
    assert len(busy) >= 3 and all(
        m.yes_ask_e4 - m.yes_bid_e4 <= 500 for m in ladder[:3] if m.yes_bid_e4 and m.yes_ask_e4 < 10_000
    )
    assert client.market(ladder[0].ticker).ticker == ladder[0].ticker
    with pytest.raises(Refused) as caught:
        client.market("KXBTCD-NEVER")
    assert caught.value.status == 404


def test_an_order_fills_shows_up_everywhere_and_settles(simulator: Process, near_market: Near) -> None:
    client = simulator.client()
    before = client.balance()
    market = near_market(client, 5.0)
    order = wanted(market, 9_900)
    ack = client.create_order(order)
    assert ack.fill_count_e2 == 300 and ack.average_fill_price_e4 is not None
    found = client.order_by_client_id(order.client_order_id, market.ticker)
    assert found is not None and (found.order_id, found.status, found.fill_count_e2) == (ack.order_id, "executed", 300)
    mine = [fill for fill in client.fills(ticker=market.ticker) if fill.order_id == ack.order_id]
    assert sum(fill.count_e2 for fill in mine) == 300 and all(fill.fee_e6 > 0 for fill in mine)
    cost = sum(fill.count_e2 * fill.yes_price_e4 for fill in mine)
    fees = sum(fill.fee_e6 for fill in mine)
    assert found.taker_fill_cost_e6 == cost and found.fees_e6 == fees
    assert client.balance().balance_e6 == before.balance_e6 - cost - fees
    assert [p.position_e2 for p in client.positions() if p.market_ticker == market.ticker] == [300]

    with pytest.raises(Refused) as caught:
        client.create_order(order)
    assert caught.value.is_duplicate and caught.value.status == 409

    time.sleep(max(0.0, market.close_time_s - time.time()) + 0.2)
    with pytest.raises(Refused) as caught:
        client.create_order(wanted(market, 9_900))
    assert caught.value.code == "MARKET_INACTIVE"
    deadline = time.monotonic() + 60
    while not (final := client.market(market.ticker)).is_settled:
        assert time.monotonic() < deadline, f"still {final.status}"
        time.sleep(0.3)
    assert final.result in ("yes", "no")
    mean_e2 = round(float(final.expiration_value) * 100)
    assert (final.result == "yes") == (mean_e2 > (final.floor_strike_e2 or 0))
    paid = next(row for row in client.settlements() if row.market_ticker == market.ticker)
    assert paid.result == final.result and paid.revenue_e6 == (3_000_000 if final.result == "yes" else 0)
    assert client.balance().balance_e6 == before.balance_e6 - cost - fees + paid.revenue_e6
    assert all(p.market_ticker != market.ticker for p in client.positions())


def test_an_ioc_that_meets_nobody_is_an_order_without_fills(simulator: Process, near_market: Near) -> None:
    client = simulator.client()
    order = wanted(near_market(client, 5.0), 100)
    ack = client.create_order(order)
    assert (ack.fill_count_e2, ack.remaining_count_e2, ack.average_fill_price_e4) == (0, 0, None)
    found = client.order_by_client_id(order.client_order_id)
    assert found is not None and found.status == "canceled"
    assert client.order_by_client_id("never used") is None


def test_resting_cancelling_and_what_the_exchange_refuses(simulator: Process, near_market: Near) -> None:
    client = simulator.client()
    market = near_market(client, 8.0)
    free = client.balance().balance_e6
    ack = client.create_order(wanted(market, 100, time_in_force="good_till_canceled"))
    assert client.balance().balance_e6 == free - 30_000
    assert [o.order_id for o in client.orders(status="resting")] == [ack.order_id]
    with pytest.raises(OutcomeUnknown, match="still rests"):
        client.cancel_order(ack.order_id, "KXBTCD-OTHER")  # the wrong shard's false 404
    assert client.cancel_order(ack.order_id, market.ticker).reduced_by_e2 == 300
    with pytest.raises(Refused):
        client.cancel_order(ack.order_id, market.ticker)
    for order, code in (
        (wanted(market, 5_050), "invalid_price"),
        (wanted(market, 9_900, count_e2=10_000_000_000), "insufficient_balance"),
        (wanted(market, 9_900, ticker="KXBTCD-NOTHING"), "market_not_found"),
        (wanted(market, 200, time_in_force="fill_or_kill"), "fill_or_kill_insufficient_resting_volume"),
    ):
        with pytest.raises(Refused) as caught:
            client.create_order(order)
        assert caught.value.code == code


def test_a_wrong_signature_key_or_clock_is_a_401_in_the_exchanges_words(simulator: Process) -> None:
    other = rsa.generate_private_key(public_exponent=65_537, key_size=2_048).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    for client, details in (
        (KalshiClient(simulator.rest, "k", other), "INCORRECT_API_KEY_SIGNATURE"),
        (KalshiClient(simulator.rest, "another", simulator.pem), "NOT_FOUND"),
    ):
        with pytest.raises(Refused) as caught:
            client.balance()
        assert (caught.value.status, caught.value.code, caught.value.details) == (401, "authentication_error", details)
    with pytest.raises(ClockSkewed):
        KalshiClient(simulator.rest, "k", simulator.pem, clock=lambda: time.time() - 15).balance()
    good = simulator.client()
    good.balance()
    assert good.clock_skew_s is not None and abs(good.clock_skew_s) < 1.5


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"{", "json:"),
        (b"[]", "json:"),
        (b'{"ticker":"T","side":"bid","count":5}', "cannot unmarshal number into Go struct field CreateOrderV2Request.count"),
        (b'{"ticker":"T","side":"buy","count":"5","price":"0.5","time_in_force":"immediate_or_cancel",'
         b'"self_trade_prevention_type":"maker"}', "side must be one of"),
        (b'{"ticker":"T"}', "side is required"),
        (b'{"ticker":"T","side":"bid","count":"-1","price":"0.5","time_in_force":"immediate_or_cancel",'
         b'"self_trade_prevention_type":"maker"}', "invalid_order_size"),
        (b"\xff\xfe", "json:"),
    ],
)  # fmt: skip
def test_bodies_no_exchange_would_take(simulator: Process, body: bytes, words: str) -> None:
    path = "/trade-api/v2/portfolio/events/orders"
    connection = http.client.HTTPConnection("127.0.0.1", simulator.port, timeout=5)
    headers = Signer("k", simulator.pem).headers("POST", path, time.time())
    connection.request("POST", path, body, headers | {"Content-Type": "application/json"})
    response = connection.getresponse()
    text = response.read().decode()
    connection.close()
    assert response.status == 400 and words in text and isinstance(json.loads(text), dict)


def test_a_day_of_candles_is_there_at_once(simulator: Process) -> None:
    client = CoinbaseClient(f"http://{simulator.coinbase}")
    now_s = time.time()
    candles = client.candles(now_s - 86_400, now_s)
    assert 1_438 <= len(candles) <= 1_441
    assert all(b.start_s - a.start_s == 60 for a, b in pairwise(candles))
    assert all(c.low_e2 <= min(c.open_e2, c.close_e2) <= max(c.open_e2, c.close_e2) <= c.high_e2 for c in candles)
    assert all(abs(b.open_e2 / a.close_e2 - 1) < 0.01 for a, b in pairwise(candles))
    before_s = time.time()  # its clock is this machine's, read in between however long the call takes
    assert before_s - 0.001 <= client.server_time_s() <= time.time() + 0.001
    assert abs(client.price_e2() / candles[-1].close_e2 - 1) < 0.01
