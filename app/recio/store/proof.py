"""Trades with their logs, read in one snapshot, so that row and log can be held against each other."""

from __future__ import annotations

from typing import Any

from recio.store.db import Database

__all__ = ["trades_with_log"]


def trades_with_log(db: Database, mode: str, *, since_s: float | None = None) -> list[dict[str, Any]]:
    """Every live trade and those closed since an epoch second (None: all ever), each with ``events``: kind and detail,
    oldest first."""
    which = "true"
    if since_s is not None:  # by index: a ledger of years is not read through for the trades of an hour
        which = (
            "(t.user_id, t.trade_id) IN (SELECT user_id, trade_id FROM users.trades WHERE mode = %(mode)s"
            "  AND state IN ('pending', 'open', 'closing', 'expired') UNION ALL SELECT user_id, trade_id FROM (SELECT user_id,"
            "   trade_id, coalesce(closed_at, created_at) AS at FROM users.trades WHERE mode = %(mode)s"
            "   AND state IN ('closed', 'error') ORDER BY trade_id DESC LIMIT 50) n WHERE at > to_timestamp(%(since_s)s))"
        )
    return db.all(
        "SELECT t.*, (SELECT coalesce(json_agg(json_build_object('kind', e.kind, 'detail', e.detail) ORDER BY e.event_id),"  # noqa: S608
        " '[]') FROM users.trade_events e WHERE e.user_id = t.user_id AND e.trade_id = t.trade_id) AS events"
        f" FROM users.trades t WHERE t.mode = %(mode)s AND {which} ORDER BY t.trade_id",
        {"mode": mode, "since_s": since_s},
    )
