"""The audit log: who changed what, when, from where. Lines are only ever added."""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from psycopg2.extras import Json

if TYPE_CHECKING:  # the services that write lines have no pool
    from recio.store.db import Queries

__all__ = ["REMOTE", "audit_actions", "audit_lines", "audit_statement"]

REMOTE: ContextVar[str] = ContextVar("recio.remote", default="")
"""The address the request being served came from; the gate sets it, '' outside the web page."""


def audit_statement(actor: str, action: str, detail: Mapping[str, Any]) -> tuple[str, tuple[Any, ...]]:
    """The statement that adds a line, for the transaction of the change itself; the address comes from ``REMOTE``."""
    sql = "INSERT INTO users.audit_log (actor, action, detail, remote_addr) VALUES (%s, %s, %s, %s)"
    return sql, (actor, action, Json(detail), REMOTE.get())


def audit_lines(db: Queries, limit: int, before: int | None = None, action: str = "") -> list[dict[str, Any]]:
    """Lines, newest first, older than ``before``; of one ``action`` when it is given.

    An actor that is a user's number is told by its login name.
    """
    return db.all(
        "SELECT a.audit_id, a.at, coalesce(u.login, a.actor) AS actor, a.action, a.detail, a.remote_addr"
        " FROM users.audit_log a LEFT JOIN users.users u ON u.user_id = a.actor"
        " WHERE (%(before)s::bigint IS NULL OR a.audit_id < %(before)s)"
        " AND (%(action)s = '' OR a.action = %(action)s) ORDER BY a.audit_id DESC LIMIT %(limit)s",
        {"before": before, "action": action, "limit": limit},
    )


def audit_actions(db: Queries) -> list[str]:
    """Every action there is, by name; walks the index from one to the next, however long the log."""
    rows = db.all(
        "WITH RECURSIVE t AS ((SELECT action FROM users.audit_log ORDER BY action LIMIT 1) UNION ALL"
        " SELECT (SELECT action FROM users.audit_log WHERE action > t.action ORDER BY action LIMIT 1) FROM t"
        " WHERE t.action IS NOT NULL) SELECT action FROM t WHERE action IS NOT NULL"
    )
    return [row["action"] for row in rows]
