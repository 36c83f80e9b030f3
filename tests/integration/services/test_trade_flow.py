"""A trade against a real exchange process and a real database: bought, settled, killed, hung and refused."""

from __future__ import annotations

import signal
import time
import uuid
from typing import Any

import pytest
from stack import Stack, wait_for

from recio.store.tickets import KeyReused, submit_close, submit_open, wait_decided

pytestmark = pytest.mark.timeout(240)
Row = dict[str, Any]


def pick(desk: Stack, left_s: float = 20.0, low: int = 2000, high: int = 8000) -> Row:
    """A KXBTCSIM row with a price in the middle, on a market with some time left."""

    def found() -> Row | None:
        table = desk.db.one(
            "SELECT * FROM live_data.strike_tables WHERE series_ticker = 'KXBTCSIM' AND built_at > now() - interval '3 s'"
            " AND close_time > now() + %s * interval '1 s' ORDER BY close_time LIMIT 1",
            (left_s,),
        )
        rows = [r for r in (table or {}).get("rows", []) if r["yes_ask_e4"] and low <= r["yes_ask_e4"] <= high]
        return min(rows, key=lambda r: abs(r["yes_ask_e4"] - 5000)) if rows else None

    return wait_for("a market with a price", found, 60)


def ask(desk: Stack, row: Row, key: str = "", **changes: Any) -> Row:
    """Submit a ticket for YES well over the ask (the price may run before it is sent) and wait for the decision."""
    wanted: Row = {
        "user_id": "0001", "mode": "simulated", "key": key or f"test-{uuid.uuid4()}", "source": "api",
        "market_ticker": row["market_ticker"], "side": "yes", "count_e2": 300,
        "limit_price_e4": min(9500, row["yes_ask_e4"] + 2000),
    }  # fmt: skip
    ticket = submit_open(desk.db, **(wanted | changes))
    return wait_decided(desk.db, ticket.ticket_id, 5.0)


def trade(desk: Stack, trade_id: int) -> Row:
    row = desk.db.one("SELECT * FROM users.trades WHERE trade_id = %s", (trade_id,))
    assert row is not None
    return row


def wait_state(desk: Stack, trade_id: int, *states: str, timeout_s: float = 20.0) -> Row:
    def there() -> Row | None:
        row = trade(desk, trade_id)
        return row if row["state"] in states else None

    return wait_for(f"trade {trade_id} {states}", there, timeout_s)


def orders_on_exchange(desk: Stack) -> list[str]:
    """Client order ids the exchange holds, read with a client of the test's own."""
    from recio.exchange.kalshi.client import KalshiClient

    key = (desk.folder / "keys" / "simulated" / "private_key").read_bytes()
    client = KalshiClient(f"http://127.0.0.1:{desk.port}/trade-api/v2", desk.key_id, key)
    found = [order.client_order_id for order in client.orders()]
    client.close()
    return found


def test_a_whole_trade_and_the_same_key_twice(desk: Stack) -> None:
    for attempt in range(5):  # the price may run away before the order arrives: then one asks again
        row, key = pick(desk, 15), f"the-same-key-{attempt}"
        decided = ask(desk, row, key=key)
        assert decided["state"] == "accepted", decided["reason"]
        again = ask(desk, row, key=key, limit_price_e4=decided["limit_price_e4"])
        assert again["ticket_id"] == decided["ticket_id"]
        with pytest.raises(KeyReused, match="another request"):
            ask(desk, row, key=key, count_e2=400)
        opened = wait_state(desk, decided["trade_id"], "open", "closed")
        if opened["entry_count_e2"]:
            break
    assert opened["entry_count_e2"], f"nothing filled well over the ask, five times: {opened['reason']}"
    assert opened["fees_e6"] > 0
    same = ask(desk, row)  # a second live trade on this strike and side
    assert same["state"] == "refused"
    assert "exists already" in same["reason"]
    closed = wait_state(desk, decided["trade_id"], "closed", timeout_s=120)
    payout = closed["entry_count_e2"] * (10_000 if closed["result"] == "yes" else 0)
    assert closed["result"] in ("yes", "no")
    assert closed["pnl_e6"] == payout - closed["entry_cost_e6"] - closed["fees_e6"]
    assert desk.db.all("SELECT 1 FROM users.trades WHERE ticket_id = %s", (decided["ticket_id"],)) == [{"?column?": 1}]
    kinds = [r["kind"] for r in desk.db.all("SELECT kind FROM users.trade_events ORDER BY event_id")]
    assert kinds[0] == "entry_intent"
    assert "order_filled" in kinds
    assert kinds[-1] == "trade_closed"
    # Every few seconds a book was compared with the exchange's own snapshot.
    assert desk.db.all("SELECT cause FROM system.incidents WHERE key = 'order book drift'") == []


def close(desk: Stack, trade_id: int) -> Row:
    """Sell as a person would: an exit is immediate-or-cancel, so when the bids have moved away the trade is open again
    and one asks once more. The trade as it ended."""
    said = []
    for attempt in range(20):
        ticket = submit_close(
            desk.db,
            user_id="0001",
            mode="simulated",
            key=f"close-{trade_id}-{attempt}-{uuid.uuid4()}",
            source="api",
            trade_id=trade_id,
        )
        decided = wait_decided(desk.db, ticket.ticket_id, 5.0)
        after = wait_state(desk, trade_id, "open", "closed", timeout_s=30)
        said.append(f"ticket {decided['state']} {decided['reason']}; trade {after['state']} {after['reason']}".strip())
        if after["state"] == "closed":
            return after
        time.sleep(0.5)
    raise AssertionError(f"trade {trade_id} was not sold: {said}")


