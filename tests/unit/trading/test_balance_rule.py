"""When a balance may be taken as right, and what each reason against it says."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recio.trading.balance import (
    COMPARED_WITHIN_S,
    GRACE_S,
    OLDEST_S,
    TOLERANCE_E6,
    BalanceFacts,
    balance_facts,
    expected_balance,
    refusals,
)

# A deposit of 250 dollars, everything else quiet.
GOOD = BalanceFacts(
    balance_e6=260_000_000, balance_age_s=3.0, cash_e6=-1_000_000, cash_known=True, anchor_balance_e6=11_000_000,
    anchor_cash_e6=0, unfinished=0, moved_age_s=600.0, settling=(), compared_age_s=20.0, others=(),
)  # fmt: skip


def changed(**facts: object) -> BalanceFacts:
    return msgspec.structs.replace(GOOD, **facts)


def test_a_deposit_while_all_is_quiet_is_accepted() -> None:
    assert (GOOD.expected_e6, GOOD.differs_e6, GOOD.agrees) == (10_000_000, 250_000_000, False)
    assert refusals(GOOD) == ()


@pytest.mark.parametrize(
    ("facts", "name", "words"),
    [
        ({"balance_e6": None, "balance_age_s": None}, "balance_age", "never read"),
        ({"balance_age_s": OLDEST_S + 1}, "balance_age", "61 s ago, more than 60 s"),
        ({"balance_e6": 10_000_000 + TOLERANCE_E6}, "agrees", "nothing to accept"),
        ({"balance_e6": 10_000_000 - TOLERANCE_E6}, "agrees", "nothing to accept"),
        ({"unfinished": 1}, "unfinished_orders", "1 order is not finished"),
        ({"unfinished": 3}, "unfinished_orders", "3 orders are not finished"),
        ({"settling": ("T1",)}, "settling", "T1 has closed"),
        ({"settling": ("T1", "T2", "T3")}, "settling", "T1 and 2 more"),
        ({"compared_age_s": None}, "compared_age", "never compared"),
        ({"compared_age_s": COMPARED_WITHIN_S + 1}, "compared_age", "121 s old"),
        ({"others": ("position T1",)}, "other_differences", "position T1; clear that up first"),
        ({"others": ("position T1", "fill f")}, "other_differences", "position T1 and 1 more"),
        ({"moved_age_s": 3.0 + GRACE_S - 0.1}, "just_moved", "may not hold it yet"),
    ],
)  # fmt: skip
def test_each_reason_alone_refuses_and_says_why(facts: dict[str, object], name: str, words: str) -> None:
    (found,) = refusals(changed(**facts))
    assert found.name == name and words in found.why
    assert not found.why.endswith("."), "sentences are put together by those who show them"


def test_a_void_market_makes_the_expectation_unknown_and_can_still_be_accepted() -> None:
    facts = changed(cash_known=False)
    assert (facts.expected_e6, facts.differs_e6, facts.agrees) == (None, None, False)
    assert refusals(facts) == (), "a later anchor is how it becomes known again"


def test_a_balance_read_long_enough_after_the_last_fill_counts() -> None:
    assert refusals(changed(moved_age_s=3.0 + GRACE_S)) == ()
    assert refusals(changed(moved_age_s=None)) == (), "nothing ever moved"


def test_every_reason_is_told_at_once() -> None:
    facts = changed(unfinished=2, settling=("T",), others=("order x",), balance_age_s=90.0)
    assert [one.name for one in refusals(facts)] == [
        "balance_age", "unfinished_orders", "settling", "other_differences",
    ]  # fmt: skip


def test_differences_beside_the_balance_are_named_and_unknown_ones_count() -> None:
    row = {name: getattr(GOOD, name) for name in BalanceFacts.__struct_fields__ if name != "others"}
    told = [{"about": "balance", "key": "cash"}, {"about": "position", "key": "T"}, "old words", {"x": 1}]
    facts = balance_facts(row | {"differences": told, "anchor_at": None})
    assert facts.others == ("position T", "old words", "{'x': 1}")
    assert balance_facts(row | {"differences": told[:1]}).others == ()


@given(
    st.integers(-(10**15), 10**15), st.integers(-(10**15), 10**15), st.integers(-(10**15), 10**15),
    st.integers(-(10**15), 10**15),
)  # fmt: skip
def test_an_accepted_balance_agrees_until_money_moves_outside_the_ledger(
    balance: int, cash: int, later: int, outside: int
) -> None:
    anchor = {"balance_e6": balance, "cash_e6": cash}
    assert expected_balance(anchor, cash) == balance
    facts = changed(
        anchor_balance_e6=balance, anchor_cash_e6=cash, cash_e6=later, balance_e6=balance + later - cash + outside
    )
    assert facts.differs_e6 == outside
    assert facts.agrees == (abs(outside) <= TOLERANCE_E6)
    assert bool(refusals(facts)) == facts.agrees
    assert expected_balance(None, cash) is None and expected_balance(anchor, None) is None
