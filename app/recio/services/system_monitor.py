"""system_monitor: the host and every service against the contract; one incident per threshold crossed."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime

from recio.contract import TierName
from recio.monitoring.backup import complaint, read_status
from recio.monitoring.certificate import server_name
from recio.monitoring.health import Check
from recio.monitoring.host import measure
from recio.monitoring.off_host import off_host_complaint
from recio.monitoring.status import collect
from recio.services import log
from recio.services.limit_alarms import LimitAlarms
from recio.services.runtime import Context, Worker, run
from recio.services.threshold_alarm import ThresholdAlarm
from recio.services.upkeep import Upkeep
from recio.store.db import Notification
from recio.store.system import close_incident, open_incident, save_host_sample, save_service_samples

__all__ = ["SystemMonitor", "main"]

_MEMORY_HOLD = 6  # readings above a tier's memory budget before it is an incident


class SystemMonitor(Worker):
    """Measures, keeps samples, raises and closes incidents."""

    name = "system_monitor"
    period_s = 10.0

    def __init__(self, ctx: Context) -> None:
        super().__init__(ctx)
        self._alarms = {
            metric: ThresholdAlarm(f"host {metric}", ctx.contract.thresholds[metric], self.name)
            for metric in ("cpu", "memory", "disk")
        }
        # A disk without inodes is as full as one without space: the same bounds and the same cure.
        self._alarms["inodes"] = ThresholdAlarm("host inodes", ctx.contract.thresholds["disk"], self.name)
        self._limits = LimitAlarms(ctx.contract, self.name)
        self._upkeep = Upkeep(ctx.contract, server_name(self.settings.url), self.name)
        self._over_budget: dict[str, int] = {}
        measure()

    def start(self) -> None:
        """What the process before this one had raised stands until it clears."""
        for alarm in self._alarms.values():
            alarm.start(self.db)
        self._limits.start(self.db)

    def work(self, notes: Sequence[Notification], now_s: float) -> None:
        """Measure the host, then the services."""
        host = measure()
        self._upkeep.look(self.db, now_s, time.monotonic())
        detail = host.detail | self._upkeep.figures
        save_host_sample(self.db, host.cpu_percent, host.memory_percent, host.disk_percent, detail)
        for metric, value in (("cpu", host.cpu_percent), ("memory", host.memory_percent), ("disk", host.disk_percent)):
            self._alarm(metric, value)
        self._alarm("inodes", host.detail.get("inodes_percent"))
        status = collect(self.ctx.contract, self.settings.mode)
        at = datetime.now(UTC)
        save_service_samples(
            self.db,
            [
                (s.name, at, s.healthy, int(s.pss_mb * 1024) if s.pss_mb else None, s.cpu_percent, s.restarts, s.reason)
                for s in status.services
            ],
        )
        self._limits.read(self.db, status.services, time.monotonic())
        for tier in self.ctx.contract.tiers:
            known = [s.pss_mb for s in status.services if s.tier == tier and s.pss_mb is not None]
            self._budget(tier, sum(known))
        self._backups(now_s)
        self.useful(now_s)

    def _backups(self, now_s: float) -> None:
        """The backups' own account: too old, or not restorable, is an incident that closes with the next good one."""
        cause = complaint(read_status(), now_s, self.ctx.contract.backup.max_age_h)
        if cause:
            open_incident(self.db, "backup", "warning", cause, "recio backup list; recio backup now", self.name)
        else:
            close_incident(self.db, "backup")
        late = off_host_complaint(now_s, self.ctx.contract.backup.off_host.max_age_s)
        if late:
            open_incident(
                self.db, "backup off host", "warning", late, "recio backup off-host; recio backup list", self.name
            )
        else:
            close_incident(self.db, "backup off host")

    def _alarm(self, metric: str, value: float | None) -> None:
        """Incidents as the contract's threshold says. For a disk that fills, what is past its age is removed at once, not in its turn."""
        alarm = self._alarms[metric]
        before = alarm.level
        level = alarm.read(self.db, value, time.monotonic())
        if level == before or value is None:
            return
        log.info("threshold", metric=metric, percent=round(value, 1), level=level or "well")
        if metric in ("disk", "inodes") and level:
            self.db.notify("clean_up", f"{metric} at {value:.0f} %")

    def _budget(self, tier: TierName, pss_mb: float) -> None:
        """A tier's memory against its row of the contract; what is measured counts, a service that is down holds none."""
        budget_mb = self.ctx.contract.tiers[tier].memory_mb
        over = pss_mb > budget_mb
        self._over_budget[tier] = self._over_budget.get(tier, 0) + 1 if over else 0
        key = f"{tier} services memory"
        if self._over_budget[tier] >= _MEMORY_HOLD:
            cause = f"the {tier} services hold {pss_mb:.0f} MB, their budget is {budget_mb} MB"
            open_incident(self.db, key, "warning", cause, "recio status; restart the one that grew", self.name)
        elif not over:
            close_incident(self.db, key)

    def checks(self, now_s: float) -> list[Check]:
        """Useful work already says it: a sample of host and services is kept each round."""
        return []


def main() -> int:
    """Run the service."""
    return run(SystemMonitor)
