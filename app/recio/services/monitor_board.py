"""The monitors as auto_entry_supervisor runs them: taken over as they change, with what keeps each from entering."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import msgspec

from recio.market.calibration import Report
from recio.services import log
from recio.store.db import Database
from recio.store.models import latest_verdict
from recio.store.system import close_incident, open_incident
from recio.trading.gate import Verdict, may_enter_live, verdict
from recio.trading.monitor import Monitor, read_monitor
from recio.trading.settings import AutoEntrySettings, SettingError, read
from recio.trading.strategies import STRATEGIES

__all__ = ["MonitorBoard", "read_auto"]

Row = dict[str, Any]
_VERDICTS_S = 60.0


def read_auto(value: Row | None) -> AutoEntrySettings:
    """Auto entry's settings; ones that cannot be read switch it off."""
    try:
        return read(AutoEntrySettings, value)
    except SettingError as broken:
        log.error("auto entry is off: its settings cannot be read", broken)
        return AutoEntrySettings()


class MonitorBoard:
    """``monitors`` by id, those that can run; ``unreadable`` the ids of those that cannot, each an open incident."""

    def __init__(self, db: Database, mode: str, seen_by: str) -> None:
        self._db, self._mode, self._seen_by = db, mode, seen_by
        self.monitors: dict[str, Monitor] = {}
        self.unreadable: set[str] = set()
        self._verdicts: dict[str, Verdict] = {name: verdict(None) for name in STRATEGIES}
        self._verdicts_s = float("-inf")

    def read(self, rows: Sequence[Row]) -> None:
        """Take over what changed; a monitor that cannot be read does not run, and is an incident until it can."""
        found: dict[str, Monitor] = {}
        for row in rows:
            name = row["monitor_id"]
            known = self.monitors.get(name)
            if known is not None and known.version == row["version"]:
                found[name] = known
                continue
            incident = f"monitor {name} cannot run"
            try:
                found[name] = read_monitor(row)
            except SettingError as broken:
                if name not in self.unreadable:
                    action = "Correct its settings on the Settings page or with `recio monitor set`"
                    open_incident(self._db, incident, "warning", str(broken), action, self._seen_by)
                    self.unreadable.add(name)
                continue
            if name in self.unreadable or known is None:
                close_incident(self._db, incident)
                self.unreadable.discard(name)
        self.monitors = found

    def scope(self) -> tuple[tuple[str, ...], float]:
        """(series, seconds to the close) of the markets whose books the monitors want."""
        furthest_s = max((m.settings.max_time_to_close_s for m in self.monitors.values()), default=900.0)
        return tuple(sorted({m.series_ticker for m in self.monitors.values()})), furthest_s + 1.0

    def read_verdicts(self) -> None:
        """Once a minute what the newest calibrations say of each strategy's edge; an unreadable report shows none."""
        if time.monotonic() - self._verdicts_s < _VERDICTS_S:
            return
        self._verdicts_s = time.monotonic()
        found = {name: verdict(None) for name in STRATEGIES}
        for name, row in latest_verdict(self._db, self._mode, list(STRATEGIES)).items():
            try:
                found[name] = verdict(msgspec.convert(row["report"], Report))
            except msgspec.ValidationError as broken:
                log.error("a calibration cannot be read: no edge shown", broken, strategy=name)
        self._verdicts = found

    def edge(self, monitor: Monitor) -> str:
        """The calibration's verdict on the monitor's strategy: edge shown, or no edge shown."""
        return self._verdicts[monitor.strategy].text

    def off(self, monitor: Monitor, auto: AutoEntrySettings) -> str:
        """Why this monitor is judged but does not enter: its switches, and in mode live the gate; empty when it may."""
        if not auto.enabled or not monitor.enabled:
            return "this monitor is off" if auto.enabled else "auto entry is off"
        if self._mode != "live":
            return ""
        return may_enter_live(self._verdicts[monitor.strategy], auto.live_override)