def test_close_sells_what_is_held(desk: Stack) -> None:
    decided = ask(desk, pick(desk, 50))
    opened = wait_state(desk, decided["trade_id"], "open")
    closed = close(desk, opened["trade_id"])
    assert closed["reason"] == "sold"
    assert closed["exit_count_e2"] == closed["entry_count_e2"]
    assert closed["pnl_e6"] == closed["exit_proceeds_e6"] - closed["entry_cost_e6"] - closed["fees_e6"]


BAD: list[tuple[Row, str]] = [
    ({"market_ticker": "KXBTCSIM-NO-SUCH"}, "there is no market"),
    ({"limit_price_e4": 5_055}, "limit_price"),
    ({"limit_price_e4": 0}, "limit_price"),
    ({"limit_price_e4": 10_000}, "limit_price"),
    ({"count_e2": 0}, "must be more than 0"),
    ({"count_e2": -100}, "must be more than 0"),
    ({"count_e2": 10**12}, "more than the"),
    ({"mode": "live"}, "mode live"),
]


def test_bad_tickets_are_refused_by_name(desk: Stack) -> None:
    for changes, said in BAD:
        decided = ask(desk, pick(desk), **changes)
        assert decided["state"] == "refused", changes
        assert said in decided["reason"], (changes, decided["reason"])
    closed = desk.db.one("SELECT market_ticker FROM live_data.markets WHERE close_time < now() LIMIT 1")
    if closed is not None:
        decided = ask(desk, pick(desk), market_ticker=closed["market_ticker"])
        assert decided["state"] == "refused"
        assert "the market" in decided["reason"]
    assert desk.db.all("SELECT * FROM users.trades") == []


def test_switches_and_stale_data_refuse(desk: Stack) -> None:
    row = pick(desk, 40)
    desk.db.run(
        "INSERT INTO users.settings (user_id, name, value, changed_by) VALUES"
        " ('0001', 'kill_switch', '{\"on\": true, \"why\": \"test\"}', 'test')"
    )
    assert "kill switch is on: test" in ask(desk, row)["reason"]
    desk.db.run("DELETE FROM users.settings WHERE name = 'kill_switch'")
    desk.db.run("DELETE FROM users.settings WHERE name = 'risk'")
    desk.kill("btc_price_watchdog")
    time.sleep(6)
    assert "the BTC price is" in ask(desk, row)["reason"]


def test_simulator_stopped_neither_lost_nor_doubled(desk: Stack) -> None:
    row = pick(desk, 60)
    desk.kill("simulator", signal.SIGTERM)
    decided = ask(desk, row)
    # The books and the price are still fresh for some seconds: the order may be accepted, it cannot be sent.
    if decided["state"] == "accepted":
        ended = wait_state(desk, decided["trade_id"], "error", timeout_s=40)
        assert "nothing was sent" in ended["reason"] or "not sent" in ended["reason"]
    desk.simulator()
    wait_for("the stream is back", lambda: (r := desk.report("kalshi_api_watchdog")) and r.healthy, 60)
    assert orders_on_exchange(desk) == []


def test_killed_while_sending_is_looked_up_not_resent(desk: Stack) -> None:
    row = pick(desk, 45)
    desk.processes["simulator"].send_signal(signal.SIGSTOP)  # takes the request, answers nothing
    decided = ask(desk, row)
    assert decided["state"] == "accepted", decided["reason"]
    wait_for(
        "the order is being sent",
        lambda: desk.db.all("SELECT 1 FROM users.orders WHERE state = 'sending'"),
    )
    time.sleep(0.5)
    desk.kill("trade_executor")
    desk.processes["simulator"].send_signal(signal.SIGCONT)
    desk.start("trade_executor")
    done = wait_for(
        "the order's outcome is known",
        lambda: desk.db.one("SELECT * FROM users.orders WHERE state IN ('filled', 'cancelled', 'refused')"),
        60,
    )
    there = orders_on_exchange(desk)
    assert there.count(done["client_order_id"]) == (0 if done["state"] == "refused" else 1)
    assert len(there) <= 1
    kinds = [r["kind"] for r in desk.db.all("SELECT kind FROM users.trade_events ORDER BY event_id")]
    assert "order_unknown" in kinds
    wait_state(desk, decided["trade_id"], "open", "closed", "error", timeout_s=60)


def test_unknown_outcome_blocks_entries_until_known(desk: Stack) -> None:
    row = pick(desk, 45)
    desk.processes["simulator"].send_signal(signal.SIGSTOP)
    first = ask(desk, row)
    assert first["state"] == "accepted", first["reason"]
    wait_for("unknown", lambda: desk.db.all("SELECT 1 FROM users.orders WHERE state = 'unknown'"), 20)
    second = ask(desk, row, side="no", limit_price_e4=5000)
    assert second["state"] == "refused"
    assert "unknown outcome" in second["reason"]
    desk.processes["simulator"].send_signal(signal.SIGCONT)
    wait_for("known", lambda: not desk.db.all("SELECT 1 FROM users.orders WHERE state IN ('unknown', 'sending')"), 60)
    assert len(orders_on_exchange(desk)) <= 1


def test_database_restart_is_survived_and_told(desk: Stack) -> None:
    desk.db.close()
    desk.cluster.stop("immediate")
    time.sleep(4)
    report = desk.report("trade_manager")
    assert report is not None, desk.log("trade_manager")[-3000:]
    assert not report.healthy
    desk.cluster.start()
    desk.wait_healthy("trade_manager", "trade_executor", "kalshi_account_sync", "btc_price_watchdog")
