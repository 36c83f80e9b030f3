"""The price's recent past: what it remembers, what it does not pretend to know."""

from __future__ import annotations

import pytest

from recio.market.series import PriceSeries

T = 1_700_000_000.0


def test_knows_nothing_before_the_first_price() -> None:
    series = PriceSeries()
    assert series.price_at(T) is None
    series.add(T, 100)
    assert series.price_at(T - 61) is None


def test_a_price_does_not_stand_for_an_hour() -> None:
    series = PriceSeries()
    series.add(T, 5_000_000)
    series.add(T + 3600, 5_100_000)
    assert series.price_at(T + 10) == 5_000_000
    assert series.price_at(T + 1800) is None


def test_old_slots_of_the_ring_are_not_read_as_new() -> None:
    series = PriceSeries()
    for offset in range(0, 4 * 3600, 60):
        series.add(T + offset, 1_000_000 + offset)
    assert series.second(T) is None  # three hours of seconds are kept
    assert series.price_at(T) == 1_000_000  # a day of minutes is


def test_history_may_come_after_the_present() -> None:
    series = PriceSeries()
    series.add(T, 200)
    series.add(T - 1800, 100)
    assert series.price_at(T - 1800) == 100
    assert series.price_at(T) == 200


@pytest.mark.parametrize("price", [0, -1])
def test_a_price_is_above_zero(price: int) -> None:
    with pytest.raises(ValueError, match="above zero"):
        PriceSeries().add(T, price)
