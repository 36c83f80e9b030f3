"""The strategies: thresholds, window, cooldown, duplicates, size and price at the real book; and the reason they give."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from desk_rules import CONTEXT, NOW, context, monitor, state, table

from recio.market.blend import blend
from recio.market.fees import order_fee_e6
from recio.trading.entry import SpikePause
from recio.trading.evaluate import evaluate_entries, evaluate_exit, recompute, states
from recio.trading.monitor import changed, read_monitor, settings_of, to_builtins
from recio.trading.settings import AutoStopSettings, SettingError
from recio.trading.stop import HeldTrade, StopMemory, StopView
from recio.trading.strategies import STRATEGIES
from recio.trading.strategies.base import EntryDecision, ExitState

HOURLY = monitor()


def judge(row: dict[str, Any] | None = None, settings: dict[str, Any] | None = None, **changes: Any) -> EntryDecision:
    found = evaluate_entries(monitor(**(settings or {})), table(row or {}), context(**changes))
    return found[0]


def test_it_enters_and_says_why() -> None:
    found = judge()
    assert (found.action, found.reason, found.side) == ("enter", "enter", "yes")
    assert (found.count_e2, found.limit_price_e4, found.ask_e4) == (100, 9700, 9600)
    assert found.why == "probability 99.5 %, ask 96c, average 96.00c, +3.23c after fees and depth, 600 s to the close"
    said = judge(edge="no edge shown").why
    assert said.endswith("; no edge shown")


def test_the_differential_is_after_fees_at_the_average_fill_of_the_wanted_count() -> None:
    found = judge(settings={"base_count_e2": 1000, "collar_e4": 100})
    fills = [(9600, 500), (9700, 500)]
    cost_e4 = -(-(sum(p * c for p, c in fills) + order_fee_e6(fills)) // 1000)
    assert found.count_e2 == 1000
    assert found.differential_e4 == 9950 - cost_e4
    assert found.raw_differential_e4 == 9950 - 9600
    assert found.differential_e4 < judge().differential_e4 < found.raw_differential_e4  # type: ignore[operator]


def test_what_the_book_does_not_offer_within_the_collar_is_not_asked_for() -> None:
    found = judge(settings={"base_count_e2": 2000})
    assert (found.action, found.count_e2, found.limit_price_e4) == ("enter", 1000, 9700)
    assert judge(settings={"base_count_e2": 2000, "collar_e4": 0}).count_e2 == 500
    thin = table({})
    thin = msgspec.structs.replace(
        thin, books={"T1": msgspec.structs.replace(thin.books["T1"], no_bids=[[400, 99]])}
    )  # fmt: skip
    none = evaluate_entries(HOURLY, thin, CONTEXT)[0]
    assert (none.action, none.why) == ("wait", "only 0.99 contracts are offered")


def test_the_market_and_the_model_are_blended_by_the_default() -> None:
    found = judge(settings={"model_weight": 0.3})
    assert (found.probability_model, found.probability_market) == (0.995, 0.955)
    assert found.probability == pytest.approx(blend(0.995, 0.955, 0.3))
    no = judge({"side": "no", "probability_yes": 0.005}, {"model_weight": 0.3})
    assert no.probability == pytest.approx(1.0 - blend(0.005, 0.955, 0.3))
    assert no.probability_model == pytest.approx(0.995)
    assert settings_of("hourly_hold", None).model_weight < 0.5


def test_without_the_markets_own_price_there_is_no_blend() -> None:
    lonely = table({})
    lonely = msgspec.structs.replace(
        lonely, books={"T1": msgspec.structs.replace(lonely.books["T1"], yes_bids=[])}
    )  # fmt: skip
    found = evaluate_entries(monitor(model_weight=0.3), lonely, CONTEXT)[0]
    assert found.reason == "probability"
    assert "market's own probability is not known" in found.why
    assert evaluate_entries(monitor(model_weight=1.0), lonely, CONTEXT)[0].action == "enter"


@pytest.mark.parametrize(
    ("changes", "reason", "why"),
    [
        ({"off": "auto entry is off"}, "off", "auto entry is off"),
        ({"blocked": "the kill switch is on"}, "blocked", "the kill switch is on"),
        ({"now_s": NOW + 601}, "closed", "the market has closed"),
        ({"now_s": NOW + 481}, "window", "119 s to the close, less than 120 s"),
        ({"now_s": NOW - 301}, "window", "901 s to the close, more than 900 s"),
        ({"price_age_s": None}, "price", "the BTC price is not known"),
        ({"price_age_s": 61_200.0}, "price", "the BTC price is 61200.0 s old"),
        ({"price_age_s": float("nan")}, "price", "the BTC price is nan s old"),
        ({"momentum_bp": None}, "momentum", "momentum is not known yet"),
        ({"pause": SpikePause(paused=True)}, "pause", "paused after a momentum spike; momentum is +3 bp"),
        (
            {"pause": SpikePause(paused=True, calm_since_s=NOW - 899)},
            "pause",
            "paused after a momentum spike, 1 s of calm to go",
        ),
        ({"live": None}, "trades", "the trades of this event are not known"),
        ({"entered": None}, "trades", "the trades of this event are not known"),
        ({"live": {("T1", "yes")}}, "live", "a trade on YES is live"),
        ({"entered": {("T1", "yes")}}, "entered", "YES was entered before and re-entry is off"),
    ],
)
def test_why_not_now(changes: dict[str, Any], reason: str, why: str) -> None:
    found = judge(**changes)
    assert (found.action, found.reason, found.why, found.count_e2) == ("wait", reason, why, 0)


def test_a_market_held_back_by_the_switches_is_judged_all_the_same() -> None:
    found = judge(off="auto entry is off")
    assert found.probability_model == 0.995
    assert found.differential_e4 is not None
    assert judge(now_s=NOW + 600).probability_model is None


def test_the_other_side_and_other_strikes_are_other_entries() -> None:
    assert judge(live={("T1", "no")}, entered={("T2", "yes"), ("T1", "no")}).action == "enter"


def test_re_entry_is_read_but_a_live_trade_is_never_doubled() -> None:
    again = {"allow_reentry": True}
    assert judge(settings=again, entered={("T1", "yes")}).action == "enter"
    assert judge(settings=again, entered={("T1", "yes")}, live={("T1", "yes")}).action == "wait"


@pytest.mark.parametrize(
    ("row", "action", "why"),
    [
        ({"probability_yes": 0.9499}, "watch", "probability 95.0 % is under 95 %"),
        ({"probability_yes": 0.89}, "wait", "probability 89.0 % is under 95 %"),
        ({"probability_yes": None}, "wait", "probability is not known"),
        ({"probability_yes": 0.965}, "watch", "differential after fees +0.23c is under +0.25c"),
        ({"volume_e2": 99_999}, "wait", "volume 999.99 is under 1000"),
        ({"volume_e2": None}, "wait", "volume is not known"),
    ],
)
def test_why_not_this_market(row: dict[str, Any], action: str, why: str) -> None:
    found = judge(row)
    assert (found.action, found.why) == (action, why)


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ({"yes_ask_e4": 9801}, "ask 98.01c is over 98c"),
        ({"yes_ask_e4": None}, "nobody sells YES"),
        ({"yes_depth_e2": 0}, "nobody sells YES"),
        ({"book_age_s": None}, "no order book"),
        ({"book_age_s": 16.0}, "the order book is 16.0 s old"),
    ],
)
def test_without_a_ladder_the_rows_own_prices_count(row: dict[str, Any], why: str) -> None:
    assert evaluate_entries(HOURLY, table(book=False), CONTEXT)[0].limit_price_e4 == 9700
    found = evaluate_entries(HOURLY, table(row, book=False), CONTEXT)[0]
    assert (found.action, found.why) == ("wait", why)


def test_a_broken_crossed_or_old_book_is_no_book() -> None:
    seen = table({})
    for broken, why in (
        (msgspec.structs.replace(seen.books["T1"], valid=False), "no order book"),
        (msgspec.structs.replace(seen.books["T1"], received_s=NOW - 16), "the order book is 16.0 s old"),
        (msgspec.structs.replace(seen.books["T1"], yes_bids=[[9700, 1]]), "no order book"),
    ):
        found = evaluate_entries(HOURLY, msgspec.structs.replace(seen, books={"T1": broken}), CONTEXT)[0]
        assert (found.action, found.why) == ("wait", why)


def test_the_cooldown_is_consumed_by_an_order_only() -> None:
    cooling = judge(last_order_s=NOW - 59.0)
    assert (cooling.action, cooling.why) == ("watch", "cooling down after the last order, 1 s to go")
    assert judge(last_order_s=NOW - 60.0).action == "enter"
    # a market that is not right is refused for its own reason: looking at it consumes nothing
    assert "probability" in judge({"probability_yes": 0.5}, last_order_s=NOW).why


def test_one_order_at_a_time_the_best_first() -> None:
    rows = ({}, {"market_ticker": "T2", "probability_yes": 0.999}, {"market_ticker": "T3", "probability_yes": 0.5})
    found = {d.market_ticker: d for d in evaluate_entries(HOURLY, table(*rows), CONTEXT)}
    assert [found[t].action for t in ("T1", "T2", "T3")] == ["watch", "enter", "wait"]
    assert (found["T1"].why, found["T1"].count_e2) == ("T2 is better; one order at a time", 0)
    assert evaluate_entries(monitor(series="KXBTC15M"), table(*rows), CONTEXT) == []


def test_the_quarter_hour_takes_the_better_side() -> None:
    quarter = monitor("quarter_hour", "KXBTC15M", min_volume_e2=0, max_ask_e4=9_900)
    found = evaluate_entries(quarter, table({"side": "no"}, series_ticker="KXBTC15M", close_time_s=NOW + 300), CONTEXT)
    assert [(d.action, d.side) for d in found] == [("enter", "yes")]
    against = {"side": "yes", "probability_yes": 0.02}
    cheap = evaluate_entries(quarter, table(against, series_ticker="KXBTC15M", close_time_s=NOW + 300), CONTEXT)[0]
    assert (cheap.action, cheap.side, cheap.ask_e4) == ("enter", "no", 500)
    late = evaluate_entries(quarter, table(against, series_ticker="KXBTC15M", close_time_s=NOW + 44), CONTEXT)[0]
    assert (late.action, late.reason) == ("wait", "window")


@pytest.mark.parametrize("name", sorted(STRATEGIES))
def test_a_decision_can_be_made_again_from_what_is_stored(name: str) -> None:
    found = monitor(name, "KXBTCD")
    seen = states(table({}, {"market_ticker": "T2", "probability_yes": 0.5}), context(live={("T3", "no")}))
    for one in seen:
        stored = msgspec.json.decode(msgspec.json.encode(one))
        settings = msgspec.json.decode(msgspec.json.encode(to_builtins(found.settings)))
        assert recompute(name, settings, stored) == STRATEGIES[name].entry(one, found.settings)


@pytest.mark.parametrize("name", sorted(STRATEGIES))
def test_settings_are_checked_and_named(name: str) -> None:
    plain = to_builtins(settings_of(name, None))
    assert settings_of(name, plain) == settings_of(name, {})
    for wrong in ({"nonsense": 1}, {"multiplier": 4}, {"min_probability_percent": 101}, {"stop": {"confirm_after_s": -1}},
                  {"min_time_to_close_s": 900}, {"sizing": "martingale"}, {"model_weight": 1.5}, {"base_count_e2": "1"}):  # fmt: skip
        with pytest.raises(SettingError, match=name):
            settings_of(name, wrong)


def test_an_unknown_strategy_is_named_with_the_known_ones() -> None:
    with pytest.raises(SettingError, match="hourly_hold, quarter_hour"):
        settings_of("martingale", None)
    with pytest.raises(SettingError):
        read_monitor({"monitor_id": "a", "strategy": "x", "series_ticker": "S", "enabled": True, "settings": {}})


def test_changing_one_key_keeps_the_others() -> None:
    before = settings_of("hourly_hold", {"base_count_e2": 300, "stop": {"confirm_after_s": 9}})
    after = settings_of("hourly_hold", changed(before, {"cooldown_s": 5, "stop.momentum_stop": False}))
    assert (after.base_count_e2, after.cooldown_s, after.stop.confirm_after_s) == (300, 5, 9)
    assert not after.stop.momentum_stop
    assert settings_of("hourly_hold", changed(after, {"stop": {"enabled": False}})).stop.confirm_after_s == 9
    with pytest.raises(SettingError, match="stop"):
        changed(after, {"stop": 3})


HELD = HeldTrade(side="yes", held_e2=500, state="open", close_time_s=NOW + 600)
LOW = StopView(now_s=NOW, probability=0.3, momentum_bp=0, price_age_s=0.5, book_age_s=1.0, bids=[[3500, 900]])


def test_each_monitor_stops_by_its_own_settings_and_off_still_protects() -> None:
    seen = ExitState(trade=HELD, view=LOW, memory=StopMemory(state="confirming", low_since_s=NOW - 6))
    desk = AutoStopSettings()
    assert evaluate_exit(None, seen, desk).action == "hold"
    quarter = monitor("quarter_hour", "KXBTC15M")
    assert evaluate_exit(quarter, seen, desk).action == "close"
    assert evaluate_exit(msgspec.structs.replace(quarter, enabled=False), seen, desk).action == "close"
    assert evaluate_exit(quarter, seen, AutoStopSettings(enabled=False)).why == "auto stop is off"


def test_a_state_without_anything_known_waits() -> None:
    nothing = {
        name: None for name in ("yes_bid_e4", "yes_ask_e4", "no_bid_e4", "no_ask_e4", "yes_depth_e2", "volume_e2")
    }
    bare = state(nothing | {"probability_yes": None, "book_age_s": None}, yes_bids=None, no_bids=None)
    for known in STRATEGIES.values():
        found = known.entry(bare, known.settings())
        assert (found.action, found.probability, found.differential_e4) == ("wait", None, None)
