"""The truth about the twelve: what systemd says, what each service proved, and whether the two belong together.

systemd says          the report says                  so the service is
not running           anything                         not healthy: its state
running               nothing, or another process's    not healthy: no proof from this process
running               older than 10 s                  not healthy: it stopped reporting
running               a check failed                   not healthy: that check
running               all checks hold, fresh           healthy
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Mapping

import msgspec

from recio import release
from recio.contract import Contract
from recio.monitoring.health import Report, read_report
from recio.monitoring.process import open_files, pss_kb, threads

__all__ = ["ServiceStatus", "Status", "Unit", "collect", "judge", "limit_shares", "units"]

_REPORT_MAX_AGE_S = 10.0
_PROPERTIES = ("Id", "ActiveState", "SubState", "MainPID", "NRestarts", "Result")


class Unit(msgspec.Struct, frozen=True):
    """What systemd says of a service's unit."""

    state: str
    pid: int
    restarts: int


class ServiceStatus(msgspec.Struct, frozen=True):
    """One line of `recio status`: memory in MB of PSS, CPU in percent of the whole machine, age of the last useful work."""

    name: str
    tier: str
    state: str
    healthy: bool
    reason: str
    age_s: float | None
    pss_mb: float | None
    cpu_percent: float | None
    restarts: int | None
    open_files: int | None = None
    threads: int | None = None


class Status(msgspec.Struct, frozen=True):
    """The whole answer of `recio status --json`."""

    version: str
    mode: str
    services: tuple[ServiceStatus, ...]

    @property
    def healthy(self) -> bool:
        """True when every service is."""
        return bool(self.services) and all(service.healthy for service in self.services)


def _state(active: str, sub: str, result: str) -> str:
    if active == "active":
        return "running" if sub == "running" else sub
    if active == "activating":
        return {"auto-restart": "restarting", "start-pre": "waiting after failures"}.get(sub, "starting")
    if active == "failed":
        return f"failed ({result})" if result not in ("", "success") else "failed"
    return {"inactive": "stopped", "deactivating": "stopping"}.get(active, active or "unknown")


def units(names: list[str]) -> dict[str, Unit]:
    """Ask systemd once for all services; an empty answer where there is no systemd to ask."""
    command = ["systemctl", "show", "--property", ",".join(_PROPERTIES), *(f"recio-{name}.service" for name in names)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)  # noqa: S603
    except (OSError, subprocess.TimeoutExpired):
        return {}
    found = {}
    for block in done.stdout.strip().split("\n\n"):
        said = dict(line.partition("=")[::2] for line in block.splitlines())
        name = said.get("Id", "").removeprefix("recio-").removesuffix(".service")
        if name in names:
            state = _state(said.get("ActiveState", ""), said.get("SubState", ""), said.get("Result", ""))
            found[name] = Unit(state, int(said.get("MainPID") or 0), int(said.get("NRestarts") or 0))
    return found


def judge(name: str, tier: str, unit: Unit | None, report: Report | None, now_s: float) -> ServiceStatus:
    """Hold a service's report against systemd and the clock; the table is in the module's docstring."""
    state = unit.state if unit else "unknown"
    mine = report is not None and unit is not None and report.pid == unit.pid
    reason = ""
    if unit is None:
        reason = "systemd does not answer for this unit"
    elif state != "running":
        reason = f"the unit is {state}"
    elif report is None or not mine:
        reason = "this process has not proven anything yet"
    elif now_s - report.at_s > _REPORT_MAX_AGE_S:
        reason = f"silent for {now_s - report.at_s:.0f} s"
    elif not report.healthy:
        reason = report.reason
    pid, own = (unit.pid if unit else 0), (report if mine else None)
    kilobytes = _told(pss_kb(pid) if pid else None, own.pss_kb if own else None)
    return ServiceStatus(
        name=name,
        tier=tier,
        state=state,
        healthy=not reason,
        reason=reason,
        age_s=round(now_s - report.useful_s, 1) if report and report.useful_s is not None else None,
        pss_mb=round(kilobytes / 1024, 1) if kilobytes is not None else None,
        cpu_percent=round(own.cpu_percent, 1) if own and own.cpu_percent is not None else None,
        restarts=unit.restarts if unit else None,
        open_files=_told(open_files(pid) if pid else None, own.open_files if own else None),
        threads=_told(threads(pid) if pid else None, own.threads if own else None),
    )


def _told(measured: int | None, reported: int | None) -> int | None:
    """What the kernel tells now, to whom it tells it (root); else what the process last measured of itself."""
    return reported if measured is None else measured


def limit_shares(service: ServiceStatus, contract: Contract) -> dict[str, float | None]:
    """How much of its limits a service uses, in percent: ``files`` of limits.nofile, ``threads`` of limits.threads."""
    limits = contract.limits
    return {
        "files": None if service.open_files is None else 100.0 * service.open_files / limits.nofile,
        "threads": None if service.threads is None else 100.0 * service.threads / limits.threads,
    }


def collect(contract: Contract, mode: str, known: Mapping[str, Unit] | None = None) -> Status:
    """The status of every service of the contract, now."""
    names = list(contract.services)
    seen = units(names) if known is None else known
    now_s = time.time()
    return Status(
        version=release(),
        mode=mode,
        services=tuple(
            judge(name, contract.services[name].tier, seen.get(name), read_report(name), now_s) for name in names
        ),
    )
