"""docs/security.md's table: every test it names is there, every row says where it stands."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[3]
TABLE = (ROOT / "docs" / "security.md").read_text().partition("## ASVS")[2]
ROWS = [re.split(r"(?<!\\)\|", line)[1:-1] for line in TABLE.splitlines() if re.match(r"\| \d", line)]


def test_every_test_it_names_is_there() -> None:
    named = set(re.findall(r"(test_\w+\.py)::(test_\w+)", TABLE))
    assert len(named) > 40
    for file, name in sorted(named):
        found = list((ROOT / "tests").rglob(file))
        assert found, f"{file} is named in docs/security.md and is not there"
        assert any(f"def {name}(" in place.read_text() for place in found), f"{file} has no {name}"


def test_every_row_says_where_it_stands() -> None:
    assert len(ROWS) > 90
    for row in ROWS:
        assert len(row) == 4, row
        status = row[3].strip()
        assert re.match(r"(met|n/a)$|(part|no): .{10,}", status), row


def test_every_chapter_is_there() -> None:
    chapters = {int(number) for row in ROWS for number in re.findall(r"\b(\d+)(?:\.|,| [a-zA-Z])", row[0])}
    assert set(range(1, 18)) <= chapters, sorted(set(range(1, 18)) - chapters)
