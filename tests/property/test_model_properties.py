"""The probability model over any state of the market: what every forecast has to hold, whatever the history was."""

from __future__ import annotations

import math
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recio.market.blend import blend
from recio.market.generator import GeneratedPath
from recio.market.model import GRID, NORMAL, TableModel, load
from recio.market.probability import NEARLY
from recio.market.settlement import Observed
from recio.market.training import HORIZONS_MIN, build


@cache
def model(seed: int = 3) -> TableModel:
    """Built from two generated days."""
    path = GeneratedPath(seed)
    rows = []
    for minute in range(28_000_000, 28_000_000 + 2880):
        prices = [path.price_at(minute * 60 + second) for second in (0, 20, 40, 59)]
        rows.append((minute * 60.0, prices[0], max(prices), min(prices), prices[-1]))
    return build(rows, f"test-{seed}")


PRICES = st.integers(100_000, 100_000_000)
SECONDS = st.floats(1.0, 7200.0)
VOLS = st.floats(1e-5, 1e-3)
MOMENTA = st.none() | st.floats(-300, 300)
OFFSETS_BP = st.floats(-400, 400)
SEEN = st.none() | st.tuples(st.integers(0, 60), st.floats(-20, 20))


def above(price: int, strike: int, left: float, vol: float, momentum: float | None, seen: object = None) -> float:
    observed = None
    if isinstance(seen, tuple):
        observed = Observed(seen[0], price * (1 + seen[1] * 1e-4))
    chance = model().probability_yes("greater", strike, None, price, left, vol, 60, observed, momentum_bp=momentum)
    assert chance is not None
    return chance


@given(PRICES, SECONDS, VOLS, MOMENTA, OFFSETS_BP, OFFSETS_BP, SEEN)
def test_it_falls_with_the_strike_and_stays_within_bounds(
    price: int, left: float, vol: float, momentum: float | None, one: float, two: float, seen: object
) -> None:
    low, high = sorted((round(price * (1 + one * 1e-4)), round(price * (1 + two * 1e-4))))
    chances = above(price, low, left, vol, momentum, seen), above(price, high, left, vol, momentum, seen)
    assert chances[0] >= chances[1] - 1e-12
    assert all(NEARLY <= chance <= 1 - NEARLY for chance in chances)


@given(PRICES, SECONDS, VOLS, MOMENTA, OFFSETS_BP, st.floats(0, 400))
def test_it_rises_with_the_price(
    price: int, left: float, vol: float, momentum: float | None, offset: float, more: float
) -> None:
    strike = round(price * (1 + offset * 1e-4))
    higher = round(price * (1 + more * 1e-4))
    assert above(price, strike, left, vol, momentum) <= above(higher, strike, left, vol, momentum) + 1e-12


@given(PRICES, st.floats(61, 7000), VOLS, MOMENTA, OFFSETS_BP)
def test_a_moment_later_it_says_nearly_the_same(
    price: int, left: float, vol: float, momentum: float | None, offset: float
) -> None:
    strike = round(price * (1 + offset * 1e-4))
    now, later = above(price, strike, left, vol, momentum), above(price, strike, left - 0.01, vol, momentum)
    assert now == pytest.approx(later, abs=2e-3)


@pytest.mark.parametrize("minutes", HORIZONS_MIN)
@pytest.mark.parametrize("momentum", [None, -40.0, 0.0, 40.0])
def test_there_is_no_step_where_two_horizons_meet(minutes: int, momentum: float | None) -> None:
    for offset in range(-40, 41, 5):
        strike = round(10_000_000 * (1 + offset * 1e-4))
        sides = [above(10_000_000, strike, 60.0 * minutes + d, 9e-5, momentum) for d in (-1e-3, 1e-3)]
        assert sides[0] == pytest.approx(sides[1], abs=1e-4)


@given(st.sampled_from([GRID[0], GRID[-1]]), VOLS, SECONDS, MOMENTA)
def test_the_tables_edge_is_no_cliff(edge: float, vol: float, left: float, momentum: float | None) -> None:
    mixed = model().shares(left, vol, momentum)
    inside, outside = (model().below(edge * factor, mixed) for factor in (1 - 1e-9, 1 + 1e-9))
    assert inside == pytest.approx(outside, rel=1e-6)
    beyond = [model().below(edge * factor, mixed) for factor in (1.0, 1.2, 1.6, 2.5)]
    assert beyond == sorted(beyond, reverse=edge < 0)
    assert all(0 <= chance <= 1 for chance in beyond)


@given(PRICES, SECONDS, VOLS, MOMENTA, st.integers(0, 4_000_000), st.floats(0, 5000))
def test_up_and_down_are_mirrors(
    price: int, left: float, vol: float, momentum: float | None, away: int, basis: float
) -> None:
    up = model().probability_yes(
        "greater", price + away, None, price, left, vol, momentum_bp=momentum, basis_sd_e2=basis
    )
    turned = None if momentum is None else -momentum
    down = model().probability_yes(
        "greater", price - away, None, price, left, vol, momentum_bp=turned, basis_sd_e2=basis
    )
    assert up is not None
    assert down is not None
    assert up + down == pytest.approx(1.0, abs=1e-9)


@given(st.integers(1_000_000, 5_000_000), st.integers(2, 20), SECONDS, VOLS, MOMENTA, st.integers(-200, 200))
def test_only_the_percentage_counts(
    price: int, times: int, left: float, vol: float, momentum: float | None, offset: int
) -> None:
    strike = price + offset * price // 10_000
    small = above(price, strike, left, vol, momentum)
    assert small == pytest.approx(above(price * times, strike * times, left, vol, momentum), abs=1e-9)


@given(PRICES, SECONDS, VOLS, MOMENTA, st.integers(1, 2_000_000), st.integers(1, 500_000))
def test_a_band_is_what_lies_between_its_ends(
    price: int, left: float, vol: float, momentum: float | None, low: int, width: int
) -> None:
    floor, cap = max(1, price - low), max(1, price - low) + width
    band = model().probability_yes("between", floor, cap, price, left, vol, momentum_bp=momentum)
    less = model().probability_yes("less", None, floor, price, left, vol, momentum_bp=momentum)
    more = model().probability_yes("greater", cap, None, price, left, vol, momentum_bp=momentum)
    assert band is not None
    assert less is not None
    assert more is not None
    assert band + less + more == pytest.approx(1.0, abs=1e-5)


@given(st.floats(0, 1), st.floats(0, 1), st.floats(0, 1))
def test_a_blend_lies_between_and_mirrors(model_says: float, market_says: float, weight: float) -> None:
    mixed = blend(model_says, market_says, weight)
    assert min(model_says, market_says) <= mixed <= max(model_says, market_says)
    assert 1 - mixed == pytest.approx(blend(1 - model_says, 1 - market_says, weight), abs=2e-6)
    assert blend(model_says, market_says, 1.0) == model_says
    assert blend(model_says, market_says, 0.0) == market_says


def test_it_survives_storage_and_the_closed_form_names_itself() -> None:
    assert load(model().to_bytes()) == model()
    assert NORMAL.version == "normal-1"
    assert len(model().to_bytes()) < 1_000_000
    assert all(math.isfinite(value) for table in model().tables for value in table)
