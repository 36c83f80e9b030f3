"""The twelve as `recio status --json` tells it, asked at most every two seconds however many look."""

from __future__ import annotations

import os
import threading
import time

import msgspec

from recio.contract import Contract
from recio.monitoring.health import read_report
from recio.monitoring.status import Status, Unit, collect, units

__all__ = ["StatusBoard"]

_KEEP_S = 2.0


class StatusBoard:
    """Keeps the newest status for a moment."""

    def __init__(self, contract: Contract, mode: str) -> None:
        self._contract, self._mode = contract, mode
        self._lock = threading.Lock()
        self._at = float("-inf")
        self._status: Status | None = None

    def get(self) -> Status:
        """The status, at most two seconds old."""
        with self._lock:
            if self._status is None or time.monotonic() - self._at > _KEEP_S:
                names = list(self._contract.services)
                self._status = collect(self._contract, self._mode, units(names) or _by_pid(names))
                self._at = time.monotonic()
            return self._status

    def as_dict(self) -> dict[str, object]:
        """The status as plain data, with when it was taken and whether all is well."""
        status = self.get()
        plain: dict[str, object] = msgspec.to_builtins(status)
        return plain | {"healthy": status.healthy, "age_s": round(time.monotonic() - self._at, 1)}


def _by_pid(names: list[str]) -> dict[str, Unit]:
    """Where systemd cannot be asked: the process each service's own report names, alive or not."""
    found = {}
    for name in names:
        report = read_report(name)
        if report is not None:
            found[name] = Unit("running" if _alive(report.pid) else "stopped", report.pid, 0)
    return found


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except PermissionError:
        return True
    except ProcessLookupError:
        return False
    return True
