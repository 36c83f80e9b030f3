"""What of the database's settings a host can hold. Standard library only: the play that writes them uses this file too."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

__all__ = ["fitted"]

_MB = {"kB": 1 / 1024, "MB": 1.0, "GB": 1024.0}
# Shares of the host's memory, as PostgreSQL's manual (resource consumption, query planning) has them for a server that is not alone.
_MEMORY_SHARES = {"shared_buffers": 1 / 4, "effective_cache_size": 3 / 4, "maintenance_work_mem": 1 / 16}
_PER_CORE = {"max_parallel_workers_per_gather": 1}


def fitted(settings: Mapping[str, Any], memory_mb: float, cores: int) -> tuple[dict[str, Any], dict[str, str]]:
    """The settings for a host of that memory and so many cores; and by name why one is less than asked. None is ever more."""
    held, why = dict(settings), {}
    for name, share in _MEMORY_SHARES.items():
        asked_mb, most_mb = _mb(settings.get(name)), int(memory_mb * share)
        if asked_mb is not None and asked_mb > most_mb:
            held[name] = f"{most_mb}MB"
            why[name] = f"{settings[name]} asked, {most_mb} MB is what {memory_mb:.0f} MB of memory hold"
    for name, each in _PER_CORE.items():
        asked, most = settings.get(name), cores * each
        if isinstance(asked, int) and asked > most:
            held[name] = most
            why[name] = f"{asked} asked, {most} is what {cores} core{'s' if cores > 1 else ''} hold"
    return held, why


def _mb(size: Any) -> float | None:
    """Megabytes of ``256MB``; None for what is no size."""
    found = re.fullmatch(r"([0-9.]+)\s*(kB|MB|GB)", str(size).strip())
    return float(found[1]) * _MB[found[2]] if found else None
