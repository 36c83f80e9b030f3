"""Which code does which kind. A new kind: its arguments in recio.monitoring.requests, its work here, a test that it refuses.

Secrets never stand in arguments: a kind that needs one is given the name of a file in main_app's runtime folder (mode 0600),
takes it with ``secret_file`` below and thereby deletes it.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable

from recio.hostwork import diagnostics, rollback, work
from recio.hostwork.job import Job, WorkFailed
from recio.monitoring.health import run_dir
from recio.monitoring.requests import KINDS

__all__ = ["HANDLERS", "secret_file"]

_SECRET_MAX = 16 * 1024

HANDLERS: dict[str, Callable[[Job], str]] = {
    "restart_service": work.restart_service,
    "backup_now": work.backup_now,
    "restore_test": work.restore_test,
    "diagnostics": diagnostics.diagnostics,
    "rollback": rollback.rollback,
}
assert HANDLERS.keys() == KINDS.keys()  # noqa: S101 - a kind without work, or work nobody may ask for, is a mistake here


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
