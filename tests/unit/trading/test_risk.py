"""Every limit and every missing fact, at entries and at exits."""

from __future__ import annotations

import math
from typing import Any

import msgspec
import pytest

from recio.trading.risk import Intent, RiskFacts, check, order_cost_e6, sentence
from recio.trading.settings import RiskLimits

NOW = 1_800_000_000.0
ENTRY = Intent(purpose="entry", market_ticker="KXBTCD-X-T1", side="yes", count_e2=1000, limit_price_e4=9500)
EXIT = Intent(purpose="exit", market_ticker="KXBTCD-X-T1", side="yes", count_e2=1000, limit_price_e4=100)
FINE = RiskFacts(
    now_s=NOW, kill_switch=False, entries_allowed=True, exchange_trading=True, exchange_age_s=1.0,
    market_status="active", market_open_s=NOW - 3000, market_close_s=NOW + 600, price_age_s=0.5, book_age_s=1.0,
    book_valid=True, ask_e4=9400, clock_skew_s=0.1, reconcile_age_s=20.0, unknown_orders=0, open_trades=3,
    same_entries=0, exposure_e6=50_000_000, daily_pnl_e6=-10_000_000, balance_e6=1_000_000_000, balance_age_s=5.0,
    held_e2=1000, unknown_exits=0,
)  # fmt: skip
LIMITS = RiskLimits()


def names(intent: Intent = ENTRY, limits: RiskLimits = LIMITS, **facts: object) -> list[str]:
    return [refusal.name for refusal in check(intent, msgspec.structs.replace(FINE, **facts), limits)]


def test_all_is_well() -> None:
    assert check(ENTRY, FINE, LIMITS) == []
    assert check(EXIT, FINE, LIMITS) == []


ENTRY_FACTS = {
    "kill_switch": "kill_switch",
    "entries_allowed": "entries_allowed",
    "exchange_trading": "exchange_trading",
    "exchange_age_s": "exchange_age_s",
    "market_status": "market_status",
    "market_open_s": "market_open",
    "market_close_s": "market_close",
    "price_age_s": "price_age_s",
    "book_age_s": "book_age_s",
    "book_valid": "book_valid",
    "ask_e4": "ask",
    "clock_skew_s": "clock_skew_s",
    "reconcile_age_s": "reconcile_age_s",
    "unknown_orders": "unknown_orders",
    "open_trades": "open_trades",
    "same_entries": "same_entries",
    "exposure_e6": "exposure",
    "daily_pnl_e6": "daily_pnl",
    "balance_e6": "balance",
    "balance_age_s": "balance_age_s",
}


def test_every_fact_an_entry_needs_is_in_this_list() -> None:
    optional = {f.name for f in msgspec.structs.fields(RiskFacts) if f.default is None}
    assert optional == ENTRY_FACTS.keys() | {"held_e2", "unknown_exits"}


@pytest.mark.parametrize(("fact", "name"), ENTRY_FACTS.items())
def test_a_missing_fact_refuses_by_name(fact: str, name: str) -> None:
    refusals = check(ENTRY, msgspec.structs.replace(FINE, **{fact: None}), LIMITS)
    assert [r.name for r in refusals] == [name]
    assert "not known" in refusals[0].why


def test_knowing_nothing_refuses_for_all_of_it() -> None:
    assert {r.name for r in check(ENTRY, RiskFacts(now_s=NOW), LIMITS)} == set(ENTRY_FACTS.values())


