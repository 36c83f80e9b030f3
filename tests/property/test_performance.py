"""Figures of a series of trades against slow and obvious recomputations."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recio.trading.performance import drawdown, longest_losing_streak, per_contract_e6, ratio, wilson

PNLS = st.lists(st.integers(-5_000_000, 5_000_000), max_size=60)


@given(PNLS)
def test_the_drawdown_is_the_deepest_of_all_pairs(pnls: list[int]) -> None:
    equity = [sum(pnls[:n]) for n in range(len(pnls) + 1)]
    falls = [equity[a] - equity[b] for a in range(len(equity)) for b in range(a, len(equity))]
    found = drawdown(pnls)
    assert found.amount_e6 == max(falls)
    assert equity[found.peak] - equity[found.trough] == found.amount_e6 and found.peak <= found.trough


@given(PNLS)
def test_a_streak_is_a_run_of_losses_and_none_is_longer(pnls: list[int]) -> None:
    runs = "".join("L" if pnl < 0 else " " for pnl in pnls).split()
    assert longest_losing_streak(pnls) == max(map(len, runs), default=0)


@given(st.integers(0, 3000), st.integers(0, 3000))
def test_wilsons_interval_holds_the_share_and_solves_its_equation(won: int, lost: int) -> None:
    found = wilson(won, won + lost)
    if not won + lost:
        assert found is None
        return
    assert found is not None
    low, high = found
    share, n = won / (won + lost), won + lost
    assert 0 <= low <= share + 1e-12 and share - 1e-12 <= high <= 1
    for p in (low, high):  # its ends are where the score test just rejects: |share - p| = z sqrt(p(1-p)/n)
        assert abs((share - p) ** 2 - 1.959963984540054**2 * p * (1 - p) / n) < 1e-9


def test_wilson_known_value_and_refusals() -> None:
    low, high = wilson(8, 10) or (0.0, 0.0)
    assert (round(low, 4), round(high, 4)) == (0.4902, 0.9433)
    with pytest.raises(ValueError, match="3 won of 2"):
        wilson(3, 2)
    assert ratio(1, 0) is None and ratio(1, 4) == 0.25


@given(st.integers(-(10**12), 10**12), st.integers(1, 10**7))
def test_per_contract_is_the_exact_mean_rounded(pnl: int, count_e2: int) -> None:
    exact = Fraction(pnl * 100, count_e2)
    assert per_contract_e6(pnl, count_e2) == round(exact) and per_contract_e6(pnl, 0) is None
