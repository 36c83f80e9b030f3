"""The kill switch as a file, for when page and database are out of reach: `touch /etc/recio/KILL`; its first line is the reason.

What cannot be looked at counts as on: a switch nobody can read must not read as off.
"""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["KILL_FILES", "kill_file_reason"]

KILL_FILES = ("/etc/recio/KILL", "/var/lib/recio/KILL")


def kill_files() -> tuple[Path, ...]:
    """Where a file stops entries; RECIO_KILL_FILES (separated by colons) replaces the list, for tests."""
    named = os.environ.get("RECIO_KILL_FILES")
    return tuple(Path(name) for name in (named.split(os.pathsep) if named else KILL_FILES))


def kill_file_reason() -> str | None:
    """Why a file stops entries; None when there is none."""
    for path in kill_files():
        try:
            path.lstat()
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as unreadable:
            return f"{path} cannot be looked at ({unreadable.strerror}), so it counts as there"
        try:
            words = path.read_text(errors="replace").strip().partition("\n")[0][:200]
        except OSError:  # it is there; that is enough
            words = ""
        return f"the file {path} is there{': ' + words if words else ''}"
    return None
