"""The probability model: how far BTC went in the past, in its own volatility, when it was like now.

A table holds, for a horizon, a volatility and a momentum, the distribution F of
    x = (settlement mean - price) / (price x s x sqrt(w))
with s the volatility per sqrt(second) at the time and w the walk still to come in seconds (market.probability.outlook: the
averaging and the part of it on record are in w and in the expected mean). So every move is a percentage of the price that
stood then, never of a fixed one. Then
    P(mean above strike) = 1 - F(-d),  d = (expected mean - strike) / sd
A falling market is a rising one in a mirror: tables are kept for momentum upwards, and x changes its sign for momentum
downwards, so up and down cannot be mixed up. Between knots everything is interpolated linearly (time and volatility by
their logarithm), beyond the last knot the last table holds. Beyond x = +-4 the closed form's tail continues the table
from the value it has there: no cliff. ``NORMAL`` is the closed form by itself, for a desk without history.
"""

from __future__ import annotations

import itertools
import math
from bisect import bisect_right
from collections.abc import Sequence

import msgspec

from recio.market.probability import NEARLY, decided, from_above, mixture, outlook
from recio.market.probability import probability_yes as normal_yes
from recio.market.settlement import AVERAGING_S, Observed

__all__ = ["GRID", "GRID_STEP", "NORMAL", "ModelError", "ProbabilityModel", "TableModel", "load", "momentum_units"]

GRID_STEP = 0.25
GRID = tuple(-4.0 + GRID_STEP * index for index in range(33))  # x of a table's values
_MOMENTUM_S = 180.0  # about how far back the weights of market.momentum look
_VOL_MIN = 1e-7


class ModelError(ValueError):
    """A stored model that cannot be used; the message says what is wrong with it."""


class ProbabilityModel(msgspec.Struct, frozen=True, kw_only=True):
    """What every model answers; by itself it is the closed form."""

    version: str = "normal-1"
    train_from_s: float = 0.0  # history it was built from: [train_from_s, train_to_s); empty for the closed form
    train_to_s: float = 0.0
    basis_bp: float = 0.0  # standard deviation of our price against the index, basis points

    def probability_yes(
        self,
        strike_type: str,
        floor_strike_e2: int | None,
        cap_strike_e2: int | None,
        price_e2: int,
        seconds_to_close: float,
        vol_per_sqrt_s: float,
        averaging_s: int = AVERAGING_S,
        observed: Observed | None = None,
        *,
        momentum_bp: float | None = None,
        basis_sd_e2: float | None = None,
    ) -> float | None:
        """The chance that the market settles YES by its own rule; None when its strike is not known yet.

        ``momentum_bp`` is market.momentum's figure, None while unknown; ``basis_sd_e2`` overrides the model's own.
        """
        basis = self.basis_bp * 1e-4 * price_e2 if basis_sd_e2 is None else basis_sd_e2
        return normal_yes(
            strike_type, floor_strike_e2, cap_strike_e2, price_e2, seconds_to_close, vol_per_sqrt_s, averaging_s,
            observed, basis_sd_e2=basis,
        )  # fmt: skip

    def was_trained_on(self, at_s: float) -> bool:
        """Whether this moment lies in the history the model was made of: it must not be scored there."""
        return self.train_from_s <= at_s < self.train_to_s


