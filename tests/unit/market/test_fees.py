"""Fees: both published schedules, exact."""

from __future__ import annotations

import math
from datetime import UTC, datetime

import pytest

from recio.exchange.simulator.fees import FeeSchedule as Charged
from recio.market.fees import KALSHI_2025, KALSHI_2026, FeeSchedule, fee_e6, order_fee_e6, schedule_at, taker_fee_e6


@pytest.mark.parametrize(("price_e4", "fee"), [(5200, 17_500), (9900, 700), (5000, 17_500), (100, 700)])
def test_one_contract_as_seen_on_real_fills(price_e4: int, fee: int) -> None:
    assert taker_fee_e6(100, price_e4) == fee


def test_the_2025_schedule_is_the_verified_cent_rule() -> None:
    for cents in range(1, 100):
        for count in (1, 2, 7, 20, 100, 1392):
            # ceil(0.07 x count x p x (100 - p) / 100) cents, in integers
            verified = math.ceil(7 * count * cents * (100 - cents) / 10_000)
            exact = -(-7 * count * cents * (100 - cents) // 10_000)
            assert verified == exact
            assert taker_fee_e6(count * 100, cents * 100, KALSHI_2025) == exact * 10_000


def test_an_order_rounds_each_fill_by_itself() -> None:
    levels = [(9400, 100), (9500, 300), (9600, 100)]
    separate = sum(taker_fee_e6(count, price, KALSHI_2025) for price, count in levels)
    assert order_fee_e6(levels, KALSHI_2025) == separate == 30_000
    assert taker_fee_e6(500, 9500, KALSHI_2025) == 20_000  # once per order would be another number


def test_maker_pays_nothing_on_btc_and_the_multiplier_counts() -> None:
    assert fee_e6(10_000, 5000, is_taker=False) == 0
    with_maker = KALSHI_2026.__class__(name="x", effective_from_s=0.0, maker_rate_e6=17_500, multiplier_e4=20_000)
    assert fee_e6(100, 5000, with_maker, is_taker=False) == 8_800  # 2 x 0.0175 x 0.25 = 0.00875, up to 0.0001
    assert taker_fee_e6(100, 5000, with_maker) == 35_000


def test_fractional_contracts_pay_their_share_rounded_up() -> None:
    assert taker_fee_e6(1, 5200) == 200  # 0.01 contract: 0.00017472 dollar
    assert taker_fee_e6(0, 5200) == 0


def test_no_fee_at_the_ends_of_the_price() -> None:
    assert taker_fee_e6(1000, 0) == taker_fee_e6(1000, 10_000) == 0


@pytest.mark.parametrize(("count_e2", "price_e4"), [(-1, 5000), (100, -1), (100, 10_001)])
def test_nonsense_is_refused_with_its_value(count_e2: int, price_e4: int) -> None:
    with pytest.raises(ValueError, match=str(count_e2 if count_e2 < 0 else price_e4)):
        taker_fee_e6(count_e2, price_e4)


def test_the_schedule_follows_the_date() -> None:
    assert schedule_at(1_700_000_000) is KALSHI_2025
    assert schedule_at(KALSHI_2026.effective_from_s - 1) is KALSHI_2025
    assert schedule_at(KALSHI_2026.effective_from_s) is KALSHI_2026
    assert schedule_at(-5.0) is KALSHI_2025


@pytest.mark.parametrize(
    ("schedule", "count_e2", "price_e4", "fee"),
    [
        # of 2026: published examples and fills seen on the wire
        (KALSHI_2026, 100, 5_200, 17_500),  # 1 at 0.52 paid 0.0175
        (KALSHI_2026, 100, 9_900, 700),  # 1 at 0.99 paid 0.0007
        (KALSHI_2026, 100, 5_000, 17_500),  # "taker at 0.50 = 1.75 cents a contract"
        (KALSHI_2026, 10_000, 5_000, 1_750_000),
        (KALSHI_2026, 2_000, 9_500, 66_500),  # 20 at 0.95: 0.07 x 20 x 0.0475
        # of 2025: each fill up to a whole cent
        (KALSHI_2025, 100, 5_200, 20_000),  # the same fill was 0.02 then
        (KALSHI_2025, 100, 9_900, 10_000),  # never less than a cent
        (KALSHI_2025, 2_000, 9_500, 70_000),  # ceil(0.07 x 20 x 95 x 5 / 100) = ceil(6.65) cents
        (KALSHI_2025, 10_000, 5_000, 1_750_000),  # what comes out even is not rounded
    ],
)
def test_published_figures_of_both_schedules(schedule: FeeSchedule, count_e2: int, price_e4: int, fee: int) -> None:
    assert taker_fee_e6(count_e2, price_e4, schedule) == fee


def test_the_forecast_and_the_simulated_exchange_agree_on_every_price() -> None:
    """Two codes of one schedule, written apart: what the desk expects is what the exchange charges."""
    for schedule, quantum_e6 in ((KALSHI_2026, 100), (KALSHI_2025, 10_000)):
        charged = Charged(quantum_e6=quantum_e6)
        for price_e4 in range(1, 10_000, 7):
            for count_e2 in (1, 100, 333, 2_000, 139_200):
                assert taker_fee_e6(count_e2, price_e4, schedule) == charged.fee_e6(count_e2, price_e4, True)


def test_the_schedule_of_2026_begins_on_the_seventh_of_july() -> None:
    began = datetime(2026, 7, 7, tzinfo=UTC).timestamp()
    assert schedule_at(began - 1) is KALSHI_2025
    assert schedule_at(began) is KALSHI_2026
