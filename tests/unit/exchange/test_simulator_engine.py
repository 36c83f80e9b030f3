"""The matching engine: priority, times in force, money. The last test lets hypothesis trade."""

from __future__ import annotations

import itertools
from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recio.exchange.simulator.engine import Engine
from recio.exchange.simulator.fees import FeeSchedule
from recio.exchange.simulator.orders import BookChanged, Order, Rejected
from recio.units import ONE_DOLLAR_E4

_ids = itertools.count()


def engine(cash_dollars: int = 10_000) -> Engine:
    return Engine(cash_dollars * 1_000_000, FeeSchedule(), lambda: 1_000)


def order(side: str, price: int, count: int, tif: str = "immediate_or_cancel", **more: object) -> Order:
    number = str(next(_ids))
    values = {"order_id": "o" + number, "client_order_id": "c" + number, "ticker": "T", "side": side, "price_e4": price}
    sized = {"initial_e2": count, "remaining_e2": count, "time_in_force": tif, "created_ms": 0, "updated_ms": 0}
    return Order(**(values | sized | more))  # type: ignore[arg-type]


def code(caught: pytest.ExceptionInfo[Rejected]) -> tuple[int, str]:
    return caught.value.status, caught.value.code


def test_fee_as_on_recorded_fills() -> None:
    fees = FeeSchedule()
    assert fees.fee_e6(100, 5_200, True) == 17_500  # 1 at 0.52 -> 0.0175
    assert fees.fee_e6(100, 9_900, True) == 700  # 1 at 0.99 -> 0.0007
    assert fees.fee_e6(100, 5_200, False) == 0
    assert FeeSchedule(maker_rate_e4=175).fee_e6(100, 5_000, False) == 4_400


def test_an_ioc_takes_the_best_prices_first_and_pays_the_makers_price() -> None:
    e = engine()
    e.crowd_quote("T", "ask", 4_400, 500)
    e.crowd_quote("T", "ask", 4_300, 300)
    done = e.submit(order("bid", 4_400, 1_000))
    assert (done.status, done.filled_e2, done.remaining_e2) == ("canceled", 800, 0)
    assert [(f.yes_price_e4, f.count_e2) for f in e.fills] == [(4_300, 300), (4_400, 500)]
    assert done.taker_cost_e6 == 4_300 * 300 + 4_400 * 500
    assert e.account.cash_e6 == 10_000_000_000 - done.taker_cost_e6 - done.taker_fees_e6
    assert e.account.position_e2("T") == 800


def test_within_a_level_the_oldest_goes_first() -> None:
    e = engine()
    first = e.submit(order("ask", 4_300, 100, "good_till_canceled"))
    e.crowd_quote("T", "ask", 4_300, 100)
    e.crowd_take("T", "bid", 4_300, 50)
    assert first.filled_e2 == 50
    assert e.crowd_take("T", "bid", 4_300, 150) == 150
    assert first.status == "executed" and e.fills[-1].is_taker is False and e.fills[-1].fee_e6 == 0


def test_ioc_without_a_match_is_an_order_without_a_fill() -> None:
    e = engine()
    done = e.submit(order("bid", 4_400, 100))
    assert (done.status, done.filled_e2) == ("canceled", 0) and done.order_id in e.orders


def test_fok_misses_as_409_and_burns_its_client_id() -> None:
    e = engine()
    e.crowd_quote("T", "ask", 4_400, 50)
    wanted = order("bid", 4_400, 100, "fill_or_kill")
    with pytest.raises(Rejected) as caught:
        e.submit(wanted)
    assert code(caught) == (409, "fill_or_kill_insufficient_resting_volume")
    assert wanted.order_id not in e.orders and not e.fills and e.book("T").levels("ask") == [(4_400, 50)]
    with pytest.raises(Rejected) as caught:
        e.submit(order("bid", 4_400, 10, client_order_id=wanted.client_order_id))
    assert code(caught) == (409, "order_already_exists")


