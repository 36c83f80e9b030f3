"""Building the probability model from one-minute history. Pure and plain: the scheduled job needs no numpy.

Every minute with an hour behind it is a sample for every horizon: price = its close, settlement mean = the mean of the
minute that ends at the horizon, both only from minutes on record (a gap makes samples missing, never wrong). Moves are
taken in standard deviations of the volatility as it was measured then. Neighbouring samples overlap, so a cell counts as
many samples as fit side by side. Each table is smoothed by a normal kernel and drawn towards its parent:
    cell (walk, volatility, momentum) -> all of this walk, made symmetric -> the closed form
with the weight of ``_PRIOR`` samples, so that a thin cell says what its parent says.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterable, Sequence

from recio.market.model import GRID, ModelError, TableModel, momentum_units
from recio.market.momentum import WEIGHTS
from recio.market.probability import mixture, variance_s
from recio.market.settlement import AVERAGING_S
from recio.market.volatility import FLOOR_PER_SQRT_S

__all__ = ["DEFAULT_BASIS_BP", "HORIZONS_MIN", "MINIMUM_MINUTES", "build", "measured_basis_bp"]

HORIZONS_MIN = (2, 3, 5, 8, 15, 30, 60)
MINIMUM_MINUTES = 1440
DEFAULT_BASIS_BP = 0.5  # assumed until enough settlements were seen
_BASIS_PAIRS = 20
_VOL_MINUTES = (15, 60)  # the horizons of market.volatility that one-minute closes can give
_MOMENTUM_EDGES = (0.5, 1.5)
_BINS_PER_UNIT, _REACH = 20, 8
_KERNEL_SD = 0.15
_PRIOR = 60.0

Candle = tuple[float, int, int, int, int]  # start_s, open, high, low, close in cents


def measured_basis_bp(pairs: Iterable[tuple[float, float]]) -> float | None:
    """Root mean square difference, in basis points, of (our mean, index mean) over the same minutes; None under 20 pairs.

    A tenth of the largest ones is left out: a feed that was away for half the minute is no basis.
    """
    squares = sorted(((ours / index - 1.0) * 1e4) ** 2 for ours, index in pairs if ours > 0 and index > 0)
    if len(squares) < _BASIS_PAIRS:
        return None
    kept = squares[: math.ceil(len(squares) * 0.9)]
    return math.sqrt(sum(kept) / len(kept))


class _History:
    """Minutes side by side, with what the rules would have measured at the end of each."""

    def __init__(self, candles: Iterable[Candle]) -> None:
        rows = {int(row[0]) // 60: row for row in candles}
        if not rows:
            raise ModelError("there is no history to build from; `recio history fetch` or `recio history load FILE`")
        self.first, last = min(rows), max(rows)
        self.count = len(rows)
        size = last - self.first + 1
        self.close, self.mean = array("d", bytes(8 * size)), array("d", bytes(8 * size))
        for minute, (_, first, high, low, close) in rows.items():
            self.close[minute - self.first] = close
            # The path's mean when it runs open, extreme, other extreme, close with the extremes about a third in.
            self.mean[minute - self.first] = 0.13 * first + 0.37 * (high + low) + 0.13 * close
        self._squares, self._known = array("d", [0.0]), array("q", [0])
        for at in range(size):
            good = at > 0 and self.close[at] > 0 and self.close[at - 1] > 0
            self._squares.append(
                self._squares[-1] + (math.log(self.close[at] / self.close[at - 1]) ** 2 if good else 0)
            )
            self._known.append(self._known[-1] + good)

    def volatility(self, at: int) -> float | None:
        """As market.volatility: mean of the horizons' variances, at least the floor; None without half of the steps."""
        found = []
        for minutes in _VOL_MINUTES:
            start = max(0, at + 1 - minutes)
            known = self._known[at + 1] - self._known[start]
            if known >= minutes / 2:
                found.append((self._squares[at + 1] - self._squares[start]) / (known * 60))
        return max(FLOOR_PER_SQRT_S, math.sqrt(sum(found) / len(found))) if found else None

    def momentum_bp(self, at: int) -> float | None:
        """As market.momentum, unrounded."""
        total = weights = 0.0
        for minutes, weight in WEIGHTS.items():
            then = self.close[at - minutes] if at >= minutes else 0.0
            if then > 0:
                total += weight * (self.close[at] / then - 1.0) * 1e4
                weights += weight
        return total / weights if weights else None


