"""The releases kept on this host: which is in service, which passed its gate, which can be gone back to and why not."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

__all__ = ["Release", "home", "kept", "refusal"]


class Release(msgspec.Struct, frozen=True):
    """One complete release. Times are epoch seconds, 0 for never; ``schema`` is the database revision it needs."""

    name: str
    current: bool
    installed_s: float
    proven_s: float
    rolled_back: bool
    schema: str


def home() -> Path:
    """Where releases live; RECIO_HOME for tests."""
    return Path(os.environ.get("RECIO_HOME", "/opt/recio"))


def _mtime(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def kept() -> list[Release]:
    """Every complete release, newest first; empty where none is installed that way."""
    root = home()
    current = (root / "current").resolve().name if (root / "current").is_symlink() else ""
    found = []
    for marker in (root / "releases").glob("*/.complete"):
        place = marker.parent
        revisions = place.glob("venv/lib/python*/site-packages/recio/store/migrations/versions/r[0-9]*_*.py")
        found.append(
            Release(
                place.name, place.name == current, _mtime(marker), _mtime(place / ".proven"), (place / ".rolled_back").exists(),
                max((path.name[1:5] for path in revisions), default=""),
            )
        )  # fmt: skip
    return sorted(found, key=lambda release: release.installed_s, reverse=True)


def refusal(releases: list[Release], name: str, schema: str) -> str:
    """Why the desk cannot go to this release; empty when it can. ``schema`` is the database's revision."""
    target = next((release for release in releases if release.name == name), None)
    if target is None:
        return f"there is no release {name} on this host; kept are {', '.join(r.name for r in releases) or 'none'}"
    if target.current:
        return f"{name} is in service"
    if not target.proven_s:
        return f"{name} never passed its gate here"
    if target.schema != schema:
        return f"the database is on schema {schema}, {name} needs {target.schema}: it would not start (restore a backup instead)"
    return ""
