"""The filtered history as a file: CSV for a spreadsheet, JSON for a program. Streamed page by page: memory does not grow."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from recio.store import web_queries as queries
from recio.store.db import Queries
from recio.web import csv_lines
from recio.web.view import iso

__all__ = ["as_csv", "as_json"]

_PAGE = 500
_COLUMNS = (
    "trade_id", "mode", "source", "market_ticker", "event_ticker", "series_ticker", "strike_e2", "side", "state", "reason",
    "count_e2", "limit_price_e4", "entry_count_e2", "entry_cost_e6", "exit_count_e2", "exit_proceeds_e6", "fees_e6",
    "result", "pnl_e6", "close_time", "created_at", "opened_at", "closed_at",
)  # fmt: skip


def _pages(db: Queries, user_id: str, mode: str, wanted: queries.TradeFilter) -> Iterator[list[dict[str, Any]]]:
    before: int | None = None
    while True:
        rows = queries.trades(db, user_id, mode, wanted, _PAGE, before)
        yield rows
        if len(rows) < _PAGE:
            return
        before = rows[-1]["trade_id"]


def as_csv(db: Queries, user_id: str, mode: str, wanted: queries.TradeFilter) -> Iterator[str]:
    """Amounts in dollars, counts in contracts, times in UTC; newest first."""
    yield csv_lines.heading(_COLUMNS)
    for rows in _pages(db, user_id, mode, wanted):
        yield csv_lines.lines(rows, _COLUMNS)


def as_json(db: Queries, user_id: str, mode: str, wanted: queries.TradeFilter) -> Iterator[str]:
    """{"trades": [...]}: the ledger's own integers (``_e6`` micro-dollars, ``_e4`` prices, ``_e2`` counts), times in UTC."""
    yield '{"trades":['
    between = ""
    for rows in _pages(db, user_id, mode, wanted):
        for row in rows:
            plain = {name: iso(row[name]) if isinstance(row[name], datetime) else row[name] for name in _COLUMNS}
            yield between + json.dumps(plain, separators=(",", ":"))
            between = ",\n"
    yield "]}\n"
