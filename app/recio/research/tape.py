"""A price path by the second with everything the rules are told, in arrays: the input of replay and of backtest alike.

Needs numpy; no service imports it. The features are those of market.volatility and market.momentum (a test compares
them), the prices those of market.recording's deterministic interpolation.

The book is made up, and says so: makers quote about the simulator's fair value with one second of lag, an error of their
own (100/10,000 dollar, wandering within minutes, vanishing towards 0 and 1) and half a spread of 0.6 to 1.5 cents by
market, on a grid of one cent, five levels of tens of contracts. It is neither a gift nor a wall; it is not a real market.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable

import msgspec
import numpy as np
from numpy.typing import NDArray

from recio.market.momentum import WEIGHTS
from recio.market.noise import gaussian, uniform
from recio.market.recording import Recording
from recio.market.volatility import FLOOR_PER_SQRT_S, HORIZONS_S
from recio.research.errors import ResearchError

__all__ = ["QUARTER_S", "WARM_UP_S", "PathTape", "tape_of", "tape_of_path"]

QUARTER_S, WARM_UP_S = 900, 3600
_STEP_S, _LEVELS = 10, 5
_HALVES_E4 = (60, 80, 100, 150)
_BIAS_E4 = 120.0  # interpolated between minutes it is about 100
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class PathTape(msgspec.Struct, frozen=True, kw_only=True):
    """Arrays by second from ``start_s`` on; ``first`` is the index of the first quarter's opening."""

    name: str
    start_s: int
    first: int
    quarters: int
    price: Ints  # cents
    total: Ints  # sum of the prices before each index
    vol: Floats  # per sqrt(second)
    momentum: Ints  # basis points
    seed: int
    strikes: Ints  # by quarter, cents
    means_e2: Floats  # by quarter, the settlement's mean
    halves_e4: Ints  # by quarter
    yes_bid: Ints  # 1/10,000 dollar, of the quarter this second is in; 0 is none
    yes_ask: Ints  # 10,000 is none

    def size_e2(self, at: int, side: int, level: int) -> int:
        """Contracts x 100 at a level, drawn by the minute."""
        key = ((self.start_s + at) // 60 * 2 + side) * _LEVELS + level
        return 100 * max(5, int(math.exp(3.6 + 0.8 * gaussian(self.seed + 2, key))))

    def ladders(self, at: int) -> tuple[tuple[tuple[int, int], ...], tuple[tuple[int, int], ...]]:
        """Bids of YES and of NO at this second, best first."""
        best = (int(self.yes_bid[at]), 10_000 - int(self.yes_ask[at]))
        found = []
        for side, top in enumerate(best):
            found.append(
                tuple(
                    (top - 100 * level, self.size_e2(at, side, level))
                    for level in range(_LEVELS)
                    if top - 100 * level > 0
                )
            )
        return found[0], found[1]


def _interpolated(recording: Recording, first: int, last: int) -> Ints:
    """Recording.price_at for every second of whole minutes of candles, first to last minute."""
    minutes = range(first, last + 1)
    rows = np.array([recording.candle(minute * 60) for minute in minutes], dtype=np.float64)
    turn1 = np.array([5 + int(21 * uniform(recording.seed, 2 * minute)) for minute in minutes], dtype=np.float64)
    turn2 = np.array([33 + int(21 * uniform(recording.seed, 2 * minute + 1)) for minute in minutes], dtype=np.float64)
    opened, high, low, closed = rows.T
    rising = closed >= opened
    early, late = np.where(rising, low, high), np.where(rising, high, low)
    place = np.arange(60, dtype=np.float64)[None, :]
    found = np.empty((len(rows), 60), dtype=np.float64)
    edges = ((0.0 * turn1, opened), (turn1, early), (turn2, late), (0.0 * turn1 + 59.0, closed))
    done = np.zeros(found.shape, dtype=bool)
    for (t0, p0), (t1, p1) in itertools.pairwise(edges):
        share = (place - t0[:, None]) / (t1 - t0)[:, None]
        here = ~done & (place <= t1[:, None])
        found = np.where(here, p0[:, None] + (p1 - p0)[:, None] * share, found)
        done |= here
    bounded = np.minimum(high[:, None], np.maximum(low[:, None], np.rint(found)))
    return np.asarray(bounded, dtype=np.int64).ravel()


def tape_of(
    recording: Recording,
    *,
    seed: int = 1,
    from_s: float | None = None,
    to_s: float | None = None,
    progress: Callable[[str], None] = lambda text: None,
) -> PathTape:
    """The tape of a recording of candles between two times; ResearchError when there is no whole quarter after an hour."""
    if recording.kind != "candles" or recording.noise:
        raise ResearchError(f"{recording.name}: give one-minute candles; ticks have no interpolation to the second")
    first = max(int(recording.start_s) // 60, math.ceil((from_s or 0.0) / 60) - WARM_UP_S // 60 - 1)
    last = min(int(recording.end_s) // 60, int(to_s if to_s is not None else recording.end_s) // 60)
    start = first * 60
    opening = -(-(start + WARM_UP_S + 60) // QUARTER_S) * QUARTER_S
    quarters = ((last + 1) * 60 - 1 - opening) // QUARTER_S
    if last < first or quarters < 1:
        raise ResearchError(
            f"{recording.name}: no whole quarter of an hour in this range, after an hour before it; give more"
        )
    progress("interpolating to seconds")
    return _tape(recording.name, start, _interpolated(recording, first, last), opening, int(quarters), seed, progress)


def tape_of_path(
    path: Callable[[float], int], name: str, from_s: int, days: float, *, seed: int = 1,
    progress: Callable[[str], None] = lambda text: None,
) -> PathTape:  # fmt: skip
    """The tape of a path that knows any second, as the simulator's own does; days from the first quarter after ``from_s``."""
    opening = -(-from_s // QUARTER_S) * QUARTER_S
    start, quarters = opening - WARM_UP_S - 60, round(days * 86_400) // QUARTER_S
    if quarters < 1:
        raise ResearchError(f"{days:g} days hold no quarter of an hour; take 0.02 or more")
    seconds = WARM_UP_S + 60 + quarters * QUARTER_S + 1
    price = np.empty(seconds, dtype=np.int64)
    for at in range(seconds):
        if at % 20_000 == 0:
            progress(f"{at * 100 // seconds:3d} %  of the path")
        price[at] = path(start + at)
    return _tape(name, start, price, opening, quarters, seed, progress)


def _tape(
    name: str, start: int, price: Ints, opening: int, quarters: int, seed: int, progress: Callable[[str], None]
) -> PathTape:
    progress("volatility and momentum")
    total = np.concatenate([[0], np.cumsum(price)]).astype(np.int64)
    at = opening - start
    opens = at + QUARTER_S * np.arange(quarters, dtype=np.int64)
    strikes = np.floor((total[opens + 1] - total[opens - 59]) / 60.0 + 0.5).astype(np.int64)
    closes = opens + QUARTER_S
    means = (total[closes + 1] - total[closes - 59]) / 60.0
    halves = np.array([_HALVES_E4[int(4 * uniform(seed + 1, opening // QUARTER_S + q))] for q in range(quarters)])
    tape = PathTape(
        name=name, start_s=start, first=at, quarters=quarters, price=price, total=total, vol=_volatility(price),
        momentum=_momentum(price), seed=seed, strikes=strikes, means_e2=means, halves_e4=halves.astype(np.int64),
        yes_bid=np.zeros(0, dtype=np.int64), yes_ask=np.zeros(0, dtype=np.int64),
    )  # fmt: skip
    progress("quotes")
    bid, ask = _quotes(tape)
    return msgspec.structs.replace(tape, yes_bid=bid, yes_ask=ask)


def _volatility(price: Ints) -> Floats:
    """market.volatility over 300, 900 and 3600 s in steps of 10 s, rounded to 1e-12; nan while the hour is not whole."""
    logs = np.log(price.astype(np.float64))
    squares = np.zeros(len(price))
    squares[_STEP_S:] = (logs[_STEP_S:] - logs[:-_STEP_S]) ** 2
    padded = np.concatenate([squares, np.zeros(-len(squares) % _STEP_S)])
    sums = padded.reshape(-1, _STEP_S).cumsum(axis=0).ravel()[: len(squares)]
    variance = np.zeros(len(price))
    for horizon in HORIZONS_S:
        span = sums.copy()
        span[horizon:] -= sums[:-horizon]
        variance += span / horizon
    vol = np.maximum(FLOOR_PER_SQRT_S, np.sqrt(variance / len(HORIZONS_S)))
    vol[: max(HORIZONS_S)] = np.nan
    return np.asarray(np.round(vol, 12), dtype=np.float64)


def _momentum(price: Ints) -> Ints:
    """market.momentum in whole basis points; 0 in the first half hour."""
    total, weights = np.zeros(len(price)), 0.0
    for minutes, weight in WEIGHTS.items():
        back = 60 * minutes
        change = np.zeros(len(price))
        change[back:] = (price[back:] / price[:-back] - 1.0) * 10_000.0
        total += weight * change
        weights += weight
    found = np.rint(total / weights)
    found[: 60 * max(WEIGHTS)] = 0
    return found.astype(np.int64)


_Z = np.linspace(-9.0, 9.0, 36_001)
_PHI = np.array([0.5 * math.erfc(-z / math.sqrt(2.0)) for z in _Z])


def normal_below(z: Floats) -> Floats:
    """The normal distribution function by a table fine enough for a quote (3e-8)."""
    return np.asarray(np.interp(z, _Z, _PHI), dtype=np.float64)


def _quotes(tape: PathTape) -> tuple[Ints, Ints]:
    size = len(tape.price)
    seconds = np.arange(size, dtype=np.int64)
    quarter = np.clip((seconds - tape.first) // QUARTER_S, 0, tape.quarters - 1)
    close = tape.first + (quarter + 1) * QUARTER_S
    left = np.maximum(close - seconds, 0)
    seen = np.maximum(seconds - 1, 0)  # the quote's lag
    price = tape.price[seen].astype(np.float64)
    known = np.clip(60 - left, 0, 60)
    known_sum = (tape.total[np.minimum(seconds, close) + 1] - tape.total[np.maximum(seconds + 1 - known, 0)]).astype(
        float
    )
    unknown = 60 - known
    mean = (known_sum + unknown * price) / 60.0
    ahead = np.maximum(left - 60, 0)
    vol = np.nan_to_num(tape.vol, nan=1e-4)
    spread = np.maximum(price * vol * np.sqrt(ahead + unknown / 3.0) * unknown / 60.0, 1e-9)
    fair = normal_below((mean - tape.strikes[quarter]) / spread)
    minute = (tape.start_s + seconds) // 60
    points = np.arange(minute[0], minute[-1] + 2)
    drawn = np.array([gaussian(tape.seed + 3, int(key)) for key in points])
    bias = _BIAS_E4 * np.interp((tape.start_s + seconds) / 60.0, points, drawn)
    middle = 10_000.0 * fair + bias * 4.0 * fair * (1.0 - fair)
    half = tape.halves_e4[quarter]
    bid = np.clip(np.floor((middle - half) / 100.0) * 100, 0, 9_900).astype(np.int64)
    ask = np.clip(np.ceil((middle + half) / 100.0) * 100, 100, 10_000).astype(np.int64)
    return bid, ask
