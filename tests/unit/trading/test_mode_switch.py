"""What a change of the mode needs: every missing thing is named with a cure, and nothing unknown counts as fine."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recio.contract.settings import SUPPORTED
from recio.trading.mode_switch import LIVE_WORD, MODES, Facts, live_gate, missing, said

FREE: dict[str, Any] = {
    "present": "simulated", "installed": SUPPORTED, "has_key": True, "trades": [], "orders": {}, "at_work": "",
}  # fmt: skip


def codes(wanted: str = "demo", **changes: Any) -> list[str]:
    return [one.code for one in missing(wanted, Facts(**(FREE | changes)))]


def test_with_a_key_and_nothing_open_it_may() -> None:
    assert codes() == []
    assert codes("simulated", present="demo", has_key=False) == [], "the simulated exchange's key is the host's own"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"has_key": False}, "no_key"),
        ({"has_key": None}, "no_key"),
        ({"installed": ("simulated",)}, "not_installed"),
        ({"orders": {"unknown": 1}}, "orders"),
        ({"trades": [{"trade_id": 7, "state": "open"}]}, "trades"),
        ({"trades": None}, "not_known"),
        ({"orders": None}, "not_known"),
        ({"at_work": "a deploy"}, "at_work"),
        ({"present": "demo"}, "same_mode"),
    ],
)
def test_each_thing_that_is_missing_is_named(changes: dict[str, Any], code: str) -> None:
    assert codes(**changes) == [code]


@pytest.mark.parametrize("mode", ["live", "paper", "casino"])
def test_a_mode_that_is_not_there_is_refused_by_what_it_lacks_whatever_else_holds(mode: str) -> None:
    found = missing(mode, Facts(**FREE))
    assert [one.code for one in found] == ["not_there"]
    assert f"does not trade in mode {mode}" in found[0].detail
    assert all(part in found[0].detail for part in (MODES[mode].lacks if mode in MODES else ("no such mode",)))


def test_all_of_it_is_said_at_once() -> None:
    trades = [{"trade_id": number, "state": "open"} for number in range(1, 8)]
    found = missing("demo", Facts(**(FREE | {"has_key": False, "orders": {"partially_filled": 2}, "trades": trades})))
    assert said(found) == (
        "there is no key for mode demo; orders of mode simulated are not finished (2 partially filled); trades 1 (open),"
        " 2 (open), 3 (open), 4 (open), 5 (open) and 2 more of mode simulated are not over"
    )
    assert all(one.cure for one in found)


@given(
    wanted=st.sampled_from([*MODES]), present=st.sampled_from(SUPPORTED), has_key=st.sampled_from([True, False, None]),
    installed=st.sampled_from([(), ("simulated",), SUPPORTED]), at_work=st.sampled_from(["", "a deploy"]),
    orders=st.sampled_from([None, {}, {"unknown": 1}, {"resting": 2, "sending": 1}]),
    trades=st.none() | st.lists(st.builds(lambda n: {"trade_id": n, "state": "open"}, st.integers(1, 99)), max_size=9),
)  # fmt: skip
def test_a_switch_with_anything_open_or_unknown_is_never_let_through(
    wanted: str, present: str, has_key: bool | None, installed: tuple[str, ...], orders: Any, trades: Any, at_work: str
) -> None:
    found = missing(wanted, Facts(present, installed, has_key, trades, orders, at_work))
    free = (
        wanted in SUPPORTED and wanted != present and wanted in installed and orders == {} and trades == [] and not at_work
        and (has_key is True or wanted == "simulated")
    )  # fmt: skip
    assert (found == ()) is free
    assert all(one.detail and one.cure and "\n" not in one.detail for one in found)


@given(recent=st.booleans(), code=st.sampled_from([True, False, None]), word=st.sampled_from(["", "live", LIVE_WORD]))
def test_before_real_money_stand_password_code_and_word_in_this_order_and_then_this_release(
    recent: bool, code: bool | None, word: str
) -> None:
    first = live_gate(recent, code, word)
    if not recent:
        assert first.code == "reauth_required"
    elif not code:
        assert first.code == "code"
    elif word != LIVE_WORD:
        assert first.code == "word"
    else:
        assert first.code == "not_there" and "does not trade in mode live" in first.detail
