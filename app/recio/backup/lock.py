"""One at a time on this host: a file that is locked while somebody works."""

from __future__ import annotations

import contextlib
import fcntl
import time
from collections.abc import Iterator
from pathlib import Path

from recio.backup.errors import BackupError

__all__ = ["locked"]


@contextlib.contextmanager
def locked(path: Path, wait_s: float, busy: str) -> Iterator[None]:
    """Hold the lock of ``path``, whose folder must be there; BackupError(``busy``) when another holds it longer than ``wait_s``."""
    with path.open("w") as lock:
        until_s = time.monotonic() + wait_s
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > until_s:
                    raise BackupError(busy) from None
                time.sleep(0.2)
        yield