def build(candles: Iterable[Candle], version: str, *, basis_bp: float | None = None) -> TableModel:
    """A model of this history; ModelError when it is less than a day. ``basis_bp`` None takes the assumed one."""
    history = _History(candles)
    if history.count < MINIMUM_MINUTES:
        raise ModelError(
            f"{history.count} minutes of history are too few, a model takes {MINIMUM_MINUTES} at least; "
            "`recio history fetch --from DATE`"
        )
    moments = _moments(history)
    vol_edges, vol_knots = _thirds([vol for _, vol, _ in moments])
    strengths = [abs(units) for _, _, units in moments if units is not None]
    fast = sorted(value for value in strengths if value >= _MOMENTUM_EDGES[1])
    strongest = max(_MOMENTUM_EDGES[1] + 0.5, fast[len(fast) // 2] if fast else 0.0)
    tables: list[tuple[float, ...]] = []
    samples = 0
    for minutes in HORIZONS_MIN:
        walk = variance_s(60.0 * minutes - AVERAGING_S + 1, AVERAGING_S)
        cells, used = _histograms(history, moments, minutes, math.sqrt(walk), vol_edges)
        samples += used
        everything = [sum(column) for column in zip(*(cell for row in cells for cell in row), strict=True)]
        closed = [mixture(x) for x in GRID]
        parent = _symmetric(_table(everything, closed, minutes))
        for row in cells:
            tables.append(_symmetric(_table(row[0], parent, minutes)))
            tables.extend(_table(cell, parent, minutes) for cell in row[1:-1])
            tables.append(_symmetric(_table([sum(column) for column in zip(*row, strict=True)], parent, minutes)))
    if not samples:
        raise ModelError("the history has no stretch of two hours without a hole; fill it with `recio history fetch`")
    return TableModel(
        version=version,
        train_from_s=float(history.first * 60),
        train_to_s=float((history.first + len(history.close)) * 60),
        basis_bp=DEFAULT_BASIS_BP if basis_bp is None else basis_bp,
        walk_knots_s=tuple(variance_s(60.0 * minutes - AVERAGING_S + 1, AVERAGING_S) for minutes in HORIZONS_MIN),
        vol_knots=vol_knots,
        momentum_knots=(0.0, sum(_MOMENTUM_EDGES) / 2, strongest),
        tables=tuple(tables),
        samples=samples,
    )


def _moments(history: _History) -> list[tuple[int, float, float | None]]:
    """(minute, volatility, momentum in units) of every minute that has a price and a volatility."""
    found = []
    for at in range(60, len(history.close)):
        if history.close[at] <= 0:
            continue
        vol = history.volatility(at)
        if vol is not None:
            momentum = history.momentum_bp(at)
            found.append((at, vol, None if momentum is None else momentum_units(momentum, vol)))
    if not found:
        raise ModelError("the history has no hour without a hole; fill it with `recio history fetch`")
    return found


def _thirds(values: Sequence[float]) -> tuple[tuple[float, float], tuple[float, ...]]:
    """Edges between calm, usual and wild, and the median of each."""
    ordered = sorted(values)
    size = len(ordered)
    knots: list[float] = []
    for sixth in (1, 3, 5):
        value = ordered[size * sixth // 6]
        knots.append(max(value, knots[-1] * 1.001) if knots else value)
    return (ordered[size // 3], ordered[2 * size // 3]), tuple(knots)


def _histograms(
    history: _History,
    moments: Sequence[tuple[int, float, float | None]],
    minutes: int,
    root_walk: float,
    vol_edges: tuple[float, float],
) -> tuple[list[list[list[float]]], int]:
    """Counts of x by volatility and momentum (flat, middling, strong, not known), in the momentum's direction.

    Flat and unknown momentum has no direction: such a sample counts half on each side.
    """
    bins = 2 * _REACH * _BINS_PER_UNIT
    cells = [[[0.0] * bins for _ in range(4)] for _ in range(3)]
    used = 0
    for at, vol, units in moments:
        ends = at + minutes
        if ends >= len(history.mean) or history.mean[ends] <= 0:
            continue
        price = history.close[at]
        x = (history.mean[ends] - price) / (price * vol * root_walk)
        row = cells[(vol > vol_edges[0]) + (vol > vol_edges[1])]
        used += 1
        if units is None or abs(units) < _MOMENTUM_EDGES[0]:
            cell = row[3 if units is None else 0]
            cell[_bin(x, bins)] += 0.5
            cell[_bin(-x, bins)] += 0.5
        else:
            row[1 if abs(units) < _MOMENTUM_EDGES[1] else 2][_bin(x if units > 0 else -x, bins)] += 1.0
    return cells, used


def _bin(x: float, bins: int) -> int:
    return min(bins - 1, max(0, math.floor((x + _REACH) * _BINS_PER_UNIT)))


def _kernel() -> list[list[float]]:
    """For each bin, how much of its kernel lies below each point of the grid."""
    scale = _KERNEL_SD * math.sqrt(2.0)
    middles = [(index + 0.5) / _BINS_PER_UNIT - _REACH for index in range(2 * _REACH * _BINS_PER_UNIT)]
    return [[0.5 * math.erfc((middle - x) / scale) for x in GRID] for middle in middles]


_KERNEL: list[list[float]] = []


def _table(counts: Sequence[float], parent: Sequence[float], overlap: int) -> tuple[float, ...]:
    """The smoothed distribution at the grid, drawn towards its parent; ``overlap`` samples count as one."""
    if not _KERNEL:
        _KERNEL.extend(_kernel())
    sums = [0.0] * len(GRID)
    total = 0.0
    for count, below in zip(counts, _KERNEL, strict=True):
        if count:
            total += count
            for index, share in enumerate(below):
                sums[index] += count * share
    weight = total / overlap
    own = [value / total for value in sums] if total else list(parent)
    mixed = [(weight * a + _PRIOR * b) / (weight + _PRIOR) for a, b in zip(own, parent, strict=True)]
    for index in range(1, len(mixed)):  # rounding alone could bend it
        mixed[index] = max(mixed[index], mixed[index - 1])
    return tuple(mixed)


def _symmetric(table: Sequence[float]) -> tuple[float, ...]:
    """Without a direction: F(-x) = 1 - F(x), exactly."""
    half = len(table) // 2
    low = [0.5 * (table[index] + 1.0 - table[-1 - index]) for index in range(half)]
    return (*low, 0.5, *(1.0 - value for value in reversed(low)))
