"""The contract's figures as a host has them: what cannot be read at this moment is said, and keeps nothing else from being read."""

from __future__ import annotations

import os
from types import SimpleNamespace
from typing import Any

import pytest

from recio.monitoring import held
from recio.monitoring.held import DatabaseFacts, Held, hold

PATHS = {
    "limits.nofile": 4096,
    "services.one.nice": 0,
    "services.one.core": 0,
    "backup.max_age_h": 26,
    "a.rule": "a word",
}


@pytest.fixture
def ended() -> int:
    """The pid of a process that was here a moment ago."""
    pid = os.fork()
    if not pid:
        os._exit(0)
    os.waitpid(pid, 0)
    return pid


def test_a_process_that_ended_meanwhile(ended: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def seen(*_: Any) -> Any:
        status = SimpleNamespace(pss_mb=None, cpu_percent=None, age_s=None, reason="it runs")
        return SimpleNamespace(units={"one": SimpleNamespace(pid=ended)}, services={"one": status})

    monkeypatch.setattr(held, "_Seen", seen)
    database: DatabaseFacts | None = None
    found = hold(None, PATHS, "simulated", database)  # type: ignore[arg-type]  # nothing of it is asked here
    for path in ("limits.nofile", "services.one.nice", "services.one.core"):
        assert found[path] == Held("a process ended while it was looked at"), path
    assert found["backup.max_age_h"].holds is False, "what else there is was read"
    assert not found["a.rule"].is_reading
