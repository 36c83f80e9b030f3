"""The gate: only a whole interval above zero over enough events is an edge."""

from __future__ import annotations

import math

import pytest

from recio.market.calibration import Edge, Forecast, Interval, Report, calibrate
from recio.trading.gate import EDGE_SHOWN, MINIMUM_EVENTS, NO_EDGE_SHOWN, verdict


def report(won_of_ten: int, events: int, paid_e4: int = 5_000) -> Report:
    rows = [
        Forecast(
            event=f"e{n}", strategy="s", at_s=1.79e9 + n, won=n % 10 < won_of_ten, model=0.6, market=0.5, blend=0.55,
            yes_ask_e4=paid_e4, no_ask_e4=paid_e4, entered_side="yes", paid_e4=paid_e4,
        )
        for n in range(events)
    ]  # fmt: skip
    return calibrate(rows, resamples=400)


def test_an_edge_is_shown_when_the_whole_interval_is_above_zero() -> None:
    found = verdict(report(8, 300))
    assert (found.passed, found.text) == (True, EDGE_SHOWN)
    assert "95 % interval" in found.why


@pytest.mark.parametrize(
    ("won", "events", "says"),
    [(8, MINIMUM_EVENTS - 1, "at least"), (5, 300, "not above zero"), (2, 300, "not above zero"), (8, 1, "too few")],
)
def test_anything_less_is_no_edge(won: int, events: int, says: str) -> None:
    found = verdict(report(won, events))
    assert (found.passed, found.text) == (False, NO_EDGE_SHOWN)
    assert says in found.why


def test_nothing_known_is_no_edge() -> None:
    assert not verdict(None).passed
    assert "recio calibrate" in verdict(None).why
    broken = report(8, 300)
    nan = Edge(
        entries=300,
        events=300,
        won=1,
        paid_e4=1.0,
        fee_e4=1.0,
        mean_e4=Interval(math.nan, math.nan, math.nan),
        total_e4=0,
    )
    assert not verdict(
        type(broken)(**{f: getattr(broken, f) for f in broken.__struct_fields__} | {"edges": {"strategy": nan}})
    ).passed


def test_the_blend_counts_before_anything_was_entered() -> None:
    rows = [
        Forecast(event=f"e{n}", strategy="s", at_s=1.79e9 + n, won=n % 10 < 8, model=0.8, market=0.5, blend=0.7,
                 yes_ask_e4=5_100, no_ask_e4=5_100)
        for n in range(200)
    ]  # fmt: skip
    found = verdict(calibrate(rows, resamples=200))
    assert found.passed
    assert "by the blend" in found.why
