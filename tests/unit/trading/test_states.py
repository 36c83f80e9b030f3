"""The state machines of trades and orders."""

from __future__ import annotations

import itertools

import pytest

from recio.trading.states import (
    LIVE_TRADES,
    ORDER_STEPS,
    TRADE_STEPS,
    UNFINISHED_ORDERS,
    OrderState,
    TradeState,
    TransitionError,
    order_state_of_answer,
    order_step,
    trade_after,
    trade_step,
)


def test_every_state_has_a_row() -> None:
    assert set(TRADE_STEPS) == set(TradeState)
    assert set(ORDER_STEPS) == set(OrderState)


def test_legal_steps_pass_and_illegal_ones_name_both_states() -> None:
    for old, new in itertools.product(TradeState, TradeState):
        if old is new or new in TRADE_STEPS[old]:
            assert trade_step(old, new.value) is new
        else:
            with pytest.raises(TransitionError, match=f"trade cannot go from {old} to {new}; "):
                trade_step(old.value, new)
    for before, after in itertools.product(OrderState, OrderState):
        if before is after or after in ORDER_STEPS[before]:
            assert order_step(before.value, after) is after
        else:
            with pytest.raises(TransitionError, match=f"order cannot go from {before} to {after}; "):
                order_step(before, after.value)


def test_a_state_nobody_knows_is_an_error() -> None:
    with pytest.raises(ValueError, match="booked"):
        trade_step("open", "booked")


def test_what_is_final_says_so() -> None:
    with pytest.raises(TransitionError, match="closed is final"):
        trade_step("closed", "open")


def test_an_order_is_sent_once() -> None:
    """No state leads back to intent or sending: v2 sent orders twice after a restart or a timeout."""
    for state, after in ORDER_STEPS.items():
        assert OrderState.INTENT not in after
        assert (OrderState.SENDING in after) == (state is OrderState.INTENT)
    assert {OrderState.UNKNOWN, OrderState.SENDING} <= UNFINISHED_ORDERS


def test_a_timeout_is_unknown_until_looked_up() -> None:
    assert OrderState.UNKNOWN in ORDER_STEPS[OrderState.SENDING]
    assert {OrderState.FILLED, OrderState.CANCELLED, OrderState.REFUSED} <= ORDER_STEPS[OrderState.UNKNOWN]


@pytest.mark.parametrize(
    ("status", "count", "filled", "state"),
    [
        ("executed", 100, 100, "filled"),
        ("canceled", 100, 0, "cancelled"),
        ("canceled", 100, 40, "cancelled"),
        ("canceled", 100, 100, "filled"),
        ("resting", 100, 0, "resting"),
        ("resting", 100, 40, "partially_filled"),
        ("resting", 100, 100, "filled"),
        ("executed", 100, 40, "cancelled"),
    ],
)
def test_an_answer_becomes_a_state(status: str, count: int, filled: int, state: str) -> None:
    assert order_state_of_answer(status, count, filled) == state


@pytest.mark.parametrize(("status", "filled"), [("pending", 0), ("", 0), ("executed", 101), ("canceled", -1)])
def test_an_answer_that_proves_nothing_is_an_error(status: str, filled: int) -> None:
    with pytest.raises(ValueError, match=r"status|filled_e2"):
        order_state_of_answer(status, 100, filled)


# state, entry, exit, entry unfinished, exit unfinished, market closed, refused, result -> state
CASES = [
    ("pending", 0, 0, True, False, False, False, False, "pending"),
    ("pending", 100, 0, True, False, False, False, False, "open"),
    ("pending", 0, 0, False, False, False, False, False, "closed"),
    ("pending", 0, 0, False, False, False, True, False, "error"),
    ("pending", 0, 0, True, False, True, False, False, "expired"),
    ("pending", 100, 0, False, False, True, False, False, "expired"),
    ("expired", 0, 0, False, False, True, False, False, "closed"),
    ("open", 100, 0, False, True, False, False, False, "closing"),
    ("closing", 100, 60, False, True, False, False, False, "closing"),
    ("closing", 100, 60, False, False, False, False, False, "open"),  # rejected or partly filled: never stuck
    ("closing", 100, 100, False, False, False, False, False, "closed"),
    ("closing", 100, 100, False, True, False, False, False, "closing"),
    ("closing", 100, 60, False, True, True, False, False, "expired"),
    ("open", 100, 0, False, False, False, False, False, "open"),  # another hour's close is not this market's
    ("open", 100, 0, False, False, True, False, False, "expired"),
    ("open", 100, 0, False, False, True, False, True, "closed"),
    ("expired", 100, 0, False, False, False, False, False, "expired"),
    ("expired", 100, 0, False, False, True, False, True, "closed"),
    ("open", 100, 120, False, False, False, False, False, "error"),  # sold more than was held
    ("error", 100, 0, False, False, False, False, False, "open"),  # a late fill of an order given up
    ("error", 0, 0, False, False, False, True, False, "error"),
    ("error", 0, 0, True, False, False, False, False, "error"),
    ("open", 0, 0, False, False, False, False, False, "error"),  # fills do not vanish
    ("closed", 100, 0, True, True, False, False, False, "closed"),
]


@pytest.mark.parametrize("case", CASES)
def test_where_a_trade_belongs(case: tuple[str, int, int, bool, bool, bool, bool, bool, str]) -> None:
    state, entry, exited, entry_open, exit_open, over, refused, known, expected = case
    assert expected == trade_after(
        state, entry, exited,
        entry_unfinished=entry_open, exit_unfinished=exit_open, market_closed=over,
        entry_refused=refused, result_known=known,
    )  # fmt: skip


def test_whatever_the_facts_the_step_is_legal() -> None:
    for state in TradeState:
        for entry, exited in ((0, 0), (100, 0), (100, 40), (100, 100), (100, 130)):
            for flags in itertools.product((False, True), repeat=5):
                after = trade_after(
                    state, entry, exited,
                    entry_unfinished=flags[0], exit_unfinished=flags[1], market_closed=flags[2],
                    entry_refused=flags[3], result_known=flags[4],
                )  # fmt: skip
                assert trade_step(state, after) is after
                assert after is not TradeState.CLOSED or entry >= exited or state is TradeState.CLOSED


def test_pending_and_closing_trades_are_not_forgotten() -> None:
    assert {TradeState.PENDING, TradeState.CLOSING, TradeState.EXPIRED} <= LIVE_TRADES
