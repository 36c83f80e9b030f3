"""Tickets, risk, entry and stop hold their promises for any input."""

from __future__ import annotations

from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from recio.trading.entry import SpikePause, spike_pause
from recio.trading.risk import Intent, RiskFacts, check
from recio.trading.settings import AutoEntrySettings, AutoStopSettings, RiskLimits
from recio.trading.stop import HeldTrade, StopMemory, StopView, decide_stop
from recio.trading.ticket import PriceRange, TicketError, count_e2_of, on_grid, price_e4_of, snap

GRIDS = [
    (PriceRange(0, 10_000, 100),),
    (PriceRange(0, 10_000, 10),),
    (PriceRange(0, 1000, 10), PriceRange(1000, 9000, 100), PriceRange(9000, 10_000, 10)),
    (PriceRange(0, 100, 1), PriceRange(100, 9900, 10), PriceRange(9900, 10_000, 1)),
    (PriceRange(0, 1000, 50), PriceRange(1000, 9000, 100), PriceRange(9000, 10_000, 50)),
]
anything = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=20),
    st.binary(max_size=5),
    st.lists(st.integers()),
)
sides = st.sampled_from(["yes", "no"])
maybe = st.one_of(st.none(), st.floats(0, 100))


@given(anything)
def test_whatever_is_written_is_a_count_a_price_or_a_named_error(value: Any) -> None:
    try:
        assert 1 <= count_e2_of(value) <= 10_000_000
    except TicketError as error:
        assert str(error).startswith("count: ")
    try:
        assert on_grid(price_e4_of(value), GRIDS[0])
    except TicketError as error:
        assert str(error).startswith("limit_price: ")


@given(st.integers(-500, 11_000), st.sampled_from(GRIDS), sides)
def test_snapping_lands_on_the_grid_at_the_nearest_price(price: int, grid: tuple[PriceRange, ...], side: str) -> None:
    valid = [p for p in range(1, 10_000) if on_grid(p, grid, side)]
    down, up = snap(price, grid, side), snap(price, grid, side, up=True)
    assert down == max((p for p in valid if p <= price), default=valid[0])
    assert up == min((p for p in valid if p >= price), default=valid[-1])


FACTS = {
    "kill_switch": st.booleans(), "entries_allowed": st.booleans(), "exchange_trading": st.booleans(),
    "exchange_age_s": st.floats(0, 60), "market_status": st.sampled_from(["active", "closed", "finalized"]),
    "market_open_s": st.floats(-100, 100), "market_close_s": st.floats(-100, 1000), "price_age_s": st.floats(0, 10),
    "book_age_s": st.floats(0, 30), "book_valid": st.booleans(), "ask_e4": st.integers(1, 9999),
    "clock_skew_s": st.floats(-5, 5), "reconcile_age_s": st.floats(0, 400), "unknown_orders": st.integers(0, 2),
    "open_trades": st.integers(0, 30), "same_entries": st.integers(0, 2), "exposure_e6": st.integers(0, 10**9),
    "daily_pnl_e6": st.integers(-(10**9), 10**9), "balance_e6": st.integers(0, 10**9), "balance_age_s": st.floats(0, 200),
}  # fmt: skip


@given(
    st.fixed_dictionaries({}, optional=FACTS),
    st.integers(-5, 20_000),
    st.integers(-5, 10_005),
    sides,
    st.integers(0, 10_000),
)
def test_an_entry_passes_only_with_every_fact_known_and_good(
    facts: dict[str, Any], count: int, price: int, side: str, held: int
) -> None:
    entry = Intent(purpose="entry", market_ticker="T", side=side, count_e2=count, limit_price_e4=price)
    if not check(entry, RiskFacts(now_s=0.0, **facts), RiskLimits()):
        assert facts.keys() == FACTS.keys()
        assert facts["kill_switch"] is False
        assert facts["unknown_orders"] == 0
        assert count * price <= facts["balance_e6"]
        assert facts["exposure_e6"] + count * price <= RiskLimits().max_exposure_e6
    else:
        worse = msgspec.structs.replace(RiskFacts(now_s=0.0, **facts), kill_switch=True)
        assert check(entry, worse, RiskLimits())
    out = msgspec.structs.replace(entry, purpose="exit")
    left = {name: value for name, value in facts.items() if not name.startswith("market")}
    refusals = check(out, RiskFacts(now_s=0.0, held_e2=held, unknown_exits=0, **left), RiskLimits())
    assert (not refusals) == (0 < count <= held and 0 < price < 10_000)


@given(st.lists(st.tuples(st.floats(0.1, 300), st.one_of(st.none(), st.integers(-50, 50))), max_size=60))
def test_a_pause_ends_only_after_a_quarter_of_an_hour_without_a_moment_of_unrest(
    moments: list[tuple[float, int | None]],
) -> None:
    rules, pause, now = AutoEntrySettings(), SpikePause(), 0.0
    unrest: float | None = None
    for wait, momentum in moments:
        before, now = pause, now + wait
        pause = spike_pause(pause, momentum, now, rules)
        if momentum is not None and abs(momentum) >= 36:
            assert pause.paused
        if momentum is None or abs(momentum) > 30:
            unrest = now
        if before.paused and not pause.paused:
            assert unrest is not None
            assert now - unrest >= 900
        if pause.paused and not before.paused:
            assert momentum is not None


views = st.builds(
    StopView,
    now_s=st.floats(0, 700),
    probability=st.one_of(st.none(), st.floats(0, 1)),
    momentum_bp=st.one_of(st.none(), st.integers(-60, 60)),
    price_age_s=maybe,
    book_age_s=maybe,
    bids=st.one_of(st.none(), st.lists(st.tuples(st.integers(1, 9999), st.integers(1, 900)), max_size=4)),
)


@given(st.lists(views, max_size=15), sides, st.integers(0, 1000), st.booleans())
def test_a_stop_never_sells_more_than_is_held_nor_twice_at_once(
    looks: list[StopView], side: str, held: int, busy: bool
) -> None:
    rules, memory = AutoStopSettings(), StopMemory()
    trade = HeldTrade(side=side, held_e2=held, state="open", close_time_s=600.0, exit_unfinished=busy)
    for view in sorted(looks, key=lambda look: look.now_s):
        ordered = msgspec.structs.replace(view, bids=None if view.bids is None else sorted(view.bids, reverse=True))
        found = decide_stop(trade, ordered, memory, rules)
        assert found.why
        if found.action == "close":
            assert not busy
            assert 0 < found.count_e2 <= held
            assert 1 <= found.limit_price_e4 <= 9999
            assert view.now_s < 600
            assert memory.last_attempt_s is None or view.now_s - memory.last_attempt_s >= rules.retry_after_s
        memory = found.memory