@pytest.mark.parametrize(
    ("facts", "name"),
    [
        ({"kill_switch": True}, "kill_switch"),
        ({"entries_allowed": False, "entries_blocked_by": "price feed down"}, "entries_allowed"),
        ({"unknown_orders": 1}, "unknown_orders"),
        ({"exchange_trading": False}, "exchange_trading"),
        ({"market_status": "closed"}, "market_status"),
        ({"market_open_s": NOW + 1}, "market_open"),
        ({"market_close_s": NOW}, "market_close"),
        ({"market_close_s": NOW + 4.9}, "market_close"),
        ({"price_age_s": 5.1}, "price_age_s"),
        ({"price_age_s": math.nan}, "price_age_s"),
        ({"price_age_s": 17 * 3600.0}, "price_age_s"),
        ({"book_age_s": 15.1}, "book_age_s"),
        ({"exchange_age_s": 31.0}, "exchange_age_s"),
        ({"balance_age_s": 121.0}, "balance_age_s"),
        ({"reconcile_age_s": 181.0}, "reconcile_age_s"),
        ({"book_valid": False}, "book_valid"),
        ({"clock_skew_s": -2.1}, "clock_skew_s"),
        ({"clock_skew_s": math.nan}, "clock_skew_s"),
        ({"open_trades": 20}, "open_trades"),
        ({"same_entries": 1}, "same_entries"),
        ({"ask_e4": 8999}, "max_over_ask"),
        ({"exposure_e6": 499_000_000}, "max_exposure"),
        ({"daily_pnl_e6": -200_000_000}, "max_daily_loss"),
        ({"daily_pnl_e6": -20_000_000_000}, "max_daily_loss"),
        ({"balance_e6": 9_500_000}, "balance"),  # the fee does not fit
    ],
)
def test_each_limit_refuses_entries_and_no_exit(facts: dict[str, Any], name: str) -> None:
    assert names(**facts) == [name]
    if name not in ("market_close", "market_status"):
        assert names(EXIT, **facts) == []


def test_limits_of_the_order_itself() -> None:
    replace = msgspec.structs.replace
    assert names(replace(ENTRY, count_e2=10_001)) == ["max_count"]
    assert names(replace(ENTRY, limit_price_e4=9901), ask_e4=9890) == ["max_price"]
    assert names(replace(ENTRY, count_e2=10_000), exposure_e6=0) == []
    assert names(limits=RiskLimits(max_order_cost_e6=9_500_000)) == ["max_order_cost"]


@pytest.mark.parametrize("intent", [ENTRY, EXIT])
def test_an_order_that_is_none_is_refused_whatever_its_purpose(intent: Intent) -> None:
    replace = msgspec.structs.replace
    assert names(replace(intent, count_e2=0)) == ["count"]
    assert names(replace(intent, limit_price_e4=0)) == ["limit_price"]
    assert names(replace(intent, limit_price_e4=10_000)) == ["limit_price"]
    assert names(replace(intent, side="up")) == ["side"]
    assert names(replace(intent, purpose="hedge")) == ["purpose"]


def test_a_second_entry_needs_leave() -> None:
    assert names(same_entries=1) == ["same_entries"]
    assert names(same_entries=1, limits=RiskLimits(allow_same_entry=True)) == []


def test_nothing_but_meaninglessness_keeps_anyone_from_getting_out() -> None:
    assert check(EXIT, RiskFacts(now_s=NOW, held_e2=1000, unknown_exits=0, kill_switch=True), LIMITS) == []
    assert names(EXIT, held_e2=999) == ["held"]  # it would become a short position
    assert names(EXIT, held_e2=None) == ["held"]
    assert names(EXIT, unknown_exits=1) == ["unknown_exits"]
    assert names(EXIT, unknown_exits=None) == ["unknown_exits"]
    assert names(EXIT, market_close_s=NOW) == ["market_closed"]
    assert names(EXIT, market_status="finalized") == ["market_status"]
    assert names(EXIT, market_status="inactive") == []


def test_the_reasons_read_as_a_sentence() -> None:
    facts = msgspec.structs.replace(FINE, kill_switch=True, kill_switch_why="holidays", market_status="closed")
    said = sentence(check(ENTRY, facts, LIMITS))
    assert said == "the kill switch is on: holidays; the market is closed, not active"


def test_cost_includes_the_fee_and_better_prices_cost_less() -> None:
    assert order_cost_e6(100, 5200) == 520_000 + 17_500
    costs = [order_cost_e6(100, price) for price in range(1, 10_000)]
    assert costs == sorted(costs)
