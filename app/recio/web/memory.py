"""The C library's habits, held to a small process: large blocks go back to the system, threads share two heaps."""

from __future__ import annotations

import ctypes
import sys

__all__ = ["tame_malloc"]

_M_MMAP_THRESHOLD, _M_ARENA_MAX = -3, -8  # glibc's malloc.h


def tame_malloc() -> bool:
    """Call before threads start; False where the C library is not glibc.

    Without it glibc raises its mmap threshold after the first password hash (19 MiB) and keeps one such block for ever in
    the heap of every thread that ever hashed one: measured 116 MB instead of 50 after a few log-ins.
    """
    if not sys.platform.startswith("linux"):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    return bool(mallopt(_M_MMAP_THRESHOLD, 256 * 1024)) and bool(mallopt(_M_ARENA_MAX, 2))
