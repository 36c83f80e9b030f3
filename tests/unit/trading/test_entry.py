"""Auto entry: thresholds, window, cooldown, duplicates, the spike pause; and the reason it gives."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from recio.market.strike_table import StrikeRow
from recio.trading.entry import EntryContext, EntryDecision, SpikePause, decide, decide_row, spike_pause
from recio.trading.settings import AutoEntrySettings

NOW = 1_800_000_000.0
ON = AutoEntrySettings(enabled=True)
ROW = StrikeRow(
    market_ticker="T1", strike_e2=9_974_999, buffer_e2=26_001, buffer_percent=0.26, side="yes", probability=0.985,
    probability_yes=0.985, yes_bid_e4=9500, yes_ask_e4=9600, no_bid_e4=400, no_ask_e4=500, differential_yes_e4=220,
    differential_no_e4=-400, raw_differential_yes_e4=250, raw_differential_no_e4=-350, depth=500, yes_depth_e2=500,
    no_depth_e2=500, volume_e2=500_000, book_age_s=1.0,
)  # fmt: skip
CONTEXT = EntryContext(
    now_s=NOW, series_ticker="KXBTCD", event_ticker="E", close_time_s=NOW + 600, price_age_s=0.5, momentum_bp=3,
    pause=SpikePause(), last_order_s=None, live=(), entered=(),
)  # fmt: skip


def judge(settings: AutoEntrySettings = ON, row: dict[str, Any] | None = None, **context: object) -> EntryDecision:
    return decide_row(
        msgspec.structs.replace(ROW, **(row or {})), msgspec.structs.replace(CONTEXT, **context), settings
    )


def test_it_enters_and_says_why() -> None:
    found = judge()
    assert (found.action, found.side, found.count_e2, found.limit_price_e4) == ("enter", "yes", 100, 9700)
    assert found.why == "probability 98.5 %, ask 96c, +2.20c after fees, 600 s to the close"


def test_it_buys_the_side_btc_is_on() -> None:
    found = judge(row={"side": "no", "no_ask_e4": 9700, "differential_no_e4": 90, "no_depth_e2": 700})
    assert (found.action, found.side, found.limit_price_e4) == ("enter", "no", 9800)


def test_size_is_base_times_multiplier_and_the_limit_never_over_the_highest_ask() -> None:
    found = judge(AutoEntrySettings(enabled=True, base_count_e2=2000, multiplier=3, collar_e4=500))
    assert (found.count_e2, found.limit_price_e4) == (6000, 9800)


@pytest.mark.parametrize(
    ("context", "why"),
    [
        ({"blocked": "the kill switch is on"}, "the kill switch is on"),
        ({"series_ticker": "KXBTC15M"}, "series KXBTC15M is not in the settings"),
        ({"close_time_s": NOW - 1}, "the market has closed"),
        ({"close_time_s": NOW + 119}, "119 s to the close, less than 120 s"),
        ({"close_time_s": NOW + 901}, "901 s to the close, more than 900 s"),
        ({"price_age_s": None}, "the BTC price is not known"),
        ({"price_age_s": 61_200.0}, "the BTC price is 61200.0 s old"),
        ({"momentum_bp": None}, "momentum is not known yet"),
        ({"live": None}, "the trades of this event are not known"),
        ({"entered": None}, "the trades of this event are not known"),
        ({"live": {("T1", "yes")}}, "a trade on YES is live"),
        ({"entered": {("T1", "yes")}}, "YES was entered before and re-entry is off"),
    ],
)
def test_why_not_now(context: dict[str, Any], why: str) -> None:
    found = judge(**context)
    assert (found.action, found.why, found.count_e2) == ("wait", why, 0)


def test_off_is_off() -> None:
    assert judge(AutoEntrySettings()).why == "auto entry is off"


def test_the_other_side_and_other_strikes_are_other_entries() -> None:
    assert judge(live={("T1", "no")}, entered={("T2", "yes"), ("T1", "no")}).action == "enter"


def test_re_entry_is_read_but_a_live_trade_is_never_doubled() -> None:
    again = AutoEntrySettings(enabled=True, allow_reentry=True)
    assert judge(again, entered={("T1", "yes")}).action == "enter"
    assert judge(again, entered={("T1", "yes")}, live={("T1", "yes")}).action == "wait"


@pytest.mark.parametrize(
    ("row", "action", "why"),
    [
        ({"probability": 0.9499}, "watch", "probability 95.0 % is under 95 %"),
        ({"probability": 0.89}, "wait", "probability 89.0 % is under 95 %"),
        ({"differential_yes_e4": 24}, "watch", "differential after fees +0.24c is under +0.25c"),
        ({"differential_yes_e4": -300}, "wait", "differential after fees -3.00c is under +0.25c"),
        ({"yes_ask_e4": 9801}, "wait", "ask 98.01c is over 98c"),
        ({"volume_e2": 99_999}, "wait", "volume 999.99 is under 1000"),
        ({"volume_e2": None}, "wait", "volume is not known"),
        ({"yes_ask_e4": None}, "wait", "nobody sells YES"),
        ({"yes_depth_e2": 0}, "wait", "nobody sells YES"),
        ({"book_age_s": None}, "wait", "no order book"),
        ({"book_age_s": 16.0}, "wait", "the order book is 16.0 s old"),
        ({"probability": None}, "wait", "probability is not known"),
        ({"differential_yes_e4": None}, "wait", "probability is not known"),
    ],
)
def test_why_not_this_market(row: dict[str, Any], action: str, why: str) -> None:
    found = judge(row=row)
    assert (found.action, found.why) == (action, why)


def test_the_raw_differential_is_not_what_decides() -> None:
    assert judge(row={"raw_differential_yes_e4": 50, "differential_yes_e4": 20}).action == "watch"


def test_the_cooldown_is_consumed_by_an_order_only() -> None:
    cooling = judge(last_order_s=NOW - 59.0)
    assert (cooling.action, cooling.why) == ("watch", "cooling down after the last order, 1 s to go")
    assert judge(last_order_s=NOW - 60.0).action == "enter"
    # a market that is not right is refused for its own reason: looking at it consumes nothing
    assert "probability" in judge(row={"probability": 0.5}, last_order_s=NOW).why


def test_one_order_at_a_time_the_best_first() -> None:
    better = msgspec.structs.replace(ROW, market_ticker="T2", differential_yes_e4=240)
    worse = msgspec.structs.replace(ROW, market_ticker="T3", probability=0.5)
    found = {d.market_ticker: d for d in decide([ROW, better, worse], CONTEXT, ON)}
    assert [found[t].action for t in ("T1", "T2", "T3")] == ["watch", "enter", "wait"]
    assert found["T1"].why == "T2 is better; one order at a time"
    assert found["T1"].count_e2 == 0
    assert decide([], CONTEXT, ON) == []


def test_a_spike_pauses_until_a_real_quarter_of_an_hour_of_calm() -> None:
    pause = spike_pause(SpikePause(), 35, NOW, ON)
    assert not pause.paused
    pause = spike_pause(pause, -36, NOW, ON)
    assert pause.paused
    assert "momentum is -36 bp" in judge(pause=pause, momentum_bp=-36).why
    pause = spike_pause(pause, 31, NOW + 10, ON)  # between the two thresholds it is not calm yet
    assert pause.calm_since_s is None
    pause = spike_pause(pause, 30, NOW + 20, ON)
    assert pause.calm_since_s == NOW + 20
    pause = spike_pause(pause, 5, NOW + 919, ON)
    assert pause.paused
    assert judge(pause=pause, now_s=NOW + 919, close_time_s=NOW + 1200).why.endswith("1 s of calm to go")
    assert not spike_pause(pause, 5, NOW + 920, ON).paused


def test_calm_starts_anew_after_a_relapse_or_without_data() -> None:
    calm = SpikePause(paused=True, calm_since_s=NOW - 899)
    assert spike_pause(calm, 31, NOW, ON) == SpikePause(paused=True)
    assert spike_pause(calm, None, NOW, ON) == SpikePause(paused=True)
    assert spike_pause(calm, 40, NOW + 1, ON) == SpikePause(paused=True)
    assert spike_pause(SpikePause(), None, NOW, ON) == SpikePause()
