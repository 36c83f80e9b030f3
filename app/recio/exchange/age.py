"""How old frames are on arrival. An age that grows within one connection means a reader, or a server, that lags."""

from __future__ import annotations

import re
from datetime import datetime

__all__ = ["AgeWatch", "frame_time_s"]

# Kalshi writes the event's time as ts_ms, Coinbase as ISO text; the first of a frame is its own.
_STAMP = re.compile(rb'"ts_ms": ?(\d{13})\b|"time": ?"(\d{4}-[^"]{15,30})"')


def frame_time_s(data: bytes) -> float | None:
    """When the event of a frame happened (epoch seconds, the exchange's clock); None when the frame does not say."""
    found = _STAMP.search(data)
    if found is None:
        return None
    if found[1]:
        return int(found[1]) / 1000
    try:
        return datetime.fromisoformat(found[2].decode()).timestamp()
    except (ValueError, OverflowError):
        return None


class AgeWatch:
    """Ages of one connection, against the best it had: clocks that differ, differ for all frames alike."""

    def __init__(self, limit_s: float, hold_s: float = 3.0) -> None:
        """More than ``limit_s`` above the best, in every frame for ``hold_s``, is too old. ``limit_s`` 0: never."""
        self._limit_s, self._hold_s = limit_s, hold_s
        self._best_s: float | None = None
        self._since_s: float | None = None
        self.age_s: float | None = None  # of the last frame that tells its time; contains the clocks' difference

    def see(self, data: bytes, received_s: float) -> float:
        """Take in a frame; the seconds by which the connection lags when it is too much, else 0."""
        if not self._limit_s:
            return 0.0
        happened_s = frame_time_s(data)
        if happened_s is None:
            return 0.0
        self.age_s = age_s = received_s - happened_s
        if self._best_s is None or age_s < self._best_s:
            self._best_s = age_s
        lag_s = age_s - self._best_s
        if lag_s <= self._limit_s:
            self._since_s = None
        elif self._since_s is None:
            self._since_s = received_s
        elif received_s - self._since_s >= self._hold_s:
            return lag_s
        return 0.0