class TableModel(ProbabilityModel, frozen=True, kw_only=True):
    """Tables by walk, volatility and momentum; the last momentum table is for "not known"."""

    walk_knots_s: tuple[float, ...]
    vol_knots: tuple[float, ...]
    momentum_knots: tuple[float, ...]  # in units of sd, see momentum_units
    tables: tuple[tuple[float, ...], ...]  # [(walk x vols + vol) x (momenta + 1) + momentum] -> F at GRID
    samples: int = 0

    def __post_init__(self) -> None:
        for name in ("walk_knots_s", "vol_knots", "momentum_knots"):
            knots = getattr(self, name)
            if not knots or any(a >= b for a, b in itertools.pairwise(knots)):
                raise ValueError(f"{name} is {knots}; knots rise")
        wanted = len(self.walk_knots_s) * len(self.vol_knots) * (len(self.momentum_knots) + 1)
        if len(self.tables) != wanted:
            raise ValueError(f"there are {len(self.tables)} tables; the knots ask for {wanted}")
        for table in self.tables:
            rises = all(a <= b for a, b in itertools.pairwise(table))
            if len(table) != len(GRID) or not rises or not 0.0 < table[0] <= table[-1] < 1.0:
                raise ValueError(f"a table of {len(table)} values from {table[0]} to {table[-1]} is no distribution")

    def probability_yes(
        self,
        strike_type: str,
        floor_strike_e2: int | None,
        cap_strike_e2: int | None,
        price_e2: int,
        seconds_to_close: float,
        vol_per_sqrt_s: float,
        averaging_s: int = AVERAGING_S,
        observed: Observed | None = None,
        *,
        momentum_bp: float | None = None,
        basis_sd_e2: float | None = None,
    ) -> float | None:
        """See ProbabilityModel. Rises with the price, falls with the strike; 0 and 1 exactly only when decided."""
        seen = outlook(price_e2, seconds_to_close, vol_per_sqrt_s, averaging_s, observed)
        basis = self.basis_bp * 1e-4 * price_e2 if basis_sd_e2 is None else basis_sd_e2
        units = None if momentum_bp is None else momentum_units(momentum_bp, vol_per_sqrt_s)
        sd = math.hypot(seen.sd_walk_e2, basis)
        mixed = self.shares(seen.walk_s, vol_per_sqrt_s, units)

        def above(strike_e2: int, inclusive: bool) -> float:
            if seen.decided and basis <= 0.0:
                return decided(seen, strike_e2, inclusive)
            away = seen.mean_e2 - strike_e2
            if sd <= 0.0:
                return 1.0 - NEARLY if away > 0 else NEARLY if away < 0 else 0.5
            d = away / sd
            mirrored = units is not None and units < 0.0
            chance = self.below(d, mixed) if mirrored else 1.0 - self.below(-d, mixed)
            return min(1.0 - NEARLY, max(NEARLY, chance))

        return from_above(strike_type, floor_strike_e2, cap_strike_e2, above)

    def shares(self, walk_s: float, vol: float, momentum: float | None) -> list[tuple[int, float]]:
        """(table, weight) of the knots around; the weights are positive and add up to 1."""
        momenta = len(self.momentum_knots)
        moving = [(momenta, 1.0)] if momentum is None else _around(self.momentum_knots, abs(momentum), logarithm=False)
        found: list[tuple[int, float]] = []
        for w, w_share in _around(self.walk_knots_s, walk_s):
            for v, v_share in _around(self.vol_knots, vol):
                first = (w * len(self.vol_knots) + v) * (momenta + 1)
                found.extend((first + m, w_share * v_share * m_share) for m, m_share in moving)
        return found

    def below(self, x: float, mixed: Sequence[tuple[int, float]]) -> float:
        """The mixed tables' distribution function at ``x``, in the momentum's direction."""
        if x <= GRID[0]:
            edge = sum(self.tables[table][0] * share for table, share in mixed)
            return edge * mixture(x) / mixture(GRID[0])
        if x >= GRID[-1]:
            edge = sum((1.0 - self.tables[table][-1]) * share for table, share in mixed)
            return 1.0 - edge * mixture(-x) / mixture(-GRID[-1])
        place = (x - GRID[0]) / GRID_STEP
        at = min(int(place), len(GRID) - 2)
        part = place - at
        total = 0.0
        for table, share in mixed:
            values = self.tables[table]
            total += share * (values[at] + (values[at + 1] - values[at]) * part)
        return total

    def to_bytes(self) -> bytes:
        """JSON, for the database or a file."""
        return msgspec.json.encode(self)


NORMAL = ProbabilityModel()


def momentum_units(momentum_bp: float, vol_per_sqrt_s: float) -> float:
    """Momentum in standard deviations of what this volatility moves in three minutes."""
    return momentum_bp * 1e-4 / (max(vol_per_sqrt_s, _VOL_MIN) * math.sqrt(_MOMENTUM_S))


def load(data: bytes) -> TableModel:
    """A model from ``TableModel.to_bytes``; ModelError when it is damaged or inconsistent."""
    try:
        return msgspec.json.decode(data, type=TableModel)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ModelError(
            f"the stored model cannot be read: {error}; build it again with `recio model build`"
        ) from error


def _around(knots: Sequence[float], value: float, *, logarithm: bool = True) -> list[tuple[int, float]]:
    """The two knots around a value and their shares; the last one alone beyond the ends."""
    if value <= knots[0]:
        return [(0, 1.0)]
    if value >= knots[-1]:
        return [(len(knots) - 1, 1.0)]
    at = bisect_right(knots, value) - 1
    low, high = knots[at], knots[at + 1]
    share = math.log(value / low) / math.log(high / low) if logarithm else (value - low) / (high - low)
    return [(at, 1.0 - share), (at + 1, share)]
