"""Trading fees by published schedule, exact in integers.

Quadratic fee of one fill: ceil_to(quantum, multiplier x rate x count x price x (1 - price)); an order's fee is the sum
over its fills. The 2025 schedule rounds each fill up to a whole cent (it matched every one of 1392 recorded orders),
the one in force since 2026-07-07 to 0.0001 dollar (1 contract at 0.52 pays 0.0175, at 0.99 0.0007, both seen on fills).
What the exchange says it charged always wins over this forecast.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from recio.units import ONE_DOLLAR_E4

__all__ = [
    "CURRENT",
    "KALSHI_2025",
    "KALSHI_2026",
    "SCHEDULES",
    "FeeSchedule",
    "fee_e6",
    "order_fee_e6",
    "schedule_at",
    "taker_fee_e6",
]


class FeeSchedule(msgspec.Struct, frozen=True, kw_only=True):
    """One published schedule. Rates are in millionths (0.07 = 70,000), the quantum in micro-dollars."""

    name: str
    effective_from_s: float
    taker_rate_e6: int = 70_000
    maker_rate_e6: int = 0
    multiplier_e4: int = 10_000
    quantum_e6: int = 100


KALSHI_2025 = FeeSchedule(name="kalshi-2025", effective_from_s=0.0, quantum_e6=10_000)
KALSHI_2026 = FeeSchedule(name="kalshi-2026-07-07", effective_from_s=1_783_382_400.0)  # 2026-07-07T00:00:00Z
SCHEDULES = (KALSHI_2025, KALSHI_2026)
CURRENT = KALSHI_2026


def schedule_at(at_s: float) -> FeeSchedule:
    """The schedule in force at this moment; the oldest one for times before all of them."""
    found = SCHEDULES[0]
    for schedule in SCHEDULES:
        if schedule.effective_from_s <= at_s:
            found = schedule
    return found


def fee_e6(count_e2: int, price_e4: int, schedule: FeeSchedule = CURRENT, *, is_taker: bool = True) -> int:
    """The fee of one fill in micro-dollars, rounded up to the quantum; the same for YES at p and NO at 1 - p.

    Raises ValueError for a negative count or a price outside 0 to 1 dollar: a fee from nonsense would hide it.
    """
    if count_e2 < 0:
        raise ValueError(f"count_e2 is {count_e2}; a fill's count is 0 or more")
    if not 0 <= price_e4 <= ONE_DOLLAR_E4:
        raise ValueError(f"price_e4 is {price_e4}; a contract's price is 0 to {ONE_DOLLAR_E4}")
    rate = schedule.taker_rate_e6 if is_taker else schedule.maker_rate_e6
    # rate/1e6 x multiplier/1e4 x count/1e2 x p(1-p)/1e8 dollars, times 1e6 for micro-dollars
    numerator = rate * schedule.multiplier_e4 * count_e2 * price_e4 * (ONE_DOLLAR_E4 - price_e4)
    return -(-numerator // (10**14 * schedule.quantum_e6)) * schedule.quantum_e6


def taker_fee_e6(count_e2: int, price_e4: int, schedule: FeeSchedule = CURRENT) -> int:
    """The fee in micro-dollars of taking ``count_e2`` at ``price_e4`` in one fill."""
    return fee_e6(count_e2, price_e4, schedule)


def order_fee_e6(fills: Iterable[tuple[int, int]], schedule: FeeSchedule = CURRENT) -> int:
    """The taker fee of an order that fills at several levels [(price_e4, count_e2), ...]: each is rounded by itself."""
    return sum(fee_e6(count_e2, price_e4, schedule) for price_e4, count_e2 in fills)
