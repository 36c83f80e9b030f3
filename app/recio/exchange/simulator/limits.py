"""Token buckets: what a request costs, and a 429 when a budget is spent.

A key has a read and a write bucket, and one of its own for the balance. Who asks without a key has a read bucket by
address. Reads of Basic and Advanced hold two seconds of budget, writes of Basic one, as documented.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Callable

import msgspec

__all__ = ["COSTS", "DEFAULT_COST", "TIERS", "Limiter", "TooManyRequests"]

log = logging.getLogger(__name__)

DEFAULT_COST = 10
TIERS = {  # tokens a second: read, write
    "basic": (200, 100),
    "advanced": (300, 300),
    "expert": (600, 600),
    "premier": (1_000, 1_000),
    "paragon": (2_000, 2_000),
    "prime": (4_000, 4_000),
    "prestige": (10_000, 8_000),
}
COSTS = (  # what differs from the default; batches are charged by item
    ("DELETE", "/portfolio/events/orders/{order_id}", 2),
    ("DELETE", "/portfolio/events/orders/batched", 2),
    ("GET", "/portfolio/orders/{order_id}", 2),
)
_BALANCE_BURST = 10  # the exchange tells the rate (1/s, 5/s above Advanced), not the burst: ours
_MAX_KEYS = 1_000
_WORD_EVERY_S = 10.0


class TooManyRequests(Exception):
    """429."""


class _Bucket(msgspec.Struct):
    tokens: float
    at_s: float

    def take(self, cost: float, rate: float, capacity: float, now_s: float) -> bool:
        self.tokens = min(capacity, self.tokens + max(now_s - self.at_s, 0.0) * rate)
        self.at_s = now_s
        if self.tokens < cost:
            return False
        self.tokens -= cost
        return True


class Limiter:
    """All buckets. Tier '' limits nothing."""

    def __init__(self, tier: str, clock: Callable[[], float]) -> None:
        """ValueError names the tiers there are."""
        if tier and tier not in TIERS:
            raise ValueError(f"there is no tier {tier!r}; tiers are {', '.join(TIERS)}, or none")
        self.tier, self._clock = tier, clock
        self._buckets: OrderedDict[tuple[str, str], _Bucket] = OrderedDict()
        self._next_word_s = 0.0

    def rate_and_capacity(self, kind: str) -> tuple[int, int]:
        """Tokens a second and at most, of 'read' or 'write'."""
        read, write = TIERS[self.tier or "prestige"]
        if kind == "read":
            return read, 2 * read if self.tier in ("basic", "advanced") else read
        return write, write if self.tier == "basic" else 2 * write

    def charge(self, method: str, path: str, who: str) -> None:
        """Pay for a request. ``path`` is below /trade-api/v2; batches pay in ``charge_items``."""
        if not self.tier or path.endswith("/batched"):
            return
        is_cancel = method == "DELETE" and path.startswith("/portfolio/events/orders/")
        is_one_order = method == "GET" and path.startswith("/portfolio/orders/") and path.count("/") == 3
        cost = 2 if is_cancel or is_one_order else DEFAULT_COST
        if path == "/portfolio/balance":
            rate = 1.0 if self.tier in ("basic", "advanced") else 5.0
            self._take("balance", who, 1.0, rate, _BALANCE_BURST)
            return
        self._take_kind("read" if method == "GET" else "write", who, cost)

    def charge_items(self, each: int, items: int, who: str) -> None:
        """Pay for a batch. ValueError for one that no full bucket could pay: it is too large for the tier."""
        if not self.tier:
            return
        capacity = self.rate_and_capacity("write")[1]
        if each * items > capacity:
            raise ValueError(f"at most {capacity // each} orders in a batch at tier {self.tier}, not {items}")
        self._take_kind("write", who, each * items)

    def _take_kind(self, kind: str, who: str, cost: int) -> None:
        rate, capacity = self.rate_and_capacity(kind)
        self._take(kind, who, cost, rate, capacity)

    def _take(self, kind: str, who: str, cost: float, rate: float, capacity: float) -> None:
        now_s, key = self._clock(), (kind, who)
        bucket = self._buckets.get(key)
        if bucket is None:
            bucket = self._buckets[key] = _Bucket(capacity, now_s)
            if len(self._buckets) > _MAX_KEYS:
                self._buckets.popitem(last=False)
        if not bucket.take(cost, rate, capacity, now_s):
            if now_s >= self._next_word_s:
                self._next_word_s = now_s + _WORD_EVERY_S
                log.warning("429: the %s budget of %s is spent (tier %s)", kind, who[:60], self.tier)
            raise TooManyRequests
