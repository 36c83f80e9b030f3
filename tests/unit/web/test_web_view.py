"""How numbers are written."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from recio.web import view


@pytest.mark.parametrize(
    ("value", "text"),
    [(11_874_999, "118,750"), (11_875_000, "118,750"), (11_875_050, "118,750.50"), (None, "–"), (99, "1")],
)
def test_strike(value: int | None, text: str) -> None:
    assert view.strike(value) == text


@pytest.mark.parametrize(
    ("value", "signed", "places", "text"),
    [
        (1_234_567, False, 2, "$1.23"), (1_235_000, False, 2, "$1.24"), (-940_000, True, 2, "−$0.94"),
        (101_260_000, True, 2, "+$101.26"), (4_999, True, 2, "$0.00"), (-4_999, True, 2, "$0.00"), (0, True, 2, "$0.00"),
        (17_500, False, 4, "$0.0175"), (1_234_567_000_000, False, 0, "$1,234,567"), (None, True, 2, "–"),
    ],
)  # fmt: skip
def test_dollars(value: int | None, signed: bool, places: int, text: str) -> None:
    assert view.dollars(value, signed, places) == text


@pytest.mark.parametrize(("value", "text"), [(9700, "97¢"), (9750, "97.5¢"), (9999, "99.99¢"), (None, "–"), (0, "0¢")])
def test_cents(value: int | None, text: str) -> None:
    assert view.cents(value) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.04, "0.0 s"),
        (9.94, "9.9 s"),
        (12.0, "12 s"),
        (150, "2 min"),
        (7201, "2 h"),
        (200_000, "2 d"),
        (-1, "0.0 s"),
        (None, "–"),
    ],
)
def test_age(seconds: float | None, text: str) -> None:
    assert view.age(seconds) == text


def test_a_time_in_new_york_knows_summer() -> None:
    assert view.eastern(datetime(2026, 7, 1, 16, 0, tzinfo=UTC)) == "12:00:00"
    assert view.eastern(datetime(2026, 11, 23, 17, 0, tzinfo=UTC)) == "12:00:00"


def test_signs_are_written_and_nothing_is_shown_as_zero() -> None:
    assert (view.change(-130), view.change(42), view.basis_points(-3)) == ("−1.30 %", "+0.42 %", "−3")
    assert view.percent(None) == view.basis_points(None) == view.contracts(None) == view.usd(None) == "–"
    assert (view.tone(-1), view.tone(1), view.tone(0), view.tone(None)) == ("down", "up", "", "")


@pytest.mark.parametrize(
    ("value_e4", "text"),
    [(-130, "−1.3"), (130, "+1.3"), (-4, "0.0"), (4, "0.0"), (0, "0.0"), (-5, "0.0"), (5, "+0.1"), (None, "–")],
)
def test_an_edge_that_rounds_to_nothing_has_no_sign(value_e4: int | None, text: str) -> None:
    assert view.edge(value_e4) == text
