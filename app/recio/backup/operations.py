"""What `recio backup` does: make, verify and list backups, keep them in bounds, and leave word of it for the monitor."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import msgspec

from recio import release
from recio.backup.archive import Tree, count, pack
from recio.backup.census import TABLES
from recio.backup.crypt import KEY_NAME, Encryptor, Key, decrypt, read_key
from recio.backup.database import dump, listed_tables
from recio.backup.errors import BackupError, Damaged
from recio.backup.manifest import PAYLOAD, Kind, Manifest, digest, read_manifest
from recio.backup.repository import Entry, Repository, to_remove
from recio.backup.wal import Base, Wal, base, info, pgbackrest, repository_bytes
from recio.contract import Contract
from recio.contract.model import BackupJob
from recio.monitoring.backup import Attempt, BackupStatus, read_status, status_path

__all__ = ["BACKUP_ROLE", "Place", "job", "make", "make_base", "retain", "trees", "verify_folder", "write_status"]

BACKUP_ROLE = "recio_backup"
_BASE = "base"
_PARTITIONED = {"users.trades": "users.trades_0001"}  # a partitioned table's rows are dumped with its partition


@dataclass(frozen=True)
class Place:
    """Where everything lies; tests give their own."""

    repository: Repository
    key_file: Path
    dsn: str
    data: Path = Path("/var/lib/recio")
    configuration: Path = Path("/etc/recio")
    authority: Path = Path("/var/lib/caddy/.local/share/caddy/pki")
    wal: Wal | None = None

    @classmethod
    def of(cls, contract: Contract) -> Place:
        """The appliance's own."""
        return cls(
            Repository(Path(contract.directories["backup"].path)),
            Path(contract.directories["credentials"].path) / KEY_NAME,
            f"dbname={contract.database.name} host=/var/run/postgresql user={BACKUP_ROLE}",
            wal=Wal.of(contract),
        )


def job(contract: Contract, kind: Kind) -> BackupJob:
    """A kind's line of the contract."""
    found: BackupJob = getattr(contract.backup, kind.value)
    return found


def trees(place: Place, kind: Kind) -> list[Tree]:
    """What goes into an archive. What only tells this machine what is deployed on it stays out, and so does the backups' own key."""
    if kind is Kind.FILES:
        return [Tree(place.data, ("backup", "deploy"))]
    # A change of the mode that is under way is of this host's moment, too.
    found = [Tree(place.configuration, (f"keys/{KEY_NAME}", "mode_switch.json"))]
    return [*found, Tree(place.authority)] if place.authority.is_dir() else found


def make(place: Place, contract: Contract, kind: Kind, now: datetime) -> Entry:
    """Make one backup, read it back, and only then call it one; a failure is noted and changes nothing else."""
    began_s = time.monotonic()
    try:
        key = read_key(place.key_file)
        name = f"{now.strftime(job(contract, kind).name)}T{now:%H%M%S}"
        entry = place.repository.write(
            name, key, _maker(place, kind, name, began_s), lambda folder: verify_folder(folder, key)
        )
    except Exception as failure:
        write_status(place, kind, failed=" ".join(str(failure).split()))
        raise
    write_status(place, kind, verified=Attempt(entry.made_s, entry.name, entry.size))
    return entry


def _maker(place: Place, kind: Kind, name: str, began_s: float) -> Callable[[Encryptor], Manifest]:
    def fill(out: Encryptor) -> Manifest:
        made_s = time.time()
        counted, schema, server = None, "", ""
        if kind is Kind.DATABASE:
            dumped = dump(place.dsn, out)
            counted, schema, server = dumped.census, dumped.census.schema, dumped.server
            items = len(counted.tables)
        else:
            items = pack(trees(place, kind), out)
        return Manifest(
            kind=kind, name=name, host=socket.gethostname(), release=release(), made_s=made_s,
            seconds=round(time.monotonic() - began_s, 2), size=0, plain_size=0, sha256="", key_id="", items=items,
            schema=schema, server=server, census=counted,
        )  # fmt: skip

    return fill


