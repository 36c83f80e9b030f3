"""The only place a decision is made: the services, replay and backtest all call it with the same kind of state.

Pure and deterministic: the same monitor, table and context give the same decisions, in the same order.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from recio.market.strike_table import Book, StrikeRow
from recio.trading.monitor import Monitor
from recio.trading.settings import AutoStopSettings
from recio.trading.stop import StopDecision, StopMemory, decide_stop
from recio.trading.strategies import STRATEGIES
from recio.trading.strategies.base import BOOK_LEVELS, EntryContext, EntryDecision, EntryState, Event, ExitState
from recio.trading.strategies.common import general

__all__ = ["EntryTable", "evaluate_entries", "evaluate_exit", "recompute", "states"]

# Not looked at any further: nothing would be entered, and a calibration wants no sample from there.
_FAR = ("closed", "window")


class EntryTable(msgspec.Struct, frozen=True, kw_only=True):
    """One event's strike table, and the books of its markets as they are now (a market without one: the row's prices)."""

    event: Event
    rows: Sequence[StrikeRow]
    books: Mapping[str, Book] = {}


def states(table: EntryTable, context: EntryContext) -> list[EntryState]:
    """What a strategy sees of each row. An invalid book is no book."""
    found = []
    for row in table.rows:
        book = table.books.get(row.market_ticker)
        if book is None:
            found.append(EntryState(event=table.event, context=context, row=row))
            continue
        age = max(0.0, context.now_s - book.received_s) if book.valid else None
        found.append(
            EntryState(
                event=table.event,
                context=context,
                row=row,
                yes_bids=book.yes_bids[:BOOK_LEVELS],
                no_bids=book.no_bids[:BOOK_LEVELS],
                book_age_s=age,
            )
        )
    return found


def evaluate_entries(monitor: Monitor, table: EntryTable, context: EntryContext) -> list[EntryDecision]:
    """Judge every row of an event for one monitor; at most one is entered, the one with the largest differential.

    Outside the window the rows are answered without being looked at (their numbers are None)."""
    if monitor.series_ticker != table.event.series_ticker:
        return []
    reason, why = general(table.event, context, monitor.settings)
    if reason in _FAR:
        return [
            EntryDecision(market_ticker=row.market_ticker, action="wait", reason=reason, why=why, side=row.side)
            for row in table.rows
        ]
    entry = STRATEGIES[monitor.strategy].entry
    return _one_at_a_time([entry(state, monitor.settings) for state in states(table, context)])


def _one_at_a_time(found: list[EntryDecision]) -> list[EntryDecision]:
    wanted = [decision for decision in found if decision.action == "enter"]
    if len(wanted) <= 1:
        return found
    best = max(wanted, key=lambda decision: (decision.differential_e4 or 0, decision.market_ticker))
    why = f"{best.market_ticker} is better; one order at a time"
    return [
        decision
        if decision.action != "enter" or decision is best
        else msgspec.structs.replace(
            decision, action="watch", reason="better", why=why, count_e2=0, limit_price_e4=0
        )
        for decision in found
    ]  # fmt: skip


def recompute(strategy: str, settings: Mapping[str, object], inputs: Mapping[str, object]) -> EntryDecision:
    """A stored decision made anew from its settings and its stored inputs (an EntryState as plain data)."""
    known = STRATEGIES[strategy]
    return known.entry(msgspec.convert(inputs, EntryState), msgspec.convert(settings, known.settings))


def evaluate_exit(monitor: Monitor | None, state: ExitState, desk: AutoStopSettings) -> StopDecision:
    """One look at one held trade: by its monitor's strategy, or by the desk's own stop for a trade made by hand.

    ``desk.enabled`` is the user's switch for all stops. A monitor that is off or gone still protects what it bought:
    whether it may enter has no say here."""
    if not desk.enabled:
        return StopDecision(action="hold", why="auto stop is off", memory=StopMemory())
    if monitor is None:
        return decide_stop(state.trade, state.view, state.memory, desk)
    return STRATEGIES[monitor.strategy].exit(state, monitor.settings)
