"""The model over many seconds at once, to find the seconds worth looking at. Decisions are never made with it.

The same formulas as market.model with numpy; equal to it to about 1e-7 (a table stands in for erfc). Whoever uses it leaves
a margin, and hands what it finds to the one code that decides.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from recio.market.model import GRID, GRID_STEP, ProbabilityModel, TableModel
from recio.market.probability import MIXTURE
from recio.research.tape import QUARTER_S, Floats, Ints, PathTape, normal_below

__all__ = ["may_enter", "may_stop", "model_yes"]

_MARGIN = 1e-4  # of a probability
_MARGIN_E4 = 2.0  # of a differential: roundings of decision and fee
_MOMENTUM_S = 180.0


def _mixture(z: Floats, sd: Floats | float = 1.0, basis: Floats | float = 0.0) -> Floats:
    total = np.zeros_like(z)
    for factor, weight in MIXTURE:
        total += weight * normal_below(z / np.maximum(np.hypot(factor * sd, basis), 1e-12))
    return total


def _around(knots: Sequence[float], value: Floats, *, logarithm: bool = True) -> tuple[Ints, Floats]:
    """(lower knot, share of the upper one), beyond the ends the last knot alone."""
    line = np.log(np.array(knots)) if logarithm else np.array(knots)
    bounded = np.clip(np.log(np.maximum(value, 1e-12)) if logarithm else value, line[0], line[-1])
    at = np.clip(np.searchsorted(line, bounded, side="right") - 1, 0, max(0, len(line) - 2))
    if len(line) == 1:
        return at, np.zeros_like(bounded)
    return at, (bounded - line[at]) / (line[at + 1] - line[at])


def _below(model: TableModel, x: Floats, walk: Floats, vol: Floats, units: Floats) -> Floats:
    tables = np.array(model.tables)
    place = np.clip((x - GRID[0]) / GRID_STEP, 0.0, len(GRID) - 1.0)
    at = np.minimum(place.astype(np.int64), len(GRID) - 2)
    part = place - at
    axes = (
        _around(model.walk_knots_s, walk),
        _around(model.vol_knots, vol),
        _around(model.momentum_knots, np.abs(units), logarithm=False),
    )
    total = np.zeros_like(x)
    for corner in range(8):
        index: Ints = np.zeros(len(x), dtype=np.int64)
        share: Floats = np.ones_like(x)
        sizes = (len(model.walk_knots_s), len(model.vol_knots), len(model.momentum_knots) + 1)
        for axis, ((knot, upper), size) in enumerate(zip(axes, sizes, strict=True)):
            up = corner >> axis & 1
            index = index * size + np.minimum(knot + up, size - 1)
            share = share * (upper if up else 1.0 - upper)
        low = tables[index, at]
        total += share * (low + (tables[index, at + 1] - low) * part)
    # Beyond the grid the clipped place gives the edge's value; the closed form's tail goes on from there.
    under, over = x < GRID[0], x > GRID[-1]
    edge = float(_mixture(np.array([GRID[0]]))[0])
    total[under] *= _mixture(x[under]) / edge
    total[over] = 1.0 - (1.0 - total[over]) * _mixture(-x[over]) / edge
    return total


def model_yes(model: ProbabilityModel, tape: PathTape, at: Ints) -> Floats:
    """The model's chance of YES at these indices of the tape, each for the quarter it is in."""
    quarter = np.clip((at - tape.first) // QUARTER_S, 0, tape.quarters - 1)
    close = tape.first + (quarter + 1) * QUARTER_S
    left = close - at
    future = np.minimum(60, left).astype(np.float64)
    known = (60 - future).astype(np.int64)
    known_sum = (tape.total[at + 1] - tape.total[at + 1 - known]).astype(np.float64)
    price = tape.price[at].astype(np.float64)
    mean = (known_sum + future * price) / 60.0
    inner = (future - 1) * (2 * future - 1) / (6.0 * np.maximum(future, 1.0))
    walk = (future / 60.0) ** 2 * (left - future + 1 + inner)
    vol = np.nan_to_num(tape.vol[at], nan=1e-4)
    sd = vol * price * np.sqrt(walk)
    basis = model.basis_bp * 1e-4 * price
    away = mean - tape.strikes[quarter]
    if not isinstance(model, TableModel):
        return _mixture(away, sd, basis)
    d = away / np.hypot(sd, basis)
    units = tape.momentum[at] * 1e-4 / (vol * math.sqrt(_MOMENTUM_S))
    falling = units < 0
    below = _below(model, np.where(falling, d, -d), walk, vol, units)
    return np.where(falling, below, 1.0 - below)


def may_enter(
    tape: PathTape,
    at: Ints,
    yes: Floats,
    *,
    weight: float,
    min_probability: float,
    min_differential_e4: int,
    max_ask_e4: int,
) -> NDArray[np.bool_]:
    """Where an entry on either side is possible at all by probability, price and fee; more than really are, never fewer."""
    bid, ask = tape.yes_bid[at].astype(np.float64), tape.yes_ask[at].astype(np.float64)
    market = np.clip((bid + ask) / 20_000.0, 1e-6, 1 - 1e-6)
    own = np.clip(yes, 1e-6, 1 - 1e-6)
    odds = weight * np.log(own / (1 - own)) + (1 - weight) * np.log(market / (1 - market))
    mixed = 1.0 / (1.0 + np.exp(-odds))
    found = np.zeros(len(at), dtype=bool)
    for chance, price in ((mixed, ask), (1.0 - mixed, 10_000.0 - bid)):
        fee = 0.07 * price * (10_000.0 - price) / 10_000.0
        worth = chance * 10_000.0 - price - fee >= min_differential_e4 - _MARGIN_E4
        fits = (price > 0) & (price < 10_000) & (price <= max_ask_e4) & (chance >= min_probability - _MARGIN)
        found |= worth & fits
    return found & (bid > 0) & (ask < 10_000)


def may_stop(
    tape: PathTape, at: Ints, yes: Floats, *, low: float, momentum_bp: int | None, always: bool
) -> NDArray[np.bool_]:
    """Where a stop on either side could want to look."""
    if always:
        return np.ones(len(at), dtype=bool)
    found = (yes < low + _MARGIN) | (yes > 1.0 - low - _MARGIN)
    if momentum_bp is not None:
        found |= np.abs(tape.momentum[at]) >= momentum_bp
    return np.asarray(found, dtype=bool)
