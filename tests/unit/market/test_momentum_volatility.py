"""Momentum and realised volatility."""

from __future__ import annotations

import math

import pytest

from recio.market.momentum import WEIGHTS, change_bp, momentum_bp
from recio.market.volatility import FLOOR_PER_SQRT_S, blended, realised, realised_by_horizon

NOW = 1_800_000_000.0


def test_the_weights_add_up() -> None:
    assert sum(WEIGHTS.values()) == pytest.approx(1.0)


def test_a_steady_rise_gives_the_weighted_mean() -> None:
    prices = {NOW: 10_100_000} | {NOW - 60 * m: 10_000_000 for m in WEIGHTS}
    found = momentum_bp(prices.get, NOW)
    assert found.total_bp == 100
    assert found.windows == dict.fromkeys(WEIGHTS, 100)


def test_weights_are_renormalised_over_the_windows_with_data() -> None:
    prices = {NOW: 10_000_000, NOW - 60: 9_990_000, NOW - 900: 10_100_000}
    found = momentum_bp(prices.get, NOW)
    up, down = (10_000_000 / 9_990_000 - 1) * 1e4, (10_000_000 / 10_100_000 - 1) * 1e4
    assert found.total_bp == round((0.30 * up + 0.05 * down) / 0.35)
    assert found.windows[2] is None
    assert found.windows[15] == -99


def test_without_history_or_a_price_it_is_none_never_zero() -> None:
    assert momentum_bp({NOW: 1}.get, NOW).total_bp is None
    assert momentum_bp({NOW - 60: 1}.get, NOW).total_bp is None
    assert change_bp(100, 0) is None
    assert change_bp(None, 100) is None


def test_beyond_thirty_basis_points_nothing_is_capped() -> None:
    prices = {NOW: 10_500_000} | {NOW - 60 * m: 10_000_000 for m in WEIGHTS}
    assert momentum_bp(prices.get, NOW).total_bp == 500


def test_volatility_of_a_known_zigzag() -> None:
    step = 1e-3

    def price(at: float) -> int:
        return round(10_000_000 * math.exp(step * (int(at) // 10 % 2)))

    assert realised(price, NOW, 300) == pytest.approx(step / math.sqrt(10), rel=1e-3)


def test_too_little_history_gives_none() -> None:
    assert realised(lambda at: 10_000_000 if at > NOW - 100 else None, NOW, 300) is None
    assert realised(lambda at: None, NOW, 300) is None
    half = realised_by_horizon(lambda at: 10_000_000 if at >= NOW - 900 else None, NOW)
    assert half[300] == 0.0
    assert half[900] == 0.0
    assert half[3600] is None


def test_a_frozen_price_reads_as_the_floor_not_as_certainty() -> None:
    assert blended({300: 0.0, 900: None}) == FLOOR_PER_SQRT_S
    assert blended({300: None}) is None
    assert blended({300: 3e-4, 900: 4e-4}) == pytest.approx(math.sqrt((9e-8 + 16e-8) / 2))
