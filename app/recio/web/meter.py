"""How many requests came and how long each took to its first byte, by route template: what /metrics tells of this process."""

from __future__ import annotations

import bisect
import threading
from dataclasses import dataclass, field

__all__ = ["BOUNDS_S", "Meter", "Timing"]

BOUNDS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 2.5, 5.0)


@dataclass
class Timing:
    """A histogram: how many fell below each bound (not cumulative; the last is above all), and the seconds in sum."""

    counts: list[int] = field(default_factory=lambda: [0] * (len(BOUNDS_S) + 1))
    sum_s: float = 0.0


class Meter:
    """Counts since the start of this process; as many entries as there are routes, whatever addresses are asked for."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.requests: dict[tuple[str, str, int], int] = {}
        self.timings: dict[tuple[str, str], Timing] = {}
        self.refused: dict[str, int] = {}

    def count(self, method: str, template: str, status: int, seconds: float) -> None:
        """One request was answered; ``seconds`` to the first byte of the answer."""
        method = method if method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE") else "other"
        with self._lock:
            key = (method, template, status)
            self.requests[key] = self.requests.get(key, 0) + 1
            timing = self.timings.setdefault((method, template), Timing())
            timing.counts[bisect.bisect_left(BOUNDS_S, seconds)] += 1
            timing.sum_s += seconds

    def refuse(self, limit: str) -> None:
        """A rate limit refused a request."""
        with self._lock:
            self.refused[limit] = self.refused.get(limit, 0) + 1
