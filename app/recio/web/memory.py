"""The C library's habits, held to a small process: large blocks go back to the system, threads share two heaps."""

from __future__ import annotations

import ctypes
import sys

__all__ = ["give_back", "tame_malloc"]

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


def give_back() -> bool:
    """Hand what the C library holds free back to the system; False where it is not glibc. A few milliseconds.

    Compiling a template or describing the API takes megabytes for moments, and freed in the middle of the heap they would
    count for ever: measured 59.6 MB instead of 55 after every page was opened once.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform.startswith("linux") else None
    return trim is not None and bool(trim(0))
