"""The BTC path: a price for every moment, past and future, the same whenever it is asked.

Random access is what makes a restart harmless: a market whose close passed while the simulator was down settles on
exactly the values it would have seen.
"""

from __future__ import annotations

import math
from typing import Protocol

import msgspec

__all__ = ["PathClock", "PricePath", "gauss"]

_MASK = (1 << 64) - 1


_ENDLESS = (0.0, 2.0**33)  # 1970 to 2242: also an endless path is turned round there, at a high speed


class PricePath(Protocol):
    """A path over its own time. ``span()`` is (first, last) epoch second, or None when it has no ends."""

    def __call__(self, at_s: float) -> int:
        """The price in cents at ``at_s``."""
        ...

    def span(self) -> tuple[float, float] | None:
        """Where the path begins and ends."""
        ...


class PathClock(msgspec.Struct, frozen=True):
    """Which moment of the path a moment of the wall clock shows. Kept in the journal, so that restarts agree.

    At speed N the path runs N times faster than the wall clock, while the exchange's own time (open, close, signatures)
    stays wall time: a faster path means a wilder market, not shorter hours.
    """

    wall_start_s: float
    path_start_s: float
    speed: float = 1.0

    @classmethod
    def start(cls, path: PricePath, now_s: float, speed: float) -> PathClock:
        """Begin now. A recording begins at least a day (or half its length) in, so that there is a past to show."""
        span = path.span()
        if span is None:
            return cls(now_s, now_s, speed)
        first, last = span
        return cls(now_s, first + min(86_400.0 * speed, (last - first) / 2), speed)

    def path_time(self, path: PricePath, wall_s: float) -> float:
        """The path's time at a wall time. A recording that ends is walked back and forth: no jump, no end."""
        at = self.path_start_s + (wall_s - self.wall_start_s) * self.speed
        first, last = path.span() or _ENDLESS
        if first <= at <= last:
            return at
        length = last - first
        offset = (at - first) % (2 * length)
        return first + (offset if offset <= length else 2 * length - offset)


def _uniform(seed: int, level: int, index: int) -> float:
    """A number in (0, 1) that depends on nothing but its arguments (splitmix64)."""
    z = (seed * 0x9E3779B97F4A7C15 + level * 0xBF58476D1CE4E5B9 + index * 0x94D049BB133111EB) & _MASK
    for multiplier in (0xBF58476D1CE4E5B9, 0x94D049BB133111EB):
        z = ((z ^ (z >> 30)) * multiplier) & _MASK
        z ^= z >> 27
    return ((z ^ (z >> 31)) + 0.5) / 2.0**64


def gauss(seed: int, level: int, index: int) -> float:
    """A standard normal number that depends on nothing but its arguments (Box-Muller)."""
    u, v = _uniform(seed, level, 2 * index), _uniform(seed, level, 2 * index + 1)
    return math.sqrt(-2.0 * math.log(u)) * math.cos(2.0 * math.pi * v)
