"""Reader of recorded 15-minute markets: SERIES/raw_snapshots.jsonl, one line a look at the best prices and the spot.

The recording has no strikes and no results, so both are told from what is there, or not at all:
    strike  the mean of the spot in the minute before the opening, as the market's rules say, when looks before and after
            bridge that minute closely enough; how uncertain the bridge leaves it is kept in ``strike_sd``
    result  by the spot's mean in the last minute against the strike when they differ clearly (twice their uncertainty),
            and by the last quote (from 30 s before the close on, at 90c or more, or 10c or less). Both must agree.
Looks come in bursts with minutes between them, and within a burst the quote stands still while the spot moves on (one
state of the book in 388 of the 397 bursts of KXETH15M, each at most half a minute long): only the first look at a state of
the book has a fresh quote, the others repeat it as it ages. ``Look.fresh`` says which. Markets that nobody looked at near
their ends stay without a result.
Spot is kept in 1/10,000 dollar: a cent is too coarse for a coin of 75 dollars. Probabilities see only percentages.
"""

from __future__ import annotations

import math
import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec

from recio.research.errors import ResearchError

__all__ = ["Look", "RecordedMarket", "SpotTape", "close_of", "find_series", "judge", "read_series"]

_NEW_YORK = ZoneInfo("America/New_York")
_TICKER = re.compile(r"(KX[A-Z0-9]+15M)-(\d{2}[A-Z]{3}\d{2}\d{4})-(\d{2})")
_FILE = "raw_snapshots.jsonl"
_QUARTER_S, _MINUTE_S = 900, 60
_STRIKE_SD_MAX = 5e-4  # of the price: 5 basis points; a quarter moves it by about 17
_CLEAR = 2.0
_LAST_QUOTE_S, _SURE = 30.0, 0.90
_VOL_SPAN_S, _VOL_STEP_S, _VOL_MIN_PAIRS = 3600.0, 10.0, 10
_BURST_S = 20.0  # a longer pause between looks begins another burst
_USUAL_VOL = 1e-4
_MAX_LINE = 100_000


class _Row(msgspec.Struct):
    """One line of the file, as far as it is used."""

    ticker: str
    series: str
    ts: float
    yb: float
    ya: float
    spot: float | None
    spot_ok: int
    yes_depth: float
    no_depth: float


class Look(msgspec.Struct, frozen=True):
    """One look at a market. Prices in 1/10,000 dollar; None is no quote. Depth is the whole side's, in contracts x 100."""

    at_s: float
    yes_bid_e4: int | None
    yes_ask_e4: int | None
    spot_e4: int | None
    yes_depth_e2: int
    no_depth_e2: int
    fresh: bool = True  # the quote was not seen before: it came with this look


class RecordedMarket(msgspec.Struct, frozen=True, kw_only=True):
    """A market and what could be told about it; ``why`` says what could not."""

    market_ticker: str
    series_ticker: str
    close_s: float
    looks: tuple[Look, ...]
    strike_e4: int | None = None
    strike_sd_e4: float = 0.0
    strike_known_s: float = 0.0  # the last look the strike was told from: nothing before it may use it
    result: str = ""
    result_by: str = ""
    why: str = ""


