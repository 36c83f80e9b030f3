"""A seeded BTC price path: a pure function of (seed, second), so that a restarted simulator goes on where it was.

A random walk by midpoint displacement over dyadic intervals: the value at the middle of [a, a + 2^L] is the mean of the
ends plus volatility x sqrt(2^L) / 2 x g(seed, L, interval). One second costs one number per level, whatever the year.
Above a day the displacement stops growing, so that the price stays within tens of percent of its anchor for ever.
Volatility changes by block of about 17 minutes, 2 hours and 18 hours.
"""

from __future__ import annotations

import math

from recio.market.noise import gaussian

__all__ = ["GeneratedPath"]

_TOP = 34  # 2^34 s: until the year 2514
_DAMPED = 17  # 2^17 s, about a day and a half
_SHIFT = 10  # below 2^10 s the volatility of the block applies
_CACHED = 12


class GeneratedPath:
    """``price_at(at_s)`` in cents for any second since 1970. Holds only a small cache of interval ends."""

    def __init__(self, seed: int = 1, anchor_e2: int = 10_000_000, vol_per_sqrt_s: float = 9e-5) -> None:
        """``anchor_e2`` is the price it wanders about; 9e-5 per sqrt(s) is 0.07 % a minute, BTC on an ordinary day."""
        if anchor_e2 <= 0:
            raise ValueError(f"anchor_e2 is {anchor_e2}; take a positive price in cents, for example 10000000")
        if not 0.0 < vol_per_sqrt_s < 0.01:
            raise ValueError(f"vol_per_sqrt_s is {vol_per_sqrt_s}; take 0 to 0.01, for example 0.00009")
        self.seed = seed
        self.anchor_e2 = anchor_e2
        self.vol_per_sqrt_s = vol_per_sqrt_s
        self._ends: dict[int, tuple[float, float]] = {}

    def __call__(self, at_s: float) -> int:
        """The same as ``price_at``."""
        return self.price_at(at_s)

    def span(self) -> tuple[float, float] | None:
        """None: this path has no ends."""
        return None

    def price_at(self, at_s: float) -> int:
        """The price in cents at this second; raises ValueError for a time before 1970 or after 2514."""
        if not 0 <= at_s < 1 << _TOP:
            raise ValueError(f"at_s is {at_s}; the path runs from 0 (1970) to {1 << _TOP} (2514)")
        second = math.floor(at_s)
        block = second >> _CACHED
        ends = self._ends.get(block)
        if ends is None:
            ends = self._descend(second, 0.0, 0.0, _TOP, _CACHED)
            if len(self._ends) >= 64:
                self._ends.clear()
            self._ends[block] = ends
        left, _ = self._descend(second, *ends, _CACHED, 0)
        return max(1, round(self.anchor_e2 * math.exp(left)))

    def _descend(self, second: int, left: float, right: float, top: int, bottom: int) -> tuple[float, float]:
        """Log price at both ends of the interval of 2^bottom seconds that holds ``second``."""
        calm = self._calm(second)
        for level in range(top, bottom, -1):
            half = 1 << (level - 1)
            start = (second >> level) << level
            reach = self.vol_per_sqrt_s * math.sqrt(float(1 << min(level, _DAMPED))) / 2.0
            if level <= _SHIFT:
                reach *= calm
            middle = (left + right) / 2.0 + reach * gaussian(self.seed, start + half)
            if second < start + half:
                right = middle
            else:
                left = middle
        return left, right

    def _calm(self, second: int) -> float:
        """How much livelier than usual the block of this second is; its mean square is about 1."""
        key = -1 - 4 * (second >> _SHIFT)
        slow = gaussian(self.seed, -2 - 4 * (second >> 13)) + gaussian(self.seed, -3 - 4 * (second >> 16))
        return math.exp(0.3 * (gaussian(self.seed, key) + slow) - 0.27)
