"""The truth table of recio.monitoring.status: no proof from the unit's own process is no health."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from recio.contract import parse
from recio.monitoring.health import Check, Report
from recio.monitoring.status import Unit, judge, limit_shares

NOW = 1_000_000.0
HOME = Path(__file__).resolve().parents[3] / "roles/contract/defaults/main.yml"
CONTRACT = parse(yaml.safe_dump(yaml.safe_load(HOME.read_text())["contract"]), str(HOME))


def report(**changes: object) -> Report:
    base: dict[str, object] = {
        "service": "db_poller", "pid": 7, "at_s": NOW - 1, "started_s": NOW - 100, "healthy": True, "reason": "",
        "useful_s": NOW - 3, "checks": (Check("work", True),), "pss_kb": 2048, "cpu_percent": 1.0, "version": "1",
        "mode": "simulated",
    }  # fmt: skip
    return Report(**(base | changes))  # type: ignore[arg-type]


RUNNING = Unit("running", 7, 0)


@pytest.mark.parametrize(
    ("unit", "said", "why"),
    [
        (None, report(), "systemd does not answer"),
        (Unit("failed (signal)", 0, 3), report(), "failed (signal)"),
        (Unit("restarting", 0, 3), report(), "restarting"),
        (Unit("stopped", 0, 0), None, "stopped"),
        (RUNNING, None, "has not proven anything"),
        (Unit("running", 8, 1), report(), "has not proven anything"),  # the report is a former process's
        (RUNNING, report(at_s=NOW - 11), "silent for 11 s"),
        (RUNNING, report(healthy=False, reason="work: last 99 s ago"), "work: last 99 s ago"),
    ],
)
def test_everything_but_a_fresh_proof_of_this_process_is_unhealthy(
    unit: Unit | None, said: Report | None, why: str
) -> None:
    found = judge("db_poller", "system", unit, said, NOW)
    assert not found.healthy
    assert why in found.reason


def test_a_fresh_proof_is_healthy_and_tells_its_age() -> None:
    found = judge("db_poller", "system", RUNNING, report(), NOW)
    assert found.healthy
    assert found.reason == ""
    assert found.age_s == 3.0


def test_files_and_threads_are_the_process_own_and_none_of_its_predecessor() -> None:
    nobody = 2**22 + 1  # no process has this id: what counts is what it said of itself
    said = report(pid=nobody, open_files=31, threads=4)
    found = judge("db_poller", "system", Unit("running", nobody, 0), said, NOW)
    assert (found.open_files, found.threads) == (31, 4)
    later = judge("db_poller", "system", Unit("running", nobody + 1, 1), said, NOW)
    assert (later.open_files, later.threads) == (None, None)


def test_shares_are_of_the_contracts_limits_and_unknown_is_no_share() -> None:
    found = judge("db_poller", "system", Unit("running", 2**22 + 1, 0), report(pid=2**22 + 1, open_files=2048), NOW)
    assert limit_shares(found, CONTRACT) == {"files": 100 * 2048 / CONTRACT.limits.nofile, "threads": None}


def test_a_dead_process_shows_no_memory_of_its_predecessor() -> None:
    assert judge("db_poller", "system", Unit("restarting", 0, 1), report(), NOW).pss_mb is None
