"""When a resting order of another's hand may be cancelled, and what its cancel came to."""

from __future__ import annotations

import math

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recio.trading.adopt import ForeignOrder
from recio.trading.cancel import (
    UNDER_WAY,
    CancelError,
    CancelFacts,
    CancelState,
    admit,
    cancel_step,
    in_words,
    outcome_of_ack,
    outcome_of_look,
)
from recio.trading.reconcile import ExchangeRecords, LedgerRecords, OrderRecord, reconcile

ORDER = ForeignOrder(
    client_order_id="c-1", exchange_order_id="x-1", market_ticker="M", event_ticker="E", series_ticker="S",
    strike_e2=1, close_s=100.0, book_side="bid", yes_price_e4=3_200, count_e2=1_000, filled_e2=0, status="resting",
    created_s=50.0,
)  # fmt: skip
FACTS = CancelFacts(reading_age_s=5.0, orders=[ORDER])


def facts(**changes: object) -> CancelFacts:
    return msgspec.structs.replace(FACTS, **changes)


def test_what_the_last_reading_has_resting_may_go() -> None:
    assert admit("x-1", FACTS) is ORDER
    assert admit("x-1", facts(former=None, reading_age_s=120.0)) is ORDER


@pytest.mark.parametrize(
    ("order_id", "changes", "why"),
    [
        ("x-2", {}, "knows no order x-2"),
        ("c-1", {}, "knows no order c-1"),
        ("", {}, "knows no order"),
        ("x-1", {"orders": []}, "knows no order x-1"),
        ("x-1", {"reading_age_s": None}, "has not been read yet"),
        ("x-1", {"reading_age_s": 120.1}, "last read 120 s ago, more than 120 s"),
        ("x-1", {"reading_age_s": math.nan}, "what rests now is not known"),
        ("x-1", {"own_state": "sending"}, r"this desk's own \(sending\)"),
        ("x-1", {"own_state": "filled"}, r"this desk's own \(filled\)"),
        ("x-1", {"former": "intent"}, "being cancelled already"),
        ("x-1", {"former": "sending"}, "never sent twice"),
        ("x-1", {"former": "unknown"}, "never sent twice"),
        ("x-1", {"former": "cancelled"}, "a moment ago"),
        ("x-1", {"former": "gone"}, "a moment ago"),
        ("x-1", {"orders": [msgspec.structs.replace(ORDER, status="executed")]}, "it is executed"),
        ("x-1", {"orders": [msgspec.structs.replace(ORDER, status="canceled")]}, "it is canceled"),
    ],
)
def test_everything_else_is_refused_with_its_reason(order_id: str, changes: dict[str, object], why: str) -> None:
    with pytest.raises(CancelError, match=why):
        admit(order_id, facts(**changes))


@given(
    st.one_of(st.none(), st.floats()),
    st.lists(st.sampled_from(["x-1", "x-2"]), max_size=2),
    st.sampled_from([None, "intent", "sending", "unknown", "filled"]),
    st.sampled_from([None, *CancelState]),
    st.sampled_from(["resting", "executed", "canceled"]),
)
def test_only_a_resting_foreign_order_of_a_fresh_reading_is_ever_admitted(
    age_s: float | None, ids: list[str], own: str | None, former: str | None, status: str
) -> None:
    orders = [msgspec.structs.replace(ORDER, exchange_order_id=one, status=status) for one in ids]
    given_facts = CancelFacts(reading_age_s=age_s, orders=orders, own_state=own, former=former)
    right = age_s is not None and age_s <= 120 and "x-1" in ids and status == "resting" and own is None and not former
    try:
        found = admit("x-1", given_facts)
    except CancelError:
        assert not right
    else:
        assert right and found.exchange_order_id == "x-1"


def test_by_the_exchanges_answer() -> None:
    found = outcome_of_ack(1_000, 750)
    assert (found.state, found.reduced_e2, found.reason) == ("cancelled", 750, "7.5 of 10 taken off the book")
    assert outcome_of_ack(1_000, 0).state == "unknown", "an answer that took nothing off proves nothing"


