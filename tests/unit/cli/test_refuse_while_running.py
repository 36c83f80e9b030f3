"""Nothing is put back under the hands of a service that runs; one that is just stopping is waited for."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from recio.cli.backup import refuse_while_running
from recio.contract import Contract, parse
from recio.monitoring import status
from recio.monitoring.status import Unit

SOURCE = Path(__file__).resolve().parents[3] / "roles/contract/defaults/main.yml"


@pytest.fixture(scope="module")
def contract() -> Contract:
    return parse(yaml.safe_dump(yaml.safe_load(SOURCE.read_text())["contract"]), str(SOURCE))


def systemd_says(monkeypatch: pytest.MonkeyPatch, *states: str) -> Iterator[str]:
    """Each time it is asked the next state of one service, the last one for good; gives what was not asked for."""
    left = iter(states)
    last = [states[-1]]

    def units(names: list[str]) -> dict[str, Unit]:
        last[0] = next(left, last[0])
        return {name: Unit(last[0] if name == "trade_executor" else "stopped", 0, 0) for name in names}

    monkeypatch.setattr(status, "units", units)
    return left


def test_all_stopped_is_no_obstacle(monkeypatch: pytest.MonkeyPatch, contract: Contract) -> None:
    for state in ("stopped", "failed", "failed (watchdog)"):
        systemd_says(monkeypatch, state)
        refuse_while_running(contract, 0.0)


def test_one_that_is_stopping_is_waited_for(monkeypatch: pytest.MonkeyPatch, contract: Contract) -> None:
    left = systemd_says(monkeypatch, "stopping", "stopping", "stopped")
    refuse_while_running(contract, 5.0)
    assert list(left) == []


@pytest.mark.parametrize("state", ["running", "starting", "restarting", "stopping"])
def test_one_that_runs_or_is_about_to_is_named(monkeypatch: pytest.MonkeyPatch, contract: Contract, state: str) -> None:
    systemd_says(monkeypatch, state)
    with pytest.raises(SystemExit, match=r"trade_executor still run; `systemctl stop recio.target` first"):
        refuse_while_running(contract, 0.0)