class SpotTape:
    """The spot at the moments it was looked at, over all markets of a series."""

    def __init__(self, points: list[tuple[float, int]]) -> None:
        """``points`` are (second, price in 1/10,000 dollar), oldest first."""
        self._at = [at for at, _ in points]
        self._price = [price for _, price in points]

    def price_at(self, at_s: float) -> int | None:
        """The last price, at most 20 s old; else None."""
        place = bisect_right(self._at, at_s) - 1
        return self._price[place] if place >= 0 and at_s - self._at[place] <= 20.0 else None

    def volatility(self, at_s: float) -> float | None:
        """Per sqrt(second), from the last hour's looks whatever their distance: a walk's variance grows with time.

        None for fewer than ten steps. Steps under 10 s are joined: the spot is quoted on a grid.
        """
        end = bisect_right(self._at, at_s)
        start = bisect_left(self._at, at_s - _VOL_SPAN_S)
        squares = seconds = 0.0
        pairs, last = 0, start
        for place in range(start + 1, end):
            step = self._at[place] - self._at[last]
            if step >= _VOL_STEP_S:
                squares += math.log(self._price[place] / self._price[last]) ** 2
                seconds += step
                pairs, last = pairs + 1, place
        return math.sqrt(squares / seconds) if pairs >= _VOL_MIN_PAIRS else None

    def minute_mean(self, end_s: float, vol_at: Callable[[float], float]) -> tuple[float, float, float] | None:
        """(mean, its standard deviation, second of the last look used) over the minute that ends at ``end_s``.

        Between looks the price is bridged by a straight line; a bridge from a to b leaves (t - a)(b - t)/(b - a) x vol^2
        at t, with the volatility as it was known at the last look used. None when the minute is not between two looks.
        """
        total = variance = 0.0
        last_used = 0.0
        for second in range(int(end_s) - _MINUTE_S + 1, int(end_s) + 1):
            right = bisect_left(self._at, second)
            if right >= len(self._at) or (right == 0 and self._at[0] > second):
                return None
            last_used = max(last_used, self._at[right])
            if self._at[right] == second:
                total += self._price[right]
                continue
            a, b = self._at[right - 1], self._at[right]
            share = (second - a) / (b - a)
            total += self._price[right - 1] * (1 - share) + self._price[right] * share
            variance += (second - a) * (b - second) / (b - a)
        mean = total / _MINUTE_S
        return mean, mean * vol_at(last_used) * math.sqrt(variance / _MINUTE_S), last_used


def close_of(ticker: str) -> float:
    """The close a ticker names (New York time), epoch seconds; ResearchError for another kind of ticker."""
    found = _TICKER.fullmatch(ticker)
    if not found:
        raise ResearchError(f"{ticker!r} is no ticker of a 15-minute market like KXETH15M-26AUG170145-45")
    try:
        at = datetime.strptime(found[2], "%y%b%d%H%M").replace(tzinfo=_NEW_YORK)
    except ValueError:
        raise ResearchError(f"{ticker!r} names no time: {found[2]!r}") from None
    return at.astimezone(UTC).timestamp()


def find_series(data: Path, series: str) -> Path:
    """The file of a series in a folder, or one level below it; ResearchError names what there is instead."""
    if not data.is_dir():
        raise ResearchError(f"there is no folder {data}; --data takes the one with the recordings")
    for folder in (data / series, *sorted(path / series for path in data.iterdir() if path.is_dir())):
        if (folder / _FILE).is_file():
            return folder / _FILE
        if folder.is_dir():
            there = ", ".join(sorted(path.name for path in folder.iterdir()))
            raise ResearchError(f"{folder} has no {_FILE} (only {there}): without books there is nothing to decide on")
    known = sorted({path.parent.name for path in data.rglob(_FILE)})
    raise ResearchError(f"there is no series {series!r} in {data}; there are: {', '.join(known) or 'none'}")


def _rows(path: Path, series: str) -> Iterator[_Row]:
    with path.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            try:
                row = msgspec.json.decode(line[:_MAX_LINE], type=_Row)
            except (msgspec.MsgspecError, UnicodeDecodeError) as error:
                shown = line.strip()[:80].decode(errors="replace")
                raise ResearchError(f"{path} line {number}: {error}: {shown!r}; correct or remove the line") from None
            sane = 0 <= row.yb <= 1 and 0 <= row.ya <= 1 and 1e9 < row.ts < 5e9 and (row.spot is None or row.spot > 0)
            if row.series != series or not sane:
                raise ResearchError(
                    f"{path} line {number}: not a look at {series} with prices from 0 to 1; correct or remove the line"
                )
            yield row


