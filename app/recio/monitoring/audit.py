"""What the last look at the privileged files found, as root left it in a small file that services may read: names, never sums.

The look itself is ``recio.hostwork.audit``; nothing of it is needed here.
"""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

__all__ = ["CURE", "Difference", "Outcome", "complaint", "named", "read_outcome", "told"]

CURE = (
    "`recio audit` on the host shows all of it; what you changed yourself: `recio audit accept`; what nobody of yours did: take the"
    " machine for broken into, look with `journalctl` and `ausearch -k recio`, and deploy again or restore onto a fresh host"
)
_NAMED = 4
_MISSED_S = 50 * 3600.0  # two nights and some: a machine that was off for one night has missed nothing yet


class Difference(msgspec.Struct, frozen=True):
    """One privileged file (or line of an account file) that is not as it was recorded, and what of it, in words."""

    path: str
    what: str


class Outcome(msgspec.Struct, frozen=True):
    """``at_s`` when somebody looked, ``recorded_s`` when and ``by`` whom the record was made (epoch seconds), ``files`` how many were
    looked at, ``count`` how many differ; ``differences`` the first of them. ``why`` is not empty where there was no look."""

    at_s: float
    recorded_s: float = 0.0
    by: str = ""
    files: int = 0
    count: int = 0
    differences: tuple[Difference, ...] = ()
    why: str = ""


def outcome_path() -> Path:
    """Where the outcome lies."""
    return Path(os.environ.get("RECIO_AUDIT", "/var/lib/recio/audit.json"))


def read_outcome() -> Outcome | None:
    """What root last found; None before the first record."""
    try:
        return msgspec.json.decode(outcome_path().read_bytes(), type=Outcome)
    except (OSError, msgspec.DecodeError):
        return None


def complaint(found: Outcome | None, now_s: float) -> str:
    """Why a person has to look after the privileged files, as one sentence; empty when nobody has to (or nothing is recorded yet)."""
    if found is None:
        return ""
    if found.why:
        return f"the privileged files were not looked at: {found.why}"
    if found.count:
        verb = "file is" if found.count == 1 else "files are"
        return f"{found.count} privileged {verb} not as recorded: {named(found)}"
    if now_s - found.at_s > _MISSED_S:
        return f"nobody has looked at the privileged files for {(now_s - found.at_s) / 3600:.0f} h: is cron running?"
    return ""


def named(found: Outcome) -> str:
    """A few of the differences, then how many more."""
    shown = "; ".join(f"{one.path} ({one.what})" for one in found.differences[:_NAMED])
    left = found.count - min(_NAMED, len(found.differences))
    return f"{shown} and {left} more" if left else shown


def told(found: Outcome | None, now_s: float) -> str:
    """What is known, in words."""
    if found is None:
        return "not recorded yet: a deploy does it at its end"
    return (
        complaint(found, now_s)
        or f"{found.files} are as {found.by} recorded them, looked at {(now_s - found.at_s) / 3600:.0f} h ago"
    )
