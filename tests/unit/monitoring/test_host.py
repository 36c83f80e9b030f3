"""Alarms hold before they rise, do not flap, and the host's own figures are plausible."""

from __future__ import annotations

from recio.monitoring.host import Alarm, measure


def test_rises_only_after_readings_in_a_row() -> None:
    alarm = Alarm(80, 95, hold=3)
    assert [alarm.read(v) for v in (85, 85, 70, 85, 85, 85)] == ["", "", "", "", "", "warning"]


def test_does_not_flap_on_the_edge() -> None:
    alarm = Alarm(80, 95, hold=1)
    assert alarm.read(81) == "warning"
    assert [alarm.read(v) for v in (79, 81, 79, 73)] == ["warning"] * 4
    assert alarm.read(71) == ""


def test_goes_from_warning_to_critical_and_back_to_nothing() -> None:
    alarm = Alarm(80, 95, hold=2)
    assert [alarm.read(v) for v in (96, 96, 60)] == ["", "critical", ""]


def test_measures_this_machine() -> None:
    found = measure()
    assert 0 <= found.memory_percent <= 100
    assert 0 < found.disk_percent <= 100
