"""Trading through the HTTPS API of the deployed desk: a whole trade, and everything that must be refused."""

from __future__ import annotations

import secrets
import uuid

import pytest
from desk import SERIES, Answer, Desk, Offer
from remote import Remote, wait_for

pytestmark = pytest.mark.usefixtures("healthy")


def test_a_whole_trade(desk: Desk, remote: Remote) -> None:
    trade = desk.buy_filled()
    trade_id = trade["trade_id"]
    assert trade["state"] in ("open", "expired", "closed")
    assert any(row["trade_id"] == trade_id for row in desk.get("/api/trades?state=all")["trades"])
    closed = wait_for(
        "the settlement",
        lambda: (found := desk.trade(trade_id))["state"] == "closed" and found,
        timeout_s=180,
        every_s=1,
    )
    won = closed["result"] == closed["side"]
    payout_e6 = closed["entry_count_e2"] * 10_000 if won else 0
    assert closed["fees_e6"] > 0
    assert closed["pnl_e6"] == payout_e6 - closed["entry_cost_e6"] - closed["fees_e6"]
    assert sum(fill["count_e2"] for fill in closed["fills"]) == closed["entry_count_e2"] == 100
    assert len(closed["orders"]) == 1
    states = [event["kind"] for event in closed["events"]]
    assert len(states) >= 3, states
    history = desk.get(f"/api/trades?state=closed&series={SERIES}")["trades"]
    assert trade_id in [row["trade_id"] for row in history]
    shown = remote.out(f"recio trade show {trade_id}")
    assert "closed" in shown


def test_a_trade_is_closed_early_on_request(desk: Desk) -> None:
    trade = desk.buy_filled()
    answer = desk.call(
        "POST",
        f"/api/trades/{trade['trade_id']}/close",
        {"idempotency_key": f"test-{uuid.uuid4()}", "limit_price": "0.01"},
    )
    assert answer.status in (200, 409), answer  # 409: the market closed in the meantime
    closed = wait_for(
        "the exit", lambda: (found := desk.trade(trade["trade_id"]))["state"] == "closed" and found, 180, every_s=1
    )
    assert {order["purpose"] for order in closed["orders"]} <= {"entry", "exit"}
    assert closed["pnl_e6"] is not None


def test_the_same_key_never_buys_twice(desk: Desk) -> None:
    offer, key = desk.wait_offer(), f"test-{uuid.uuid4()}"
    first = desk.buy(offer, key=key)
    second = desk.buy(offer, key=key)
    assert (first.status, second.status) == (200, 200)
    assert second.body["replayed"] is True
    assert first.body["ticket_id"] == second.body["ticket_id"]
    assert first.body["trade_id"] == second.body["trade_id"]
    assert desk.buy(offer, key=key, count="2").status == 409


def test_trade_by_command_line(desk: Desk, remote: Remote) -> None:
    for _ in range(6):  # a price that has run away meanwhile is refused, and asked again, as a person would
        offer = desk.wait_offer()
        price = f"{min(9900, offer.ask_e4 + 300) // 100 / 100:.2f}"
        words = (offer.market_ticker, offer.side, price)
        done = remote.host.run("recio trade buy %s --side %s --count 1 --limit %s", *words)
        if done.rc == 0 or "best ask" not in done.stderr:
            break
    assert done.rc == 0, done.stdout + done.stderr
    assert "accepted: trade " in done.stdout
    assert offer.market_ticker in remote.out("recio trade list")


@pytest.mark.parametrize("count", ["0", "-1", "1e9", "999999999", "NaN", "0.001", "", "one", 0, -5, True])
def test_absurd_counts_are_refused(desk: Desk, count: object) -> None:
    refused(desk.buy(desk.wait_offer(left_min_s=5), count=count))  # type: ignore[arg-type]


@pytest.mark.parametrize("price", ["0", "1", "1.5", "-0.2", "0.12345", "NaN", "cheap", ""])
def test_absurd_prices_are_refused(desk: Desk, price: str) -> None:
    refused(desk.buy(desk.wait_offer(left_min_s=5), limit_price=price))


