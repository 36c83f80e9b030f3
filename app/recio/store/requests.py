"""Queries of system.requests: the page asks, root's worker takes, tells and finishes. Every step has its audit line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from psycopg2.extras import Json

from recio.store.audit import audit_statement
from recio.store.db import Database, Queries
from recio.store.pool import Pool

__all__ = ["ask", "expire", "finish", "newest", "progress", "request", "take", "try_lock"]

Row = dict[str, Any]
_LOCK = 0x7265_6331  # one worker at a time, whoever starts it
_MAX_OPEN = 3
_COLUMNS = "request_id, kind, args, asked_by, asked_at, state, started_at, finished_at, progress, result"


def ask(pool: Pool, kind: str, args: Mapping[str, Any], asked_by: str) -> int | None:
    """Write down a request that recio.monitoring.requests has checked; None when the same kind, or three, are still open."""
    with pool.transaction() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK + 1,))
        cursor.execute(
            "INSERT INTO system.requests (kind, args, asked_by) SELECT %(kind)s, %(args)s, %(by)s"
            " WHERE NOT EXISTS (SELECT FROM system.requests WHERE state IN ('new', 'running') AND kind = %(kind)s"
            "   AND asked_at > now() - interval '1 hour')"
            " AND (SELECT count(*) FROM system.requests WHERE state IN ('new', 'running')"
            "   AND asked_at > now() - interval '1 hour') < %(most)s RETURNING request_id",
            {"kind": kind, "args": Json(dict(args)), "by": asked_by, "most": _MAX_OPEN},
        )
        row = cursor.fetchone()
        if row is not None:
            cursor.execute(*audit_statement(asked_by, f"ask {kind}", {"request_id": row["request_id"], **args}))
    return int(row["request_id"]) if row else None


def newest(db: Queries, limit: int = 10) -> list[Row]:
    """The newest requests, newest first, with ``waiting_s`` for those nobody has taken yet."""
    return db.all(
        f"SELECT {_COLUMNS}, CASE WHEN state = 'new' THEN extract(epoch FROM now() - asked_at)::float8 END AS waiting_s"  # noqa: S608
        " FROM system.requests ORDER BY request_id DESC LIMIT %s",
        (limit,),
    )


def request(db: Queries, request_id: int) -> Row | None:
    """One request, or None."""
    return db.one(f"SELECT {_COLUMNS} FROM system.requests WHERE request_id = %s", (request_id,))  # noqa: S608


def try_lock(db: Database) -> bool:
    """Be the one worker for as long as this connection lives; False when another is."""
    row = db.one("SELECT pg_try_advisory_lock(%s) AS mine", (_LOCK,))
    return bool(row and row["mine"])


def expire(db: Database, max_age_s: int) -> int:
    """Refuse what is too old, and close what a worker that died left running; call it under the lock. The number of rows."""
    touched = 0
    with db.transaction():
        for state, older, why in (
            ("new", max_age_s, f"refused: older than {max_age_s} s when it could have been done; ask again if it is still wanted"),
            ("running", 0, "not known to the end: the worker that did it ended before it could say; look before you ask again"),
        ):  # fmt: skip
            touched += db.run(
                "WITH ended AS (UPDATE system.requests SET state = 'failed', finished_at = now(), result = %(why)s"
                "  WHERE state = %(state)s AND asked_at <= now() - make_interval(secs => %(older)s) RETURNING *)"
                " INSERT INTO users.audit_log (actor, action, detail)"
                " SELECT asked_by, 'failed ' || kind, jsonb_build_object('request_id', request_id, 'result', result) FROM ended",
                {"why": why, "state": state, "older": older},
            )
        if touched:
            db.notify("request", 0)
    return touched


def take(db: Database) -> Row | None:
    """The oldest new request, now running; None when there is none."""
    with db.transaction():
        row = db.one(
            "UPDATE system.requests SET state = 'running', started_at = now() WHERE request_id ="  # noqa: S608
            " (SELECT request_id FROM system.requests WHERE state = 'new' ORDER BY request_id LIMIT 1)"
            f" RETURNING {_COLUMNS}"
        )
        if row is not None:
            db.notify("request", row["request_id"])
    return row


def progress(db: Database, request_id: int, said: str) -> None:
    """What it does now."""
    with db.transaction(durable=False):
        db.run("UPDATE system.requests SET progress = %s WHERE request_id = %s", (said[:500], request_id))
        db.notify("request", request_id)


def finish(db: Database, row: Row, ok: bool, result: str) -> None:
    """The outcome, with its line in the audit log."""
    state = "done" if ok else "failed"
    with db.transaction():
        db.run(
            "UPDATE system.requests SET state = %s, finished_at = now(), result = %s WHERE request_id = %s",
            (state, result[:2000], row["request_id"]),
        )
        db.run(
            "INSERT INTO users.audit_log (actor, action, detail) VALUES (%s, %s, %s)",
            (
                row["asked_by"],
                f"{state} {row['kind']}",
                Json({"request_id": row["request_id"], "result": result[:500]}),
            ),
        )
        db.notify("request", row["request_id"])
