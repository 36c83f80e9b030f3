"""What is known of the backups, as `recio backup` leaves it in a small file that services may read."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

__all__ = ["KINDS", "Attempt", "BackupStatus", "RestoreTest", "complaint", "read_status", "status_path"]

HOUR_S = 3600.0
KINDS = ("database", "files", "configuration", "base")  # base: the archive's, to start a recovery from


class Attempt(msgspec.Struct, frozen=True):
    """The newest verified backup of a kind and, when a later attempt failed, why. Times are epoch seconds, 0 for never."""

    verified_s: float = 0.0
    name: str = ""
    size: int = 0
    failed_s: float = 0.0
    why: str = ""


class RestoreTest(msgspec.Struct, frozen=True):
    """The last restore into a throw-away cluster."""

    at_s: float
    ok: bool
    name: str
    seconds: float
    why: str = ""


class BackupStatus(msgspec.Struct, frozen=True):
    """``total`` is what all backups and the archive hold on disk, in bytes; ``wal_test`` the archive's own restore test."""

    kinds: dict[str, Attempt] = {}
    total: int = 0
    restore_test: RestoreTest | None = None
    wal_test: RestoreTest | None = None


def status_path() -> Path:
    """Where the status lies."""
    return Path(os.environ.get("RECIO_BACKUP_STATUS", "/var/lib/recio/backup/status.json"))


def read_status() -> BackupStatus | None:
    """The status, or None when there is none or nonsense (which proves no backup)."""
    try:
        return msgspec.json.decode(status_path().read_bytes(), type=BackupStatus)
    except (OSError, msgspec.DecodeError):
        return None


def complaint(status: BackupStatus | None, now_s: float, max_age_h: int) -> str:
    """Why the backups are not what they must be, as one sentence; empty when they are."""
    if status is None:
        return "no verified backup: none was ever made on this host"
    said = []
    for kind in KINDS:
        attempt = status.kinds.get(kind, Attempt())
        age_h = (now_s - attempt.verified_s) / HOUR_S
        if age_h > max_age_h:
            why = f", the last attempt failed: {attempt.why}" if attempt.why else ""
            age = f"the newest is {age_h:.0f} h old" if attempt.verified_s else "there is none"
            said.append(f"no verified backup of the {kind} within {max_age_h} h ({age}{why})")
    for test, what in ((status.restore_test, "restore test"), (status.wal_test, "archive's restore test")):
        if test is not None and not test.ok:
            said.append(f"the {what} of {test.name} failed: {test.why}")
    return "; ".join(said)
