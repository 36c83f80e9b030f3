"""What is known of the copy on another machine, as `recio backup off-host` leaves it in a small file that services may read."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

__all__ = ["OffHost", "behind_s", "configured_since_s", "off_host_complaint", "off_host_path", "read_off_host"]


class OffHost(msgspec.Struct, frozen=True):
    """Times are epoch seconds, 0 for never.

    ``reached_s``: everything archived or backed up until then is on the other machine. ``segment`` is the newest one that is there.
    ``sent`` names the whole folders (bases, dumps) that are there, ``full_s`` when every file was last offered, not only the young ones.
    ``checked_s`` is when every file there was last compared by checksum, ``check_why`` what differed then.
    """

    target: str
    reached_s: float = 0.0
    segment: str = ""
    seconds: float = 0.0
    failed_s: float = 0.0
    why: str = ""
    full_s: float = 0.0
    sent: tuple[str, ...] = ()
    info: str = ""
    checked_s: float = 0.0
    check_why: str = ""


def off_host_path() -> Path:
    """Where the status lies."""
    return Path(os.environ.get("RECIO_OFF_HOST_STATUS", "/var/lib/recio/backup/off_host.json"))


def _settings_path() -> Path:
    return Path(os.environ.get("RECIO_OFF_HOST", "/etc/recio/off_host.yml"))


def configured_since_s() -> float | None:
    """When the other machine was named (epoch seconds); None when there is none to copy to."""
    try:
        return _settings_path().stat().st_mtime
    except OSError:
        return None


def read_off_host() -> OffHost | None:
    """The status, or None when there is none or nonsense (which proves no copy)."""
    try:
        return msgspec.json.decode(off_host_path().read_bytes(), type=OffHost)
    except (OSError, msgspec.DecodeError):
        return None


def behind_s(status: OffHost | None, since_s: float, now_s: float) -> float:
    """How many seconds of this host the other machine may lack; counted from ``since_s`` while nothing has reached it."""
    return max(
        0.0,
        now_s - max(since_s if status is None or not status.reached_s else 0.0, status.reached_s if status else 0.0),
    )


def off_host_complaint(now_s: float, max_age_s: int) -> str:
    """Why the copy on the other machine is not what it must be, as one sentence; empty when it is, or when none is wanted."""
    since_s = configured_since_s()
    if since_s is None:
        return ""
    status = read_off_host()
    said = []
    if (late_s := behind_s(status, since_s, now_s)) > max_age_s:
        there = f"has nothing newer than {late_s:.0f} s" if status and status.reached_s else "has no copy yet"
        why = f"; the last attempt failed: {status.why}" if status and status.why else ""
        said.append(f"the other machine {there} ({max_age_s} s are allowed){why}")
    if status is not None and status.check_why:
        said.append(f"the copy on the other machine is damaged: {status.check_why}")
    return "; ".join(said)
