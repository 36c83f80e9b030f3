"""Whatever the market and the facts: an entry keeps every promise of its settings, and can be made again from its state."""

from __future__ import annotations

from typing import Any

import msgspec
from hypothesis import event, given, target
from hypothesis import strategies as st

from recio.market.fees import CURRENT, taker_fee_e6
from recio.market.strike_table import Book, StrikeRow
from recio.trading.entry import SpikePause
from recio.trading.evaluate import EntryTable, evaluate_entries, recompute, states
from recio.trading.monitor import Monitor, settings_of, to_builtins
from recio.trading.strategies import STRATEGIES
from recio.trading.strategies.base import EntryContext, Event

NOW = CURRENT.effective_from_s + 1_000_000.0
KEYS = [(ticker, side) for ticker in ("T0", "T1", "T2") for side in ("yes", "no")]


def mostly(good: st.SearchStrategy[Any], *bad: Any) -> st.SearchStrategy[Any]:
    """Good most of the time: an entry needs twenty things right at once. ``bad`` are values, or strategies of them."""
    spoilt = [b if isinstance(b, st.SearchStrategy) else st.just(b) for b in bad]
    return st.integers(0, 19).flatmap(lambda n: st.one_of(*spoilt) if n == 13 else good)


def ladder(low: int, high: int) -> st.SearchStrategy[list[tuple[int, int]]]:
    """Bids, best first."""
    return st.lists(st.tuples(st.integers(low, high), st.integers(50, 5_000)), min_size=1, max_size=6).map(
        lambda found: sorted(dict(found).items(), reverse=True)
    )


chances = mostly(st.floats(0.5, 1), None, st.floats(0, 1))
levels = mostly(ladder(1, 4_999), [], ladder(1, 9_999))
some = mostly(st.floats(0, 5), None, st.floats(0, 20))
rows = st.builds(
    StrikeRow,
    market_ticker=st.just("T"), strike_e2=st.just(1), buffer_e2=st.just(1), buffer_percent=st.just(0.1),
    side=st.sampled_from(["yes", "no"]), probability=st.none(), probability_yes=chances, yes_bid_e4=st.none(),
    yes_ask_e4=st.one_of(st.none(), st.integers(1, 9_999)), no_bid_e4=st.none(),
    no_ask_e4=st.one_of(st.none(), st.integers(1, 9_999)), differential_yes_e4=st.none(), differential_no_e4=st.none(),
    raw_differential_yes_e4=st.none(), raw_differential_no_e4=st.none(), depth=st.none(),
    yes_depth_e2=st.one_of(st.none(), st.integers(0, 5_000)), no_depth_e2=st.one_of(st.none(), st.integers(0, 5_000)),
    volume_e2=mostly(st.just(10**6), None, st.integers(0, 10**5)), book_age_s=some,
)  # fmt: skip
books = st.builds(
    Book,
    yes_bids=levels,
    no_bids=levels,
    received_s=st.floats(NOW - 20, NOW),
    valid=st.sampled_from([True, True, False]),
)
contexts = st.builds(
    EntryContext,
    now_s=st.just(NOW), price_age_s=some, momentum_bp=mostly(st.integers(-30, 30), None),
    pause=st.builds(SpikePause, paused=mostly(st.just(False), True)),
    last_order_s=mostly(st.none(), st.floats(NOW - 200, NOW)),
    live=mostly(st.lists(st.sampled_from(KEYS), max_size=2), None),
    entered=mostly(st.lists(st.sampled_from(KEYS), max_size=2), None),
    refused=st.lists(st.tuples(st.sampled_from(["T0", "T1"]), st.just("yes"), st.floats(NOW - 20, NOW), st.just("no")), max_size=1),
    bankroll_e6=st.one_of(st.none(), st.integers(0, 10**10)),
    off=mostly(st.just(""), "auto entry is off"), blocked=mostly(st.just(""), "the kill switch is on"),
)  # fmt: skip
wishes = st.fixed_dictionaries(
    {"min_probability_percent": st.floats(0, 60), "min_differential_e4": st.integers(-10_000, -1_000)},
    optional={
        "model_weight": st.floats(0, 1), "min_volume_e2": st.integers(0, 10**5), "max_ask_e4": st.integers(5_000, 9_999),
        "cooldown_s": st.floats(0, 200), "allow_reentry": st.booleans(), "collar_e4": st.integers(0, 5_000),
        "sizing": st.sampled_from(["fixed", "kelly"]), "base_count_e2": st.integers(1, 10_000),
        "multiplier": st.integers(1, 3), "kelly_fraction_percent": st.floats(0, 100), "max_cost_e6": st.integers(10**6, 10**9),
    },
)  # fmt: skip


