"""How a BTC market settles: on the mean of the sixty one-second index values before its close.

The values are those of the window (close - 60 s, close]: at close - 59, ... close. KXBTCD is strictly above its strike,
KXBTC15M at or above it with the mean rounded to cents.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import msgspec

__all__ = ["AVERAGING_S", "Observed", "observe", "result_of", "sample_times", "settlement_mean_e2"]

AVERAGING_S = 60


class Observed(msgspec.Struct, frozen=True):
    """The known part of the settlement's average: how many of its values are on record, and their mean in cents."""

    count: int = 0
    mean_e2: float = 0.0


def sample_times(close_s: float, averaging_s: int = AVERAGING_S) -> range:
    """The seconds whose index values are averaged, oldest first."""
    close = math.floor(close_s)
    return range(close - averaging_s + 1, close + 1)


def observe(
    price_at: Callable[[float], int | None], close_s: float, now_s: float, averaging_s: int = AVERAGING_S
) -> Observed:
    """What is known at ``now_s`` of the average; a second without a price is left out, never filled with a guess."""
    known = [
        price for at in sample_times(close_s, averaging_s) if at <= now_s and (price := price_at(float(at))) is not None
    ]
    return Observed(len(known), sum(known) / len(known)) if known else Observed()


def settlement_mean_e2(
    price_at: Callable[[float], int | None], close_s: float, averaging_s: int = AVERAGING_S
) -> float | None:
    """The mean that decides, in cents; None when one of its values is missing."""
    found = observe(price_at, close_s, close_s, averaging_s)
    return found.mean_e2 if found.count == averaging_s else None


def result_of(
    mean_e2: float, strike_type: str, floor_strike_e2: int | None = None, cap_strike_e2: int | None = None
) -> str:
    """'yes' or 'no' by the market's own rule; raises ValueError for a rule or strike this does not know."""
    if strike_type == "greater" and floor_strike_e2 is not None:
        return "yes" if mean_e2 > floor_strike_e2 else "no"
    if strike_type == "greater_or_equal" and floor_strike_e2 is not None:
        return "yes" if math.floor(mean_e2 + 0.5) >= floor_strike_e2 else "no"
    if strike_type == "less" and cap_strike_e2 is not None:
        return "yes" if mean_e2 < cap_strike_e2 else "no"
    if strike_type == "less_or_equal" and cap_strike_e2 is not None:
        return "yes" if mean_e2 <= cap_strike_e2 else "no"
    if strike_type == "between" and floor_strike_e2 is not None and cap_strike_e2 is not None:
        return "yes" if floor_strike_e2 <= mean_e2 <= cap_strike_e2 else "no"
    raise ValueError(
        f"cannot settle strike_type {strike_type!r} with floor {floor_strike_e2} and cap {cap_strike_e2}; "
        "known: greater, greater_or_equal (floor), less, less_or_equal (cap), between (both)"
    )
