"""The host's own figures; what they mean against the contract's thresholds is `thresholds`' business."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec
import psutil

__all__ = ["Measurement", "inodes_percent", "measure", "pressure_percent"]

_PRESSURE = {"cpu": "cpu", "memory": "memory", "disk": "io"}  # our name of the resource -> the kernel's


class Measurement(msgspec.Struct, frozen=True):
    """Percentages of the whole host. ``detail``: megabytes since boot by way, load, and what the kernel would not tell is not in it."""

    cpu_percent: float
    memory_percent: float
    disk_percent: float
    detail: dict[str, float]


def measure(path: str = "/") -> Measurement:
    """Measure now; CPU is the share since the previous call (0.0 at the first)."""
    memory, disk = psutil.virtual_memory(), psutil.disk_usage(path)
    network = psutil.net_io_counters()
    load = psutil.getloadavg()
    return Measurement(
        cpu_percent=psutil.cpu_percent(interval=None),
        memory_percent=100.0 * (1.0 - memory.available / memory.total),
        disk_percent=disk.percent,
        detail={
            "memory_available_mb": memory.available / 1048576,
            "disk_free_gb": disk.free / 1073741824,
            "load_1m": load[0],
            "sent_mb": network.bytes_sent / 1048576,
            "received_mb": network.bytes_recv / 1048576,
        }
        | {f"pressure_{name}_percent": share for name in _PRESSURE if (share := pressure_percent(name)) is not None}
        | ({} if (inodes := inodes_percent(path)) is None else {"inodes_percent": inodes}),
    )


def pressure_percent(resource: str, folder: Path = Path("/proc/pressure")) -> float | None:
    """Share of the last minute in which something waited for ``resource`` (cpu, memory, disk); None where the kernel does not count it.

    The ``some`` line's ``avg60``: https://docs.kernel.org/accounting/psi.html
    """
    try:
        lines = (folder / _PRESSURE[resource]).read_text().splitlines()
        words = next(line.split() for line in lines if line.startswith("some "))
        return float(next(word for word in words if word.startswith("avg60=")).removeprefix("avg60="))
    except (OSError, ValueError, StopIteration):
        return None


def inodes_percent(path: str = "/") -> float | None:
    """Share of the file system's inodes in use: full at 100 whatever space is left. None where it has no fixed number of them."""
    found = os.statvfs(path)
    return 100.0 * (1.0 - found.f_ffree / found.f_files) if found.f_files else None
