"""How many contracts an entry asks for: a fixed count, or a fraction of Kelly's, under a hard dollar ceiling.

Kelly (A New Interpretation of Information Rate, Bell System Technical Journal 35, 1956): a bet that costs c and pays 1
with probability p grows the account fastest at the fraction f = (p - c) / (1 - c) of it. c is the price with the taker
fee. A fraction of f is taken because p is an estimate: full Kelly on an edge that is not there loses fastest.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from recio.market.fees import CURRENT, FeeSchedule, taker_fee_e6
from recio.units import ONE_DOLLAR_E4

__all__ = ["Sizing", "affordable_e2", "kelly_fraction", "wanted_e2", "whole"]

_CONTRACT_E2 = 100


class Sizing(msgspec.Struct, frozen=True):
    """What a monitor's settings say about size. The ceiling is fee included, at the worst price the order allows."""

    method: Literal["fixed", "kelly"]
    base_count_e2: int  # fixed: contracts x 100
    multiplier: int
    kelly_fraction_percent: float  # kelly: this much of Kelly's fraction
    max_cost_e6: int  # micro-dollars, applied last, to both


def kelly_fraction(probability: float, cost_e4: float) -> float:
    """Kelly's fraction of the account, 0 to 1, for a contract that costs ``cost_e4`` (1/10,000 dollar, fee included)
    and pays a dollar with ``probability``; 0 without an edge or for a cost that leaves nothing to win."""
    cost = cost_e4 / ONE_DOLLAR_E4
    if not 0.0 < cost < 1.0 or not probability > cost:
        return 0.0
    return min(1.0, (probability - cost) / (1.0 - cost))


def affordable_e2(count_e2: int, price_e4: int, ceiling_e6: int, fees: FeeSchedule = CURRENT) -> int:
    """The largest count (contracts x 100) not over ``count_e2`` that costs at most ``ceiling_e6`` with its taker fee
    when all of it fills at ``price_e4``. The cost grows with the count, so halving finds it."""
    low, high = 0, max(0, count_e2)
    while low < high:
        middle = (low + high + 1) // 2
        if middle * price_e4 + taker_fee_e6(middle, price_e4, fees) <= ceiling_e6:
            low = middle
        else:
            high = middle - 1
    return low


def wanted_e2(
    sizing: Sizing,
    probability: float,
    limit_price_e4: int,
    bankroll_e6: int | None,
    fees: FeeSchedule = CURRENT,
) -> int:
    """Contracts x 100 to ask for, never costing more than the ceiling; 0 when Kelly sees no edge after the fee at the
    limit price, or the account is not known. Whole contracts, unless the base itself is a part of one."""
    if sizing.method == "fixed":
        wanted = sizing.base_count_e2 * sizing.multiplier
    else:
        fee_e4 = taker_fee_e6(_CONTRACT_E2, limit_price_e4, fees) / 100
        part = kelly_fraction(probability, limit_price_e4 + fee_e4) * sizing.kelly_fraction_percent / 100.0
        stake_e6 = int(part * (bankroll_e6 or 0))
        wanted = affordable_e2(stake_e6 // max(1, limit_price_e4), limit_price_e4, stake_e6, fees)
    found = affordable_e2(wanted, limit_price_e4, sizing.max_cost_e6, fees)
    return whole(found) if wanted % _CONTRACT_E2 == 0 or sizing.method == "kelly" else found


def whole(count_e2: int) -> int:
    """The whole contracts in a count, x 100."""
    return count_e2 - count_e2 % _CONTRACT_E2
