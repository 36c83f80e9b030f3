"""What the frame around every page reads: what a person must hear of, and the ages in the status bar."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from recio.store.db import Queries

__all__ = ["incident_news", "trade_news", "vitals"]

Row = dict[str, Any]
_TAIL = 25  # entries of the trades' logs looked at for each item wanted: bounded, whatever the ledger's size
_HEARD = (
    "trade_open", "trade_closed", "trade_error", "trade_expired", "order_refused", "order_unknown", "exit_intent",
)  # fmt: skip


def trade_news(db: Queries, user_id: str, mode: str, since: datetime, limit: int) -> list[Row]:
    """Entries of the trades' logs after ``since`` that a person must hear of, with their trade as it is now; newest first."""
    return db.all(
        "SELECT e.event_id, e.trade_id, e.at, e.kind, e.detail->>'source' AS source, e.detail->>'reason' AS why,"
        " t.side, t.strike_e2, t.reason, t.entry_count_e2, t.entry_cost_e6, t.pnl_e6"
        " FROM (SELECT * FROM users.trade_events ORDER BY event_id DESC LIMIT %s) e"
        " JOIN users.trades t ON t.user_id = e.user_id AND t.trade_id = e.trade_id"
        " WHERE e.user_id = %s AND t.mode = %s AND e.at > %s AND e.kind = ANY(%s)"
        " ORDER BY e.event_id DESC LIMIT %s",
        (_TAIL * limit, user_id, mode, since, list(_HEARD), limit),
    )


def incident_news(db: Queries, since: datetime, limit: int) -> list[Row]:
    """Incidents opened or closed after ``since``, newest first."""
    return db.all(
        "SELECT incident_id, severity, opened_at, closed_at, cause, action FROM system.incidents"
        " WHERE opened_at > %s OR closed_at > %s ORDER BY greatest(opened_at, closed_at) DESC LIMIT %s",
        (since, since, limit),
    )


def vitals(db: Queries, mode: str) -> Row:
    """The ages of the status bar: the newest valid book, the last comparison of ledger and exchange; open incidents."""
    row = db.one(
        "SELECT (SELECT max(received_at) FROM live_data.books WHERE valid) AS book_at, r.at AS reconciled_at,"
        " r.ok AS reconciled, (SELECT count(*)::int FROM system.incidents WHERE closed_at IS NULL) AS incidents_open,"
        " (SELECT count(*)::int FROM system.incidents WHERE closed_at IS NULL AND severity = 'critical') AS critical_open"
        " FROM (SELECT 1) one LEFT JOIN LATERAL (SELECT at, ok FROM users.reconciliations WHERE mode = %s"
        " ORDER BY reconciliation_id DESC LIMIT 1) r ON true",
        (mode,),
    )
    assert row is not None  # noqa: S101 - one row is joined to at most one
    return row
