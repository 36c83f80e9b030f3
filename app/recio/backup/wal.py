"""The continuous archive: every WAL segment and a nightly base backup, by pgBackRest, encrypted under the host's backup key.

    PostgreSQL --archive_command--> pgbackrest archive-push --> REPOSITORY/archive   at most archive_timeout after a commit
    cron, nightly                   pgbackrest backup       --> REPOSITORY/backup    keep_full of them, and the WAL since the oldest

Exit codes of `pgbackrest verify` lie (status 0 on corruption) and a damaged segment ends a recovery early without a word, so
nothing here is believed: recio.backup.wal_test restores every night to a named point and compares the ledger.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from recio.backup.crypt import KEY_NAME, Key, read_key
from recio.backup.errors import BackupError, Damaged
from recio.backup.scratch import as_postgres
from recio.contract import Contract

__all__ = [
    "Base",
    "Wal",
    "base",
    "config_key_id",
    "info",
    "pgbackrest",
    "repository_bytes",
    "set_aside",
    "setup",
    "write_config",
]

_STANZA = "recio"
_ARCHIVE_WAIT_S = 120
# A repository that cannot be written must not fill the disk under the database: past this the archive has a gap, and says so.
_QUEUE_MAX = "768MB"


@dataclass(frozen=True)
class Wal:
    """Where the archive and the cluster are; tests give their own."""

    config: Path
    repository: Path
    data: Path
    socket: Path
    lock: Path
    key_file: Path
    keep_full: int
    port: int = 5432

    @classmethod
    def of(cls, contract: Contract) -> Wal:
        """The appliance's own."""
        try:
            cluster = Path("/etc/recio/postgresql-cluster").read_text().strip()
        except OSError as error:
            raise BackupError(f"{error.filename} cannot be read: no cluster of ours is here; run site.yml") from error
        return cls(
            config=Path("/etc/pgbackrest.conf"),
            repository=Path(contract.directories["backup"].path) / "wal",
            data=Path("/var/lib/postgresql") / cluster,
            socket=Path("/var/run/postgresql"),
            lock=Path("/var/run/postgresql/pgbackrest"),
            key_file=Path(contract.directories["credentials"].path) / KEY_NAME,
            keep_full=contract.backup.base.keep_full,
            port=contract.ports["postgresql"],
        )

    def dsn(self, database: str = "postgres") -> str:
        """The address of the cluster's superuser, over its socket."""
        return f"dbname={database} host={self.socket} port={self.port} user=postgres"


class Base(msgspec.Struct, frozen=True):
    """A base backup: its label, when it ended (epoch seconds), its size in the repository in bytes."""

    label: str
    stopped_s: float
    size: int
    wal_first: str
    wal_last: str


def _text(wal: Wal, key: Key) -> str:
    return f"""# Written by `recio backup wal-setup`: the pass follows from the backup key {key.key_id}, whoever has that can restore.
[global]
repo1-path={wal.repository}
repo1-cipher-type=aes-256-cbc
repo1-cipher-pass={key.derive("wal repository")}
repo1-retention-full={wal.keep_full}
repo1-bundle=y
compress-type=zst
compress-level=3
start-fast=y
process-max=1
archive-timeout={_ARCHIVE_WAIT_S}
archive-push-queue-max={_QUEUE_MAX}
lock-path={wal.lock}
log-level-console=warn
log-level-file=off

[{_STANZA}]
pg1-path={wal.data}
pg1-socket-path={wal.socket}
pg1-port={wal.port}
"""


def pgbackrest(wal: Wal, *words: str, timeout_s: float = 3600) -> str:
    """Run pgBackRest as the database's OS user; gives what it printed. BackupError with its own words when it fails."""
    program = shutil.which("pgbackrest")
    if program is None:
        raise BackupError("there is no pgbackrest on this host; `apt-get install pgbackrest`, or run site.yml")
    command = as_postgres([program, f"--config={wal.config}", f"--stanza={_STANZA}", *words])
    try:
        done = subprocess.run(  # noqa: S603 - words come from this package
            command, capture_output=True, text=True, timeout=timeout_s, cwd="/", check=False
        )
    except subprocess.TimeoutExpired as late:
        raise BackupError(f"pgbackrest {words[-1]} did not end within {timeout_s:.0f} s") from late
    if done.returncode:
        said = " ".join((done.stderr or done.stdout).split())[-500:]
        raise BackupError(f"pgbackrest {words[-1]} failed ({done.returncode}): {said}")
    return done.stdout


