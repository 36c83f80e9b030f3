"""A leak is seen long before it ends a service: open files and threads of each of the twelve against its own limits."""

from __future__ import annotations

from collections.abc import Iterable

from recio.contract import Contract
from recio.monitoring.status import ServiceStatus, limit_shares
from recio.services.threshold_alarm import ThresholdAlarm
from recio.store.db import Database

__all__ = ["LimitAlarms"]


class LimitAlarms:
    """An alarm for every service and limit, by the contract's ``thresholds.files`` and ``thresholds.threads``."""

    def __init__(self, contract: Contract, seen_by: str) -> None:
        self._contract = contract
        self._alarms = {
            (name, metric): ThresholdAlarm(f"{name} {metric}", contract.thresholds[metric], seen_by)
            for name in contract.services
            for metric in ("files", "threads")
        }

    def start(self, db: Database) -> None:
        """What the process before this one had raised stands until it clears."""
        for alarm in self._alarms.values():
            alarm.start(db)

    def read(self, db: Database, services: Iterable[ServiceStatus], now_s: float) -> None:
        """Take the readings (monotonic ``now_s``). A service that is down has none: what stands for it stays until it is back."""
        for service in services:
            for metric, share in limit_shares(service, self._contract).items():
                self._alarms[service.name, metric].read(db, share, now_s)
