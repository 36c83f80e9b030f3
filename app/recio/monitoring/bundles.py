"""Where diagnostics archives lie and how they are named: root writes them, the page only hands them out."""

from __future__ import annotations

import os
import re
from pathlib import Path

__all__ = ["BUNDLE", "bundle_folder", "bundle_path"]

BUNDLE = re.compile(r"recio-diagnostics-[0-9]{1,12}-[0-9]{8}-[0-9]{6}\.tar\.gz")


def bundle_folder() -> Path:
    """Their folder; RECIO_DIAGNOSTICS for tests."""
    return Path(os.environ.get("RECIO_DIAGNOSTICS", "/var/lib/recio/diagnostics"))


def bundle_path(name: str) -> Path | None:
    """The archive of that name; None for any name that is not one, or one that is gone."""
    if not BUNDLE.fullmatch(name):
        return None
    path = bundle_folder() / name
    return path if path.is_file() and not path.is_symlink() else None
