"""Realised volatility of log returns, per square root of a second, over several horizons."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

__all__ = ["FLOOR_PER_SQRT_S", "HORIZONS_S", "blended", "realised", "realised_by_horizon"]

# 1e-5 per sqrt(s) is about 5.6 % a year, calmer than BTC has ever been: a frozen feed must not read as certainty.
FLOOR_PER_SQRT_S = 1e-5
HORIZONS_S = (300, 900, 3600)

PriceAt = Callable[[float], int | None]


def realised(price_at: PriceAt, now_s: float, horizon_s: int, step_s: int = 10, min_share: float = 0.5) -> float | None:
    """Root mean square of the returns over ``step_s`` in the last ``horizon_s``, per sqrt(second).

    None when fewer than ``min_share`` of the steps have both prices. The mean return is taken as zero: over minutes it
    is noise. Steps of 10 s, not 1 s: the bounce between bid and ask would read as volatility.
    """
    steps = max(1, horizon_s // step_s)
    total, counted = 0.0, 0
    newer = price_at(now_s)
    for step in range(1, steps + 1):
        older = price_at(now_s - step * step_s)
        if newer and older and newer > 0 and older > 0:
            total += math.log(newer / older) ** 2
            counted += 1
        newer = older
    if counted < max(1, math.ceil(steps * min_share)):
        return None
    return math.sqrt(total / (counted * step_s))


def realised_by_horizon(
    price_at: PriceAt, now_s: float, horizons_s: Iterable[int] = HORIZONS_S, step_s: int = 10
) -> dict[int, float | None]:
    """Realised volatility for each horizon (seconds); None where history is too short."""
    return {horizon: realised(price_at, now_s, horizon, step_s) for horizon in horizons_s}


def blended(by_horizon: dict[int, float | None]) -> float | None:
    """One figure from several horizons: the mean of their variances, at least the floor; None when none is known."""
    known = [value for value in by_horizon.values() if value is not None]
    if not known:
        return None
    return max(FLOOR_PER_SQRT_S, math.sqrt(sum(value * value for value in known) / len(known)))
