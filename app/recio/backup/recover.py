"""The cluster brought back from its base backup and the WAL since, to the newest moment or to a given one.

What happened                                  what is done
the target is reached, the ledger folds        the old data folder stays beside the new one until it is removed by hand
anything fails                                 the old data folder takes its place again, and the failure says why
recovery ends before the newest segment        refused: a segment is damaged, and without this test nobody would notice
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from recio.backup import census
from recio.backup.errors import BackupError, Damaged
from recio.backup.scratch import recovered
from recio.backup.wal import Wal, info, pgbackrest
from recio.store.db import connect
from recio.store.schema import expected_revision

__all__ = ["Recovered", "Server", "last_archived", "newest_segment_s", "parse_moment", "recover"]


@dataclass(frozen=True)
class Server:
    """How the cluster is stopped and started; ``start`` raises BackupError with the server's own words when it does not come up."""

    stop: Callable[[], None]
    start: Callable[[], None]


@dataclass(frozen=True)
class Recovered:
    """``newest`` is the moment of the newest second of prices that came back; ``aside`` the folder that was there before."""

    label: str
    seconds: float
    newest: datetime | None
    ledger: census.Census
    aside: Path | None


def parse_moment(text: str) -> datetime | None:
    """``newest`` (None) or a moment with its zone, as ISO 8601; BackupError for anything else or a moment to come."""
    if text == "newest":
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise BackupError(f"{text!r} is no moment; write `newest` or like 2026-11-28T04:30:00+00:00") from error
    if moment.tzinfo is None:
        raise BackupError(f"{text!r} has no zone: add one, as in {text}+00:00 for UTC")
    if moment > datetime.now(UTC):
        raise BackupError(f"{text} is yet to come")
    return moment


def last_archived(wal: Wal) -> str:
    """The name of the newest segment in the repository (24 hexadecimal digits)."""
    folder = wal.repository / "archive" / "recio"
    names = [path.name[:24] for path in folder.rglob("*") if path.is_file() and len(path.name) > 24]
    names = [name for name in names if all(digit in "0123456789ABCDEF" for digit in name)]
    if not names:
        raise BackupError(f"{folder} holds no WAL: nothing can be brought back from it")
    return max(names)


def newest_segment_s(wal: Wal) -> float | None:
    """When the newest segment came into the repository (epoch seconds); None when there is none."""
    folder = wal.repository / "archive" / "recio"
    moments = [path.stat().st_mtime for path in folder.rglob("*-*") if path.is_file()] if folder.is_dir() else []
    return max(moments, default=None)


def recover(wal: Wal, server: Server, moment: datetime | None, database: str) -> Recovered:
    """Bring the cluster to ``moment`` or, with None, to the newest archived. The services must be stopped."""
    began_s = time.monotonic()
    bases = [made for made in info(wal) if moment is None or made.stopped_s < moment.timestamp()]
    if not bases:
        first = min((made.stopped_s for made in info(wal)), default=None)
        since = (
            f"the oldest base backup ended {datetime.fromtimestamp(first, UTC):%F %T} UTC" if first else "there is none"
        )
        raise BackupError(f"nothing to start from: {since}; choose a later moment, or restore a dump")
    newest_segment = last_archived(wal)
    server.stop()
    aside = _set_aside(wal)
    try:
        _fetch(wal, moment)
        server.start()
        if not recovered(wal.dsn(), wal.data):
            raise Damaged(
                "the server ended while it recovered: the moment asked for is not in the archive, or a segment before it is damaged;"
                " `journalctl -t postgresql` says which"
            )
        found, newest = _check(wal, database, None if moment else newest_segment)
    except BaseException:
        server.stop()
        if wal.data.exists():
            shutil.rmtree(wal.data)
        if aside is not None:
            aside.rename(wal.data)
            server.start()
        raise
    return Recovered(bases[-1].label, round(time.monotonic() - began_s, 1), newest, found, aside)


def _set_aside(wal: Wal) -> Path | None:
    """What is there moves out of the way, in place of what an earlier recovery kept."""
    if not wal.data.exists():
        return None
    aside = wal.data.with_name(f"{wal.data.name}.before-recovery")
    free, wanted = shutil.disk_usage(wal.data).free, sum(f.lstat().st_size for f in wal.data.rglob("*") if f.is_file())
    if free < wanted:
        raise BackupError(
            f"{wal.data.parent} has {free >> 20} MB free, a recovery beside the old data needs {wanted >> 20}"
        )
    if aside.exists():
        shutil.rmtree(aside)
    wal.data.rename(aside)
    return aside


def _fetch(wal: Wal, moment: datetime | None) -> None:
    wal.data.mkdir(mode=0o700, parents=True)
    shutil.chown(wal.data, "postgres", "postgres")
    words = ["--type=default"]
    if moment is not None:
        words = ["--type=time", f"--target={moment.astimezone(UTC):%Y-%m-%d %H:%M:%S.%f+00}", "--target-action=promote"]
    pgbackrest(wal, *words, "restore")


def _check(wal: Wal, database: str, newest_segment: str | None) -> tuple[census.Census, datetime | None]:
    connection = connect("recio recovery", wal.dsn(database))
    try:
        connection.autocommit = False
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_walfile_name(pg_last_wal_replay_lsn()) AS reached")
            row = cursor.fetchone()
            cursor.execute("SELECT version_num FROM public.schema_version")
            schema = str(cursor.fetchone()["version_num"])
            cursor.execute("SELECT max(at) AS newest FROM live_data.btc_bars_1s")
            newest = cursor.fetchone()["newest"]
        found = census.take(connection)
    finally:
        connection.close()
    if schema > expected_revision():
        raise BackupError(
            f"what was recovered is of schema {schema}, this release knows up to {expected_revision()}: deploy the release that made it,"
            " or a newer one, first"
        )
    if newest_segment and row["reached"] and row["reached"][8:] < newest_segment[8:]:
        raise Damaged(
            f"recovery ended in segment {row['reached'][8:]}, the archive goes on to {newest_segment[8:]}: a segment between them is"
            f" damaged or missing; restore to a moment before it (--to TIME), or the newest dump"
        )
    return found, newest
