"""A recorded price path: one-minute candles or ticks in arrays, and the price at any second of them."""

from __future__ import annotations

import math
from array import array
from bisect import bisect_right
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import pairwise
from typing import Literal

import msgspec

from recio.market.noise import uniform

__all__ = ["MINUTE_S", "Gap", "OutsideRecording", "Recording"]

MINUTE_S = 60


class OutsideRecording(LookupError):
    """A second before the first or after the last price: never answered with a stale one."""


class Gap(msgspec.Struct, frozen=True):
    """Minutes without a row, from the row of this line and time on; candles are bridged by a straight line."""

    after_line: int
    after_s: float
    minutes: int


class Recording:
    """Prices by the second: four numbers a minute of candles, two a tick. Callable, as the simulator's path."""

    def __init__(
        self, name: str = "prices", kind: Literal["candles", "ticks"] = "candles", seed: int = 1, noise: float = 0.0
    ) -> None:
        """``seed`` places the extremes within a candle; ``noise`` (0 to 1) is the share of its range that is added."""
        if not 0.0 <= noise <= 1.0:
            raise ValueError(f"noise is {noise}; take 0 to 1")
        self.name = name
        self.kind = kind
        self.seed = seed
        self.noise = noise
        self.gaps: list[Gap] = []
        self._first_minute = 0
        self._ohlc = (array("q"), array("q"), array("q"), array("q"))
        self._times = array("d")
        self._prices = array("q")

    def put_candle(self, minute: int, values: tuple[int, int, int, int]) -> None:
        """Add open, high, low, close in cents of an epoch minute, which must be the one after the last."""
        if not self._ohlc[0]:
            self._first_minute = minute
        elif minute != self._first_minute + len(self._ohlc[0]):
            raise ValueError(f"minute {minute} does not follow {self._first_minute + len(self._ohlc[0]) - 1}")
        for column, value in zip(self._ohlc, values, strict=True):
            column.append(value)

    def put_tick(self, at_s: float, price_e2: int) -> None:
        """Add a tick, which must not be older than the last."""
        if self._times and at_s < self._times[-1]:
            raise ValueError(f"tick at {at_s} is older than the last at {self._times[-1]}")
        self._times.append(at_s)
        self._prices.append(price_e2)

    def __len__(self) -> int:
        """Rows on record; bridged minutes count."""
        return len(self._ohlc[0]) if self.kind == "candles" else len(self._times)

    @property
    def start_s(self) -> float:
        """The first whole second that has a price. Raises OutsideRecording when nothing is on record."""
        self._need_rows()
        return float(self._first_minute * MINUTE_S if self.kind == "candles" else math.ceil(self._times[0]))

    @property
    def end_s(self) -> float:
        """The last whole second that has a price; a lone tick stands for its own second."""
        self._need_rows()
        if self.kind == "candles":
            return float((self._first_minute + len(self._ohlc[0])) * MINUTE_S - 1)
        return max(self.start_s, float(math.floor(self._times[-1])))

    def _need_rows(self) -> None:
        if not len(self):
            raise OutsideRecording(f"{self.name} has no prices")

    def span(self) -> tuple[float, float] | None:
        """(first, last) second that has a price."""
        return self.start_s, self.end_s

    def __call__(self, at_s: float) -> int:
        """The same as ``price_at``."""
        return self.price_at(at_s)

    def price_at(self, at_s: float) -> int:
        """The price in cents at this second. Raises OutsideRecording beyond the ends.

        A candle is walked open, one extreme, the other extreme, close (down first in a rising minute), each exactly;
        when the extremes come is drawn from the seed. Ticks: the last one at or before the second.
        """
        second = math.floor(at_s)
        if not self.start_s <= second <= self.end_s:
            ends = f"{iso(self.start_s)} to {iso(self.end_s)}"
            raise OutsideRecording(f"{self.name} has prices from {ends}, not at {iso(second)}")
        if self.kind == "ticks":
            return self._prices[bisect_right(self._times, second) - 1]
        minute, place = divmod(second, MINUTE_S)
        return self._within(minute, place, self.candle(second))

    def _within(self, minute: int, place: int, candle: tuple[int, int, int, int]) -> int:
        first, high, low, last = candle
        early, late = (low, high) if last >= first else (high, low)
        turn1 = 5 + int(21 * uniform(self.seed, 2 * minute))
        turn2 = 33 + int(21 * uniform(self.seed, 2 * minute + 1))
        price = float(last)
        for (t0, p0), (t1, p1) in pairwise(((0, first), (turn1, early), (turn2, late), (MINUTE_S - 1, last))):
            if place <= t1:
                share = (place - t0) / (t1 - t0)
                price = p0 + (p1 - p0) * share
                if self.noise and t0 < place < t1:
                    swing = self.noise * (high - low) * math.sin(math.pi * share)
                    price += swing * (2.0 * uniform(self.seed + 1, minute * MINUTE_S + place) - 1.0)
                break
        return min(high, max(low, round(price)))

    def candle(self, at_s: float) -> tuple[int, int, int, int]:
        """Open, high, low, close in cents of the minute that holds this second; OutsideRecording without a candle."""
        index = math.floor(at_s) // MINUTE_S - self._first_minute
        first, high, low, last = self._ohlc
        if not 0 <= index < len(first):
            raise OutsideRecording(f"{self.name} has no candle at {iso(at_s)}")
        return first[index], high[index], low[index], last[index]

    def ticks_by_minute(self) -> Iterator[tuple[int, list[int]]]:
        """(epoch minute, its prices in cents) of ticks, oldest first; minutes without a tick are missing."""
        minute = -1
        prices: list[int] = []
        for at, price in zip(self._times, self._prices, strict=True):
            if int(at) // MINUTE_S != minute:
                if prices:
                    yield minute, prices
                minute, prices = int(at) // MINUTE_S, []
            prices.append(price)
        if prices:
            yield minute, prices

    def looped(self, at_s: float) -> int:
        """The price at any second: beyond its ends the recording is walked back and forth, so that it never jumps."""
        length = int(self.end_s - self.start_s)
        place = (math.floor(at_s) - int(self.start_s)) % (2 * length) if length else 0
        return self.price_at(self.start_s + (place if place <= length else 2 * length - place))


def iso(at_s: float) -> str:
    """A second as people write it, UTC."""
    try:
        return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%d %H:%M:%S")
    except (ValueError, OverflowError, OSError):
        return f"second {at_s}"
