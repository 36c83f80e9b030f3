"""What the other end removes: only what is older than asked, and never what the two newest bases need."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import pytest

KEEP = Path(__file__).resolve().parents[3] / "scripts/offhost/recio-keep"


@pytest.fixture
def keep(tmp_path: Path) -> Path:
    """The script with a day of a second and no hour before a base: the time of arrival cannot be set, not even by a test."""
    text = KEEP.read_text()
    assert "days * 86400" in text
    assert text.count("- 3600") == 2
    quick = tmp_path / "recio-keep"
    quick.write_text(text.replace("days * 86400", "days * 1").replace("- 3600", "- 0"))
    quick.chmod(0o755)
    return quick


def arrive(desk: Path, *names: str) -> None:
    for name in names:
        path = desk / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)


def prune(keep: Path, root: Path, days: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(keep), "--prune", str(root), days], capture_output=True, text=True, check=False)


def there(desk: Path) -> set[str]:
    return {str(path.relative_to(desk)) for path in desk.rglob("*") if path.is_file()}


def test_what_is_old_goes_but_two_bases_and_all_their_wal_stay(keep: Path, tmp_path: Path) -> None:
    root = tmp_path / "keep"
    desk = root / "desk-a-1"
    for number in (1, 2, 3):
        arrive(desk, f"wal/archive/recio/15-1/0000000100000000/00000001000000000000000{number}-x.zst")
        arrive(
            desk,
            f"wal/backup/recio/B{number}/bundle/1",
            f"wal/backup/recio/B{number}/backup.manifest",
            f"backup_2026110{number}/payload.enc",
        )
        time.sleep(2.1)
    arrive(
        desk,
        "wal/archive/recio/15-1/0000000100000000/000000010000000000000004-x.zst",
        "wal/archive/recio/15-1/00000002.history",
    )
    before = there(desk)
    assert prune(keep, root, "30").returncode == 0
    assert there(desk) == before, "nothing is older than thirty"
    done = prune(keep, root, "1")
    assert done.returncode == 0, done.stderr
    gone = before - there(desk)
    assert {Path(name).parts[-1] for name in gone} == {
        "1",
        "backup.manifest",
        "000000010000000000000001-x.zst",
        "payload.enc",
    }
    assert {name for name in gone if "/B" in name} == {
        "wal/backup/recio/B1/bundle/1",
        "wal/backup/recio/B1/backup.manifest",
    }
    assert "backup_20261101/payload.enc" in gone


def test_the_only_base_and_a_silent_desk_lose_nothing(keep: Path, tmp_path: Path) -> None:
    root = tmp_path / "keep"
    desk = root / "desk-a-1"
    arrive(
        desk,
        "wal/archive/recio/15-1/0000000100000000/000000010000000000000001-x.zst",
        "wal/backup/recio/B1/backup.manifest",
    )
    time.sleep(2.1)  # the desk is dead: its copy does not grow old
    before = there(desk)
    assert prune(keep, root, "1").returncode == 0
    assert there(desk) == before


@pytest.mark.parametrize("days", ["0", "-3", "x"])
def test_a_number_of_days_that_is_none_is_refused(keep: Path, tmp_path: Path, days: str) -> None:
    root = tmp_path / "keep"
    arrive(root / "desk-a-1", "wal/backup/recio/B1/backup.manifest")
    assert prune(keep, root, days).returncode != 0
    assert there(root / "desk-a-1")
