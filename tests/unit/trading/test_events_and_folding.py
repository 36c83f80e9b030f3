"""The log and the row, and what of a trade may be sold or booked: the pure parts by themselves."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from recio.trading.events import as_detail, differences, fold_events, is_provable
from recio.trading.folding import Evidence, fold_trade, free_to_sell_e2, owes

CLOSE = datetime(2026, 11, 24, 12, tzinfo=UTC)
TRADE: dict[str, Any] = {
    "trade_id": 7, "mode": "simulated", "ticket_id": 1, "source": "web", "market_ticker": "T", "event_ticker": "E",
    "series_ticker": "S", "strike_e2": 100, "side": "yes", "state": "pending", "reason": "", "count_e2": 300,
    "limit_price_e4": 6000, "entry_count_e2": 0, "entry_cost_e6": 0, "exit_count_e2": 0, "exit_proceeds_e6": 0,
    "fees_e6": 0, "result": None, "settlement_value_e4": None, "pnl_e6": None, "close_time": CLOSE, "opened_at": None,
    "closed_at": None,
}  # fmt: skip
START = {"kind": "entry_intent", "detail": {"trade": as_detail(TRADE)}}


def order(purpose: str, state: str, acked: int = 0, number: int = 1) -> dict[str, Any]:
    return {"order_id": number, "purpose": purpose, "state": state, "acked_count_e2": acked, "reason": ""}


def fill(book_side: str, count: int, number: int = 1, price: int = 6000, fee: int = 0) -> dict[str, Any]:
    return {
        "fill_id": f"f{number}{book_side}", "order_id": number, "book_side": book_side, "count_e2": count,
        "yes_price_e4": price, "fee_e6": fee, "filled_at": CLOSE - timedelta(minutes=5),
    }  # fmt: skip


def test_the_row_is_the_fold_of_its_log() -> None:
    changes = {"state": "open", "entry_count_e2": 300, "entry_cost_e6": 1_800_000, "opened_at": CLOSE}
    events = [
        START,
        {"kind": "order_filled", "detail": {"state": "nonsense", "reason": "not the trade's"}},
        {"kind": "trade_open", "detail": as_detail(changes)},
        {"kind": "exit_intent", "detail": {"order_id": 2, "count_e2": 5, "trade": {"state": "closing"}}},
    ]
    row = TRADE | changes | {"state": "closing"}
    assert differences(row, events) == []
    elsewhere = CLOSE.astimezone(timezone(timedelta(hours=-5)))
    assert differences(row | {"close_time": elsewhere}, events) == [], "the same moment, whatever the zone"
    wrong = differences(row | {"fees_e6": 1, "state": "open"}, events)
    assert [(m.column, m.row, m.log) for m in wrong] == [("state", "open", "closing"), ("fees_e6", "1", "0")]
    assert fold_events(events)["count_e2"] == 300, "an order's own count is no column of the trade"


def test_a_log_from_before_it_held_the_trade_proves_nothing() -> None:
    assert is_provable([START])
    assert not is_provable([{"kind": "entry_intent", "detail": {"order_id": 1}}, {"kind": "trade_open", "detail": {}}])
    assert not is_provable([])


def test_what_an_order_still_owes() -> None:
    assert owes(Evidence([order("entry", "unknown")], []), "entry")
    assert not owes(Evidence([order("entry", "unknown")], []), "exit")
    assert owes(Evidence([order("entry", "filled", 300)], [fill("bid", 200)]), "entry")
    assert not owes(Evidence([order("entry", "filled", 300)], [fill("bid", 300)]), "entry")
    assert not owes(Evidence([order("entry", "refused")], []), "entry")


def test_nothing_is_free_to_sell_while_an_exit_owes_its_fills() -> None:
    bought, fills = order("entry", "filled", 300), [fill("bid", 300)]
    assert free_to_sell_e2(Evidence([bought], fills), "yes") == 300
    sold = order("exit", "filled", 100, 2)
    assert free_to_sell_e2(Evidence([bought, sold], fills), "yes") == 0
    assert free_to_sell_e2(Evidence([bought, sold], [*fills, fill("ask", 100, 2)]), "yes") == 200


def test_a_result_waits_for_whatever_may_still_fill() -> None:
    settled = {"result": "yes", "settlement_value_e4": 10_000}
    late = CLOSE + timedelta(minutes=4)
    opened = TRADE | {"state": "open", "entry_count_e2": 300, "entry_cost_e6": 1_800_000, "opened_at": CLOSE}
    entry = order("entry", "filled", 300)
    doubt = Evidence([entry, order("exit", "unknown", 0, 2)], [fill("bid", 300)], settled)
    assert fold_trade(opened, doubt, late)["state"] == "expired"
    known = Evidence([entry, order("exit", "cancelled", 0, 2)], [fill("bid", 300)], settled)
    done = fold_trade(opened, known, late)
    assert (done["state"], done["pnl_e6"], done["reason"]) == ("closed", 1_200_000, "settled: won")
    assert fold_trade(opened | done, known, late + timedelta(hours=1)) == {}, "closed is final, its closed_at too"


def test_a_void_market_without_a_value_gives_the_cost_back_and_keeps_the_fee() -> None:
    opened = TRADE | {"state": "open"}
    evidence = Evidence(
        [order("entry", "filled", 300)], [fill("bid", 300, fee=500)], {"result": "void", "settlement_value_e4": None}
    )
    done = fold_trade(opened, evidence, CLOSE)
    assert (done["pnl_e6"], done["reason"]) == (-500, "settled: void")


def test_contradicting_facts_become_an_error_with_both_numbers() -> None:
    evidence = Evidence(
        [order("entry", "filled", 300)], [fill("bid", 300)], {"result": "yes", "settlement_value_e4": 0}
    )
    found = fold_trade(TRADE | {"state": "open"}, evidence, CLOSE)
    assert found["state"] == "error" and "10000" in found["reason"] and "is 0" in found["reason"]
