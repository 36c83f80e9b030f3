"""Coinbase Exchange's public REST: candles to fill a gap in the past, the price, the time."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import msgspec

from recio.exchange.errors import NotSent, OutcomeUnknown, Refused, Unavailable
from recio.exchange.http import HttpConnection

__all__ = ["Candle", "CoinbaseClient"]

MAX_ROWS = 300  # of one answer; asking for more is refused
READ_ATTEMPTS = 3


class Candle(msgspec.Struct, frozen=True):
    """One bar. ``start_s`` is its beginning; prices are cents."""

    start_s: int
    open_e2: int
    high_e2: int
    low_e2: int
    close_e2: int
    volume: float


class CoinbaseClient:
    """Reads only. Raises Unavailable (after three attempts) or Refused."""

    def __init__(self, rest_url: str, timeout_s: float = 5.0, sleep: Callable[[float], None] = time.sleep) -> None:
        """``rest_url`` like https://api.exchange.coinbase.com."""
        self._http = HttpConnection(rest_url, timeout_s)
        self._sleep = sleep

    def close(self) -> None:
        """Close the connection."""
        self._http.close()

    def candles(
        self, start_s: float, end_s: float, granularity_s: int = 60, product_id: str = "BTC-USD"
    ) -> list[Candle]:
        """Bars that begin in [start_s, end_s), oldest first, each once. Bars without a trade are missing there."""
        found: dict[int, Candle] = {}
        at = start_s
        while at < end_s:
            # One bar less than an answer holds: the bar that begins at the end comes along, and the oldest would be cut.
            until = min(end_s, at + (MAX_ROWS - 1) * granularity_s)
            query = {"granularity": granularity_s, "start": _iso(at), "end": _iso(until)}
            rows = self._get(f"/products/{product_id}/candles?{urlencode(query)}")
            if not isinstance(rows, list):
                raise Unavailable(f"unreadable candles: {rows!r:.80}")
            for row in rows:
                try:
                    start, low, high, opened, closed, volume = row
                    candle = Candle(int(start), _e2(opened), _e2(high), _e2(low), _e2(closed), float(volume))
                except (TypeError, ValueError, OverflowError) as problem:
                    raise Unavailable(f"unreadable candle {row!r}: {problem}") from problem
                if start_s <= candle.start_s < end_s:
                    found[candle.start_s] = candle
            at = until
        return [found[start] for start in sorted(found)]

    def price_e2(self, product_id: str = "BTC-USD") -> int:
        """The last trade's price, in cents."""
        answer = self._get(f"/products/{product_id}/ticker")
        try:
            return _e2(float(answer["price"]))
        except (KeyError, TypeError, ValueError, OverflowError) as problem:
            raise Unavailable(f"unreadable ticker {answer!r}: {problem}") from problem

    def server_time_s(self) -> float:
        """Coinbase's clock, epoch seconds: a check of ours."""
        answer = self._get("/time")
        try:
            return float(answer["epoch"])
        except (KeyError, TypeError, ValueError, OverflowError) as problem:
            raise Unavailable(f"unreadable time {answer!r}: {problem}") from problem

    def _get(self, path: str) -> Any:
        why = ""
        for attempt in range(READ_ATTEMPTS):
            if attempt:
                self._sleep(0.3 * attempt)
            try:
                response = self._http.request("GET", path)
            except (NotSent, OutcomeUnknown) as problem:
                why = problem.why
                continue
            if response.status == 200:
                try:
                    return msgspec.json.decode(response.body)
                except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                    pass  # said below, and asked again
            why = f"GET {path.partition('?')[0]}: HTTP {response.status}: {response.body[:200]!r}"
            if 400 <= response.status < 500 and response.status not in (408, 429):
                raise Refused(response.status, f"http_{response.status}", response.body[:200].decode(errors="replace"))
        raise Unavailable(f"{why} ({READ_ATTEMPTS} attempts at {self._http.base_url})")


def _e2(dollars: float) -> int:
    return round(dollars * 100)


def _iso(at_s: float) -> str:
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
