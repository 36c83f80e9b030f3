"""Trades with their logs, read in one snapshot, so that row and log can be held against each other."""

from __future__ import annotations

from typing import Any

from recio.store.db import Database

__all__ = ["trades_with_log"]


def trades_with_log(db: Database, mode: str, *, since_s: float | None = None) -> list[dict[str, Any]]:
    """Every live trade, and of the fifty made last those closed since an epoch second; all ever without one. Each with
    ``events``: kind and detail, oldest first."""
    which = "t.mode = %(mode)s"
    if since_s is not None:
        which = (
            "(t.user_id, t.trade_id) IN (SELECT user_id, trade_id FROM users.trades WHERE mode = %(mode)s"
            "  AND state IN ('pending', 'open', 'closing', 'expired')"
            " UNION SELECT user_id, trade_id FROM (SELECT user_id, trade_id, mode, closed_at FROM users.trades"
            "  ORDER BY user_id DESC, trade_id DESC LIMIT 50) late WHERE mode = %(mode)s"
            "  AND closed_at > to_timestamp(%(since_s)s))"
        )
    return db.all(
        "SELECT t.*,"  # noqa: S608 - constant conditions
        " (SELECT coalesce(json_agg(json_build_object('kind', e.kind, 'detail', e.detail) ORDER BY e.event_id),"
        " '[]') FROM users.trade_events e WHERE e.user_id = t.user_id AND e.trade_id = t.trade_id) AS events"
        f" FROM users.trades t WHERE {which} ORDER BY t.trade_id",
        {"mode": mode, "since_s": since_s},
    )
