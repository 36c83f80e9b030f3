"""Retention fits the budget and never takes the last good one; the monitor's sentence says what is wrong."""

from __future__ import annotations

from pathlib import Path

from recio.backup.manifest import Kind, Manifest
from recio.backup.repository import Entry, to_remove
from recio.monitoring.backup import KINDS, Attempt, BackupStatus, RestoreTest, complaint

DAY, NOW = 86400.0, 1_000_000_000.0
DAYS = dict.fromkeys(Kind, 7)


def entry(name: str, age_days: float, size: int = 100, kind: Kind = Kind.DATABASE, good: bool = True) -> Entry:
    made_s = NOW - age_days * DAY
    manifest = Manifest(
        kind=kind, name=name, host="h", release="r", made_s=made_s, seconds=1, size=size, plain_size=size, sha256="",
        key_id="", items=1,
    )  # fmt: skip
    return Entry(Path(name), size, made_s, manifest if good else None)


def removed(entries: list[Entry], kept: set[str], budget: int = 10_000) -> list[str]:
    return sorted(e.name for e in to_remove(entries, frozenset(kept), DAYS, budget, NOW))


def test_what_is_past_its_days_goes() -> None:
    assert removed([entry("a", 8), entry("b", 6.9), entry("c", 0)], {"c"}) == ["a"]


def test_the_newest_verified_stays_however_old() -> None:
    assert removed([entry("a", 30), entry("b", 20)], {"b"}) == ["a"]


def test_the_oldest_go_until_the_rest_fits() -> None:
    entries = [entry(str(i), 7 - i, 100) for i in range(1, 7)]
    assert removed(entries, {"6"}, budget=350) == ["1", "2", "3"]


def test_a_protected_one_stays_even_above_the_budget() -> None:
    assert removed([entry("a", 3, 900), entry("b", 1, 900)], {"a", "b"}, budget=1000) == []


def test_damaged_ones_go_before_good_ones() -> None:
    assert removed([entry("old", 3), entry("bad", 1, good=False), entry("new", 0)], {"new"}, budget=200) == ["bad"]


def status(age_h: float, **changes: object) -> BackupStatus:
    kinds = {kind: Attempt(NOW - age_h * 3600, "b", 1) for kind in KINDS}
    return BackupStatus(kinds=kinds, **changes)  # type: ignore[arg-type]


def test_young_backups_give_no_complaint() -> None:
    good = RestoreTest(NOW, True, "b", 3.0)
    assert complaint(status(25), NOW, 26) == ""
    assert complaint(status(1, restore_test=good), NOW, 26) == ""


def test_old_missing_and_failed_ones_do() -> None:
    assert "none was ever made" in complaint(None, NOW, 26)
    assert "of the database within 26 h (the newest is 27 h old)" in complaint(status(27), NOW, 26)
    failed = BackupStatus(kinds={"database": Attempt(failed_s=NOW, why="pg_dump failed")})
    assert "there is none, the last attempt failed: pg_dump failed" in complaint(failed, NOW, 26)
    bad = RestoreTest(NOW, False, "b", 3.0, "another ledger")
    assert complaint(status(1, restore_test=bad), NOW, 26) == "the restore test of b failed: another ledger"
