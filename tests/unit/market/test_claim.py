"""A market's claim in words: who wins must be what the settlement rules say."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recio.market.claim import claim
from recio.market.probability import from_above


@pytest.mark.parametrize(
    ("kind", "floor", "cap", "yes", "no"),
    [
        ("greater", 11_874_999, None, "at or above 118,750", "below 118,750"),
        ("greater", 11_875_000, None, "above 118,750", "at or below 118,750"),
        ("greater_or_equal", 11_874_950, None, "at or above 118,749.50", "below 118,749.50"),
        ("less", None, 11_875_000, "below 118,750", "at or above 118,750"),
        ("less_or_equal", None, 11_874_999, "at or below 118,749.99", "above 118,749.99"),
        ("between", 11_800_000, 11_824_999, "from 118,000 to 118,249.99", "below 118,000 or above 118,249.99"),
        ("between", 11_800_000, None, "", ""),
        ("custom", 11_800_000, 11_824_999, "", ""),
        ("greater", None, 5, "", ""),
    ],
)  # fmt: skip
def test_the_claim_of_each_kind_of_market(kind: str, floor: int | None, cap: int | None, yes: str, no: str) -> None:
    assert (claim(kind, floor, cap, "yes"), claim(kind, floor, cap, "no")) == (yes, no)


def _holds(said: str, price_e2: int) -> bool:
    """Whether the words are true of a price: read as a person reads them."""
    numbers = [round(float(n.replace(",", "")) * 100) for n in re.findall(r"[\d,]+(?:\.\d+)?", said)]
    if said.startswith("from"):
        return numbers[0] <= price_e2 <= numbers[1]
    if " or above" in said and said.startswith("below"):
        return price_e2 < numbers[0] or price_e2 > numbers[1]
    holds = {
        "at or above": price_e2 >= numbers[0], "above": price_e2 > numbers[0],
        "at or below": price_e2 <= numbers[0], "below": price_e2 < numbers[0],
    }  # fmt: skip
    return holds[re.match(r"[a-z ]+[a-z]", said).group()]  # type: ignore[union-attr]


@given(
    st.sampled_from(["greater", "greater_or_equal", "less", "less_or_equal", "between"]),
    st.integers(100, 20_000_000), st.integers(0, 100_000), st.integers(-300, 300),
)  # fmt: skip
def test_the_words_are_the_models_own_rule(kind: str, floor: int, width: int, off: int) -> None:
    """Exactly one side's words hold, and it is the side a market with no time left pays."""
    cap = floor + width
    price = max(1, (cap if kind.startswith("less") else floor) + off)

    def above(strike_e2: int, inclusive: bool) -> float:
        return 1.0 if price > strike_e2 or (inclusive and price == strike_e2) else 0.0

    wins = from_above(kind, floor, cap, above)
    assert (_holds(claim(kind, floor, cap, "yes"), price), _holds(claim(kind, floor, cap, "no"), price)) == (
        wins == 1.0, wins != 1.0,
    )  # fmt: skip
