"""A service's own account of its function, as it lies in /run/recio/<service>/health.json.

The file is on tmpfs and independent of the database, so that the truth is readable when the database is not.
A report says what was proven and when; a reader must hold it against the clock and the process it names.
"""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

__all__ = ["Check", "Report", "read_report", "run_dir"]


class Check(msgspec.Struct, frozen=True):
    """One function proven or not: ``why`` is a plain sentence when it is not, ``age_s`` the age of its evidence."""

    name: str
    ok: bool
    why: str = ""
    age_s: float | None = None


class Report(msgspec.Struct, frozen=True):
    """What a service says of itself. Times are epoch seconds, memory KiB of PSS, CPU percent of the whole machine."""

    service: str
    pid: int
    at_s: float
    started_s: float
    healthy: bool
    reason: str
    useful_s: float | None
    checks: tuple[Check, ...]
    pss_kb: int | None
    cpu_percent: float | None
    version: str
    mode: str
    gc_threshold: tuple[int, ...] = ()
    open_files: int | None = None
    threads: int | None = None


def run_dir(service: str) -> Path:
    """The service's runtime folder: systemd's RuntimeDirectory, or below RECIO_RUN_DIR, or /run/recio."""
    return Path(os.environ.get("RECIO_RUN_DIR", "/run/recio")) / service


def read_report(service: str) -> Report | None:
    """The newest report, or None when the service has not left one or left nonsense (which is no report)."""
    try:
        return msgspec.json.decode((run_dir(service) / "health.json").read_bytes(), type=Report)
    except (OSError, msgspec.DecodeError):
        return None
