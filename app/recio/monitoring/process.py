"""What the kernel says of one process, straight from /proc: memory as PSS, CPU time, open files, threads.

Memory and open files of another process are told to root alone: every service measures its own, and its report carries them.
"""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["CpuMeter", "cpu_seconds", "open_files", "pss_kb", "threads"]

_TICKS = os.sysconf("SC_CLK_TCK")


def pss_kb(pid: int | str = "self") -> int | None:
    """Proportional set size in KiB from smaps_rollup; None when the kernel will not tell (gone, or not allowed)."""
    try:
        with Path(f"/proc/{pid}/smaps_rollup").open() as lines:
            for line in lines:
                if line.startswith("Pss:"):
                    return int(line.split()[1])
    except (OSError, ValueError):
        return None
    return None


def cpu_seconds(pid: int | str = "self") -> float | None:
    """User plus system CPU seconds a process has used; None when it is gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return (int(fields[11]) + int(fields[12])) / _TICKS


def open_files(pid: int | str = "self") -> int | None:
    """How many file descriptors a process holds, sockets included; None when the kernel will not tell."""
    try:
        found = sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir())
    except OSError:
        return None
    return found - (pid == "self")  # the one that read the list


def threads(pid: int | str = "self") -> int | None:
    """How many threads a process has; None when it is gone, or hidden."""
    try:
        return sum(1 for _ in Path(f"/proc/{pid}/task").iterdir())
    except OSError:
        return None


class CpuMeter:
    """CPU share of the whole machine (100 = all cores) since the last reading."""

    def __init__(self, now_s: float, cores: int | None = None) -> None:
        self._at_s, self._used_s = now_s, cpu_seconds() or 0.0
        self._cores = cores or os.cpu_count() or 1

    def percent(self, now_s: float) -> float | None:
        """The share since the last call; None when no time has passed."""
        used = cpu_seconds()
        elapsed = now_s - self._at_s
        if used is None or elapsed <= 0:
            return None
        share = 100.0 * (used - self._used_s) / elapsed / self._cores
        self._at_s, self._used_s = now_s, used
        return share