def test_a_client_id_is_used_up_for_ever() -> None:
    e = engine()
    rested = e.submit(order("bid", 4_000, 100, "good_till_canceled"))
    e.cancel(rested.order_id)
    with pytest.raises(Rejected) as caught:
        e.submit(order("bid", 4_000, 100, client_order_id=rested.client_order_id))
    assert code(caught) == (409, "order_already_exists")


def test_post_only_and_reduce_only() -> None:
    e = engine()
    e.crowd_quote("T", "ask", 4_400, 300)
    with pytest.raises(Rejected) as caught:
        e.submit(order("bid", 4_400, 100, "good_till_canceled", post_only=True))
    assert caught.value.details == "post only cross"
    rests = e.submit(order("bid", 4_300, 100, "good_till_canceled", post_only=True))
    assert rests.status == "resting" and e.cancel(rests.order_id) == 100
    e.submit(order("bid", 4_400, 200))
    e.crowd_quote("T", "bid", 4_200, 1_000)
    sold = e.submit(order("ask", 4_200, 900), reduce_only=True)
    assert sold.filled_e2 == 200 and e.account.position_e2("T") == 0
    with pytest.raises(Rejected, match="reduce only"):
        e.submit(order("ask", 4_200, 100), reduce_only=True)


def test_self_trade_either_stops_the_taker_or_cancels_the_maker() -> None:
    e = engine()
    mine = e.submit(order("ask", 4_300, 100, "good_till_canceled"))
    e.crowd_quote("T", "ask", 4_400, 100)
    stopped = e.submit(order("bid", 4_400, 100))
    assert (stopped.status, stopped.filled_e2, mine.status) == ("canceled", 0, "resting")
    went_on = e.submit(order("bid", 4_400, 100, self_trade="maker"))
    assert (went_on.status, went_on.filled_e2, mine.status) == ("executed", 100, "canceled")


def test_cash_is_locked_by_what_rests_and_never_overspent() -> None:
    e = engine(cash_dollars=10)
    e.submit(order("bid", 5_000, 1_500, "good_till_canceled"))  # 7.50 locked
    assert e.locked_e6() == 7_500_000
    with pytest.raises(Rejected) as caught:
        e.submit(order("bid", 5_000, 600, "good_till_canceled"))
    assert code(caught) == (400, "insufficient_balance")
    e.submit(order("bid", 5_000, 500, "good_till_canceled"))


def test_opposite_holdings_net_and_closing_needs_no_cash() -> None:
    e = engine(cash_dollars=1)
    e.crowd_quote("T", "ask", 9_000, 100)
    e.submit(order("bid", 9_000, 100))
    assert e.account.cash_e6 == 1_000_000 - 900_000 - 6_300
    e.crowd_quote("T", "bid", 9_500, 100)
    e.submit(order("ask", 9_500, 100))  # buying NO at 0.05 pays back a dollar with the YES
    assert e.account.position_e2("T") == 0 and e.account.positions["T"].cost_e6 == 0
    assert e.account.cash_e6 == 1_000_000 - 6_300 + 50_000 - 3_400
    assert e.account.positions["T"].realized_e6 == 50_000


@pytest.mark.parametrize(("value", "cash"), [(10_000, 1_000_000), (0, 0)])
def test_settlement_pays_yes_or_nothing(value: int, cash: int) -> None:
    e = engine()
    e.crowd_quote("T", "ask", 4_000, 100)
    e.submit(order("bid", 4_000, 100))
    before = e.account.cash_e6
    row = e.account.settle("T", "E", "yes" if value else "no", value, 5)
    assert row is not None and row.revenue_e6 == cash and row.position_e2 == 100
    assert e.account.cash_e6 == before + cash
    assert e.account.settle("T", "E", "yes", value, 6) is None


def test_the_close_empties_the_book() -> None:
    e = engine()
    mine = e.submit(order("bid", 4_000, 100, "good_till_canceled"))
    e.crowd_quote("T", "ask", 4_400, 300)
    e.cancel_market("T", "CloseCancel")
    assert (mine.status, mine.reason) == ("canceled", "CloseCancel")
    assert e.book("T").levels("bid") == e.book("T").levels("ask") == [] and e.locked_e6() == 0


