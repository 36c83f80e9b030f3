"""A trade's log as a timeline, its arithmetic, and the book at its entry as rows: what its page shows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import zip_longest
from typing import Any

from recio.trading.ledger import Folded, LedgerError, settle
from recio.web.view import cents, contracts, dollars, usd

__all__ = ["bill_of", "book_of", "story"]

_LEVELS = 5
_UNITS: tuple[tuple[str, Callable[[int], str]], ...] = (
    ("_e6", lambda value: dollars(value, True, 4)), ("_e4", cents), ("count_e2", contracts), ("_e2", usd),
)  # fmt: skip


def story(events: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The events with ``after_ms``, the time since the one before (None for the first), and ``said``: their detail as text."""
    found: list[dict[str, Any]] = []
    last = None
    for event in events:
        after = None if last is None else round((event["at"] - last).total_seconds() * 1000)
        # `trade` is the row as it began, for the proof by the log: its columns stand on this page already.
        said = [
            _said(name, value) for name, value in event["detail"].items() if name != "trade" and value not in ("", None)
        ]
        found.append({**event, "after_ms": after, "said": ", ".join(said)})
        last = event["at"]
    return found


def _said(name: str, value: Any) -> str:
    """One entry of an event's detail in the page's units: limit_price_e4 7200 -> "limit price 72¢"."""
    for ending, written in _UNITS:
        if name.endswith(ending) and isinstance(value, int):
            return f"{name[:-3].replace('_', ' ')} {written(value)}"
    return f"{name.replace('_', ' ')} {value}"


def book_of(entry: Mapping[str, Any] | None) -> list[tuple[list[int] | None, list[int] | None]] | None:
    """(YES bid, NO bid) by level as (price_e4, count_e2), best first; None when no book was kept with the decision."""
    inputs = (entry or {}).get("inputs") or {}
    yes, no = inputs.get("yes_bids"), inputs.get("no_bids")
    if yes is None or no is None:
        return None
    return list(zip_longest(yes[:_LEVELS], no[:_LEVELS]))


def bill_of(trade: Mapping[str, Any], fills: Sequence[Mapping[str, Any]]) -> dict[str, int | bool | None]:
    """A trade's PnL worked out anew: ``payout_e6`` by the market's result (None: not known yet, 0: nothing was left),
    ``pnl_e6`` as the lines add up (None with an unknown line), ``fills_fee_e6`` of the fills on record, ``agrees``: whether
    the ledger says the same (None: nothing to compare)."""
    folded = Folded(
        entry_count_e2=trade["entry_count_e2"], entry_cost_e6=trade["entry_cost_e6"],
        exit_count_e2=trade["exit_count_e2"], exit_proceeds_e6=trade["exit_proceeds_e6"], fees_e6=trade["fees_e6"],
    )  # fmt: skip
    payout: int | None = None
    if folded.held_e2 == 0:
        payout = 0
    elif trade["result"] is not None:
        try:
            payout = settle(folded, trade["side"], trade["result"], trade["settlement_value_e4"]).payout_e6
        except LedgerError:
            payout = None
    pnl = None if payout is None else payout + folded.exit_proceeds_e6 - folded.entry_cost_e6 - folded.fees_e6
    fees = sum(fill["fee_e6"] for fill in fills)
    known = pnl is not None and trade["pnl_e6"] is not None
    agrees = pnl == trade["pnl_e6"] and fees == folded.fees_e6 if known else None
    return {"payout_e6": payout, "pnl_e6": pnl, "fills_fee_e6": fees, "agrees": agrees}