@pytest.mark.parametrize(
    ("status", "filled_e2", "looks", "age_s", "not_found", "state", "reduced_e2"),
    [
        ("canceled", 0, 1, 1, False, "cancelled", 1_000),
        ("canceled", 400, 1, 1, False, "cancelled", 600),
        ("canceled", 400, 1, 1, True, "gone", None),
        ("canceled", 1_000, 1, 1, False, "gone", None),
        ("executed", 1_000, 1, 1, False, "gone", None),
        ("resting", 0, 4, 60, False, None, None),
        ("resting", 0, 5, 19.9, False, None, None),
        ("resting", 0, 5, 20, False, "refused", None),
        ("", 0, 4, 60, True, None, None),
        ("", 0, 5, 20, True, "gone", None),
        ("pending", 0, 99, 999, False, None, None),
    ],
)
def test_by_looking_it_up(
    status: str, filled_e2: int, looks: int, age_s: float, not_found: bool, state: str | None, reduced_e2: int | None
) -> None:
    found = outcome_of_look(status, 1_000, filled_e2, looks=looks, age_s=age_s, not_found=not_found)
    assert (found and found.state, found and found.reduced_e2) == (state, reduced_e2)


@given(
    st.sampled_from(["resting", "canceled", "executed", ""]), st.integers(0, 1_000), st.integers(1, 9),
    st.floats(0, 100), st.booleans(),
)  # fmt: skip
def test_nothing_is_said_to_be_cancelled_that_the_exchange_does_not_call_so(
    status: str, filled_e2: int, looks: int, age_s: float, not_found: bool
) -> None:
    found = outcome_of_look(status, 1_000, filled_e2, looks=looks, age_s=age_s, not_found=not_found)
    if found is not None and found.state == "cancelled":
        assert status == "canceled" and not not_found and found.reduced_e2 == 1_000 - filled_e2 > 0
    if found is not None and found.state == "refused":
        assert status == "resting" and looks >= 5 and age_s >= 20, "no earlier: the request may still arrive"
    assert found is None or found.state not in UNDER_WAY


def test_an_end_is_final_and_nothing_goes_back() -> None:
    for before in CancelState:
        for after in CancelState:
            allowed = (before == "intent" and after == "sending") or (
                before in ("sending", "unknown") and after in ("cancelled", "gone", "refused")
            ) or (before == "sending" and after == "unknown")  # fmt: skip
            if allowed:
                assert cancel_step(before, after) is after
            else:
                with pytest.raises(ValueError, match=f"from {before} to {after}"):
                    cancel_step(before, after)


def test_an_order_in_words() -> None:
    assert in_words("bid", 3_200, 1_000) == "buy 10 YES at 32¢, or sell 10 NO at 68¢"
    assert in_words("ask", 3_250, 50) == "buy 0.5 NO at 67.5¢, or sell 0.5 YES at 32.5¢"
    assert in_words("bid", 9_000, 100) == "buy 1 YES at 90¢, or sell 1 NO at 10¢"


@pytest.mark.parametrize(
    ("state", "filled_e2", "ended", "ok"),
    [
        ("cancelled", 0, {"a"}, True),
        ("cancelled", 0, set(), False),
        ("cancelled", 0, {"b"}, False),
        ("cancelled", 100, {"a"}, False),
        ("resting", 0, {"a"}, False),
        ("filled", 500, {"a"}, False),
    ],
)
def test_an_order_of_others_that_this_desk_ended_without_a_fill_is_no_difference(
    state: str, filled_e2: int, ended: set[str], ok: bool
) -> None:
    theirs = ExchangeRecords(
        orders=[OrderRecord(client_order_id="a", market_ticker="M", state=state, filled_e2=filled_e2)],
        fills={}, positions={}, balance_e6=0,
    )  # fmt: skip
    ours = LedgerRecords(orders=[], fills={}, positions={}, ended=frozenset(ended))
    assert reconcile(theirs, ours, 1_000.0).ok is ok
