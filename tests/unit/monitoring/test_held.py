"""The contract's figures as a host has them: what cannot be read at this moment is said, and keeps nothing else from being read."""

from __future__ import annotations

import os
import resource
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from recio.contract import Contract, parse
from recio.monitoring import held
from recio.monitoring.held import Held, hold

HOME = Path(__file__).resolve().parents[3] / "roles/contract/defaults/main.yml"
GONE = Held("it ended while it was looked at")


@pytest.fixture
def contract() -> Contract:
    return parse(yaml.safe_dump(yaml.safe_load(HOME.read_text())["contract"]), str(HOME))


@pytest.fixture
def ended() -> int:
    """The pid of a process that was here a moment ago."""
    pid = os.fork()
    if not pid:
        os._exit(0)
    os.waitpid(pid, 0)
    return pid


def test_a_process_that_ended_meanwhile(contract: Contract, ended: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def seen(*_: Any) -> Any:
        pids = {"gone": ended, "here": os.getpid()}
        status = SimpleNamespace(reason="it runs")
        return SimpleNamespace(
            units={name: SimpleNamespace(pid=pid) for name, pid in pids.items()}, services=dict.fromkeys(pids, status)
        )

    monkeypatch.setattr(held, "_Seen", seen)
    files, nice = resource.getrlimit(resource.RLIMIT_NOFILE)[0], os.getpriority(os.PRIO_PROCESS, 0)
    wanted = {"limits.nofile": files} | {f"services.{name}.nice": nice for name in ("gone", "here")}
    found = hold(contract, wanted | {"services.gone.core": 0}, "simulated", None)
    assert found["services.gone.nice"] == found["services.gone.core"] == GONE
    assert found["services.here.nice"] == Held(str(nice), holds=True)
    assert found["limits.nofile"] == Held(str(files), holds=True), "the others tell"