_side = st.sampled_from(["bid", "ask"])
_price = st.integers(1, 99).map(lambda cents: cents * 100)
_count = st.integers(1, 5_000)
_ticker = st.sampled_from(["A", "B"])
_action = st.one_of(
    st.tuples(st.just("quote"), _ticker, _side, _price, _count),
    st.tuples(st.just("take"), _ticker, _side, _price, _count),
    st.tuples(
        st.sampled_from(["immediate_or_cancel", "fill_or_kill", "good_till_canceled"]), _ticker, _side, _price, _count,
        st.sampled_from(["taker_at_cross", "maker"]),
    ),
    st.tuples(st.just("cancel"), st.integers(0, 30)),
    st.tuples(st.just("settle"), _ticker, st.booleans()),
)  # fmt: skip


def act(e: Engine, action: tuple[Any, ...]) -> None:
    """Do one of hypothesis's actions."""
    kind, *rest = action
    if kind == "quote":
        e.crowd_quote(*rest)
    elif kind == "take":
        e.crowd_take(*rest)
    elif kind == "cancel":
        resting = e.resting()
        if resting:
            e.cancel(resting[rest[0] % len(resting)].order_id)
    elif kind == "settle":
        ticker, yes = rest
        e.cancel_market(ticker, "CloseCancel")
        for account in (e.account, e.crowd):
            account.settle(ticker, "E", "", ONE_DOLLAR_E4 if yes else 0, 1)
            account.positions.pop(ticker, None)
    else:
        ticker, side, price, count, self_trade = rest
        try:
            e.submit(order(side, price, count, kind, ticker=ticker, self_trade=self_trade))
        except Rejected as problem:
            assert problem.code in ("insufficient_balance", "fill_or_kill_insufficient_resting_volume")


def check_books(e: Engine, shown: Counter[tuple[str, str, int]]) -> None:
    """Never crossed, and what the deltas told is what is there."""
    for event in e.take_events():
        if isinstance(event, BookChanged):
            shown[event.ticker, event.side, event.yes_price_e4] += event.delta_e2
    for ticker in ("A", "B"):
        book = e.book(ticker)
        bid, ask = book.best_bid(), book.best_ask()
        assert bid is None or ask is None or bid < ask, "crossed"
        for side, ladder in (("yes", "bid"), ("no", "ask")):
            told = {price: count for (t, s, price), count in shown.items() if (t, s) == (ticker, side) and count}
            assert told == dict(book.levels(ladder)), "the deltas tell the book"


def check_money(e: Engine, cash_e6: int) -> None:
    """Cash, fees and the dollars locked in pairs of contracts add up to what was there at first."""
    locked_in_pairs = 0
    for ticker in ("A", "B"):
        mine, theirs = e.account.position_e2(ticker), e.crowd.position_e2(ticker)
        assert mine + theirs == 0, "contracts appear in pairs"
        locked_in_pairs += ONE_DOLLAR_E4 * abs(mine)
    assert e.account.cash_e6 + e.crowd.cash_e6 + e.fees_taken_e6 + locked_in_pairs == cash_e6
    assert e.account.cash_e6 >= e.locked_e6() >= 0, "nothing is bought on credit"


@settings(max_examples=150, deadline=None)
@given(actions=st.lists(_action, max_size=40), cash=st.sampled_from([5, 200, 10_000]))
def test_whatever_happens_money_and_contracts_are_conserved(actions: list[tuple[Any, ...]], cash: int) -> None:
    e = engine(cash)
    shown = Counter[tuple[str, str, int]]()
    for action in actions:
        act(e, action)
        check_books(e, shown)
        check_money(e, cash * 1_000_000)
    for done in e.orders.values():
        assert done.status in ("resting", "executed", "canceled")
        assert (done.remaining_e2 > 0) == (done.status == "resting")
        fills = [f for f in e.fills if f.order_id == done.order_id]
        assert sum(f.count_e2 for f in fills) == done.filled_e2 <= done.initial_e2
        assert all(f.fee_e6 >= 0 for f in fills)
