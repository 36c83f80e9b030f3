"""What a trade is, worked out from its own orders, its own fills and the exchange's result; never from memory.

evidence                                             the trade's row
fills of its entry orders                            entry_count_e2, entry_cost_e6, fees_e6
fills of its exit orders                             exit_count_e2, exit_proceeds_e6, fees_e6
an order not final, or fills it owes                 the trade waits: no result is booked over it
the market's result, nothing owed                    closed, with pnl_e6
facts that contradict each other                     error, with both numbers in the reason

Rows are mappings with the columns of users.trades, users.orders, users.fills and users.settlements.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from recio.trading.ledger import Fill, Folded, LedgerError, closed_pnl_e6, fold_fills, settle
from recio.trading.states import UNFINISHED_ORDERS, TradeState, trade_after

__all__ = ["Evidence", "fold_fill_rows", "fold_trade", "free_to_sell_e2", "owes"]

Row = dict[str, Any]


class Evidence(msgspec.Struct, frozen=True):
    """All that is known of a trade beside its own row. Orders oldest first; fills carry their order_id, oldest first."""

    orders: Sequence[Row]
    fills: Sequence[Row]
    settlement: Row | None = None


def owes(evidence: Evidence, purpose: str) -> bool:
    """An order of this purpose is not final, or is final and fills it reported have not arrived yet."""
    for order in evidence.orders:
        if order["purpose"] != purpose:
            continue
        if order["state"] in UNFINISHED_ORDERS:
            return True
        arrived = sum(f["count_e2"] for f in evidence.fills if f["order_id"] == order["order_id"])
        if arrived < order["acked_count_e2"]:
            return True
    return False


def fold_fill_rows(side: str, rows: Sequence[Row]) -> Folded:
    """Add up rows of users.fills. Raises LedgerError."""
    return fold_fills(side, (msgspec.convert(row, Fill) for row in rows))


def free_to_sell_e2(evidence: Evidence, side: str) -> int:
    """Contracts an exit may sell now: what the fills say is held, nothing while an exit's outcome or fills are owed.

    A sold contract whose fill has not arrived still looks held; selling it again would sell another trade's.
    Raises LedgerError.
    """
    if owes(evidence, "exit"):
        return 0
    return max(0, fold_fill_rows(side, evidence.fills).held_e2)


def fold_trade(trade: Row, evidence: Evidence, now: datetime) -> Row:
    """The columns of the trade's row that must change, with their new values; empty when it says what the evidence says,
    and always for a closed trade: closed is final, its closed_at too."""
    if trade["state"] == TradeState.CLOSED:
        return {}
    try:
        changes = _columns(trade, evidence, now)
    except LedgerError as contradiction:
        changes = {"state": TradeState.ERROR.value, "reason": str(contradiction)}
    return {key: value for key, value in changes.items() if trade[key] != value}


def _columns(trade: Mapping[str, Any], evidence: Evidence, now: datetime) -> Row:
    folded = fold_fill_rows(trade["side"], evidence.fills)
    entries = [order for order in evidence.orders if order["purpose"] == "entry"]
    entry_owed, exit_owed = owes(evidence, "entry"), owes(evidence, "exit")
    # A closed trade is final: no result is booked while an order could still bring a fill.
    settlement = None if entry_owed or exit_owed else evidence.settlement
    state = trade_after(
        trade["state"],
        folded.entry_count_e2,
        folded.exit_count_e2,
        entry_unfinished=entry_owed,
        exit_unfinished=exit_owed,
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


def _reason(state: TradeState, trade: Mapping[str, Any], folded: Folded, entries: Sequence[Row]) -> str:
    if state is TradeState.ERROR:
        if folded.held_e2 < 0:
            sold, bought = folded.exit_count_e2 / 100, folded.entry_count_e2 / 100
            return f"sold {sold:g} and bought {bought:g}: an entry fill is yet to come, or something is wrong"
        return str(entries[-1]["reason"]) if entries else "no order"
    if state is TradeState.EXPIRED:
        return "the market has closed; waiting for its result"
    if state is TradeState.OPEN and folded.entry_count_e2 < trade["count_e2"]:
        return f"filled {folded.entry_count_e2 / 100:g} of {trade['count_e2'] / 100:g}"
    return ""


def _closing(trade: Mapping[str, Any], folded: Folded, settlement: Row | None, now: datetime) -> Row:
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
