"""Reading recorded prices from text: one-minute candles or ticks, checked line by line.

Candles are ``timestamp,open,high,low,close[,volume]`` (the timestamp is the start of its minute), ticks
``timestamp,price[,size]``. A timestamp is ISO 8601 (space or T, fraction, zone; without a zone it is UTC) or epoch
seconds or milliseconds. Rows go forward in time. Up to ``max_gap_minutes`` missing minutes are bridged by a straight
line and reported in ``gaps``; more are refused. Prices are dollars and kept in cents.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

from recio.market.recording import MINUTE_S, Gap, OutsideRecording, Recording

__all__ = ["CandleError", "Gap", "OutsideRecording", "Recording", "read_prices"]

_COLUMNS = "timestamp,open,high,low,close,volume (one-minute candles) or timestamp,price (ticks)"
_MAX_PRICE = 100_000_000.0  # dollars; a price beyond it is a slip in the file
_EARLIEST_S, _LATEST_S = 1_230_940_800, 4_102_444_800  # 2009-01-03 (there was no bitcoin before) and 2100-01-01
_MILLISECONDS_FROM = 1e11  # as seconds that would be the year 5138


class CandleError(ValueError):
    """A price file that cannot be used; the message names the file, the line, its text and the cure."""


def read_prices(
    lines: Iterable[str], name: str = "prices", *, max_gap_minutes: int = 5, seed: int = 1, noise: float = 0.0
) -> Recording:
    """Read candles or ticks from an open text file or any lines; ``name`` is for the messages.

    ``noise`` (0 to 1) roughens the way between a candle's four prices by that share of its range, inside it.
    Raises CandleError naming the line, its text and the cure.
    """
    rows = ((number, line) for number, line in enumerate(lines, 1) if line.strip())
    try:
        kind, first = _start(rows, name)
        recording = Recording(name, "candles" if kind == "candles" else "ticks", seed, noise)
        reader = _Candles(recording, max_gap_minutes) if kind == "candles" else _Ticks(recording, max_gap_minutes)
        if first is not None:
            reader.add(*first)
        for number, line in rows:
            reader.add(number, line)
    except UnicodeDecodeError as error:
        raise CandleError(f"{name}: not a text file ({error.reason} at byte {error.start}); give a CSV file") from error
    if not len(recording):
        raise CandleError(f"{name}: there is a header and no prices; expected rows of {_COLUMNS}")
    return recording


def _start(rows: Iterator[tuple[int, str]], name: str) -> tuple[str, tuple[int, str] | None]:
    """(candles or ticks, the first row unless it was a header): told by the header, or else by the columns."""
    number, line = next(rows, (0, ""))
    if not number:
        raise CandleError(f"{name}: the file is empty; expected rows of {_COLUMNS}")
    line = line.lstrip("\ufeff")
    fields = [field.strip().lower() for field in line.split(",")]
    if fields[0] in ("timestamp", "time", "at"):
        if fields[1:5] == ["open", "high", "low", "close"]:
            return "candles", None
        if fields[1:2] == ["price"]:
            return "ticks", None
        raise _bad(name, number, line, "the header is not known", f"write {_COLUMNS}")
    if len(fields) not in (2, 3, 5, 6):
        raise _bad(name, number, line, f"{len(fields)} columns", "5 or 6 make a candle, 2 or 3 a tick")
    return "candles" if len(fields) >= 5 else "ticks", (number, line)


class _Candles:
    """Adds candle rows to a recording."""

    def __init__(self, recording: Recording, max_gap_minutes: int) -> None:
        self._to, self._max_gap = recording, max_gap_minutes
        self._minute, self._line, self._close = -1, 0, 0

    def add(self, number: int, line: str) -> None:
        """One row; raises CandleError."""
        name, fields = self._to.name, line.split(",")
        if len(fields) not in (5, 6):
            cure = "a candle has timestamp,open,high,low,close,volume"
            raise _bad(name, number, line, f"{len(fields)} columns", cure)
        minute, rest = divmod(_time(name, number, line, fields[0]), MINUTE_S)
        if rest:
            cure = "give one-minute candles, or ticks"
            raise _bad(name, number, line, f"{fields[0].strip()!r} is not the start of a minute", cure)
        first, high, low, last = (_price(name, number, line, text) for text in fields[1:5])
        if not low <= min(first, last) <= max(first, last) <= high:
            raise _bad(name, number, line, "low <= open, close <= high does not hold", "correct or remove the row")
        self._go_to(int(minute), first, number, line)
        self._to.put_candle(int(minute), (first, high, low, last))
        self._minute, self._line, self._close = int(minute), number, last

    def _go_to(self, minute: int, target: int, number: int, line: str) -> None:
        """Bridge what is missing before this minute with straight candles from the last close to its open."""
        missing = minute - self._minute - 1 if self._minute >= 0 else 0
        if missing < 0:
            what = "repeats the minute before" if missing == -1 else "goes back in time"
            raise _bad(self._to.name, number, line, f"the row {what}", "sort by time and keep one row a minute")
        if missing > self._max_gap:
            what = f"{missing} minutes are missing between line {self._line} and this one"
            cure = f"at most {self._max_gap} are bridged: fill the gap or cut the file there"
            raise _bad(self._to.name, number, line, what, cure)
        if missing:
            self._to.gaps.append(Gap(self._line, float(self._minute * MINUTE_S), missing))
        before = self._close
        for step in range(1, missing + 1):
            after = self._close + (target - self._close) * step // missing
            self._to.put_candle(self._minute + step, (before, max(before, after), min(before, after), after))
            before = after


class _Ticks:
    """Adds ticks to a recording."""

    def __init__(self, recording: Recording, max_gap_minutes: int) -> None:
        self._to, self._max_gap = recording, max_gap_minutes
        self._at, self._line = -1.0, 0

    def add(self, number: int, line: str) -> None:
        """One row; raises CandleError."""
        name, fields = self._to.name, line.split(",")
        if len(fields) not in (2, 3):
            cure = "a tick has timestamp,price or timestamp,price,size"
            raise _bad(name, number, line, f"{len(fields)} columns", cure)
        at = _time(name, number, line, fields[0])
        price = _price(name, number, line, fields[1])
        minutes = (at - self._at) / MINUTE_S if self._line else 0.0
        if minutes < 0:
            raise _bad(name, number, line, "the row goes back in time", "sort the file by time")
        if minutes > self._max_gap + 1:
            what = f"{minutes:.0f} minutes without a tick between line {self._line} and this one"
            cure = f"at most {self._max_gap + 1} are allowed: fill the gap or cut the file there"
            raise _bad(name, number, line, what, cure)
        if minutes > 2:
            self._to.gaps.append(Gap(self._line, self._at, int(minutes)))
        self._to.put_tick(at, price)
        self._at, self._line = at, number


def _bad(name: str, number: int, line: str, what: str, cure: str) -> CandleError:
    shown = line.strip()
    shown = shown if len(shown) <= 120 else shown[:117] + "..."
    return CandleError(f"{name} line {number}: {what}: {shown!r}; {cure}")


def _time(name: str, number: int, line: str, text: str) -> float:
    """Epoch seconds of a timestamp."""
    text = text.strip()
    try:
        if text[4:5] == "-":
            at = datetime.fromisoformat(text)
            found = (at.replace(tzinfo=UTC) if at.tzinfo is None else at).timestamp()
        else:
            found = float(text)
            if found > _MILLISECONDS_FROM:
                found /= 1000.0
    except ValueError:
        cure = "write 2022-01-31 23:59:00, or epoch seconds"
        raise _bad(name, number, line, f"{text!r} is not a time", cure) from None
    if not _EARLIEST_S <= found <= _LATEST_S:  # a NaN fails here too
        raise _bad(name, number, line, f"{text!r} is not a time between 2009 and 2100", "correct or remove the row")
    return found


def _price(name: str, number: int, line: str, text: str) -> int:
    """Cents of a price in dollars, rounded: some exchanges' recordings have more decimals."""
    try:
        price = float(text)
    except ValueError:
        cure = "write dollars, for example 46319.00"
        raise _bad(name, number, line, f"{text.strip()!r} is not a price", cure) from None
    if not 0.01 <= price <= _MAX_PRICE:  # a NaN fails here too
        what = f"the price {text.strip()!r} is not between 0.01 and 100 million"
        raise _bad(name, number, line, what, "correct or remove the row")
    return round(price * 100.0)