def make_base(place: Place, contract: Contract) -> Base:
    """Make a base backup of the cluster, and keep the archive within its share; a failure is noted."""
    assert place.wal is not None  # noqa: S101 - only asked for where there is an archive
    wal = place.wal
    try:
        made = base(wal)
        if repository_bytes(wal.repository) > contract.backup.base.share_mb * 1024 * 1024 and len(info(wal)) > 1:
            pgbackrest(wal, "--repo1-retention-full=1", "expire")
    except Exception as failure:
        write_status(place, _BASE, failed=" ".join(str(failure).split()))
        raise
    write_status(place, _BASE, verified=Attempt(made.stopped_s, made.label, made.size))
    return made


def verify_folder(folder: Path, key: Key) -> Manifest:
    """Read a backup to its last byte: signature, size, checksum, every chunk's tag, and its contents' own structure."""
    manifest = read_manifest(folder, key)
    payload = folder / PAYLOAD
    if not payload.is_file():
        raise Damaged(f"{folder.name} has no {PAYLOAD}: the file was lost; take another backup")
    if payload.stat().st_size != manifest.size:
        raise Damaged(
            f"{folder.name} is cut off or grown: {PAYLOAD} has {payload.stat().st_size} bytes,"
            f" {manifest.size} were written; take another backup"
        )
    if digest(payload) != manifest.sha256:
        raise Damaged(
            f"{folder.name} was altered: the checksum of {PAYLOAD} is not the manifest's; take another backup"
        )
    if manifest.kind is Kind.DATABASE:
        there = listed_tables(decrypt(payload, key), folder.name)
        missing = {_PARTITIONED.get(table, table) for table in TABLES} - there
        if missing:
            raise Damaged(f"{folder.name} holds no data of {', '.join(sorted(missing))}: it is no backup of the ledger")
    elif (found := count(payload, key)) != manifest.items:
        raise Damaged(f"{folder.name} holds {found} files, {manifest.items} were packed; take another backup")
    return manifest


def retain(place: Place, contract: Contract, now_s: float) -> list[Entry]:
    """Remove what is past its days or above the contract's budget; gives what was removed."""
    status = read_status() or BackupStatus()
    kept = {attempt.name for attempt in status.kinds.values()}
    if status.restore_test is not None and status.restore_test.ok:
        kept.add(status.restore_test.name)
    # A status that was lost protects nothing by itself: the newest of each kind stays whatever it says.
    kept |= {entry.name for kind in Kind if (entry := place.repository.newest(kind))}
    days = {kind: job(contract, kind).keep_days for kind in Kind}
    budget = contract.directories["backup"].size_mb * 1024 * 1024
    budget -= repository_bytes(place.wal.repository) if place.wal else 0
    removed = to_remove(place.repository.entries(), frozenset(kept), days, budget, now_s)
    for entry in removed:
        place.repository.remove(entry)
    write_status(place)
    return removed


def write_status(
    place: Place, kind: str | None = None, *, verified: Attempt | None = None, failed: str = "", **changes: object
) -> None:
    """Leave word for the monitor: atomically, readable by all, nothing secret in it."""
    status = read_status() or BackupStatus()
    kinds = dict(status.kinds)
    if kind is not None:
        old = kinds.get(kind, Attempt())
        if verified is not None:
            kinds[kind] = verified
        else:
            kinds[kind] = msgspec.structs.replace(old, failed_s=time.time(), why=failed[:300])
    total = sum(entry.size for entry in place.repository.entries())
    total += repository_bytes(place.wal.repository) if place.wal else 0
    whole = msgspec.structs.replace(status, kinds=kinds, total=total, **changes)
    path = status_path()
    try:
        path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        fresh = path.with_name(path.name + ".new")
        fresh.write_bytes(msgspec.json.encode(whole))
        fresh.chmod(0o644)
        fresh.replace(path)
    except OSError as error:
        raise BackupError(f"cannot write {path}: {error.strerror}") from error
