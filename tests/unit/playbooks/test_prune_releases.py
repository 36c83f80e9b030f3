"""Which releases stay on a host: the one in service, then the newest good ones; those that were rolled back go first."""

from __future__ import annotations

import importlib.util
import os
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[3]
SCRIPT = ROOT / "roles/app/files/prune_releases.sh"
SPEC = importlib.util.spec_from_file_location("recio_observe", ROOT / "plugins/modules/observe.py")
assert SPEC is not None and SPEC.loader is not None
observe = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(observe)


def prune(home: Path, releases: dict[str, tuple[str, ...]], current: str, keep: int = 3) -> list[str]:
    """Make releases (oldest first, each with its marks), prune, and say what is left."""
    for age, (name, marks) in enumerate(releases.items()):
        folder = home / "releases" / name
        folder.mkdir(parents=True)
        for mark in marks:
            (folder / mark).touch()
        os.utime(folder, (1000 + age, 1000 + age))
    (home / "current").symlink_to(home / "releases" / current)
    subprocess.run(["sh", str(SCRIPT), str(keep)], env={**os.environ, "RECIO_HOME": str(home)}, check=True)
    return sorted(path.name for path in (home / "releases").iterdir())


GOOD, BAD, HALF = (".complete", ".proven"), (".complete", ".rolled_back"), ()


def test_the_newest_stay(tmp_path: Path) -> None:
    assert prune(tmp_path, {"a": GOOD, "b": GOOD, "c": GOOD, "d": GOOD}, "d") == ["b", "c", "d"]


def test_bad_ones_do_not_push_out_the_good_one(tmp_path: Path) -> None:
    assert prune(tmp_path, {"a": GOOD, "b": BAD, "c": BAD, "d": GOOD}, "d") == ["a", "c", "d"]


def test_half_installed_ones_go(tmp_path: Path) -> None:
    assert prune(tmp_path, {"a": GOOD, "b": HALF, "c": GOOD}, "c") == ["a", "c"]


def test_what_is_in_service_again_is_no_longer_marked(tmp_path: Path) -> None:
    prune(tmp_path, {"a": GOOD, "b": BAD}, "b")
    assert not (tmp_path / "releases/b/.rolled_back").exists()


def test_an_older_release_that_serves_again_outlives_the_newer_ones_it_replaced(tmp_path: Path) -> None:
    assert prune(tmp_path, {"a": GOOD, "b": GOOD, "c": GOOD}, "a") == ["a", "b", "c"]
    (tmp_path / "releases/d").mkdir()
    (tmp_path / "releases/d/.complete").touch()
    (tmp_path / "current").unlink()
    (tmp_path / "current").symlink_to(tmp_path / "releases/d")
    subprocess.run(["sh", str(SCRIPT), "3"], env={**os.environ, "RECIO_HOME": str(tmp_path)}, check=True)
    assert sorted(path.name for path in (tmp_path / "releases").iterdir()) == ["a", "c", "d"]
    assert [found["name"] for found in observe.releases(str(tmp_path))["all"]][-2:] == ["a", "d"], (
        "a is the one to go back to"
    )
