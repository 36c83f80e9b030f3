"""A figure's alarm and its incident: one for each level that stands, opened and closed as the contract's threshold says."""

from __future__ import annotations

from recio.contract import Threshold
from recio.monitoring.thresholds import Alarm, Level
from recio.store.db import Database
from recio.store.system import close_incident, open_incident, open_keys

__all__ = ["ThresholdAlarm"]

_SEVERITIES: tuple[Level, ...] = ("warning", "critical")
_UNITS = {"percent": "%", "ms": "ms"}


class ThresholdAlarm:
    """``subject`` names the figure in the incident's key ("host disk"), ``seen_by`` the service that looks."""

    def __init__(self, subject: str, limit: Threshold, seen_by: str) -> None:
        self._subject, self._limit, self._seen_by = subject, limit, seen_by
        self._alarm = Alarm(limit)
        self.level: Level = ""

    def start(self, db: Database) -> None:
        """Go on from what an earlier process of this service had raised, so that a restart neither ends it nor says it anew.

        What had begun and not lasted yet begins again: nobody looked in between.
        """
        there = open_keys(db, self._seen_by)
        standing = [severity for severity in _SEVERITIES if self._key(severity) in there]
        self.level = standing[-1] if standing else ""
        self._alarm = Alarm(self._limit, self.level)

    def read(self, db: Database, value: float | None, now_s: float) -> Level:
        """Take a reading (monotonic ``now_s``); incidents follow. The level that now stands."""
        level = self._alarm.read(value, now_s)
        if level == self.level:
            return level
        for severity in _SEVERITIES:
            bound = self._limit.warning if severity == "warning" else self._limit.critical
            if severity == level:
                unit = _UNITS[self._limit.unit]
                lasted = f" for {self._limit.hold_s:g} s" if self._limit.hold_s else ""
                cause = f"{self._subject} at {value or 0.0:.0f} {unit}, {severity} from {bound:g} {unit}{lasted}"
                open_incident(db, self._key(severity), severity, cause, self._limit.action, self._seen_by)
            elif severity == "critical" or not level:  # a warning goes on under what is critical: it has not ended
                close_incident(db, self._key(severity))
        self.level = level
        return level

    def _key(self, severity: Level) -> str:
        return f"{self._subject} {severity}"
