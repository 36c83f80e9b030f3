"""A trade's log and the trade's row: the row is a fold of the log, column by column, and this proves it.

event                        what it does to the row
entry_intent                 makes it: detail.trade holds every column the ledger starts with
exit_intent                  detail.trade: the trade is closing
trade_STATE, trade_updated   the detail's columns replace the row's
order_*                      nothing: what an order became reaches the row through its fills

The log is append-only; whoever changes the row appends the event in the same transaction.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

__all__ = ["FOLDED", "Mismatch", "as_detail", "differences", "fold_events", "is_provable"]

Row = dict[str, Any]
_FACTS = ("mode", "ticket_id", "source", "market_ticker", "event_ticker", "series_ticker", "strike_e2", "side")
_LIFE = (
    "state", "reason", "count_e2", "limit_price_e4", "entry_count_e2", "entry_cost_e6", "exit_count_e2",
    "exit_proceeds_e6", "fees_e6", "result", "settlement_value_e4", "pnl_e6", "close_time", "opened_at", "closed_at",
)  # fmt: skip
FOLDED = (*_FACTS, *_LIFE)
_TIMES = frozenset({"close_time", "opened_at", "closed_at"})
_START: Row = dict.fromkeys(FOLDED) | {
    "reason": "", "entry_count_e2": 0, "entry_cost_e6": 0, "exit_count_e2": 0, "exit_proceeds_e6": 0, "fees_e6": 0,
}  # fmt: skip


class Mismatch(msgspec.Struct, frozen=True):
    """One column of one trade that does not follow from its log, with both values."""

    trade_id: int
    column: str
    row: str
    log: str


def as_detail(columns: Mapping[str, Any]) -> Row:
    """Columns as they go into an event's detail: times as text, in UTC."""
    return {name: _plain(name, value) for name, value in columns.items()}


def _plain(name: str, value: Any) -> Any:
    if name not in _TIMES or value is None:
        return value
    moment = value if isinstance(value, datetime) else datetime.fromisoformat(value)
    return moment.astimezone(UTC).isoformat()


def is_provable(events: Iterable[Mapping[str, Any]]) -> bool:
    """Whether the log starts with the whole trade; logs written before it did so cannot prove anything."""
    first = next(iter(events), None)
    return first is not None and first["kind"] == "entry_intent" and "trade" in first["detail"]


def fold_events(events: Iterable[Mapping[str, Any]]) -> Row:
    """The columns the log says the trade has; ``events`` oldest first, with kind and detail. Times are text."""
    row = dict(_START)
    for event in events:
        kind, detail = event["kind"], event["detail"]
        if kind.endswith("_intent"):
            changes = detail.get("trade", {})
        elif kind.startswith("trade_"):
            changes = detail
        else:
            continue
        row |= {name: _plain(name, value) for name, value in changes.items() if name in row}
    return row


def differences(trade: Mapping[str, Any], events: Iterable[Mapping[str, Any]]) -> list[Mismatch]:
    """Every column in which the trade's row is not the fold of its log."""
    folded = fold_events(events)
    return [
        Mismatch(trade["trade_id"], name, str(_plain(name, trade[name])), str(folded[name]))
        for name in FOLDED
        if _plain(name, trade[name]) != folded[name]
    ]
