"""One pass: put what is new into the outbox, send what is due. A timer starts it, and the page when a test is asked for."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from recio.notify.address import AddressError, parse
from recio.notify.events import MAX_TRIES, URGENT, backoff_s, is_quiet
from recio.notify.send import SendError, send
from recio.store import notify_queries as queries
from recio.store.db import Database

__all__ = ["run"]

_LOCK = 0x7265_6E31  # one pass at a time: nothing is sent twice


def run(
    db: Database,
    user_id: str,
    mode: str,
    deliver: Callable[..., str] = send,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> dict[str, int]:
    """Collect and deliver; gives how many were collected, sent, put off, failed for good, and held by quiet hours."""
    done = {"collected": 0, "sent": 0, "again": 0, "failed": 0, "quiet": 0}
    held = db.one("SELECT pg_try_advisory_lock(%s) AS mine", (_LOCK,))
    if not held or not held["mine"]:
        return done
    try:
        done["collected"] = queries.collect(db, user_id, mode, URGENT)
        for row in queries.due(db):
            done[_one(db, row, deliver, now())] += 1
    finally:
        db.run("SELECT pg_advisory_unlock(%s)", (_LOCK,))
    return done


def _one(db: Database, row: dict[str, Any], deliver: Callable[..., str], at: datetime) -> str:
    if not row["urgent"] and is_quiet(at, row["quiet_from"], row["quiet_to"], row["zone"]):
        return "quiet"
    try:
        answer = deliver(
            parse(row["address"]), row["title"], row["body"], event=row["event"], key=row["key"], urgent=row["urgent"]
        )
    except (SendError, AddressError) as failure:
        last = row["tries"] + 1 >= MAX_TRIES or row["event"] == "test"
        queries.settle(
            db, row["notification_id"], "failed" if last else "new", str(failure), backoff_s(row["tries"] + 1)
        )
        return "failed" if last else "again"
    queries.settle(db, row["notification_id"], "sent", answer)
    return "sent"