@given(
    st.sampled_from(sorted(STRATEGIES)), wishes, st.lists(st.tuples(rows, st.one_of(st.none(), books)), max_size=3),
    contexts, mostly(st.floats(130, 400), st.floats(-10, 1_000)),
)  # fmt: skip
def test_an_entry_keeps_every_promise_and_can_be_made_again(
    strategy: str,
    wish: dict[str, object],
    seen: list[tuple[StrikeRow, Book | None]],
    context: EntryContext,
    left: float,
) -> None:
    settings = settings_of(strategy, wish)
    monitor = Monitor(monitor_id="m", strategy=strategy, series_ticker="S", enabled=True, settings=settings)
    named = [msgspec.structs.replace(row, market_ticker=f"T{i}") for i, (row, _) in enumerate(seen)]
    table = EntryTable(
        event=Event(event_ticker="E", series_ticker="S", close_time_s=NOW + left),
        rows=named,
        books={f"T{i}": book for i, (_, book) in enumerate(seen) if book is not None},
    )
    found = evaluate_entries(monitor, table, context)
    assert found == evaluate_entries(monitor, table, context)
    assert [d.market_ticker for d in found] == [row.market_ticker for row in named]
    assert all(d.why and d.reason for d in found)
    entering = [d for d in found if d.action == "enter"]
    assert len(entering) <= 1
    for state, decision in zip(states(table, context), found, strict=True):
        if decision.action != "enter":
            assert decision.count_e2 == decision.limit_price_e4 == 0
        if decision.reason not in ("better", "closed", "window"):
            stored = msgspec.json.decode(msgspec.json.encode(state))
            assert recompute(strategy, to_builtins(settings), stored) == decision
    target(float(len(entering)))
    event(f"{strategy}: {sorted({d.reason for d in found})}")
    for decision in entering:
        key = (decision.market_ticker, decision.side)
        assert not context.off and not context.blocked and not context.pause.paused
        assert context.momentum_bp is not None
        assert context.price_age_s is not None and context.price_age_s <= settings.max_price_age_s
        assert context.live is not None and key not in context.live
        assert context.entered is not None and (settings.allow_reentry or key not in context.entered)
        assert context.last_order_s is None or NOW - context.last_order_s >= settings.cooldown_s
        assert settings.min_time_to_close_s <= left + 1e-3 and left - 1e-3 <= settings.max_time_to_close_s
        assert decision.probability is not None and decision.differential_e4 is not None and decision.ask_e4 is not None
        assert decision.probability * 100 >= settings.min_probability_percent
        assert decision.differential_e4 >= settings.min_differential_e4
        assert decision.raw_differential_e4 is not None and decision.differential_e4 <= decision.raw_differential_e4
        assert decision.ask_e4 <= decision.limit_price_e4 <= settings.max_ask_e4
        assert decision.count_e2 > 0
        cost = decision.count_e2 * decision.limit_price_e4 + taker_fee_e6(decision.count_e2, decision.limit_price_e4)
        assert cost <= settings.max_cost_e6
        if settings.sizing == "fixed":
            assert decision.count_e2 <= settings.base_count_e2 * settings.multiplier
