"""The writing side of health: sd_notify for systemd, and the report file for everybody else."""

from __future__ import annotations

import gc
import os
import socket
import time
from collections.abc import Sequence

import msgspec

from recio import release
from recio.monitoring.health import Check, Report, run_dir
from recio.monitoring.process import CpuMeter, open_files, pss_kb, threads
from recio.services import log

__all__ = ["Check", "HealthFile", "complaints", "sd_notify"]

_PSS_EVERY_S = 10.0  # reading smaps_rollup walks every page of the process
_COMPLAIN_EVERY_S = 60.0


def complaints(checks: Sequence[Check]) -> list[str]:
    """What is not well, in words; empty for a healthy service."""
    return [f"{check.name}: {check.why}" for check in checks if not check.ok] if checks else ["nothing proven yet"]


_to_manager: list[socket.socket] = []  # opened once: a process without a descriptor left must still feed its watchdog


def sd_notify(*states: str) -> None:
    """Tell systemd, for example ``sd_notify("READY=1", "STATUS=working")``; does nothing outside a unit.

    Who does not get through says so and goes on: a manager that misses the watchdog's food knows what to do.
    """
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    try:
        if not _to_manager:
            _to_manager.append(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC))
        _to_manager[0].sendto("\n".join(states).encode(), "\0" + address[1:] if address.startswith("@") else address)
    except OSError as problem:
        log.warning("cannot reach the service manager", address=address, why=problem)


class HealthFile:
    """Writes a service's report, atomically, and measures the process while at it."""

    def __init__(self, service: str, mode: str) -> None:
        self.service, self.mode = service, mode
        self._path = run_dir(service) / "health.json"
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._started_s = time.time()
        self._cpu = CpuMeter(time.monotonic())
        self._cpu_percent: float | None = None
        self._pss_kb: int | None = None
        self._open_files: int | None = None
        self._threads: int | None = None
        self._measured_s = self._complained_s = float("-inf")

    def write(self, checks: Sequence[Check], useful_s: float | None) -> Report:
        """Write the report: healthy when every check is ok, the reason being what is not. Also gives it back.

        A report that cannot be written (no descriptor, no space) is no reason to stop working: it is logged, and the
        old one grows stale, which others notice.
        """
        now_s = time.time()
        if time.monotonic() - self._measured_s >= _PSS_EVERY_S:
            self._measured_s = time.monotonic()
            self._pss_kb, self._cpu_percent = pss_kb(), self._cpu.percent(time.monotonic())
            self._open_files, self._threads = open_files(), threads()
        wrong = complaints(checks)
        report = Report(
            service=self.service,
            pid=os.getpid(),
            at_s=now_s,
            started_s=self._started_s,
            healthy=not wrong,
            reason="; ".join(wrong),
            useful_s=useful_s,
            checks=tuple(checks),
            pss_kb=self._pss_kb,
            cpu_percent=self._cpu_percent,
            version=release(),
            mode=self.mode,
            gc_threshold=gc.get_threshold(),
            open_files=self._open_files,
            threads=self._threads,
        )
        try:
            self._keep(report)
        except OSError as problem:
            if time.monotonic() - self._complained_s >= _COMPLAIN_EVERY_S:
                self._complained_s = time.monotonic()
                log.warning("health report not written", service=self.service, file=self._path, why=problem)
        return report

    def _keep(self, report: Report) -> None:
        fresh = self._path.with_suffix(".new")
        fresh.write_bytes(msgspec.json.encode(report))
        fresh.chmod(0o644)
        fresh.replace(self._path)
