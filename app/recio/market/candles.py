"""Recorded prices from text: one-minute candles or ticks, checked line by line, and the price at any second of them.

Candles: ``timestamp,open,high,low,close[,volume]``, the timestamp is the start of its minute. Ticks: ``timestamp,price[,size]``.
A timestamp is ISO 8601 (space or T, fraction, zone; without a zone it is UTC) or epoch seconds or milliseconds. Rows go
forward in time. Up to ``max_gap_minutes`` missing minutes are bridged by a straight line and reported; more are refused.
"""

from __future__ import annotations

import math
from array import array
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from recio.market.noise import uniform

__all__ = ["CandleError", "Gap", "OutsideRecording", "Recording", "load_path", "read_prices"]

_MINUTE_S = 60
_COLUMNS = "timestamp,open,high,low,close,volume (one-minute candles) or timestamp,price (ticks)"
_MAX_PRICE = 100_000_000.0  # dollars; a price beyond it is a slip in the file
_EARLIEST_S, _LATEST_S = 1_230_940_800, 4_102_444_800  # 2009-01-03 (there was no bitcoin before) and 2100-01-01


class CandleError(ValueError):
    """A price file that cannot be used; the message names the file, the line, its text and the cure."""


class OutsideRecording(LookupError):  # noqa: N818 - a place, not a mistake of the file
    """A second before the first or after the last price: never answered with a stale one."""


class Gap(msgspec.Struct, frozen=True):
    """Minutes without a row, bridged by a straight line."""

    after_line: int
    after_s: float
    minutes: int


class Recording:
    """Prices by the second. Candles keep four numbers a minute, ticks two numbers each, in arrays."""

    def __init__(self, name: str, kind: str, seed: int, noise: float) -> None:
        self.name = name
        self.kind = kind  # candles | ticks
        self.seed = seed
        self.noise = noise
        self.gaps: list[Gap] = []
        self._start = 0  # candles: epoch minute of the first row
        self._ohlc = (array("q"), array("q"), array("q"), array("q"))
        self._times = array("d")
        self._prices = array("q")

    @property
    def start_s(self) -> float:
        """The first second that has a price."""
        return float(self._start * _MINUTE_S) if self.kind == "candles" else math.ceil(self._times[0])

    @property
    def end_s(self) -> float:
        """The last second that has a price."""
        if self.kind == "candles":
            return float((self._start + len(self._ohlc[0])) * _MINUTE_S - 1)
        return float(math.floor(self._times[-1]))

    def __call__(self, at_s: float) -> int:
        """The same as ``price_at``."""
        return self.price_at(at_s)

    def span(self) -> tuple[float, float] | None:
        """(first, last) second that has a price."""
        return self.start_s, self.end_s

    def __len__(self) -> int:
        """Rows on record; bridged minutes count."""
        return len(self._ohlc[0]) if self.kind == "candles" else len(self._times)

    def price_at(self, at_s: float) -> int:
        """The price in cents at this second. Raises OutsideRecording beyond the file's ends.

        A candle is walked open, one extreme, the other extreme, close (down first in a rising minute), each exactly;
        when the extremes come is drawn from the seed. Ticks: the last one at or before the second.
        """
        second = math.floor(at_s)
        if not self.start_s <= second <= self.end_s:
            ends = f"{_iso(self.start_s)} to {_iso(self.end_s)}"
            raise OutsideRecording(f"{self.name} has prices from {ends}, not at {_iso(second)}")
        if self.kind == "ticks":
            return self._prices[bisect_right(self._times, second) - 1]
        minute, place = divmod(second, _MINUTE_S)
        index = minute - self._start
        return self._within(minute, place, *(column[index] for column in self._ohlc))

    def _within(self, minute: int, place: int, first: int, high: int, low: int, last: int) -> int:
        turn1 = 5 + int(21 * uniform(self.seed, 2 * minute))
        turn2 = 33 + int(21 * uniform(self.seed, 2 * minute + 1))
        early, late = (low, high) if last >= first else (high, low)
        points = ((0, first), (turn1, early), (turn2, late), (_MINUTE_S - 1, last))
        for (t0, p0), (t1, p1) in zip(points, points[1:], strict=False):
            if place == t1:
                return p1
            if place < t1:
                share = (place - t0) / (t1 - t0)
                price = p0 + (p1 - p0) * share
                if self.noise and place > t0:
                    swing = self.noise * (high - low) * math.sin(math.pi * share)
                    price += swing * (2.0 * uniform(self.seed + 1, minute * _MINUTE_S + place) - 1.0)
                return min(high, max(low, round(price)))
        return last

    def candle(self, at_s: float) -> tuple[int, int, int, int]:
        """Open, high, low, close in cents of the minute that holds this second; candles only."""
        minute = math.floor(at_s) // _MINUTE_S
        index = minute - self._start
        if self.kind != "candles" or not 0 <= index < len(self._ohlc[0]):
            raise OutsideRecording(f"{self.name} has no candle at {_iso(at_s)}")
        first, high, low, last = (column[index] for column in self._ohlc)
        return first, high, low, last

    def looped(self, at_s: float) -> int:
        """The price at any second: beyond its ends the recording is walked back and forth, so that it never jumps."""
        length = int(self.end_s - self.start_s)
        place = (math.floor(at_s) - int(self.start_s)) % (2 * length) if length else 0
        return self.price_at(self.start_s + (place if place <= length else 2 * length - place))


