"""What a trade is, worked out anew from its own orders, its own fills and the exchange's result; never from memory."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from recio.services import log
from recio.store import ledger
from recio.store.db import Database
from recio.trading.ledger import Fill, Folded, LedgerError, closed_pnl_e6, fold_fills, settle
from recio.trading.states import UNFINISHED_ORDERS, TradeState, trade_after

__all__ = ["Evidence", "gather", "refold"]

Row = dict[str, Any]


@dataclass(frozen=True)
class Evidence:
    """All that is known of a trade beside its own row."""

    orders: list[Row]
    fills: list[Row]
    settlement: Row | None


def gather(db: Database, trade: Row) -> Evidence:
    """Read a trade's orders, fills and, once its market is over, the result."""
    user_id, trade_id = trade["user_id"], trade["trade_id"]
    return Evidence(
        ledger.orders_of_trade(db, user_id, trade_id),
        ledger.fills_of_trade(db, user_id, trade_id),
        ledger.settlement_of(db, trade["mode"], trade["market_ticker"]),
    )


def _unfinished(orders: list[Row], fills: list[Row], purpose: str) -> bool:
    """An order of this purpose is not final, or is final and fills it reported have not arrived yet."""
    for order in orders:
        if order["purpose"] != purpose:
            continue
        if order["state"] in UNFINISHED_ORDERS:
            return True
        arrived = sum(f["count_e2"] for f in fills if f["order_id"] == order["order_id"])
        if arrived < order["acked_count_e2"]:
            return True
    return False


def refold(db: Database, trade: Row, evidence: Evidence, now: datetime) -> bool:
    """Bring one trade's row to what the evidence says, with an event for each change. True when it changed."""
    try:
        changes = _changes(trade, evidence, now)
    except LedgerError as contradiction:
        if trade["reason"] == str(contradiction):
            return False
        changes = {"state": TradeState.ERROR.value, "reason": str(contradiction)}
    changes = {key: value for key, value in changes.items() if trade[key] != value}
    if not changes:
        return False
    user_id, trade_id = trade["user_id"], trade["trade_id"]
    with db.transaction():
        ledger.update_trade(db, user_id, trade_id, changes)
        told = {k: v.isoformat() if isinstance(v, datetime) else v for k, v in changes.items()}
        ledger.add_event(db, user_id, trade_id, f"trade_{changes.get('state', 'updated')}", told)
        db.notify("trade", trade_id)
    if "state" in changes:
        log.info("trade", trade_id=trade_id, state=changes["state"], reason=changes.get("reason", trade["reason"]))
    return True


def _changes(trade: Row, evidence: Evidence, now: datetime) -> Row:
    folded = fold_fills(
        trade["side"],
        (
            Fill(
                fill_id=f["fill_id"],
                book_side=f["book_side"],
                count_e2=f["count_e2"],
                yes_price_e4=f["yes_price_e4"],
                fee_e6=f["fee_e6"],
            )
            for f in evidence.fills
        ),
    )
    entries = [o for o in evidence.orders if o["purpose"] == "entry"]
    entry_open = _unfinished(evidence.orders, evidence.fills, "entry")
    settlement = None if entry_open else evidence.settlement
    state = trade_after(
        trade["state"],
        folded.entry_count_e2,
        folded.exit_count_e2,
        entry_unfinished=entry_open,
        exit_unfinished=_unfinished(evidence.orders, evidence.fills, "exit"),
        market_closed=now >= trade["close_time"],
        entry_refused=bool(entries) and entries[-1]["state"] == "refused",
        result_known=settlement is not None,
    )
    changes: Row = {
        "state": state.value,
        "entry_count_e2": folded.entry_count_e2,
        "entry_cost_e6": folded.entry_cost_e6,
        "exit_count_e2": folded.exit_count_e2,
        "exit_proceeds_e6": folded.exit_proceeds_e6,
        "fees_e6": folded.fees_e6,
    }
    if folded.entry_count_e2 and trade["opened_at"] is None:
        changes["opened_at"] = evidence.fills[0]["filled_at"]
    if state.value != trade["state"]:
        changes["reason"] = _reason(state, trade, folded, entries)
    if state is TradeState.CLOSED:
        changes |= _closing(trade, folded, settlement, now)
    return changes


def _reason(state: TradeState, trade: Row, folded: Folded, entries: list[Row]) -> str:
    if state is TradeState.ERROR:
        return entries[-1]["reason"] if entries else "no order"
    if state is TradeState.EXPIRED:
        return "the market has closed; waiting for its result"
    if state is TradeState.OPEN and folded.entry_count_e2 < trade["count_e2"]:
        return f"filled {folded.entry_count_e2 / 100:g} of {trade['count_e2'] / 100:g}"
    return ""


def _closing(trade: Row, folded: Folded, settlement: Row | None, now: datetime) -> Row:
    if folded.entry_count_e2 == 0:
        return {"pnl_e6": 0, "closed_at": now, "reason": "nothing was filled at this price"}
    if folded.held_e2 == 0:
        return {"pnl_e6": closed_pnl_e6(folded), "closed_at": now, "reason": "sold"}
    if settlement is None:
        raise LedgerError(f"trade {trade['trade_id']} cannot close holding {folded.held_e2} without a result")
    value = settlement["settlement_value_e4"]
    done = settle(folded, trade["side"], settlement["result"], value)
    verdict = "won" if settlement["result"] == trade["side"] else "lost"
    if settlement["result"] not in ("yes", "no"):
        verdict = settlement["result"]
    return {
        "pnl_e6": done.pnl_e6,
        "result": settlement["result"],
        "settlement_value_e4": value,
        "closed_at": now,
        "reason": f"settled: {verdict}",
    }
