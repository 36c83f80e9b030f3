"""The folder of reports: written under a staging name, renamed when whole, the oldest dropped to keep within the share."""

from __future__ import annotations

import shutil
from collections.abc import Collection, Sequence
from pathlib import Path

from recio.monitoring.reports import NAME

__all__ = ["SHARE_MB", "fold", "put", "size_of", "staging", "sweep", "to_drop"]

SHARE_MB = 256  # of the contract's 2048 MB for archives; a month's backtest is about 4 MB


def staging(folder: Path, name: str) -> Path:
    """An empty place to write a report to. Raises OSError when the folder cannot be written."""
    place = folder / f".new-{name}"
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    return place


def put(folder: Path, name: str) -> None:
    """The staged report under its name: there is never half a report. Raises OSError."""
    shutil.rmtree(folder / name, ignore_errors=True)  # of a worker that died after its rename: never told to anybody
    (folder / f".new-{name}").rename(folder / name)


def size_of(place: Path) -> int:
    """Bytes of the files in a report's folder; 0 when it is gone."""
    return sum(path.stat().st_size for path in place.iterdir() if path.is_file()) if place.is_dir() else 0


def to_drop(sizes: Sequence[tuple[str, int]], share_bytes: int) -> list[str]:
    """Of reports, oldest first, those that must go so that the rest fits; the newest stays whatever its size."""
    total, gone = sum(size for _, size in sizes), []
    for name, size in sizes[:-1]:
        if total <= share_bytes:
            break
        gone.append(name)
        total -= size
    return gone


def sweep(folder: Path, kept: Collection[str]) -> list[str]:
    """Remove what a worker that died left: stagings, and reports no run has on record. Gives their names."""
    if not folder.is_dir():
        return []
    stray = [
        path for path in folder.iterdir()
        if path.name.startswith(".new-run-") or (NAME.fullmatch(path.name) and path.name not in kept)
    ]  # fmt: skip
    for path in stray:
        shutil.rmtree(path, ignore_errors=True)
    return sorted(path.name for path in stray)


def fold(folder: Path, names: Sequence[str]) -> None:
    """Remove these reports."""
    for name in names:
        shutil.rmtree(folder / name, ignore_errors=True)
