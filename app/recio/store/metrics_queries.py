"""What /metrics tells from the database, in a few statements that stay quick however much is finished."""

from __future__ import annotations

from typing import Any

from recio.store.db import Queries

__all__ = ["feed_ages", "incidents_open", "orders_today", "orders_unfinished", "trades_live"]

Row = dict[str, Any]


def feed_ages(db: Queries, mode: str) -> Row:
    """Seconds since each feed brought something; None: it never did. Latency in ms, skew in s, as the watchdog saw them."""
    row = db.one(
        """
        SELECT (SELECT extract(epoch FROM now() - received_at)::float8 FROM live_data.btc_price) AS price,
               (SELECT extract(epoch FROM now() - max(built_at))::float8 FROM live_data.strike_tables) AS strike_tables,
               (SELECT extract(epoch FROM now() - max(received_at))::float8 FROM live_data.books WHERE valid) AS books,
               extract(epoch FROM now() - x.stream_frame_at)::float8 AS exchange_stream,
               extract(epoch FROM now() - x.signed_call_at)::float8 AS exchange_signed_call,
               (SELECT extract(epoch FROM now() - seen_at)::float8 FROM users.balances WHERE mode = %(mode)s) AS balance,
               (SELECT extract(epoch FROM now() - at)::float8 FROM users.reconciliations WHERE mode = %(mode)s
                 ORDER BY reconciliation_id DESC LIMIT 1) AS reconciliation,
               (SELECT ok FROM users.reconciliations WHERE mode = %(mode)s
                 ORDER BY reconciliation_id DESC LIMIT 1) AS reconciled,
               x.exchange_active, x.trading_active, x.latency_ms, x.clock_skew_s
          FROM (SELECT 1) one LEFT JOIN live_data.exchange_state x ON x.mode = %(mode)s
        """,
        {"mode": mode},
    )
    assert row is not None  # noqa: S101 - one row joined to at most one
    return row


def orders_unfinished(db: Queries, user_id: str, mode: str) -> dict[str, int]:
    """How many orders are in each state that is not final."""
    rows = db.all(
        "SELECT state, count(*) AS n FROM users.orders WHERE user_id = %s AND mode = %s"
        " AND state IN ('intent', 'sending', 'resting', 'partially_filled', 'unknown') GROUP BY state",
        (user_id, mode),
    )
    return {row["state"]: row["n"] for row in rows}


def orders_today(db: Queries, user_id: str, mode: str) -> dict[str, int]:
    """How many orders sent since midnight in New York came to each final state."""
    rows = db.all(
        "SELECT state, count(*) AS n FROM users.orders WHERE mode = %s AND user_id = %s"
        " AND sent_at >= date_trunc('day', now() AT TIME ZONE 'America/New_York') AT TIME ZONE 'America/New_York'"
        " AND state IN ('filled', 'cancelled', 'refused') GROUP BY state",
        (mode, user_id),
    )
    return {row["state"]: row["n"] for row in rows}


def trades_live(db: Queries, user_id: str, mode: str) -> dict[str, int]:
    """How many trades are in each state that is not final."""
    rows = db.all(
        "SELECT state, count(*) AS n FROM users.trades WHERE user_id = %s AND mode = %s"
        " AND state IN ('pending', 'open', 'closing', 'expired') GROUP BY state",
        (user_id, mode),
    )
    return {row["state"]: row["n"] for row in rows}


def incidents_open(db: Queries) -> dict[str, int]:
    """How many incidents are open, by severity."""
    rows = db.all("SELECT severity, count(*) AS n FROM system.incidents WHERE closed_at IS NULL GROUP BY severity")
    return {row["severity"]: row["n"] for row in rows}
