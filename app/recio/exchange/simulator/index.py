"""The settling index (BRTI's role) and Coinbase's price, both read off one path."""

from __future__ import annotations

import math
from itertools import pairwise

from recio.exchange.simulator.path import PathClock, PricePath, gauss

__all__ = ["Index"]

WINDOW_S = 60


class Index:
    """Prices by wall time. One value a second; settlement takes the last sixty up to and including the close."""

    def __init__(self, path: PricePath, clock: PathClock, seed: int) -> None:
        """``seed`` is for the difference between Coinbase and the index."""
        self._path, self._clock, self._seed = path, clock, seed
        self._values: dict[int, int] = {}
        self._volatility: tuple[int, float] = (0, 0.0)

    def value_e2(self, second: int) -> int:
        """The index at a whole second, in cents."""
        value = self._values.get(second)
        if value is None:
            if len(self._values) > 20_000:
                self._values.clear()
            value = self._values[second] = self._path(self._clock.path_time(self._path, second))
        return value

    def now_e2(self, at_s: float) -> int:
        """The index between whole seconds."""
        return self._path(self._clock.path_time(self._path, at_s))

    def coinbase_e2(self, at_s: float) -> int:
        """Coinbase's last trade: the index and a few dollars of noise of its own."""
        slot = int(at_s * 2)
        noise = 120 * gauss(self._seed, 7, slot) + 150 * gauss(self._seed, 8, slot // 40)
        return self.now_e2(at_s) + round(noise)

    def window_sum_e2(self, close_s: int, until_s: int | None = None) -> tuple[int, int]:
        """Sum and count of the values of the window (close - 60 s, close], as far as known at ``until_s``."""
        last = close_s if until_s is None else min(close_s, until_s)
        first = close_s - WINDOW_S + 1
        if last < first:
            return 0, 0
        return sum(self.value_e2(second) for second in range(first, last + 1)), last - first + 1

    def average_text(self, end_s: int) -> str:
        """The mean over [end - 60 s, end) with eight decimals, as the index feed writes it."""
        total = sum(self.value_e2(second) for second in range(end_s - WINDOW_S, end_s))
        return decimals(total, WINDOW_S, 8)

    def volatility(self, now_s: int) -> float:
        """Standard deviation of one-second log returns over the last five minutes; renewed every ten seconds."""
        slot = now_s // 10
        if self._volatility[0] != slot:
            values = [self.value_e2(slot * 10 - age) for age in range(300)]
            squares = sum(math.log(a / b) ** 2 for a, b in pairwise(values))
            self._volatility = (slot, max(math.sqrt(squares / (len(values) - 1)), 1e-6))
        return self._volatility[1]


def decimals(total_e2: int, count: int, places: int) -> str:
    """total / count of cents as dollars with ``places`` decimals, rounded half up: no float in between."""
    scaled = (total_e2 * 10 ** (places - 2) * 2 + count) // (2 * count)
    whole, fraction = divmod(scaled, 10**places)
    return f"{whole}.{fraction:0{places}d}"
