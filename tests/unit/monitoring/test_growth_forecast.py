"""The forecast of the database's size: a pace that one import does not bend, and nothing claimed from the first days."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recio.contract.model import GrowthRule
from recio.monitoring.growth import Growth, complaint, decisions_kept_days, forecast, megabytes

RULE = GrowthRule(
    samples_min_h=48,
    warning_days=14,
    clear_days=18,
    decisions_kept_days=45,
    decisions_least_days=3,
    shorten_from_percent=50,
)


def week(per_day: float, first_mb: float = 100.0, hours: int = 168) -> list[tuple[float, float]]:
    return [(3600.0 * n, first_mb + per_day * n / 24) for n in range(hours)]


def test_a_steady_pace_is_found_and_the_day_of_its_budget() -> None:
    found = forecast(week(24.0), 1808.0, 2048, RULE)
    assert found.mb_per_day == pytest.approx(24.0)
    assert found.days_left == pytest.approx(10.0)
    assert complaint(found, RULE, stands=False) == (
        "the database's folder reaches its budget of 2,048 MB in 10 days: it holds 1,808 MB and grows by 24.0 MB a day"
    )


def test_a_night_of_import_or_a_clean_up_is_no_pace() -> None:
    grown = [(at_s, mb + (400.0 if n > 30 else 0.0)) for n, (at_s, mb) in enumerate(week(2.0))]
    assert forecast(grown, 514.0, 2048, RULE).mb_per_day == pytest.approx(2.0, abs=0.5)
    cleaned = [(at_s, mb - (90.0 if n > 140 else 0.0)) for n, (at_s, mb) in enumerate(week(2.0))]
    assert forecast(cleaned, 24.0, 2048, RULE).mb_per_day == pytest.approx(2.0, abs=0.5)


def test_nothing_is_claimed_from_the_first_days_but_what_is_full_is_full() -> None:
    young = forecast(week(500.0, hours=40), 900.0, 2048, RULE)
    assert (young.mb_per_day, young.days_left, young.why) == (None, None, "samples of 39 h, 48 are needed")
    assert complaint(young, RULE, stands=False) == ""
    full = forecast(week(500.0, hours=40), 2048.0, 2048, RULE)
    assert complaint(full, RULE, stands=False) == "the database's folder holds 2,048 MB, its budget is 2,048 MB"
    assert forecast([], None, 2048, RULE).why == "no sample yet"


@pytest.mark.parametrize(
    ("days", "stands", "said"), [(14.1, False, False), (13.9, False, True), (17.9, True, True), (18.1, True, False)]
)
def test_it_does_not_flap_on_the_edge(days: float, stands: bool, said: bool) -> None:
    assert bool(complaint(Growth(100.0, 2048, 1.0, days), RULE, stands)) == said


@given(st.lists(st.floats(0, 1e5), min_size=49, max_size=169), st.floats(0, 1e5))
def test_a_forecast_is_never_negative_and_shrinking_never_ends_it(sizes: list[float], used_mb: float) -> None:
    found = forecast([(3600.0 * n, mb) for n, mb in enumerate(sizes)], used_mb, 2048, RULE)
    assert found.mb_per_day is not None
    assert found.days_left is None or found.days_left >= 0
    if used_mb < 2048 and found.mb_per_day <= 0:
        assert found.days_left is None


def test_a_reading_in_words_is_no_number() -> None:
    assert megabytes("1,234.5 MB") == 1234.5
    assert megabytes("12 MB") == 12.0
    assert megabytes("/x is not there: nothing uses it yet") is None


@pytest.mark.parametrize(
    ("used_mb", "days"), [(None, 45), (0.0, 45), (1024.0, 45), (1536.0, 24), (2048.0, 3), (9999.0, 3)]
)
def test_a_fuller_folder_keeps_decisions_shorter(used_mb: float | None, days: float) -> None:
    assert decisions_kept_days(Growth(used_mb, 2048), RULE) == pytest.approx(days)
