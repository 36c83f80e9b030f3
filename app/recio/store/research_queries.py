"""What research can stand on: which minutes of BTC are stored, which model is active, what the newest calibrations found."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from recio.store.db import Queries

__all__ = ["stored_history", "verdicts"]

Row = dict[str, Any]


def stored_history(db: Queries) -> Row:
    """First and last stored minute (None: none), and the active model with what it was built from."""
    row = db.one(
        "SELECT (SELECT min(at) FROM historical_data.btc_candles_1m) AS first_at,"
        " (SELECT max(at) FROM historical_data.btc_candles_1m) AS last_at,"
        " (SELECT row_to_json(m) FROM (SELECT version, minutes, samples, basis_pairs FROM analytics.models WHERE active) m) AS model"
    )
    assert row is not None  # noqa: S101 - a SELECT without FROM has one row
    return row


def verdicts(db: Queries, mode: str, strategies: Sequence[str]) -> list[Row]:
    """By strategy, whether an edge was shown and when that was last looked at; None where it never was."""
    return db.all(
        "SELECT s.strategy, c.verdict, c.made_at FROM unnest(%s::text[]) s (strategy) LEFT JOIN LATERAL (SELECT verdict, made_at"
        " FROM analytics.calibrations WHERE mode = %s AND strategy = s.strategy ORDER BY made_at DESC LIMIT 1) c ON true"
        " ORDER BY s.strategy",
        (list(strategies), mode),
    )
