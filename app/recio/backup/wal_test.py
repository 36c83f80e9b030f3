"""The archive's nightly proof: base backup and WAL brought to a point named just now, and its ledger compared with the living one.

A damaged or missing segment ends a recovery early and silently, unless it is told a target: then PostgreSQL refuses. So the
living database names a point in its WAL, the ledger's census is taken in a snapshot of that very point, and the throw-away cluster
must reach the point and hold the same ledger.
"""

from __future__ import annotations

import shutil
import time
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from recio.backup import census
from recio.backup.errors import BackupError, Damaged
from recio.backup.scratch import scratch_cluster
from recio.backup.wal import Base, Wal, info, pgbackrest
from recio.store.db import connect

__all__ = ["Point", "name_a_point", "prove"]

_ARCHIVED_WITHIN_S = 180.0
_LOCK_TRIES = 20


@dataclass(frozen=True)
class Point:
    """A named point of the WAL, the segment that holds it, and the ledger as it was there."""

    name: str
    segment: str
    ledger: census.Census
    switched_after_s: float


def name_a_point(dsn: str) -> Point:
    """Name a point of the living database's WAL and count the ledger in a snapshot of exactly that point.

    No writer of the ledger is under way while the point is made (a share lock, held for milliseconds and given up when it does not come at
    once): what the snapshot sees is what a recovery to the point brings back.
    """
    name = f"recio-{uuid.uuid4().hex[:12]}"
    holder, counter = connect("recio restore test", dsn), connect("recio restore test", dsn)
    try:
        for connection in (holder, counter):
            connection.autocommit = False
        counter.set_session(isolation_level="REPEATABLE READ")
        _lock_ledger(holder)
        with counter.cursor() as cursor:
            cursor.execute("SELECT pg_walfile_name(pg_create_restore_point(%s)) AS segment", (name,))
            segment = str(cursor.fetchone()["segment"])
        holder.rollback()
        with counter.cursor() as cursor:
            cursor.execute("SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0")
        ledger = census.take(counter)
        counter.rollback()
        began_s = time.monotonic()
        _wait_archived(holder, segment)
        return Point(name, segment, ledger, round(time.monotonic() - began_s, 1))
    finally:
        holder.close()
        counter.close()


def _lock_ledger(connection: Any) -> None:
    for last in range(_LOCK_TRIES, 0, -1):
        try:
            with connection.cursor() as cursor:
                cursor.execute("SET LOCAL lock_timeout = '100ms'")
                cursor.execute(f"LOCK TABLE {', '.join(census.TABLES)} IN SHARE MODE")
            return
        except connection_errors() as busy:
            connection.rollback()
            if last == 1:
                raise BackupError(f"the ledger was written without a pause, no point could be named: {busy}") from busy
            time.sleep(0.2)


def connection_errors() -> tuple[type[Exception], ...]:
    """What a lock that does not come raises."""
    from psycopg2 import errors

    return (errors.LockNotAvailable, errors.DeadlockDetected)


def _wait_archived(connection: Any, segment: str) -> None:
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_switch_wal()")
        until_s = time.monotonic() + _ARCHIVED_WITHIN_S
        while True:
            cursor.execute("SELECT last_archived_wal, last_failed_wal, failed_count FROM pg_stat_archiver")
            row = cursor.fetchone()
            if row["last_archived_wal"] is not None and row["last_archived_wal"][8:24] >= segment[8:24]:
                return
            if time.monotonic() > until_s:
                raise BackupError(
                    f"segment {segment} was not archived within {_ARCHIVED_WITHIN_S:.0f} s (newest archived {row['last_archived_wal']},"
                    f" {row['failed_count']} failures, last of {row['last_failed_wal']}); `journalctl -t postgresql` says why"
                )
            time.sleep(0.2)


def prove(wal: Wal, database: str, scratch: Path) -> tuple[Base, Point]:
    """Restore to a point named now and compare; Damaged or BackupError says what is wrong with the archive."""
    bases = info(wal)
    if not bases:
        raise BackupError("there is no base backup to restore from; `recio backup now base`")
    point = name_a_point(wal.dsn(database))
    wanted = sum(file.lstat().st_size for file in wal.data.rglob("*") if file.is_file())
    if (free := shutil.disk_usage(scratch).free) < wanted:
        raise BackupError(f"{scratch} has {free >> 20} MB free, a restore test needs {wanted >> 20}: free some")

    def fill(data: Path, _programs: Path) -> None:
        target = ["--type=name", f"--target={point.name}", "--target-action=promote", "--archive-mode=off"]
        pgbackrest(wal, f"--pg1-path={data}", *target, "restore")

    version = (wal.data / "PG_VERSION").read_text().strip()
    try:
        with scratch_cluster(scratch, version, fill) as (dsn, _programs):
            found = _count(dsn.replace("dbname=postgres", f"dbname={database}"))
    except BackupError as failure:
        if "recovery ended before configured recovery target was reached" in str(failure):
            raise Damaged(
                f"base {bases[-1].label} and the WAL do not reach the point named just now (segment {point.segment}): a segment between"
                " them is damaged or missing; `recio backup now base` begins anew, and look at the disk"
            ) from failure
        raise
    if other := census.differences(point.ledger, found):
        raise Damaged(f"base {bases[-1].label} and the WAL restore to another ledger: {'; '.join(other)}")
    return bases[-1], point


def _count(dsn: str) -> census.Census:
    connection = connect("recio restore test", dsn)
    try:
        connection.autocommit = False
        return census.take(connection)
    finally:
        connection.close()
