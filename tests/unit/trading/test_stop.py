"""Auto stop: confirmation, momentum, take profit, retries until flat, and alarms when it cannot."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from recio.trading.settings import AutoStopSettings
from recio.trading.stop import HeldTrade, StopDecision, StopMemory, StopView, decide_stop

NOW = 1_800_000_000.0
RULES = AutoStopSettings()
TRADE = HeldTrade(side="yes", held_e2=500, state="open", close_time_s=NOW + 600)
VIEW = StopView(
    now_s=NOW, probability=0.97, momentum_bp=0, price_age_s=0.5, book_age_s=1.0, bids=[[3500, 300], [3400, 900]]
)
LOW: dict[str, Any] = {"probability": 0.39}


def look(
    memory: StopMemory | None = None, rules: AutoStopSettings = RULES, trade: HeldTrade = TRADE, **view: object
) -> StopDecision:
    return decide_stop(trade, msgspec.structs.replace(VIEW, **view), memory or StopMemory(), rules)


def closing(**more: object) -> StopMemory:
    return StopMemory(**({"state": "closing", "reason": "probability 39.0 % is under 40 %"} | more))  # type: ignore[arg-type]


def test_a_winning_trade_is_held() -> None:
    found = look()
    assert (found.action, found.alarm) == ("hold", False)
    assert found.why == "probability 97.0 %, stop under 40 %"


def test_a_low_probability_is_confirmed_before_it_closes() -> None:
    first = look(**LOW)
    assert (first.action, first.memory.state) == ("hold", "confirming")
    assert first.why == "probability 39.0 % is under 40 %; closing in 15 s unless it recovers"
    early = look(first.memory, now_s=NOW + 14.9, **LOW)
    assert (early.action, early.memory.low_since_s) == ("hold", NOW)
    found = look(early.memory, now_s=NOW + 15, **LOW)
    assert (found.action, found.count_e2, found.limit_price_e4) == ("close", 500, 3200)
    assert found.why == "probability 39.0 % is under 40 % for 15 s; selling 5 at 32c or better"
    assert (found.memory.state, found.memory.attempts) == ("closing", 1)


def test_a_recovery_in_between_starts_over() -> None:
    first = look(**LOW)
    assert look(first.memory, now_s=NOW + 5).memory == StopMemory()


def test_time_to_close_is_the_markets_not_the_trades_age() -> None:
    late = msgspec.structs.replace(TRADE, close_time_s=NOW + 59.9)
    assert look(trade=late, **LOW).memory.state == "watching"
    assert "too late to stop" in look(trade=late, **LOW).why
    edge = msgspec.structs.replace(TRADE, close_time_s=NOW + 60)
    assert look(trade=edge, **LOW).memory.state == "confirming"


@pytest.mark.parametrize(
    ("side", "momentum", "action"),
    [("yes", -35, "close"), ("yes", -34, "hold"), ("yes", 80, "hold"), ("no", 35, "close"), ("no", -80, "hold")],
)
def test_momentum_stops_at_once_when_it_runs_against_the_side(side: str, momentum: int, action: str) -> None:
    assert look(trade=msgspec.structs.replace(TRADE, side=side), momentum_bp=momentum).action == action
    off = AutoStopSettings(momentum_stop=False)
    assert look(rules=off, trade=msgspec.structs.replace(TRADE, side=side), momentum_bp=momentum).action == "hold"


def test_take_profit() -> None:
    rules = AutoStopSettings(take_profit_e4=3500)
    found = look(rules=rules)
    assert (found.action, found.why) == ("close", "take profit: the bid is 35c; selling 5 at 32c or better")
    assert look(rules=AutoStopSettings(take_profit_e4=3501)).action == "hold"
    assert look(rules=rules, book_age_s=31.0).action == "hold"


def test_a_rejected_or_partly_filled_close_is_tried_again_until_flat() -> None:
    memory = closing(attempts=1, last_attempt_s=NOW)
    assert look(memory, now_s=NOW + 2.9).action == "hold"
    again = look(memory, now_s=NOW + 3, trade=msgspec.structs.replace(TRADE, held_e2=200))
    assert (again.action, again.count_e2, again.limit_price_e4) == ("close", 200, 3500 - 400)
    limits = []
    for _ in range(8):
        memory = closing(attempts=memory.attempts + 1)
        limits.append(look(memory).limit_price_e4)
    assert limits == sorted(limits, reverse=True)
    assert limits[-1] == 1
    assert look(memory, trade=msgspec.structs.replace(TRADE, held_e2=0)).memory == StopMemory()


def test_once_closing_a_recovery_or_the_last_minute_does_not_call_it_back() -> None:
    assert look(closing(), probability=0.99).action == "close"
    late = msgspec.structs.replace(TRADE, close_time_s=NOW + 20)
    assert look(closing(), trade=late).action == "close"
    over = msgspec.structs.replace(TRADE, close_time_s=NOW)
    assert look(closing(), trade=over).action == "hold"


def test_no_second_exit_while_one_is_under_way() -> None:
    busy = msgspec.structs.replace(TRADE, exit_unfinished=True, state="closing")
    found = look(closing(attempts=1), trade=busy)
    assert (found.action, found.alarm) == ("hold", False)
    assert "an exit is under way" in found.why


def test_it_alarms_when_it_cannot_close() -> None:
    nobody = look(closing(), bids=[])
    assert (nobody.action, nobody.alarm) == ("hold", True)
    assert not nobody.is_blind  # the market's doing: an incident about the trade, no fault of the desk
    assert "nobody bids for YES" in nobody.why
    broken: list[dict[str, Any]] = [{"bids": None}, {"book_age_s": None}, {"book_age_s": 31.0}]
    for view in broken:
        found = look(closing(), **view)
        assert (found.action, found.alarm, found.memory.state) == ("hold", True, "closing")
        assert found.is_blind
        assert "no fresh order book" in found.why
    assert look(closing(attempts=3)).alarm
    assert look(closing(attempts=3)).action == "close"


@pytest.mark.parametrize("view", [{"price_age_s": None}, {"price_age_s": 11.0}, {"probability": None}])
def test_it_says_when_it_is_blind_and_does_not_act_on_old_prices(view: dict[str, Any]) -> None:
    found = look(**({"momentum_bp": -5} | view))
    assert (found.action, found.alarm) == ("hold", True)
    assert found.why.startswith("cannot judge: ")
    if "price_age_s" in view:
        assert look(**({"momentum_bp": -90, "probability": 0.01} | view)).action == "hold"


def test_a_moment_of_blindness_does_not_restart_the_confirmation() -> None:
    first = look(**LOW)
    blind = look(first.memory, now_s=NOW + 5, price_age_s=None)
    assert blind.memory.low_since_s == NOW
    assert look(blind.memory, now_s=NOW + 15, **LOW).action == "close"


def test_off_and_trades_that_are_not_open() -> None:
    assert look(closing(), AutoStopSettings(enabled=False)).why == "auto stop is off"
    for state in ("pending", "expired", "closed"):
        assert look(trade=msgspec.structs.replace(TRADE, state=state), **LOW).action == "hold"
