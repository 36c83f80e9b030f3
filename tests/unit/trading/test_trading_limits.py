"""The meters say what the gate says: one refuses exactly when the gate names it, unknown is never 0."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recio.trading.limits import blocks, meters
from recio.trading.risk import Intent, RiskFacts, check
from recio.trading.settings import RiskLimits

GOOD = RiskFacts(
    now_s=1000.0, kill_switch=False, entries_allowed=True, exchange_trading=True, exchange_age_s=1.0, market_status="active",
    market_open_s=0.0, market_close_s=2000.0, price_age_s=0.1, book_age_s=0.1, book_valid=True, ask_e4=5000, clock_skew_s=-0.1,
    reconcile_age_s=1.0, unknown_orders=0, open_trades=3, same_entries=0, exposure_e6=5_000_000, daily_pnl_e6=-7_000_000,
    balance_e6=1_000_000_000, balance_age_s=1.0,
)  # fmt: skip
LEAST = Intent(purpose="entry", market_ticker="T", side="yes", count_e2=1, limit_price_e4=1)


def test_used_and_allowed() -> None:
    found = {meter.name: meter for meter in meters(GOOD, RiskLimits())}
    assert (found["max_daily_loss"].used, found["max_daily_loss"].allowed) == (7_000_000, 200_000_000)
    assert (found["max_exposure"].used, found["open_trades"].used) == (5_000_000, 3)
    assert found["clock_skew_s"].used == pytest.approx(0.1) and not any(meter.refuses for meter in found.values())
    assert {m.name: m for m in meters(msgspec.structs.replace(GOOD, daily_pnl_e6=9), RiskLimits())}[
        "max_daily_loss"
    ].used == 0
    assert blocks(GOOD, RiskLimits()) == []


@given(
    st.fixed_dictionaries({
        "open_trades": st.integers(0, 40), "exposure_e6": st.integers(0, 10**9), "daily_pnl_e6": st.integers(-(10**9), 10**9),
        "price_age_s": st.floats(0, 20), "reconcile_age_s": st.floats(0, 400), "unknown_orders": st.integers(0, 2),
        "clock_skew_s": st.floats(-5, 5), "balance_age_s": st.floats(0, 300), "exchange_age_s": st.floats(0, 60),
    })
)  # fmt: skip
def test_a_meter_is_full_exactly_when_the_gate_refuses(change: dict[str, float]) -> None:
    facts = msgspec.structs.replace(GOOD, **change)
    refused = {refusal.name for refusal in check(LEAST, facts, RiskLimits())}
    assert {meter.name for meter in meters(facts, RiskLimits()) if meter.refuses} == refused
    for meter in meters(facts, RiskLimits()):
        assert meter.used is not None
        if meter.used > meter.allowed:
            assert meter.refuses, meter


@pytest.mark.parametrize("name", ["exposure_e6", "daily_pnl_e6", "clock_skew_s", "price_age_s", "open_trades"])
def test_what_is_not_known_blocks_and_is_not_zero(name: str) -> None:
    facts = msgspec.structs.replace(GOOD, **{name: None})
    assert [meter.used for meter in meters(facts, RiskLimits()) if meter.used is None] == [None]
    assert len(blocks(facts, RiskLimits())) == 1


def test_blocks_are_about_the_desk_not_about_one_market() -> None:
    facts = msgspec.structs.replace(
        GOOD, market_status=None, book_valid=None, ask_e4=None, kill_switch=True, kill_switch_why="x"
    )
    assert [(block.name, block.why) for block in blocks(facts, RiskLimits())] == [
        ("kill_switch", "the kill switch is on: x")
    ]