@pytest.mark.parametrize(
    "changes",
    [{"side": "maybe"}, {"idempotency_key": "short"}, {"market_ticker": "'; DROP TABLE users.trades"}, {"surprise": 1}],
)
def test_other_bad_fields_are_refused(desk: Desk, changes: dict[str, object]) -> None:
    refused(desk.buy(desk.wait_offer(left_min_s=5), **changes))


def refused(answer: Answer) -> None:
    """A clear no: a client error with a message that says something, and a cure; or a refused ticket with a reason."""
    if answer.status == 200:
        assert answer.body["state"] == "refused", answer
        assert len(answer.body["reason"]) > 10
        assert answer.body["trade_id"] is None
    else:
        assert 400 <= answer.status < 500, answer
        assert len(answer.body["detail"]) > 10
        assert answer.body["cure"]


def test_an_unknown_market_is_refused(desk: Desk) -> None:
    answer = desk.buy(Offer("KXBTCSIM-26JAN0100000-T1.99", "yes", 5000, 0.0))
    assert (answer.status, answer.error) == (404, "no_market")


def test_a_closed_market_is_refused(desk: Desk, remote: Remote) -> None:
    rows = remote.sql(
        "SELECT market_ticker FROM live_data.markets WHERE close_time < now() - interval '5 s' "
        "AND series_ticker = 'KXBTCSIM' ORDER BY close_time DESC LIMIT 1"
    )
    assert rows, "no market has closed yet"
    refused(desk.buy(Offer(rows[0][0], "yes", 5000, 0.0)))


def test_more_than_the_limits_allow_is_refused(desk: Desk) -> None:
    refused(desk.buy(desk.wait_offer(), count="5000"))


def test_the_kill_switch_stops_entries(desk: Desk) -> None:
    try:
        assert desk.call("PUT", "/api/settings/kill_switch", {"on": True, "why": "test"}).status == 200
        refused(desk.buy(desk.wait_offer()))
    finally:
        assert desk.call("PUT", "/api/settings/kill_switch", {"on": False, "why": ""}).status == 200


def test_a_wrong_password_is_refused(facts: dict[str, str]) -> None:
    stranger = Desk(facts["url"], facts["ca_file"])
    wrong = stranger.log_in(facts["admin_user"], secrets.token_hex(8))
    assert (wrong.status, wrong.error) == (401, "wrong_login")
    unknown = stranger.log_in(f"nobody-{secrets.token_hex(4)}", "x")
    assert unknown.status in (401, 429)
    assert wrong.body["detail"] == unknown.body["detail"] or unknown.status == 429
    assert stranger.call("GET", "/api/account").status == 401


def test_nothing_works_without_a_session_or_its_token(desk: Desk, facts: dict[str, str]) -> None:
    stranger = Desk(facts["url"], facts["ca_file"])
    for method, path in (
        ("GET", "/api/trades"),
        ("GET", "/api/status"),
        ("POST", "/api/tickets"),
        ("GET", "/api/stream"),
    ):
        assert stranger.call(method, path, {} if method == "POST" else None).status == 401, path
    without = desk.call("POST", "/api/tickets", {}, **{"X-CSRF-Token": ""})
    assert (without.status, without.error) == (403, "csrf")
    foreign = desk.call("POST", "/api/tickets", {}, Origin="https://elsewhere.example")
    assert (foreign.status, foreign.error) == (403, "other_origin")


def test_the_whole_way_of_a_trade_through_all_services(remote: Remote, desk: Desk) -> None:
    trade_id = desk.buy_filled()["trade_id"]
    story = remote.out(f"recio logs --trade {trade_id}")
    assert "entry_intent" in story and "order_filled" in story
    for who in ("ledger", "trade_executor", "trade_manager"):
        assert f"  {who} " in story, story
    assert remote.host.run("recio logs --trade 999999").rc != 0
