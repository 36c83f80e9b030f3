"""What a ticket may say."""

from __future__ import annotations

import math

import pytest

from recio.trading.ticket import (
    LINEAR_CENT,
    PriceRange,
    TicketError,
    check_price_e4,
    count_e2_of,
    on_grid,
    price_e4_of,
    price_ranges,
    side_of,
    snap,
)

TAPERED = (PriceRange(0, 1000, 10), PriceRange(1000, 9000, 100), PriceRange(9000, 10_000, 10))


@pytest.mark.parametrize(
    ("value", "count"),
    [
        (1, 100),
        ("1", 100),
        ("0.25", 25),
        (0.01, 1),
        (1.1, 110),
        (" 20 ", 2000),
        ("+3", 300),
        ("1.00", 100),
        (100_000, 10**7),
    ],
)
def test_counts(value: object, count: int) -> None:
    assert count_e2_of(value) == count


@pytest.mark.parametrize(
    "value",
    [
        0, -1, "0", "-0.5", "0.001", 0.005, "1e3", 1e22, 1e-9, math.nan, math.inf, "NaN", "inf", True, False, None, "",
        "ten", "1,000", "0x10", [1], {"n": 1}, b"1", 100_000.01, 10**18,
        pytest.param(10**5000, id="5001 digits"), pytest.param("9" * 5000, id="5000 characters"), "1 000",
    ],
)  # fmt: skip
def test_counts_that_are_none(value: object) -> None:
    with pytest.raises(TicketError) as caught:
        count_e2_of(value)
    assert caught.value.field == "count"
    assert str(caught.value).startswith("count: ")
    assert len(str(caught.value)) < 200


def test_the_largest_count_is_named() -> None:
    with pytest.raises(TicketError, match="count: is 101; at most 100 contracts are allowed"):
        count_e2_of(101, 10_000)


def test_prices_on_the_grid_of_the_market() -> None:
    assert price_e4_of("0.95") == 9500
    assert price_e4_of(0.95) == 9500
    assert price_e4_of("0.0010", TAPERED) == 10
    assert price_e4_of("0.905", TAPERED) == 9050
    assert price_e4_of("0.095", TAPERED, "no") == 950


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("0.955", "is 0.9550, which is not on this market's price grid; take 0.9500 or 0.9600"),
        ("0", "more than 0 and less than 1 dollar"),
        (1, "more than 0 and less than 1 dollar"),
        (95, "more than 0 and less than 1 dollar"),
        ("-0.5", "more than 0 and less than 1 dollar"),
        (math.nan, "write a finite number"),
        ("0.12345", "plain number in steps of 0.0001"),
        (True, "is True, which is not a number"),
        (None, "is None"),
    ],
)
def test_prices_that_are_none(value: object, said: str) -> None:
    with pytest.raises(TicketError) as caught:
        price_e4_of(value)
    assert said in str(caught.value)
    assert str(caught.value).startswith("limit_price: ")


def test_prices_in_ten_thousandths() -> None:
    assert check_price_e4(9500) == 9500
    for bad in (95.0, True, "9500", None):
        with pytest.raises(TicketError, match="whole number of 1/10,000 dollar"):
            check_price_e4(bad)


def test_the_grid_is_that_of_the_yes_price() -> None:
    odd = (PriceRange(0, 5000, 100), PriceRange(5000, 10_000, 500))
    assert on_grid(4700, odd)
    assert not on_grid(4700, odd, "no")  # YES at 0.53
    assert on_grid(4500, odd, "no")
    assert not on_grid(0, odd)
    assert not on_grid(10_000, odd)


@pytest.mark.parametrize(
    ("price", "side", "up", "found"),
    [
        (9555, "yes", False, 9550), (9555, "yes", True, 9560), (5555, "yes", False, 5500), (5555, "yes", True, 5600),
        (9555, "no", False, 9550), (445, "no", True, 450), (5, "yes", False, 10), (9999, "yes", True, 9990),
        (-300, "yes", False, 10), (12_000, "yes", True, 9990), (12_000, "yes", False, 9990), (5500, "yes", True, 5500),
        (10_000, "yes", False, 9990), (0, "no", True, 10), (1, "no", False, 10),
    ],
)  # fmt: skip
def test_snapping(price: int, side: str, up: bool, found: int) -> None:
    assert snap(price, TAPERED, side, up=up) == found


def test_the_grid_as_it_is_on_record() -> None:
    as_text = [{"start": "0.0000", "end": "1.0000", "step": "0.0100"}]
    as_numbers = [{"start_e4": 0, "end_e4": 10_000, "step_e4": 100}]
    assert price_ranges(as_text) == price_ranges(as_numbers) == price_ranges([[0, 10_000, 100]]) == LINEAR_CENT
    assert price_ranges(LINEAR_CENT) == LINEAR_CENT
    assert price_ranges(None) == price_ranges([]) == LINEAR_CENT
    for bad in ([{"step": "0.01"}], [[0, 10_000, 0]], [[5, 5, 1]], ["0.01"], [[0, 20_000, 1]]):
        with pytest.raises(ValueError, match="price range"):
            price_ranges(bad)


def test_sides() -> None:
    assert side_of("YES ") == "yes"
    for bad in ("up", "", None, 1, True):
        with pytest.raises(TicketError, match="write 'yes' or 'no'"):
            side_of(bad)
