"""The interval of a probability: Wilson's figures, the bucket it is taken from, both sides the same."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recio.market.interval import certainty, wilson

BINS = [
    {"low": 0.0, "high": 0.5, "rows": 0, "said": 0.0, "came_true": 0.0},
    {"low": 0.5, "high": 1.0, "rows": 200, "said": 0.8, "came_true": 0.9},
]


def test_wilson_gives_the_published_figures() -> None:
    assert wilson(0.5, 10) == pytest.approx((0.2366, 0.7634), abs=1e-4)
    assert wilson(1.0, 10) == pytest.approx((0.7225, 1.0), abs=1e-4)
    assert wilson(0.3, 0) == (0.0, 1.0)


@given(st.floats(0, 1), st.floats(0.1, 1e6))
def test_wilson_holds_the_share_and_narrows_with_more_trials(share: float, n: float) -> None:
    low, high = wilson(share, n)
    assert 0 <= low <= share + 1e-9 and share - 1e-9 <= high <= 1
    more = wilson(share, n * 4)
    assert more[1] - more[0] <= high - low + 1e-12


def test_rows_of_one_event_count_once() -> None:
    found = certainty(BINS, rows=1000, events=100, probability_yes=0.8, side="yes")
    assert found is not None and found.events == 20 and (found.low, found.high) == wilson(0.9, 20)


def test_no_is_the_mirror_of_yes_and_what_was_never_seen_is_not_known() -> None:
    yes, no = (certainty(BINS, 1000, 100, 1.0, side) for side in ("yes", "no"))
    assert yes is not None and no is not None
    assert (no.low, no.high, no.came_true) == pytest.approx((1 - yes.high, 1 - yes.low, 1 - yes.came_true))
    assert certainty(BINS, 1000, 100, 0.2, "yes") is None, "nothing fell into this bucket"
    assert certainty(BINS, 1000, 100, None, "yes") is None and certainty([], 0, 0, 0.8, "yes") is None