def setup(wal: Wal) -> bool:
    """Write the configuration and make the repository; True when anything changed. Safe to repeat.

    A repository made under another key cannot be added to: it is set aside beside the new one, readable with that key.
    """
    key = read_key(wal.key_file)
    wanted = _text(wal, key)
    was = wal.config.read_text() if wal.config.exists() else ""
    changed = was != wanted
    if changed:
        old = _key_id(was)
        if old not in ("", key.key_id) and wal.repository.exists():
            set_aside(wal)
        write_config(wal, key)
    for folder in (wal.repository, wal.lock):
        if not folder.is_dir():
            folder.mkdir(mode=0o700, parents=True)
            _give_to_postgres(folder)
            changed = True
    if not (wal.repository / "archive" / _STANZA / "archive.info").exists():
        pgbackrest(wal, "stanza-create")
        changed = True
    return changed


def _key_id(text: str) -> str:
    head = text.partition("\n")[0]
    return head.rpartition("backup key ")[2][:16] if "backup key " in head else ""


def config_key_id(wal: Wal) -> str:
    """Which key the archive is made with; empty when there is none yet."""
    return _key_id(wal.config.read_text()) if wal.config.exists() else ""


def set_aside(wal: Wal) -> None:
    """Move the repository out of the way, in place of what was moved before; its name says which key reads it."""
    for older in wal.repository.parent.glob(f"{wal.repository.name}.key-*"):
        shutil.rmtree(older)
    key_id = config_key_id(wal) or "unknown"
    wal.repository.rename(wal.repository.with_name(f"{wal.repository.name}.key-{key_id}"))


def write_config(wal: Wal, key: Key) -> None:
    """Write pgBackRest's configuration, readable by root and the server."""
    _write(wal.config, _text(wal, key))


def _write(path: Path, text: str) -> None:
    fresh = path.with_name(f".{path.name}.new")
    handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o640)
    with os.fdopen(handle, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    if os.geteuid() == 0:
        os.chown(fresh, 0, pwd.getpwnam("postgres").pw_gid)
    fresh.chmod(0o640)
    fresh.replace(path)


def _give_to_postgres(folder: Path) -> None:
    if os.geteuid() == 0:
        owner = pwd.getpwnam("postgres")
        os.chown(folder, owner.pw_uid, owner.pw_gid)


def info(wal: Wal) -> list[Base]:
    """The base backups of the repository, oldest first. BackupError when the repository cannot be read."""
    if not wal.config.exists():
        raise BackupError(f"there is no {wal.config}: the continuous archive is not set up; `recio backup wal-setup`")
    try:
        stanzas: list[dict[str, Any]] = msgspec.json.decode(pgbackrest(wal, "--output=json", "info"))
    except msgspec.DecodeError as nonsense:
        raise BackupError(f"pgbackrest info does not answer in JSON: {nonsense}") from nonsense
    mine = next((stanza for stanza in stanzas if stanza["name"] == _STANZA), None)
    if mine is None or mine["status"]["code"] not in (0, 2):  # 2: no backup yet
        said = mine["status"]["message"] if mine else "it is not there"
        raise BackupError(f"the repository {wal.repository} cannot be used: {said}")
    return [
        Base(
            label=made["label"],
            stopped_s=float(made["timestamp"]["stop"]),
            size=int(made["info"]["repository"]["delta"]),
            wal_first=made["archive"]["start"],
            wal_last=made["archive"]["stop"],
        )
        for made in mine["backup"]
        if not made.get("error")
    ]


def base(wal: Wal) -> Base:
    """Make a base backup, and let go of what retention no longer wants. Damaged when the server found broken pages."""
    before = {made.label for made in info(wal)}
    pgbackrest(wal, "--type=full", "backup")
    fresh = [made for made in info(wal) if made.label not in before]
    if not fresh:
        raise Damaged("the base backup ended, but its pages do not hold their checksums; look at the disk and the log")
    return fresh[-1]


def repository_bytes(folder: Path) -> int:
    """What the repository holds on disk; 0 when there is none."""
    return sum(file.lstat().st_size for file in folder.rglob("*") if file.is_file()) if folder.is_dir() else 0
