"""Where research reports lie, how they are named and how the worker is woken: the worker writes them, the page hands them out."""

from __future__ import annotations

import os
import re
from pathlib import Path

from recio.monitoring.health import run_dir

__all__ = ["FILES", "NAME", "TRIGGER", "report_file", "report_name", "reports_folder", "wake_research"]

TRIGGER = "research.trigger"
NAME = re.compile(r"run-[0-9]{6,18}")
FILES = {
    "report.html": "text/html; charset=utf-8", "report.json": "application/json", "trades.csv": "text/csv; charset=utf-8",
    "decisions.csv": "text/csv; charset=utf-8", "hours.csv": "text/csv; charset=utf-8", "equity.csv": "text/csv; charset=utf-8",
}  # fmt: skip


def reports_folder() -> Path:
    """Their folder, part of the contract's directory for archives; RECIO_RESEARCH for tests and the preview."""
    return Path(os.environ.get("RECIO_RESEARCH", "/var/lib/recio/archives/research"))


def report_name(run_id: int) -> str:
    """The folder of one run's report, by name only."""
    return f"run-{run_id:06d}"


def report_file(name: str, file: str) -> Path | None:
    """A file of a report; None for any name that is not one of ours, or when it is gone."""
    if not NAME.fullmatch(name) or file not in FILES:
        return None
    path = reports_folder() / name / file
    return path if path.is_file() and not path.is_symlink() and not path.parent.is_symlink() else None


def wake_research() -> None:
    """Have the worker started. Raises OSError when main_app has no runtime folder."""
    (run_dir("main_app") / TRIGGER).touch(mode=0o600)
