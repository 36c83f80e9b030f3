"""Queries of analytics.research_runs: the page asks and cancels, the worker takes, tells and finishes; one worker at a time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from psycopg2.extras import Json

from recio.store.audit import audit_statement
from recio.store.db import Database, Queries
from recio.store.pool import Pool

__all__ = [
    "MAX_OPEN", "ask_run", "beat", "cancel_run", "cancel_waiting", "close_lost", "drop_report", "finish_run", "forsaken", "kept_reports",
    "run_of", "runs", "take_run", "try_lock",
]  # fmt: skip

Row = dict[str, Any]
MAX_OPEN = 5  # runs that may wait or go at once
_LOCK = 0x7265_7331  # one worker at a time, whoever starts it
_LINE = (
    "run_id, wish, asked_by, asked_at, cancel_at, cancel_by,"
    " CASE WHEN state = 'new' AND cancel_at IS NOT NULL THEN 'cancelled' ELSE state END AS state, percent, words, started_at, beat_at,"
    " CASE WHEN state = 'new' THEN cancel_at ELSE finished_at END AS finished_at,"
    " summary - 'equity' - 'hours' - 'assumptions' AS summary, report, report_bytes, report_gone_at, error, cure,"
    " extract(epoch FROM now() - coalesce(beat_at, asked_at))::float8 AS silent_s,"
    " extract(epoch FROM coalesce(finished_at, now()) - started_at)::float8 AS took_s"
)


def ask_run(pool: Pool, user_id: str, wish: Mapping[str, Any], asked_by: str) -> int | None:
    """Write a checked wish down, with its audit line; None when MAX_OPEN are open already."""
    with pool.transaction() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK + 1,))
        cursor.execute(
            "INSERT INTO analytics.research_runs (user_id, wish, asked_by) SELECT %s, %s, %s WHERE"
            " (SELECT count(*) FROM analytics.research_runs WHERE state = 'running' OR state = 'new' AND cancel_at IS NULL) < %s"
            " RETURNING run_id",
            (user_id, Json(dict(wish)), asked_by, MAX_OPEN),
        )
        row = cursor.fetchone()
        if row is not None:
            cursor.execute(*audit_statement(asked_by, "ask research", {"run_id": row["run_id"], **wish}))
    return int(row["run_id"]) if row else None


def cancel_run(pool: Pool, user_id: str, run_id: int, by: str) -> bool:
    """Ask for the end of a run that waits or goes, with its audit line; False when there is nothing to end (any more)."""
    row = pool.one(
        "UPDATE analytics.research_runs SET cancel_at = now(), cancel_by = %s WHERE run_id = %s AND user_id = %s"
        " AND state IN ('new', 'running') AND cancel_at IS NULL RETURNING run_id",
        (by, run_id, user_id),
    )
    if row is not None:
        pool.run(*audit_statement(by, "cancel research", {"run_id": run_id}))
    return row is not None


def runs(db: Queries, user_id: str, limit: int, before: int | None = None) -> list[Row]:
    """Runs, newest first, older than ``before``; their summaries without the curve. ``silent_s``: since its worker, or
    for one that waits its asker, was last heard; ``took_s`` since it began, None before."""
    return db.all(
        f"SELECT {_LINE} FROM analytics.research_runs WHERE user_id = %(user)s"  # noqa: S608
        " AND (%(before)s::bigint IS NULL OR run_id < %(before)s) ORDER BY run_id DESC LIMIT %(limit)s",
        {"user": user_id, "before": before, "limit": limit},
    )


def run_of(db: Queries, user_id: str, run_id: int) -> Row | None:
    """One run with its whole summary, or None."""
    line = _LINE.replace("summary - 'equity' - 'hours' - 'assumptions' AS summary", "summary")
    return db.one(
        f"SELECT {line} FROM analytics.research_runs WHERE user_id = %s AND run_id = %s",  # noqa: S608
        (user_id, run_id),
    )


def forsaken(db: Queries, silent_s: float) -> bool:
    """Whether a run waits or goes of which nobody has been heard for so long: the worker is to be woken."""
    row = db.one(
        "SELECT EXISTS (SELECT FROM analytics.research_runs r WHERE (r.state = 'running' OR r.state = 'new' AND r.cancel_at IS NULL) AND"
        " coalesce(r.beat_at, r.asked_at) < now() - make_interval(secs => %(s)s)) AND NOT EXISTS (SELECT FROM"
        " analytics.research_runs r WHERE r.state = 'running' AND r.beat_at >= now() - make_interval(secs => %(s)s)) AS found",
        {"s": silent_s},
    )
    return bool(row and row["found"])


# ------------------------------------------------------------------ the worker's side
def try_lock(db: Database) -> bool:
    """Be the one worker for as long as this connection lives; False when another is."""
    row = db.one("SELECT pg_try_advisory_lock(%s) AS mine", (_LOCK,))
    return bool(row and row["mine"])


def close_lost(db: Database, why: str, cure: str) -> int:
    """Fail what a worker that is gone left running; call it under the lock. The number of runs."""
    return db.run(
        "UPDATE analytics.research_runs SET state = CASE WHEN cancel_at IS NULL THEN 'failed' ELSE 'cancelled' END,"
        " finished_at = now(), error = CASE WHEN cancel_at IS NULL THEN %s ELSE '' END,"
        " cure = CASE WHEN cancel_at IS NULL THEN %s ELSE '' END WHERE state = 'running'",
        (why, cure),
    )


def cancel_waiting(db: Database) -> int:
    """Write down the end of what was cancelled before it began (it counts as cancelled from the asking on). The number of runs."""
    return db.run(
        "UPDATE analytics.research_runs SET state = 'cancelled', finished_at = now() WHERE state = 'new' AND cancel_at IS NOT NULL"
    )


def take_run(db: Database) -> Row | None:
    """The oldest run that waits, now running; None when there is none."""
    return db.one(
        "UPDATE analytics.research_runs SET state = 'running', started_at = now(), beat_at = now(), words = 'starting'"
        " WHERE run_id = (SELECT run_id FROM analytics.research_runs WHERE state = 'new' AND cancel_at IS NULL"
        " ORDER BY run_id LIMIT 1) AND state = 'new' AND cancel_at IS NULL RETURNING run_id, user_id, wish, asked_by"
    )


def beat(db: Database, run_id: int, percent: int, words: str) -> bool:
    """Say that it lives and how far it is; True when it is to be cancelled.

    One statement, so that a worker that gets no CPU in between holds no lock on the row; not worth a flush of the WAL.
    """
    row = db.one(
        "UPDATE analytics.research_runs SET beat_at = now(), percent = %s, words = %s"
        " FROM (SELECT set_config('synchronous_commit', 'off', true)) AS quick WHERE run_id = %s"
        " RETURNING cancel_at IS NOT NULL AS cancel",
        (percent, words[:200], run_id),
    )
    return bool(row and row["cancel"])


def finish_run(
    db: Database, run_id: int, state: str, *, summary: Mapping[str, Any] | None = None, report: str | None = None,
    report_bytes: int | None = None, error: str = "", cure: str = "",
) -> None:  # fmt: skip
    """The outcome: done with summary and report, failed with error and cure, or cancelled."""
    db.run(
        "UPDATE analytics.research_runs SET state = %(state)s, finished_at = now(), summary = %(summary)s, report = %(report)s,"
        " report_bytes = %(bytes)s, error = %(error)s, cure = %(cure)s,"
        " percent = CASE WHEN %(state)s = 'done' THEN 100 ELSE percent END, words = '' WHERE run_id = %(run_id)s AND state = 'running'",
        {
            "state": state, "summary": Json(dict(summary)) if summary is not None else None, "report": report,
            "bytes": report_bytes, "error": error[:1000], "cure": cure[:500], "run_id": run_id,
        },
    )  # fmt: skip


def kept_reports(db: Database) -> list[str]:
    """Names of the reports that are on record and were not dropped, oldest first."""
    rows = db.all(
        "SELECT report FROM analytics.research_runs WHERE report IS NOT NULL AND report_gone_at IS NULL ORDER BY run_id"
    )
    return [row["report"] for row in rows]


def drop_report(db: Database, name: str) -> None:
    """Retention took this report's folder; its figures stay."""
    db.run("UPDATE analytics.research_runs SET report_gone_at = now() WHERE report = %s", (name,))
