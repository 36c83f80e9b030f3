"""The host's own figures are plausible."""

from __future__ import annotations

from pathlib import Path

import pytest

from recio.monitoring.host import inodes_percent, measure, pressure_percent


def test_measures_this_machine() -> None:
    found = measure()
    assert 0 <= found.memory_percent <= 100
    assert 0 < found.disk_percent <= 100


def test_measures_the_inodes_of_a_file_system() -> None:
    share = inodes_percent("/")
    assert share is None or 0 < share < 100
    assert inodes_percent("/proc") is None, "a file system without a number of inodes is not a full one"


@pytest.mark.parametrize(
    ("said", "share"),
    [
        ("some avg10=1.00 avg60=12.34 avg300=3.00 total=99\nfull avg10=0.00 avg60=7.00 avg300=0.00 total=1\n", 12.34),
        ("full avg10=0.00 avg60=7.00 avg300=0.00 total=1\n", None),
        ("some avg10=1.00\n", None),
        ("some avg60=much\n", None),
        ("", None),
    ],
)
def test_pressure_is_what_the_kernel_says_of_the_last_minute_or_not_known(
    tmp_path: Path, said: str, share: float | None
) -> None:
    (tmp_path / "io").write_text(said)
    assert pressure_percent("disk", tmp_path) == share
    assert pressure_percent("cpu", tmp_path) is None, "a kernel that does not count it"
