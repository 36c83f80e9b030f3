"""How fast one session, token or address may ask: token buckets, all figures here, and what is never refused.

The kill switch and everything that closes or cancels is never refused: a way out must not depend on how busy the page is.
"""

from __future__ import annotations

import re
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["ANONYMOUS", "LIMITS", "LOGIN", "ORDER", "READ", "WRITE", "Buckets", "Limit", "Taken", "limit_for", "take"]


@dataclass(frozen=True)
class Limit:
    """``burst`` requests at once, refilled with ``per_s`` a second."""

    name: str
    burst: int
    per_s: float
    about: str


READ = Limit("read", 600, 300.0, "GET with a session or token")
WRITE = Limit("write", 60, 5.0, "changes: settings, monitors, what is run")
ORDER = Limit("order", 20, 4.0, "POST /api/tickets")
LOGIN = Limit("login", 20, 1.0, "logging in, by address, beside the wait after failures")
ANONYMOUS = Limit("anonymous", 400, 40.0, "everything without a session, by address")
LIMITS = (READ, WRITE, ORDER, LOGIN, ANONYMOUS)

_NEVER = re.compile(
    r"/(api/)?settings/kill_switch|/api/.*/(close|cancel)|/api/.*(close|cancel)[_-]all(/.*)?|/livez|/static/.*"
)
_LOGIN = (("POST", "/login"), ("POST", "/api/session"))


def limit_for(method: str, path: str, known: bool) -> Limit | None:
    """Which limit a request counts against; None: none. ``known``: it has a session or a token."""
    if (method, path) in _LOGIN:
        return LOGIN
    if path.startswith("/static/") or path == "/livez" or (known and _NEVER.fullmatch(path)):
        return None
    if not known:
        return ANONYMOUS
    if method == "POST" and path == "/api/tickets":
        return ORDER
    return READ if method in ("GET", "HEAD", "OPTIONS") else WRITE


@dataclass(frozen=True)
class Taken:
    """Whether a request may go on, how many more may at once, and the seconds until the next one may (0: now)."""

    limit: Limit
    allowed: bool
    left: int
    wait_s: float

    @property
    def headers(self) -> tuple[tuple[bytes, bytes], ...]:
        """RateLimit and RateLimit-Policy as draft-ietf-httpapi-ratelimit-headers writes them."""
        limit, window_s = self.limit, max(1, round(self.limit.burst / self.limit.per_s))
        reset_s = max(1, round((limit.burst - self.left) / limit.per_s)) if self.left < limit.burst else 0
        return (
            (b"ratelimit-policy", f'"{limit.name}";q={limit.burst};w={window_s}'.encode()),
            (b"ratelimit", f'"{limit.name}";r={self.left};t={reset_s}'.encode()),
        )


Bucket = tuple[float, float]  # tokens left, and when: seconds of a monotonic clock


def take(bucket: Bucket | None, limit: Limit, now_s: float) -> tuple[Bucket, Taken]:
    """Take one token: the bucket as it is afterwards, and the verdict. None is a full bucket; a clock that went back adds none."""
    tokens, at_s = bucket if bucket is not None else (float(limit.burst), now_s)
    tokens = min(float(limit.burst), tokens + max(0.0, now_s - at_s) * limit.per_s)
    at_s = max(at_s, now_s)
    if tokens >= 1.0:
        return (tokens - 1.0, at_s), Taken(limit, True, int(tokens - 1.0), 0.0)
    return (tokens, at_s), Taken(limit, False, 0, (1.0 - tokens) / limit.per_s)


class Buckets:
    """The buckets of whoever asked lately, the longest silent dropped first; at most ``most`` of them."""

    def __init__(self, most: int = 2000, clock: Callable[[], float] = time.monotonic) -> None:
        self._most, self._clock = most, clock
        self._lock = threading.Lock()
        self._buckets: OrderedDict[tuple[str, bytes], Bucket] = OrderedDict()

    def take(self, limit: Limit, who: bytes) -> Taken:
        """One request of ``who``: a session's or token's hash, or an address."""
        key = (limit.name, who)
        with self._lock:
            bucket, taken = take(self._buckets.get(key), limit, self._clock())
            self._buckets[key] = bucket
            self._buckets.move_to_end(key)
            while len(self._buckets) > self._most:
                self._buckets.popitem(last=False)
        return taken

    def __len__(self) -> int:
        return len(self._buckets)
