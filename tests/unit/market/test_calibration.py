"""Calibration: known answers, intervals over events, and the refusal to score a model on what it learnt."""

from __future__ import annotations

import math
import random

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recio.market.calibration import Forecast, Report, TrainedOnError, calibrate, entry_of, require_unseen
from recio.market.fees import KALSHI_2026, taker_fee_e6

AT = KALSHI_2026.effective_from_s + 1_000.0


def row(event: str, won: bool, model: float, market: float, **more: object) -> Forecast:
    plain: dict[str, object] = {
        "event": event, "strategy": "s", "at_s": AT, "won": won, "model": model, "market": market,
        "blend": (model + market) / 2, "yes_ask_e4": round(market * 10_000) + 100, "no_ask_e4": round((1 - market) * 10_000) + 100,
    }  # fmt: skip
    return msgspec.convert(plain | more, Forecast)


def world(events: int, skill: float, seed: int = 1) -> list[Forecast]:
    """Events with a true chance; the model sees it with ``skill``, the market exactly."""
    rng = random.Random(seed)
    rows = []
    for number in range(events):
        chance = rng.uniform(0.1, 0.9)
        won = rng.random() < chance
        for _ in range(3):
            model = min(0.99, max(0.01, skill * chance + (1 - skill) * rng.random()))
            rows.append(row(f"e{number}", won, model, chance))
    return rows


def test_scores_are_the_textbooks() -> None:
    report = calibrate([row("a", True, 0.8, 0.5), row("b", False, 0.3, 0.5)])
    assert report.scores["model"].brier.value == pytest.approx((0.04 + 0.09) / 2)
    assert report.scores["market"].brier.value == 0.25
    assert report.scores["model"].log_loss.value == pytest.approx(-(math.log(0.8) + math.log(0.7)) / 2)
    assert report.brier_model_less_market.value == pytest.approx(0.065 - 0.25)
    assert [(b.rows, b.said, b.came_true) for b in report.scores["model"].reliability] == [(1, 0.3, 0.0), (1, 0.8, 1.0)]


def test_a_worse_model_is_shown_as_worse() -> None:
    report = calibrate(world(400, 0.4))
    assert report.brier_model_less_market.low is not None
    assert report.brier_model_less_market.low > 0
    assert report.edges["model"].mean_e4.value < 0


def test_rows_of_one_event_do_not_narrow_the_interval() -> None:
    once = [row(f"e{n}", n % 3 == 0, 0.4, 0.5) for n in range(30)]
    often = [msgspec.structs.replace(found, at_s=AT + k) for found in once for k in range(20)]
    one, many = (calibrate(rows).scores["model"].brier for rows in (once, often))
    assert one.low is not None
    assert many.low is not None
    assert (one.low, one.high) == (pytest.approx(many.low), pytest.approx(many.high))


def test_the_same_seed_gives_the_same_bytes_and_the_order_of_rows_does_not_matter() -> None:
    rows = world(50, 0.7)
    first = msgspec.json.encode(calibrate(rows, seed=3))
    assert msgspec.json.encode(calibrate(rows, seed=3)) == first
    stable = [msgspec.structs.replace(found, at_s=AT + n) for n, found in enumerate(rows)]
    assert msgspec.json.encode(calibrate(stable)) == msgspec.json.encode(calibrate(list(reversed(stable))))
    assert msgspec.json.decode(first, type=Report).seed == 3


def test_an_entry_counts_the_fee_and_only_the_first_of_an_event() -> None:
    found = row("a", True, 0.9, 0.5)
    assert entry_of(0.9, found, 25) == ("yes", 5_100)
    fee_e4 = -(-taker_fee_e6(100, 5_100) // 100)
    edge = 5_100 + fee_e4
    assert entry_of((edge + 25) / 10_000, found, 25) == ("yes", 5_100)
    assert entry_of((edge + 24) / 10_000, found, 25) is None
    assert entry_of(0.1, found, 25) == ("no", 5_100)
    later = msgspec.structs.replace(found, at_s=AT + 60)
    report = calibrate([found, later])
    assert report.edges["model"].entries == 1
    assert report.edges["model"].total_e4 == 10_000 - edge


def test_what_was_really_entered_stands_beside() -> None:
    rows = [row("a", True, 0.6, 0.5, entered_side="no", paid_e4=4_000), row("b", True, 0.6, 0.5)]
    edge = calibrate(rows).edges["strategy"]
    assert (edge.entries, edge.won) == (1, 0)
    assert edge.total_e4 == -4_000 - -(-taker_fee_e6(100, 4_000) // 100)
    assert "strategy" not in calibrate([row("b", True, 0.6, 0.5)]).edges


def test_a_model_is_never_scored_on_what_it_learnt() -> None:
    rows = [row("a", True, 0.6, 0.5, model_version="m1", at_s=AT + 50.0)]
    with pytest.raises(TrainedOnError, match="'m1'"):
        calibrate(rows, {"m1": (AT, AT + 100)})
    require_unseen(rows, {"m1": (AT, AT + 50), "m2": (AT, AT + 100)})
    require_unseen(rows, {"m1": (AT + 51, AT + 100)})


def test_strategies_are_not_mixed() -> None:
    with pytest.raises(ValueError, match="one strategy"):
        calibrate([row("a", True, 0.5, 0.5), row("b", True, 0.5, 0.5, strategy="t")])
    with pytest.raises(ValueError, match="one strategy"):
        calibrate([])


@given(
    st.lists(
        st.tuples(st.integers(0, 5), st.booleans(), st.floats(0, 1), st.floats(0.02, 0.98)), min_size=1, max_size=30
    )
)
def test_any_forecasts_give_figures_inside_their_bounds(found: list[tuple[int, bool, float, float]]) -> None:
    report = calibrate([row(f"e{e}", won, model, market) for e, won, model, market in found], resamples=50)
    for score in report.scores.values():
        assert 0 <= score.brier.value <= 1
        assert score.log_loss.value >= 0
        if score.brier.low is not None and score.brier.high is not None:
            assert score.brier.low <= score.brier.high
        assert sum(b.rows for b in score.reliability) == len(found)
