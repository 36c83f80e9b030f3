"""A figure against its warning and critical threshold, as the contract writes them: how long it must last, and where it ends."""

from __future__ import annotations

from typing import Literal

import msgspec

from recio.contract import Threshold

__all__ = ["Alarm", "Level"]

Level = Literal["", "warning", "critical"]


class _Trigger(msgspec.Struct):
    """Raised once the figure has been at ``bound`` or above for ``hold_s``; ended below ``clear`` (clear <= bound)."""

    bound: float
    clear: float
    hold_s: float
    raised: bool = False
    since_s: float | None = None

    def read(self, value: float | None, now_s: float) -> None:
        if value is None:  # what was not measured has not lasted; and what stands is not ended by not looking
            self.since_s = None
            return
        if self.raised:
            self.raised = value >= self.clear
            return
        if value < self.bound:
            self.since_s = None
            return
        self.since_s = now_s if self.since_s is None else self.since_s
        if now_s - self.since_s >= self.hold_s:
            self.raised, self.since_s = True, None


class Alarm:
    """One figure's alarm. ``now_s`` is any clock that only goes forward; ``resumed``: what an earlier process had raised."""

    def __init__(self, limit: Threshold, resumed: Level = "") -> None:
        self._warning = _Trigger(limit.warning, limit.clear_warning, limit.hold_s, raised=bool(resumed))
        self._critical = _Trigger(limit.critical, limit.clear_critical, limit.hold_s, raised=resumed == "critical")

    def read(self, value: float | None, now_s: float) -> Level:
        """Take a reading (None: it could not be measured); the level that now stands, the worse of the two."""
        self._warning.read(value, now_s)
        self._critical.read(value, now_s)
        return "critical" if self._critical.raised else "warning" if self._warning.raised else ""
