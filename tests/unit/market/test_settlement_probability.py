"""The settlement's average and the chance that comes of it."""

from __future__ import annotations

import math
import random

import pytest

from recio.market.probability import NEARLY, probability_above, probability_yes, variance_s
from recio.market.settlement import Observed, observe, result_of, sample_times, settlement_mean_e2

CLOSE = 1_800_000_000.0
PRICE = 10_000_000
VOL = 9e-5


def test_the_window_is_the_sixty_values_up_to_and_with_the_close() -> None:
    times = sample_times(CLOSE)
    assert (times[0], times[-1], len(times)) == (int(CLOSE) - 59, int(CLOSE), 60)


def test_the_known_part_grows_and_never_guesses() -> None:
    def price(at: float) -> int | None:
        return None if at == CLOSE - 58 else int(at - CLOSE) + 1000

    assert observe(price, CLOSE, CLOSE - 60) == Observed(0, 0.0)
    assert observe(price, CLOSE, CLOSE - 59) == Observed(1, 941.0)
    assert observe(price, CLOSE, CLOSE - 57).count == 2
    assert settlement_mean_e2(price, CLOSE) is None
    assert settlement_mean_e2(lambda at: 7, CLOSE) == 7.0


@pytest.mark.parametrize(
    ("kind", "floor", "cap", "mean", "result"),
    [
        ("greater", 7_274_999, None, 7_274_999.0, "no"),
        ("greater", 7_274_999, None, 7_274_999.02, "yes"),
        ("greater_or_equal", 7_275_000, None, 7_274_999.5, "yes"),
        ("greater_or_equal", 7_275_000, None, 7_274_999.4, "no"),
        ("less", None, 6_824_999, 6_824_998.0, "yes"),
        ("less", None, 6_824_999, 6_824_999.0, "no"),
        ("between", 8_100_000, 8_124_999, 8_124_999.0, "yes"),
        ("between", 8_100_000, 8_124_999, 8_125_000.0, "no"),
    ],
)
def test_the_markets_own_rule_decides(kind: str, floor: int | None, cap: int | None, mean: float, result: str) -> None:
    assert result_of(mean, kind, floor, cap) == result


def test_an_unknown_rule_is_an_error() -> None:
    with pytest.raises(ValueError, match="structured"):
        result_of(1.0, "structured", 1)
    with pytest.raises(ValueError, match="greater"):
        result_of(1.0, "greater", None)


def test_the_variance_of_the_average_is_time_less_forty_seconds() -> None:
    for seconds in (60.0, 61.0, 300.0, 3600.0):
        assert variance_s(seconds - 59, 60) == pytest.approx(seconds - 40, abs=0.6)
    assert variance_s(600.0, 1) == 600.0  # a settlement on the last price alone


def test_the_variance_agrees_with_simulated_walks() -> None:
    rng = random.Random(5)
    total = 0.0
    for _ in range(4000):
        value = mean = 0.0
        for second in range(1, 91):
            value += rng.gauss(0, 1)
            mean += value / 60 if second > 30 else 0.0
        total += mean * mean
    assert total / 4000 == pytest.approx(variance_s(31, 60), rel=0.08)


def test_at_the_strike_it_is_even_and_far_away_it_is_nearly_sure() -> None:
    assert probability_above(PRICE, PRICE, 600, VOL) == pytest.approx(0.5)
    assert probability_above(PRICE, PRICE - 500_000, 600, VOL) == 1 - NEARLY
    assert probability_above(PRICE, PRICE + 500_000, 600, VOL) == NEARLY


def test_the_averaging_makes_a_lead_safer_than_the_last_price_alone() -> None:
    strike = PRICE - 5_000
    assert probability_above(PRICE, strike, 70, VOL) > probability_above(PRICE, strike, 70, VOL, 1)


def test_inside_the_last_minute_what_is_on_record_counts() -> None:
    high, low = Observed(50, PRICE + 10_000), Observed(50, PRICE - 10_000)
    assert probability_above(PRICE, PRICE, 10, VOL, observed=high) > 0.999
    assert probability_above(PRICE, PRICE, 10, VOL, observed=low) < 0.001
    assert probability_above(PRICE, PRICE, 10, VOL, observed=Observed(50, PRICE)) == pytest.approx(0.5)


def test_values_that_were_missed_count_as_uncertain() -> None:
    strike = PRICE - 3_000
    whole = probability_above(PRICE, strike, 5, VOL, observed=Observed(55, PRICE))
    missed = probability_above(PRICE, strike, 5, VOL, observed=None)
    assert 0.5 < missed < whole


def test_exactly_sure_only_when_every_value_is_on_record() -> None:
    assert probability_above(PRICE, PRICE - 1, 0, VOL, observed=Observed(60, float(PRICE))) == 1.0
    assert probability_above(PRICE, PRICE, 0, VOL, observed=Observed(60, float(PRICE))) == 0.0
    assert probability_above(PRICE, PRICE, 0, VOL, observed=Observed(60, float(PRICE)), inclusive=True) == 1.0
    assert probability_above(PRICE, PRICE - 10_000, 1, VOL, observed=Observed(59, float(PRICE))) == 1 - NEARLY
    assert probability_above(PRICE, PRICE - 10_000, -30, VOL, observed=Observed(59, float(PRICE))) < 1.0
    assert probability_above(PRICE, PRICE - 1, 0, VOL, observed=Observed(60, float(PRICE)), basis_sd_e2=100) < 0.6


def test_no_volatility_is_no_certainty() -> None:
    assert probability_above(PRICE, PRICE - 1, 600, 0.0) == 1 - NEARLY
    assert probability_above(PRICE, PRICE, 600, 0.0) == 0.5


def test_it_moves_smoothly_over_the_edge_of_the_last_minute() -> None:
    strike = PRICE - 2_000
    before = probability_above(PRICE, strike, 60.5, VOL)
    after = probability_above(PRICE, strike, 59.5, VOL, observed=Observed(1, float(PRICE)))
    assert after == pytest.approx(before, abs=0.01)


@pytest.mark.parametrize(("price", "vol"), [(0, VOL), (-1, VOL), (PRICE, -1e-5), (PRICE, math.nan), (PRICE, math.inf)])
def test_nonsense_is_refused(price: int, vol: float) -> None:
    with pytest.raises(ValueError, match=r"price_e2|vol_per_sqrt_s"):
        probability_above(price, PRICE, 600, vol)


def test_other_strike_types_and_unknown_strikes() -> None:
    above = probability_yes("greater", PRICE, None, PRICE, 600, VOL)
    below = probability_yes("less", None, PRICE, PRICE, 600, VOL)
    assert above is not None
    assert below is not None
    assert above + below == pytest.approx(1.0)
    band = probability_yes("between", PRICE - 10_000, PRICE + 10_000, PRICE, 600, VOL)
    assert band is not None
    assert 0.0 < band < 1.0
    assert probability_yes("greater_or_equal", None, None, PRICE, 600, VOL) is None
    assert probability_yes("custom", PRICE, None, PRICE, 600, VOL) is None