def read_prices(
    lines: Iterable[str], name: str = "prices", *, max_gap_minutes: int = 5, seed: int = 1, noise: float = 0.0
) -> Recording:
    """Read candles or ticks from an open text file or any lines; ``name`` is for the messages.

    ``noise`` (0 to 1) roughens the way between a candle's four prices by that share of its range, inside it.
    Raises CandleError.
    """
    if not 0.0 <= noise <= 1.0:
        raise CandleError(f"{name}: noise is {noise}; take 0 to 1")
    rows = enumerate(lines, 1)
    recording, first = _start(rows, name, seed, noise)
    reader = _Candles(recording, max_gap_minutes) if recording.kind == "candles" else _Ticks(recording, max_gap_minutes)
    add = reader.add
    try:
        if first is not None:
            add(*first)
        for number, line in rows:
            if line != "\n" and line.strip():
                add(number, line)
    except UnicodeDecodeError as error:
        raise CandleError(f"{name}: not a text file ({error.reason} at byte {error.start}); give a CSV file") from error
    if not len(recording):
        raise CandleError(f"{name}: no prices in it; expected rows of {_COLUMNS}")
    return recording


def load_path(path: Path, *, max_gap_minutes: int = 5, seed: int = 1, noise: float = 0.0) -> Recording:
    """Read a file of candles or ticks. Raises CandleError for what is in it and OSError when it cannot be opened."""
    with path.open(encoding="utf-8", newline=None) as lines:
        return read_prices(lines, str(path), max_gap_minutes=max_gap_minutes, seed=seed, noise=noise)


def _start(
    rows: Iterator[tuple[int, str]], name: str, seed: int, noise: float
) -> tuple[Recording, tuple[int, str] | None]:
    """Tell candles from ticks by the header, or by the number of columns of a file without one."""
    try:
        for number, line in rows:
            fields = [field.strip().lower() for field in line.lstrip("\ufeff").split(",")]
            if fields == [""]:
                continue
            if fields[0] in ("timestamp", "time", "at"):
                if fields[1:5] == ["open", "high", "low", "close"]:
                    return Recording(name, "candles", seed, noise), None
                if fields[1:2] == ["price"]:
                    return Recording(name, "ticks", seed, noise), None
                raise _bad(name, number, line, "the header is not known", f"write {_COLUMNS}")
            if len(fields) in (5, 6):
                return Recording(name, "candles", seed, noise), (number, line.lstrip("\ufeff"))
            if len(fields) in (2, 3):
                return Recording(name, "ticks", seed, noise), (number, line.lstrip("\ufeff"))
            raise _bad(name, number, line, f"{len(fields)} columns", "5 or 6 make a candle, 2 or 3 a tick")
    except UnicodeDecodeError as error:
        raise CandleError(f"{name}: not a text file ({error.reason} at byte {error.start}); give a CSV file") from error
    raise CandleError(f"{name}: the file is empty; expected rows of {_COLUMNS}")


