"""What a series of finished trades says: intervals, ratios, drawdown, streaks. Pure; money in micro-dollars (``_e6``)."""

from __future__ import annotations

import math
from collections.abc import Iterable

import msgspec

__all__ = ["Drawdown", "drawdown", "longest_losing_streak", "per_contract_e6", "ratio", "wilson"]

_Z95 = 1.959963984540054  # the normal's 97.5 % quantile


class Drawdown(msgspec.Struct, frozen=True):
    """The deepest fall of the running PnL below its highest value before (0 at the start): how deep, and between which
    trades (positions from 1; 0 is the start; both 0 without a fall)."""

    amount_e6: int = 0
    peak: int = 0
    trough: int = 0


def wilson(won: int, decided: int) -> tuple[float, float] | None:
    """The 95 % interval of a share of ``decided`` trials; None without any. ValueError for a count out of range.

    E. B. Wilson, JASA 22 (1927) 209: (p + z2/2n -+ z sqrt(p(1-p)/n + z2/4n2)) / (1 + z2/n). It stays within 0 and 1 and
    says something useful after few trials, where p -+ z sqrt(p(1-p)/n) does not.
    """
    if decided < 0 or not 0 <= won <= max(decided, 0):
        raise ValueError(f"{won} won of {decided}; expected 0 <= won <= decided")
    if not decided:
        return None
    share, z2 = won / decided, _Z95 * _Z95
    middle = share + z2 / (2 * decided)
    half = _Z95 * math.sqrt(share * (1 - share) / decided + z2 / (4 * decided * decided))
    scale = 1 + z2 / decided
    return max(0.0, (middle - half) / scale), min(1.0, (middle + half) / scale)


def ratio(part: int, whole: int) -> float | None:
    """part / whole; None for a whole of 0: then there is nothing to compare with."""
    return part / whole if whole else None


def per_contract_e6(pnl_e6: int, count_e2: int) -> int | None:
    """Mean PnL of one contract, rounded to the micro-dollar (half to even); None for no contract."""
    if not count_e2:
        return None
    quotient, rest = divmod(abs(pnl_e6) * 100, count_e2)
    up = 2 * rest > count_e2 or (2 * rest == count_e2 and quotient % 2)
    return (quotient + bool(up)) * (1 if pnl_e6 >= 0 else -1)


def drawdown(pnls_e6: Iterable[int]) -> Drawdown:
    """The deepest fall of the running sum, in the order given; the first one of several as deep."""
    equity = top = top_at = 0
    found = Drawdown()
    for at, pnl in enumerate(pnls_e6, 1):
        equity += pnl
        if equity > top:
            top, top_at = equity, at
        elif top - equity > found.amount_e6:
            found = Drawdown(top - equity, top_at, at)
    return found


def longest_losing_streak(pnls_e6: Iterable[int]) -> int:
    """How many losses came one after another at most; a trade that earned or lost nothing ends a streak."""
    longest = now = 0
    for pnl in pnls_e6:
        now = now + 1 if pnl < 0 else 0
        longest = max(longest, now)
    return longest
