"""States for the rules' tests: one market on which everything is right, to spoil one thing at a time."""

from __future__ import annotations

from typing import Any

import msgspec

from recio.market.strike_table import Book, StrikeRow
from recio.trading.entry import SpikePause
from recio.trading.evaluate import EntryTable
from recio.trading.monitor import Monitor, settings_of
from recio.trading.strategies.base import EntryContext, EntryState, Event

NOW = 1_800_000_000.0
ROW = StrikeRow(
    market_ticker="T1", strike_e2=9_974_999, buffer_e2=26_001, buffer_percent=0.26, side="yes", probability=0.995,
    probability_yes=0.995, yes_bid_e4=9500, yes_ask_e4=9600, no_bid_e4=400, no_ask_e4=500, differential_yes_e4=320,
    differential_no_e4=-500, raw_differential_yes_e4=350, raw_differential_no_e4=-450, depth=500, yes_depth_e2=500,
    no_depth_e2=500, volume_e2=500_000, book_age_s=1.0,
)  # fmt: skip
EVENT = Event(event_ticker="E", series_ticker="KXBTCD", close_time_s=NOW + 600)
CONTEXT = EntryContext(
    now_s=NOW, price_age_s=0.5, momentum_bp=3, pause=SpikePause(), last_order_s=None, live=(), entered=(), edge=""
)
YES_BIDS = [[9500, 1000], [9400, 5000]]
NO_BIDS = [[400, 500], [300, 500], [100, 9000]]  # YES asks 96c x 5, 97c x 5, 99c x 90


def monitor(strategy: str = "hourly_hold", series: str = "KXBTCD", name: str = "m", **settings: Any) -> Monitor:
    """A monitor that is on, trusting the model alone unless told otherwise."""
    read = settings_of(strategy, {"model_weight": 1.0} | settings)
    return Monitor(monitor_id=name, strategy=strategy, series_ticker=series, enabled=True, settings=read)


def table(*rows: dict[str, Any], book: bool = True, age_s: float = 1.0, **event: Any) -> EntryTable:
    """Rows changed from ROW, each with the usual book unless ``book`` is off."""
    made = [msgspec.structs.replace(ROW, **row) for row in rows or ({},)]
    books = {row.market_ticker: Book(YES_BIDS, NO_BIDS, NOW - age_s) for row in made} if book else {}
    return EntryTable(event=msgspec.structs.replace(EVENT, **event), rows=made, books=books)


def context(**changes: Any) -> EntryContext:
    """CONTEXT with changes."""
    return msgspec.structs.replace(CONTEXT, **changes)


def state(row: dict[str, Any] | None = None, **changes: Any) -> EntryState:
    """One row as a strategy sees it, with the usual book."""
    made = EntryState(
        event=EVENT, context=CONTEXT, row=msgspec.structs.replace(ROW, **(row or {})), yes_bids=YES_BIDS,
        no_bids=NO_BIDS, book_age_s=1.0,
    )  # fmt: skip
    return msgspec.structs.replace(made, **changes)
