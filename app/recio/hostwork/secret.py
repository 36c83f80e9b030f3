"""The way a secret comes from the page to root: a file of its runtime folder, taken once."""

from __future__ import annotations

import os
import re
import stat

from recio.hostwork.job import WorkFailed
from recio.monitoring.health import run_dir

__all__ = ["secret_file"]

_SECRET_MAX = 16 * 1024


def secret_file(name: str) -> bytes:
    """What a file of main_app's runtime folder holds; it is gone afterwards. Raises WorkFailed for anything but a plain 0600 file."""
    if not re.fullmatch(r"[a-z0-9_]{1,40}\.secret", name):
        raise WorkFailed("the secret's file has a name that is not allowed")
    path = run_dir("main_app") / name
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as failure:
        raise WorkFailed(
            f"the secret is not there to be taken ({failure.strerror}); nothing was changed, enter it again"
        ) from None
    try:
        found = os.fstat(handle)
        if (
            not stat.S_ISREG(found.st_mode)
            or found.st_mode & 0o077
            or found.st_nlink != 1
            or found.st_size > _SECRET_MAX
        ):
            raise WorkFailed("the secret's file is not a small plain file of mode 0600; nothing was changed")
        return os.read(handle, _SECRET_MAX)
    finally:
        os.close(handle)
        path.unlink(missing_ok=True)
