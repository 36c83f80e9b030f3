"""Sizes hold their promises for any input: never over the ceiling, nothing without an edge after fees."""

from __future__ import annotations

import random

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from recio.market.fees import KALSHI_2025, KALSHI_2026, FeeSchedule, taker_fee_e6
from recio.market.momentum import momentum_bp
from recio.market.series import PriceSeries
from recio.trading.entry import SpikePause, rebuild_pause, spike_pause
from recio.trading.settings import AutoEntrySettings
from recio.trading.sizing import Sizing, affordable_e2, kelly_fraction, wanted_e2

schedules = st.sampled_from([KALSHI_2025, KALSHI_2026])
prices = st.integers(1, 9_999)
sizings = st.builds(
    Sizing,
    method=st.sampled_from(["fixed", "kelly"]),
    base_count_e2=st.integers(1, 100_000),
    multiplier=st.integers(1, 3),
    kelly_fraction_percent=st.floats(0, 100),
    max_cost_e6=st.integers(0, 1_000_000_000),
)


def cost_e6(count_e2: int, price_e4: int, fees: FeeSchedule) -> int:
    return count_e2 * price_e4 + taker_fee_e6(count_e2, price_e4, fees)


@given(sizings, st.floats(0, 1), prices, st.one_of(st.none(), st.integers(0, 10**11)), schedules)
def test_no_size_is_over_the_ceiling_and_kelly_wants_nothing_without_an_edge(
    sizing: Sizing, probability: float, price: int, bankroll: int | None, fees: FeeSchedule
) -> None:
    found = wanted_e2(sizing, probability, price, bankroll, fees)
    assert found >= 0
    assert found == 0 or cost_e6(found, price, fees) <= sizing.max_cost_e6
    if sizing.method == "fixed":
        assert found <= sizing.base_count_e2 * sizing.multiplier
    else:
        assert found % 100 == 0
        assert found == 0 or cost_e6(found, price, fees) <= (bankroll or 0) * sizing.kelly_fraction_percent / 100 + 1
        if probability * 10_000 <= price + taker_fee_e6(100, price, fees) / 100:
            assert found == 0


@given(st.integers(0, 1_000_000), prices, st.integers(0, 10**10), schedules)
def test_what_is_affordable_is_the_largest_that_is(wanted: int, price: int, ceiling: int, fees: FeeSchedule) -> None:
    found = affordable_e2(wanted, price, ceiling, fees)
    assert 0 <= found <= wanted
    assert found == 0 or cost_e6(found, price, fees) <= ceiling
    assert found == wanted or cost_e6(found + 1, price, fees) > ceiling


@given(st.floats(0, 1), st.floats(1, 10_000))
def test_kellys_fraction_is_a_part_of_the_account_and_grows_with_the_edge(probability: float, cost: float) -> None:
    found = kelly_fraction(probability, cost)
    assert 0.0 <= found <= 1.0
    assert (found > 0.0) == (0 < cost < 10_000 and probability > cost / 10_000)
    assert kelly_fraction(min(1.0, probability + 0.01), cost) >= found


def test_kellys_fraction_by_hand() -> None:
    """p = 0.6 at even money: (2p - 1) = 0.2 of the account; at 95c with p = 0.97: (0.97 - 0.95) / 0.05 = 0.4."""
    assert abs(kelly_fraction(0.6, 5_000) - 0.2) < 1e-12
    assert abs(kelly_fraction(0.97, 9_500) - 0.4) < 1e-12
    quarter = Sizing("kelly", 100, 1, 25.0, 25_000_000)
    free = msgspec.structs.replace(KALSHI_2026, taker_rate_e6=0)
    assert wanted_e2(quarter, 0.97, 9_500, 100_000_000, free) == 1_000  # 10 dollars of 100: 10 contracts at 95c
    assert wanted_e2(quarter, 0.97, 9_500, 10_000_000_000, free) == 2_600  # the ceiling of 25 dollars: 26 contracts
    assert wanted_e2(quarter, 0.97, 9_500, None, free) == 0


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 2**32), st.integers(0, 3_000))
def test_a_rebuilt_pause_is_the_pause_that_watched_all_along(seed: int, spike_ago_s: int) -> None:
    """The same prices, watched second by second for an hour and a half, or read from the bars after a restart."""
    rules, now = AutoEntrySettings(), 1_800_000_000.0
    chance, price = random.Random(seed), 10_000_000.0
    bars: list[tuple[float, int]] = []
    for back in range(5_400, -1, -1):
        jump = 1.006 if back == spike_ago_s else 1.0
        price *= jump * (1.0 + chance.gauss(0, 2e-6))
        bars.append((now - back, round(price)))
    series, watched = PriceSeries(), SpikePause(paused=True)
    for at_s, price_e2 in bars:
        series.add(at_s, price_e2)
        watched = spike_pause(watched, momentum_bp(series.price_at, at_s).total_bp, at_s, rules)
    rebuilt = rebuild_pause(bars, now, rules)
    assert rebuilt.paused == watched.paused
    if (
        spike_ago_s > 1_790
    ):  # older than the time rebuilt: what came before counts as a spike until calm proves otherwise
        return
    assert rebuilt == watched


def test_a_rebuilt_pause_needs_a_quarter_of_an_hour_of_bars() -> None:
    rules, now = AutoEntrySettings(), 1_800_000_000.0

    def bars(seconds: int, hole: range = range(0)) -> list[tuple[float, int]]:
        return [(now - back, 10_000_000) for back in range(seconds, -1, -1) if back not in hole]

    assert rebuild_pause([], now, rules) == SpikePause(paused=True)
    assert rebuild_pause(bars(960), now, rules) == rebuild_pause(bars(3_600), now, rules) == SpikePause()
    short = rebuild_pause(bars(600), now, rules)
    assert short.paused and short.calm_since_s is not None and now - short.calm_since_s <= 600
    holed = rebuild_pause(bars(3_600, range(300, 320)), now, rules)
    assert holed == SpikePause(), "calm was proven before the hole: a hole does not start a pause"
    late = rebuild_pause(bars(1_000, range(300, 320)), now, rules)
    assert late.paused and late.calm_since_s is not None and now - late.calm_since_s <= 300
    assert rebuild_pause(bars(3_600, range(0, 30)), now, rules).paused is False
