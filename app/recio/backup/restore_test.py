"""The nightly proof: the newest dump brought back into a throw-away cluster, its ledger held against the manifest; the archives read."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

from recio.backup import census
from recio.backup.crypt import decrypt, read_key
from recio.backup.database import feed
from recio.backup.errors import BackupError, Damaged
from recio.backup.manifest import PAYLOAD, Kind, Manifest
from recio.backup.operations import Place, verify_folder, write_status
from recio.backup.repository import Entry
from recio.backup.scratch import as_postgres, scratch_cluster
from recio.backup.wal_test import prove
from recio.monitoring.backup import RestoreTest
from recio.store.db import connect

__all__ = ["check_census", "restore_into", "restore_test", "wal_test"]

_ROOM = 8  # a database is this many times its compressed dump, and more


def restore_test(place: Place, base: Path = Path("/var/tmp")) -> RestoreTest:  # noqa: S108 - mkdtemp makes a folder of its own in it
    """Bring back the newest database backup; the outcome is kept in the status either way."""
    began_s, entry = time.monotonic(), None
    try:
        entry = place.repository.newest(Kind.DATABASE)
        if entry is None:
            raise BackupError("there is no backup of the database to restore; `recio backup now`")
        broken = [other.why for other in place.repository.entries() if other.manifest is None]
        if broken:  # an older good one must not hide it
            raise Damaged(f"{'; '.join(broken)}; then remove it from {place.repository.folder}")
        _compare(place, entry, base)
        for kind in (Kind.FILES, Kind.CONFIGURATION):
            if other := place.repository.newest(kind):
                verify_folder(other.folder, read_key(place.key_file))
        result = RestoreTest(time.time(), True, entry.name, round(time.monotonic() - began_s, 1))
    except Exception as failure:
        why = " ".join(str(failure).split())[:300]
        name = entry.name if entry else "the newest backup"
        result = RestoreTest(time.time(), False, name, round(time.monotonic() - began_s, 1), why)
        write_status(place, restore_test=result)
        raise
    write_status(place, restore_test=result)
    return result


def wal_test(place: Place, database: str, base: Path = Path("/var/tmp")) -> RestoreTest:  # noqa: S108 - as above
    """Recover base backup and WAL to a point named now; the outcome is kept in the status either way."""
    assert place.wal is not None  # noqa: S101 - only asked for where there is an archive
    began_s = time.monotonic()
    try:
        made, _point = prove(place.wal, database, base)
        result = RestoreTest(time.time(), True, made.label, round(time.monotonic() - began_s, 1))
    except Exception as failure:
        why = " ".join(str(failure).split())[:300]
        write_status(
            place, wal_test=RestoreTest(time.time(), False, "the archive", round(time.monotonic() - began_s, 1), why)
        )
        raise
    write_status(place, wal_test=result)
    return result


def _compare(place: Place, entry: Entry, base: Path) -> None:
    key = read_key(place.key_file)
    manifest = verify_folder(entry.folder, key)
    free, wanted = shutil.disk_usage(base).free, manifest.plain_size * _ROOM
    if free < wanted:
        raise BackupError(f"{base} has {free >> 20} MB free, a restore test needs about {wanted >> 20}: free some")
    with scratch_cluster(base, manifest.server.split(".")[0]) as (dsn, programs):
        restore_into(dsn, programs, entry.folder / PAYLOAD, place.key_file, manifest)
        connection = connect("recio restore test", dsn)
        try:
            connection.autocommit = False
            found = census.take(connection)
        finally:
            connection.close()
    check_census(manifest, found)


def check_census(manifest: Manifest, found: census.Census) -> None:
    """Damaged when the restored ledger is not the recorded one."""
    assert manifest.census is not None  # noqa: S101 - a database's manifest has one
    if other := census.differences(manifest.census, found):
        raise Damaged(f"{manifest.name} restores, but to another ledger: {'; '.join(other)}")


def restore_into(dsn: str, programs: Path, payload: Path, key_file: Path, manifest: Manifest, role: str = "") -> None:
    """Restore a dump into the database at ``dsn``, owned by ``role`` when given; rights are not the dump's but the release's."""
    command = [str(programs / "pg_restore"), "--no-owner", "--no-acl", "--exit-on-error", f"--dbname={dsn}"]
    done = feed(as_postgres([*command, f"--role={role}"] if role else command), decrypt(payload, read_key(key_file)))
    if done.returncode:
        raise Damaged(f"{manifest.name} could not be restored: {' '.join(done.stderr.split())[-400:]}")
