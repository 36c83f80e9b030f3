"""The exchange's token buckets, kept on our side too: who never hits the limit never has an order refused for it."""

from __future__ import annotations

import time
from collections.abc import Callable

import msgspec

__all__ = ["BASIC", "COST", "COST_CANCEL", "COST_ORDER_READ", "AccountLimits", "TokenBucket"]

COST, COST_CANCEL, COST_ORDER_READ = 10, 2, 2  # tokens of a request; all that are not named cost COST


class AccountLimits(msgspec.Struct, frozen=True):
    """GET /account/limits: tokens a second, and how many a bucket holds."""

    usage_tier: str
    read_per_s: float
    read_capacity: float
    write_per_s: float
    write_capacity: float


BASIC = AccountLimits("basic", 200, 200, 100, 100)


class TokenBucket:
    """Refills steadily. Requests are lined up: each reserves its tokens and is told how long to wait."""

    def __init__(self, per_s: float, capacity: float, clock: Callable[[], float] = time.monotonic) -> None:
        """Full at first. ValueError for figures that would never let anything through."""
        if per_s <= 0 or capacity <= 0:
            raise ValueError(f"a token bucket needs a positive rate and capacity, got {per_s:g} and {capacity:g}")
        self._per_s, self._capacity, self._clock = per_s, capacity, clock
        self._tokens, self._at_s = capacity, clock()

    def reserve(self, cost: float, longest_s: float) -> float | None:
        """Take ``cost`` tokens; the seconds to wait before sending. None, and nothing taken, when it is too long."""
        now_s = self._clock()
        self._tokens = min(self._capacity, self._tokens + max(0.0, now_s - self._at_s) * self._per_s)
        self._at_s = now_s
        wait_s = max(0.0, (cost - self._tokens) / self._per_s)
        if wait_s > longest_s:
            return None
        self._tokens -= cost
        return wait_s

    def drain(self) -> None:
        """The exchange says 429: others spend from the same bucket, it is empty."""
        self._tokens, self._at_s = min(self._tokens, 0.0), self._clock()