class _Candles:
    """Adds candle rows to a recording."""

    def __init__(self, recording: Recording, max_gap_minutes: int) -> None:
        self._recording, self._max_gap = recording, max_gap_minutes
        self._last, self._last_line = -1, 0

    def add(self, number: int, line: str) -> None:
        r = self._recording
        fields = line.split(",")
        if len(fields) not in (5, 6):
            raise _bad(
                r.name, number, line, f"{len(fields)} columns", "a candle has timestamp,open,high,low,close,volume"
            )
        at = _time(r.name, number, line, fields[0])
        minute, rest = divmod(at, _MINUTE_S)
        if rest:
            raise _bad(
                r.name, number, line, f"{fields[0]!r} is not the start of a minute", "give one-minute candles, or ticks"
            )
        first, high, low, last = (_price(r.name, number, line, text) for text in fields[1:5])
        if not low <= min(first, last) <= max(first, last) <= high:
            raise _bad(r.name, number, line, "low <= open, close <= high does not hold", "correct or remove the row")
        self._place(int(minute), number, line)
        for column, value in zip(r._ohlc, (first, high, low, last), strict=True):
            column.append(value)
        self._last_line = number

    def _place(self, minute: int, number: int, line: str) -> None:
        """Move on to this minute, bridging what is missing."""
        r = self._recording
        if self._last < 0:
            r._start = minute
        missing = minute - self._last - 1 if self._last >= 0 else 0
        if missing < 0:
            what = "repeats the minute before" if missing == -1 else "goes back in time"
            raise _bad(r.name, number, line, f"the row {what}", "sort the file by time and keep one row a minute")
        if missing > self._max_gap:
            raise _bad(
                r.name, number, line, f"{missing} minutes are missing before it (since line {self._last_line})",
                f"at most {self._max_gap} are bridged: fill the gap or cut the file there",
            )  # fmt: skip
        if missing:
            r.gaps.append(Gap(self._last_line, float(self._last * _MINUTE_S), missing))
            self._bridge(missing, _price(r.name, number, line, line.split(",")[1]))
        self._last = minute

    def _bridge(self, missing: int, target: int) -> None:
        """Straight candles from the last close to the next open."""
        start = before = self._recording._ohlc[3][-1]
        for step in range(1, missing + 1):
            after = start + (target - start) * step // missing
            values = (before, max(before, after), min(before, after), after)
            for column, value in zip(self._recording._ohlc, values, strict=True):
                column.append(value)
            before = after


class _Ticks:
    """Adds ticks to a recording."""

    def __init__(self, recording: Recording, max_gap_minutes: int) -> None:
        self._recording, self._max_gap = recording, max_gap_minutes
        self._last_line = 0

    def add(self, number: int, line: str) -> None:
        r = self._recording
        fields = line.split(",")
        if len(fields) not in (2, 3):
            raise _bad(
                r.name, number, line, f"{len(fields)} columns", "a tick has timestamp,price or timestamp,price,size"
            )
        at = _time(r.name, number, line, fields[0])
        price = _price(r.name, number, line, fields[1])
        if r._times:
            gap = at - r._times[-1]
            if gap < 0:
                raise _bad(r.name, number, line, "the row goes back in time", "sort the file by time")
            if gap > (self._max_gap + 1) * _MINUTE_S:
                raise _bad(
                    r.name, number, line, f"{gap / _MINUTE_S:.0f} minutes without a tick before it (since line {self._last_line})",
                    f"at most {self._max_gap} are allowed: fill the gap or cut the file there",
                )  # fmt: skip
            if gap > 2 * _MINUTE_S:
                r.gaps.append(Gap(self._last_line, r._times[-1], int(gap // _MINUTE_S)))
        r._times.append(at)
        r._prices.append(price)
        self._last_line = number


def _bad(name: str, number: int, line: str, what: str, cure: str) -> CandleError:
    shown = line.strip()
    shown = shown if len(shown) <= 120 else shown[:117] + "..."
    return CandleError(f"{name} line {number}: {what}: {shown!r}; {cure}")


def _iso(at_s: float) -> str:
    try:
        return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%d %H:%M:%S")
    except (ValueError, OverflowError, OSError):
        return f"second {at_s}"


def _time(name: str, number: int, line: str, text: str) -> float:
    """Epoch seconds of a timestamp; a number over 1e11 is in milliseconds."""
    text = text.strip()
    try:
        if text[4:5] == "-":
            at = datetime.fromisoformat(text)
            found = (at.replace(tzinfo=UTC) if at.tzinfo is None else at).timestamp()
        else:
            found = float(text)
            if found > 1e11:
                found /= 1000.0
    except ValueError:
        raise _bad(
            name, number, line, f"{text!r} is not a time", "write 2022-01-31 23:59:00, or epoch seconds"
        ) from None
    if not _EARLIEST_S <= found <= _LATEST_S:  # a NaN fails here too
        raise _bad(name, number, line, f"{text!r} is not a time of this century's markets", "write 2022-01-31 23:59:00")
    return found


def _price(name: str, number: int, line: str, text: str) -> int:
    """Cents of a price in dollars, rounded: the recordings of some exchanges have more decimals."""
    try:
        price = float(text)
    except ValueError:
        raise _bad(
            name, number, line, f"{text.strip()!r} is not a price", "write dollars, for example 46319.00"
        ) from None
    if not 0.0 < price <= _MAX_PRICE:  # a NaN fails here too
        raise _bad(
            name, number, line, f"the price {text.strip()!r} is not between 0 and 100 million", "correct or remove it"
        )
    return max(1, round(price * 100.0))
