"""What a backup or a restore refuses; the message names the file, what is wrong with it, and the cure."""

from __future__ import annotations

__all__ = ["BackupError", "Damaged"]


class BackupError(RuntimeError):
    """Something that cannot be done; nothing was changed by it."""


class Damaged(BackupError):
    """A backup that is not what was written: missing, cut off, altered, or made with another key."""
