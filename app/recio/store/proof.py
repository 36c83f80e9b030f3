"""Trades with their logs, read in one snapshot, so that row and log can be held against each other."""

from __future__ import annotations

from typing import Any

from recio.store.db import Database

__all__ = ["trades_with_log"]


def trades_with_log(db: Database, mode: str, *, since_s: float | None = None) -> list[dict[str, Any]]:
    """Every live trade and those closed since an epoch second (None: all ever), each with ``events``: kind and detail,
    oldest first."""
    return db.all(
        "SELECT t.*, (SELECT coalesce(json_agg(json_build_object('kind', e.kind, 'detail', e.detail) ORDER BY e.event_id),"
        " '[]') FROM users.trade_events e WHERE e.user_id = t.user_id AND e.trade_id = t.trade_id) AS events"
        " FROM users.trades t WHERE t.mode = %(mode)s AND (%(since_s)s::float8 IS NULL"
        "  OR t.state IN ('pending', 'open', 'closing', 'expired') OR t.trade_id IN (SELECT trade_id FROM users.trades"
        "   WHERE mode = %(mode)s AND state IN ('closed', 'error') ORDER BY trade_id DESC LIMIT 50)"
        "  AND coalesce(t.closed_at, t.created_at) > to_timestamp(%(since_s)s)) ORDER BY t.trade_id",
        {"mode": mode, "since_s": since_s},
    )
