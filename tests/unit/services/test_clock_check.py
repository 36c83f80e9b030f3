"""A host whose clock is wrong says so: its orders are refused already, and somebody has to know why."""

from __future__ import annotations

import pytest

from recio.services.kalshi_api_watchdog import clock_check


@pytest.mark.parametrize("skew_s", [None, 0.0, 1.9, -1.9])
def test_a_right_or_unknown_clock_is_no_complaint(skew_s: float | None) -> None:
    assert clock_check(skew_s).ok


@pytest.mark.parametrize(("skew_s", "said"), [(30.0, "+30.0 s"), (-3600.0, "-3600.0 s"), (float("nan"), "+nan s")])
def test_a_wrong_clock_is_named_with_its_error(skew_s: float, said: str) -> None:
    check = clock_check(skew_s)
    assert not check.ok and said in check.why and "more than 2 s" in check.why
