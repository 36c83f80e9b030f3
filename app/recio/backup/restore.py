"""Bringing a host back from a folder of backups: everything is checked before anything is changed.

The database is restored beside the old one, compared with the manifest, and takes its name at the end: a restore that fails
leaves the old database as it was.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from psycopg2 import sql

from recio.backup import census
from recio.backup.archive import extract
from recio.backup.crypt import KEY_NAME, read_key
from recio.backup.database import binaries
from recio.backup.errors import BackupError
from recio.backup.manifest import PAYLOAD, Kind, Manifest
from recio.backup.operations import Place, verify_folder
from recio.backup.repository import Repository
from recio.backup.restore_test import check_census, restore_into
from recio.store.admin import bootstrap
from recio.store.db import connect
from recio.store.rights import OWNER
from recio.store.schema import expected_revision

__all__ = ["Plan", "plan", "restore_database", "restore_files"]

ADMIN = "dbname=postgres host=/var/run/postgresql user=postgres"
# Rendered by the deploy from the inventory and this host's own facts: the backup's stay beside them, for comparison.
_OWN = ("contract.yml", "settings.yml", "firewall.nft", "postgresql-cluster", "off_host.yml")


@dataclass(frozen=True)
class Plan:
    """The newest good backup of each kind in a folder."""

    folder: Path
    manifests: dict[Kind, Manifest]
    key_file: Path

    def payload(self, kind: Kind) -> Path:
        """The encrypted file of a kind."""
        return self.folder / self.manifests[kind].name / PAYLOAD


def plan(
    folder: Path, key_file: Path, known_revision: str | None = None, kinds: tuple[Kind, ...] = tuple(Kind)
) -> Plan:
    """Check everything a restore of ``kinds`` needs; BackupError or Damaged says what is missing, and nothing was changed."""
    key = read_key(key_file)
    if not folder.is_dir():
        raise BackupError(
            f"{folder} is no folder on this machine; give the one that holds backup_…, data_backup_…, config_backup_…"
        )
    repository, manifests = Repository(folder), {}
    for entry in repository.entries():
        if entry.manifest is None:
            raise BackupError(f"{entry.why} (move it out of {folder} to restore from the others)")
        manifests[entry.manifest.kind] = entry.manifest  # oldest first: the newest stays
    missing = [kind.value for kind in kinds if kind not in manifests]
    if missing:
        needed = " and ".join(kind.value for kind in kinds)
        raise BackupError(f"{folder} holds no backup of the {' and '.join(missing)}; a restore needs {needed}")
    manifests = {kind: manifests[kind] for kind in kinds}
    for manifest in manifests.values():
        verify_folder(folder / manifest.name, key)
    if Kind.DATABASE not in manifests:
        return Plan(folder, manifests, key_file)
    known, schema = known_revision or expected_revision(), manifests[Kind.DATABASE].schema
    if schema > known:
        raise BackupError(
            f"the backup is of schema {schema}, this release knows up to {known}: deploy the release it was made with"
            f" ({manifests[Kind.DATABASE].release}) or a newer one first"
        )
    return Plan(folder, manifests, key_file)


def restore_database(chosen: Plan, database: str, admin_dsn: str = ADMIN) -> census.Census:
    """Restore beside the old database, compare, then change names. Services must be stopped. Gives the restored ledger's census."""
    manifest, fresh = chosen.manifests[Kind.DATABASE], f"{database}_restore"
    _admin(admin_dsn, [_drop(fresh)])
    bootstrap(admin_dsn, fresh)
    fresh_dsn = _dsn(admin_dsn, fresh)
    try:
        restore_into(
            fresh_dsn, binaries(_major(admin_dsn)), chosen.payload(Kind.DATABASE), chosen.key_file, manifest, OWNER
        )
        connection = connect("recio restore", fresh_dsn)
        try:
            connection.autocommit = False
            found = census.take(connection)
            with (
                connection.cursor() as cursor
            ):  # the mark says that rights were applied; into this database they were not
                cursor.execute("COMMENT ON SCHEMA system IS NULL")
            connection.commit()
        finally:
            connection.close()
        check_census(manifest, found)
    except BaseException:
        _admin(admin_dsn, [_drop(fresh)])
        raise
    rename = sql.SQL("ALTER DATABASE {} RENAME TO {}").format(sql.Identifier(fresh), sql.Identifier(database))
    _admin(admin_dsn, [_drop(database), rename])
    return found


def _drop(database: str) -> sql.Composed:
    return sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(database))


def _dsn(admin_dsn: str, database: str) -> str:
    return " ".join(f"dbname={database}" if word.startswith("dbname=") else word for word in admin_dsn.split())


def _admin(dsn: str, statements: Sequence[sql.Composed]) -> None:
    connection = connect("recio restore", dsn)
    try:
        with connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
    finally:
        connection.close()


def _major(dsn: str) -> str:
    connection = connect("recio restore", dsn)
    try:
        return str(connection.server_version // 10000)
    finally:
        connection.close()


def restore_files(chosen: Plan, place: Place) -> dict[str, int]:
    """Bring back data, configuration and keys; gives how many files of each. What the deploy renders stays this host's."""
    restored = {}
    with tempfile.TemporaryDirectory(prefix=".recio-restore-", dir=place.data.parent) as temporary:
        for kind, targets in (
            (Kind.FILES, [(place.data, ())]),
            (Kind.CONFIGURATION, [(place.configuration, _OWN), (place.authority, ())]),
        ):
            unpacked = Path(temporary) / kind.value
            unpacked.mkdir()
            restored[kind.value] = extract(chosen.payload(kind), read_key(chosen.key_file), unpacked)
            for target, own in targets:
                source = unpacked / str(target).lstrip("/")
                if source.is_dir():
                    _lay_over(source, target, own)
                    if target == place.authority:  # certificates of the authority this host had are worth nothing now
                        shutil.rmtree(target.parent / "certificates" / "local", ignore_errors=True)
    key = place.configuration / "keys" / KEY_NAME
    if (
        not key.exists() or chosen.key_file.read_bytes() != key.read_bytes()
    ):  # old backups stay readable, new ones are made with the same key
        if key.exists():  # what this host backed up until now stays readable too
            key.replace(key.with_name(f"{KEY_NAME}.{read_key(key).key_id}"))
        fresh = key.with_name(KEY_NAME + ".new")
        fresh.touch(mode=0o600)
        fresh.write_bytes(chosen.key_file.read_bytes())
        fresh.replace(key)
    return restored


def _lay_over(source: Path, target: Path, own: tuple[str, ...]) -> None:
    """Put a restored tree in its place, file by file, each by a rename-like copy with owner and mode; other files stay."""
    beside = target / "restored"
    for folder, _names, files in os.walk(source):
        relative = Path(folder).relative_to(source)
        place = target / relative
        if not place.exists():
            place.mkdir(parents=True)
            _same_rights(Path(folder), place)
        for name in files:
            wanted = place / name
            if relative == Path() and name in own:
                beside.mkdir(mode=0o755, exist_ok=True)
                wanted = beside / name
            fresh = wanted.with_name(f".{name}.restored")
            shutil.copyfile(Path(folder) / name, fresh, follow_symlinks=False)
            _same_rights(Path(folder) / name, fresh)
            fresh.replace(wanted)


def _same_rights(source: Path, target: Path) -> None:
    state = source.lstat()
    os.chown(target, state.st_uid, state.st_gid, follow_symlinks=False)
    if not source.is_symlink():
        target.chmod(state.st_mode & 0o7777)
