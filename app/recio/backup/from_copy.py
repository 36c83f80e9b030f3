"""The cluster brought to a moment from a copy of another host's archive: everything that can be known is checked before anything changes.

What is wrong with the copy                        how it is found
another key, altered lists                         their signature
a newer schema, another major version              desk.json, and again in the recovered cluster
a segment that is missing                          the archive's own numbering, from the base to the moment
a byte that is altered                             pgBackRest's checksums over every file (its words are read, not its exit status)
"""

from __future__ import annotations

import os
import pwd
import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from recio.backup.copy import Desk, assemble, read_desk
from recio.backup.crypt import read_key
from recio.backup.errors import BackupError, Damaged
from recio.backup.recover import Recovered, Server, recover
from recio.backup.wal import Base, Wal, info, pgbackrest, set_aside, setup, write_config
from recio.store.schema import expected_revision

__all__ = ["Archive", "check_archive", "recover_from", "take_over"]

_SEGMENT = re.compile(r"[0-9A-F]{24}-")
_PER_LOG = 256  # segments of 16 MB in one of the numbering's 4 GB


@dataclass(frozen=True)
class Archive:
    """A copy that was found whole. ``newest_s`` is when its newest segment came into the archive (epoch seconds)."""

    wal: Wal
    desk: Desk
    bases: list[Base]
    segments: int
    newest_s: float


def check_archive(folder: Path, key_file: Path, own: Wal, moment: datetime | None, known_revision: str = "") -> Archive:
    """Check a copy's archive against this host; BackupError or Damaged says what is wrong, and nothing of this host was changed."""
    key = read_key(key_file)
    desk, known = read_desk(folder, key), known_revision or expected_revision()
    if desk.schema > known:
        raise BackupError(
            f"the copy is of schema {desk.schema}, this release knows up to {known}: deploy the release it was made with"
            f" ({desk.release}) or a newer one first"
        )
    here = (own.data / "PG_VERSION").read_text().strip() if (own.data / "PG_VERSION").exists() else own.data.parent.name
    if desk.server != here:
        raise BackupError(
            f"the copy is of PostgreSQL {desk.server}, this host has {here}: a base backup fits its own major version only; use a"
            f" host with {desk.server}, or restore the dumps alone (move {folder / 'wal'} away)"
        )
    wal = replace(own, config=folder / "pgbackrest.conf", repository=assemble(folder), key_file=key_file)
    _give(wal.repository)
    write_config(wal, key)
    there = [made for made in info(wal) if (wal.repository / "backup/recio" / made.label / "backup.manifest").exists()]
    bases = [made for made in there if moment is None or made.stopped_s < moment.timestamp()]
    if not bases:
        first = min((made.stopped_s for made in there), default=None)
        since = (
            f"reaches back to {datetime.fromtimestamp(first, UTC):%FT%T+00:00}"
            if first
            else "holds no whole base backup"
        )
        raise BackupError(
            f"the copy {since}: choose a later moment, or restore the dumps alone (move {folder / 'wal'} away)"
        )
    count, newest_s = _chain(wal, bases[-1], moment)
    _verify(wal)
    return Archive(wal, desk, bases, count, newest_s)


def _chain(wal: Wal, base: Base, moment: datetime | None) -> tuple[int, float]:
    """Every segment from the base to the moment is there; gives how many, and when the newest came."""
    came: dict[int, float] = {}
    for path in (wal.repository / "archive/recio").rglob("*"):
        if path.is_file() and _SEGMENT.match(path.name):
            number = _number(path.name)
            came[number] = max(came.get(number, 0.0), path.stat().st_mtime)
    start = _number(base.wal_first)
    later = [
        n for n, at in came.items() if n >= _number(base.wal_last) and moment is not None and at >= moment.timestamp()
    ]
    end = min(later) if later else max(came, default=start)
    missing = [number for number in range(start, end + 1) if number not in came]
    if missing:
        log, segment = divmod(missing[0], _PER_LOG)
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise Damaged(
            f"segment {log:08X}{segment:08X}{more} is missing in the copy: nothing after it can be brought back;"
            f" give a moment before it (restore_to), or restore the dumps alone (move {wal.repository} away)"
        )
    return end - start + 1, max((at for number, at in came.items() if number <= end), default=0.0)


def _number(name: str) -> int:
    return int(name[8:16], 16) * _PER_LOG + int(name[16:24], 16)


def _verify(wal: Wal) -> None:
    """Its words are believed, never its exit status: as many are valid as were checked, and no status is another than ok."""
    said = " ".join(pgbackrest(wal, "--output=text", "--verbose", "verify").split())
    counts = re.findall(r"total (?:WAL|files) checked: (\d+), total valid (?:WAL|files): (\d+)", said)
    other = [status for status in re.findall(r"status: (\w+)", said) if status not in ("ok", "valid")]
    if not counts or other or any(checked != valid for checked, valid in counts):
        raise Damaged(
            f"the copy is damaged, so pgbackrest verify: {said[-600:] or 'it says nothing'}; take another copy"
        )


def _give(folder: Path) -> None:
    """The server's OS user reads it from here on; the folders above let it pass."""
    if os.geteuid() != 0:
        return
    owner = pwd.getpwnam("postgres")
    for at, _folders, names in os.walk(folder):
        for path in (Path(at), *(Path(at, name) for name in names)):
            os.chown(path, owner.pw_uid, owner.pw_gid)
    for above in folder.parents[:3]:
        above.chmod(above.stat().st_mode | 0o011)


def recover_from(archive: Archive, server: Server, moment: datetime | None, database: str) -> Recovered:
    """Bring the cluster to the moment; when it does not come, what was there is there again."""
    return recover(archive.wal, server, moment, database)


def take_over(archive: Archive, own: Wal) -> None:
    """The copy becomes this host's own archive and goes on where it ended; the key is in place. What was here is set aside."""
    if own.repository.exists():
        set_aside(own)
    # First the configuration: with the old key in it, setup would take the copy for another key's and set it aside.
    write_config(own, read_key(own.key_file))
    archive.wal.repository.rename(own.repository)
    setup(own)