def read_series(data: Path, series: str) -> tuple[list[RecordedMarket], SpotTape]:
    """All markets of a series by their close, and the spot. ResearchError for a missing folder, series or a bad line."""
    path = find_series(data, series)
    looks: dict[str, list[Look]] = {}
    points: dict[float, int] = {}
    for row in _rows(path, series):
        spot = round(row.spot * 10_000) if row.spot is not None and row.spot_ok else None
        bid, ask = round(row.yb * 10_000), round(row.ya * 10_000)
        looks.setdefault(row.ticker, []).append(
            Look(
                row.ts,
                bid if 0 < bid < 10_000 else None,
                ask if 0 < ask < 10_000 else None,
                spot,
                round(row.yes_depth * 100),
                round(row.no_depth * 100),
            )
        )
        if spot is not None:
            points[row.ts] = spot
    if not looks:
        raise ResearchError(f"{path} is empty")
    tape = SpotTape(sorted(points.items()))
    markets = [judge(ticker, series, found, tape) for ticker, found in looks.items()]
    return sorted(markets, key=lambda market: market.close_s), tape


def judge(ticker: str, series: str, looks: list[Look], tape: SpotTape) -> RecordedMarket:
    """Tell strike and result, as far as the recording allows."""
    close_s = close_of(ticker)
    looks = _marked(sorted(looks, key=lambda look: look.at_s))
    # With what was known of the volatility at its end: a later one would tell the forecasts of the future.
    opened, ended = (
        tape.minute_mean(end_s, lambda at_s: tape.volatility(at_s) or _USUAL_VOL)
        for end_s in (close_s - _QUARTER_S, close_s)
    )
    facts: dict[str, object] = {}
    why = ""
    if opened is None or opened[1] > _STRIKE_SD_MAX * opened[0]:
        why = "strike not known: too few looks at the spot about the opening"
    else:
        facts = {"strike_e4": round(opened[0]), "strike_sd_e4": opened[1], "strike_known_s": opened[2]}
    by_spot = ""
    if opened is not None and ended is not None and not why:
        apart, doubt = ended[0] - opened[0], math.hypot(opened[1], ended[1])
        if abs(apart) > _CLEAR * max(doubt, 1e-5 * opened[0]):
            by_spot = "yes" if apart > 0 else "no"
    by_quote = _last_quote(looks, close_s)
    if by_spot and by_quote and by_spot != by_quote:
        facts, why = facts, why or f"spot says {by_spot}, the last quote {by_quote}"
        result, result_by = "", ""
    else:
        result = by_spot or by_quote
        result_by = "both" if by_spot and by_quote else "spot" if by_spot else "quote" if by_quote else ""
        why = why or ("" if result else "result not known: nobody looked near the close, or it was too close to tell")
    return RecordedMarket(
        market_ticker=ticker,
        series_ticker=series,
        close_s=close_s,
        looks=tuple(looks),
        result=result,
        result_by=result_by,
        why=why,
        **facts,  # type: ignore[arg-type]
    )


def _marked(looks: list[Look]) -> list[Look]:
    """The looks of a market, the repeated quotes among them marked as not fresh."""
    found: list[Look] = []
    for look in looks:
        before = found[-1] if found else None
        repeated = (
            before is not None
            and look.at_s - before.at_s <= _BURST_S
            and (look.yes_bid_e4, look.yes_ask_e4, look.yes_depth_e2, look.no_depth_e2)
            == (before.yes_bid_e4, before.yes_ask_e4, before.yes_depth_e2, before.no_depth_e2)
        )
        found.append(msgspec.structs.replace(look, fresh=False) if repeated else look)
    return found


def _last_quote(looks: list[Look], close_s: float) -> str:
    """What the last quote near or after the close says; empty when it is not sure, or there is none."""
    last = next((look for look in reversed(looks) if look.fresh), looks[-1])
    if last.at_s < close_s - _LAST_QUOTE_S or last.yes_bid_e4 is None or last.yes_ask_e4 is None:
        return ""
    middle = (last.yes_bid_e4 + last.yes_ask_e4) / 20_000
    return "yes" if middle >= _SURE else "no" if middle <= 1 - _SURE else ""
