"""An alarm lasts before it is said, ends where the contract says, and does not flap; whatever is read."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recio.contract import Threshold
from recio.monitoring.thresholds import Alarm, Level

CPU = Threshold(
    unit="percent", warning=80, critical=95, clear_warning=72, clear_critical=88, hold_s=300, action="Scale up"
)
DISK = Threshold(
    unit="percent", warning=80, critical=90, clear_warning=77, clear_critical=87, hold_s=0, action="Clean up"
)


def read(limit: Threshold, *readings: tuple[float, float | None]) -> list[str]:
    """Levels after readings of (seconds, value)."""
    alarm = Alarm(limit)
    return [alarm.read(value, at) for at, value in readings]


def test_rises_only_after_it_lasted() -> None:
    assert read(CPU, (0, 85), (290, 85), (299.9, 85), (300, 85)) == ["", "", "", "warning"]
    assert read(CPU, (0, 85), (200, 79), (300, 85), (599, 85), (600, 85)) == ["", "", "", "", "warning"]
    assert read(DISK, (0, 80)) == ["warning"], "what need not last is said at once"


def test_does_not_flap_on_the_edge_and_ends_where_the_contract_says() -> None:
    assert read(DISK, (0, 81), (10, 79), (20, 77), (30, 76.9)) == ["warning", "warning", "warning", ""]
    assert read(DISK, (0, 91), (10, 87), (20, 86.9), (30, 77), (40, 70)) == [
        "critical", "critical", "warning", "warning", "",
    ]  # fmt: skip


def test_goes_from_warning_to_critical_after_lasting_there_too() -> None:
    assert read(CPU, (0, 96), (150, 90), (300, 96), (599, 96), (600, 96)) == [
        "", "", "warning", "warning", "critical",
    ]  # fmt: skip


def test_what_was_not_measured_has_not_lasted_and_ends_nothing() -> None:
    assert read(CPU, (0, 85), (290, None), (310, 85), (609, 85), (610, 85)) == ["", "", "", "", "warning"]
    assert read(DISK, (0, 95), (10, None), (20, 60)) == ["critical", "critical", ""]


@pytest.mark.parametrize("level", ["warning", "critical"])
def test_a_restart_goes_on_with_what_stood(level: Level) -> None:
    alarm = Alarm(CPU, level)
    assert alarm.read(90, 0) == level
    assert alarm.read(60, 10) == ""


@given(st.lists(st.tuples(st.floats(0.1, 200), st.floats(0, 100)), max_size=60))
def test_whatever_is_read_it_is_never_raised_early_nor_ended_inside_the_band(steps: list[tuple[float, float]]) -> None:
    alarm, now_s, before = Alarm(CPU), 0.0, ""
    seen: list[tuple[float, float]] = []
    for step_s, value in steps:
        now_s += step_s
        seen.append((now_s, value))
        level = alarm.read(value, now_s)
        if level and not before:
            lasted = [at for at, v in seen if at >= now_s - CPU.hold_s]
            assert now_s - seen[0][0] >= CPU.hold_s
            assert all(v >= CPU.warning for at, v in seen if at in lasted)
        if before and not level:
            assert value < CPU.clear_warning
        if value >= CPU.warning and all(v >= CPU.warning for at, v in seen if at >= now_s - CPU.hold_s - 200):
            early = seen[0][0] > now_s - CPU.hold_s
            assert level or early, "it lasted, and was not said"
        before = level
