"""A process with no descriptor left still feeds its watchdog, and its health is told as soon as it can be again."""

from __future__ import annotations

import os
import resource
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from recio.monitoring.health import Check
from recio.services import health
from recio.services.health import HealthFile, sd_notify


@contextmanager
def no_descriptor_left() -> Iterator[None]:
    """Nothing can be opened inside: the limit is the lowest number that is free (getrlimit(2))."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    lowest = os.dup(0)
    os.close(lowest)
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_the_watchdog_is_fed_and_the_report_comes_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RECIO_RUN_DIR", str(tmp_path))
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
    monkeypatch.setattr(health, "_to_manager", [])
    manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    manager.bind(str(tmp_path / "notify"))
    manager.settimeout(2)
    sd_notify("READY=1")
    report = HealthFile("main_app", "simulated")
    with no_descriptor_left():
        with pytest.raises(OSError, match="Too many open files"):
            socket.socket()
        sd_notify("WATCHDOG=1", "STATUS=healthy")
        told = [report.write([Check("http", True)], 1.0) for _ in range(2)]
    assert [manager.recv(100) for _ in range(2)] == [b"READY=1", b"WATCHDOG=1\nSTATUS=healthy"]
    assert [one.healthy for one in told] == [True, True]
    said = capsys.readouterr().err
    assert said.count("health report not written") == 1 and "Too many open files" in said
    assert not list(tmp_path.rglob("health.json"))
    report.write([Check("http", True)], 1.0)
    assert len(list(tmp_path.rglob("health.json"))) == 1
    manager.close()
    sd_notify("WATCHDOG=1")  # nobody listens any more: said, and no reason to end
    assert "cannot reach the service manager" in capsys.readouterr().err
