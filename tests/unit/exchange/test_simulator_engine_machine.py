"""Hypothesis trades on the matching engine, step by step: money, books and the lives of orders, and replays.

The model is bookkeeping only: cash and contracts are conserved, books never cross, what the deltas told is what is there,
no order's fees are negative, an order ends once, and the same steps with the same names give the same exchange.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable
from typing import Any

import msgspec
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from recio.exchange.simulator.engine import Engine
from recio.exchange.simulator.fees import FeeSchedule
from recio.exchange.simulator.groups import OrderGroup
from recio.exchange.simulator.orders import BookChanged, Order, OrderChanged, Rejected
from recio.units import ONE_DOLLAR_E4

CASH_E6 = 300 * 1_000_000
TICKERS = ("A", "B")
REFUSALS = {
    "insufficient_balance", "fill_or_kill_insufficient_resting_volume", "invalid_order", "invalid_order_size",
}  # fmt: skip
sides, prices, counts = (
    st.sampled_from(["bid", "ask"]),
    st.integers(1, 999).map(lambda n: n * 10),
    st.integers(1, 4_000),
)
tickers, stps = st.sampled_from(TICKERS), st.sampled_from(["taker_at_cross", "maker"])


def make_engine() -> tuple[Engine, list[int]]:
    """An engine whose clock and names depend on nothing but what was done."""
    now_ms, names = [1_000], itertools.count()
    fees = FeeSchedule(maker_rate_e4=175)
    return Engine(CASH_E6, fees, lambda: now_ms[0], lambda: f"t{next(names)}"), now_ms


class EngineMachine(RuleBasedStateMachine):
    """Every step is done twice, on two engines; they must stay the same."""

    resting: Bundle[str] = Bundle("resting")

    def __init__(self) -> None:
        super().__init__()
        self.pair = (make_engine(), make_engine())
        self.engine = self.pair[0][0]
        self.shown: Counter[tuple[str, str, int]] = Counter()
        self.ended: dict[str, str] = {}
        self.number = 0
        self.settled_e6 = 0

    def do(self, step: Callable[[Engine], Any]) -> list[Any]:
        """The same on both engines; a refusal changes nothing but may use up a client id."""
        answers: list[Any] = []
        for engine, now_ms in self.pair:
            now_ms[0] += 100
            try:
                answers.append(step(engine))
            except Rejected as problem:
                assert problem.code in REFUSALS, problem
                answers.append(None)
        assert (answers[0] is None) == (answers[1] is None)
        self.listen()
        return answers

    def listen(self) -> None:
        """What the step told."""
        events = [engine.take_events() for engine, _ in self.pair]
        assert events[0] == events[1], "the same steps make the same exchange"
        for event in events[0]:
            if isinstance(event, BookChanged):
                self.shown[event.ticker, event.side, event.yes_price_e4] += event.delta_e2
            elif isinstance(event, OrderChanged) and event.order.status != "resting":
                assert event.order.order_id not in self.ended, "an order ends once"
                self.ended[event.order.order_id] = event.order.status

    def new(self, values: dict[str, Any]) -> Order:
        """An order with a name of its own."""
        sized = {"initial_e2": values["remaining_e2"], "created_ms": 0, "updated_ms": 0}
        return Order(f"o{self.number}", f"c{self.number}", **(values | sized))

    # ------------------------------------------------------------------ steps
    @rule(target=resting, ticker=tickers, side=sides, price=prices, count=counts, stp=stps, post_only=st.booleans(),
          group=st.sampled_from(["", "g"]), on_pause=st.booleans())  # fmt: skip
    def rest(self, **v: Any) -> str:
        self.number += 1
        values = {"ticker": v["ticker"], "side": v["side"], "price_e4": v["price"], "remaining_e2": v["count"]}
        more = {"time_in_force": "good_till_canceled", "self_trade": v["stp"], "post_only": v["post_only"]}
        values |= more | {"cancel_on_pause": v["on_pause"]}

        def step(engine: Engine) -> Order:
            group = v["group"] if "g" in engine.groups and not engine.groups["g"].is_triggered else ""
            return engine.submit(self.new(values | {"group_id": group}))

        self.do(step)
        return f"o{self.number}"

    @rule(ticker=tickers, side=sides, price=prices, count=counts, stp=stps, reduce_only=st.booleans(),
          tif=st.sampled_from(["immediate_or_cancel", "fill_or_kill"]))  # fmt: skip
    def take(self, **v: Any) -> None:
        self.number += 1
        values = {"ticker": v["ticker"], "side": v["side"], "price_e4": v["price"], "remaining_e2": v["count"]}
        values |= {"time_in_force": v["tif"], "self_trade": v["stp"]}
        self.do(lambda engine: engine.submit(self.new(values), v["reduce_only"]))

    @rule(order_id=resting, price=prices, count=counts, renamed=st.booleans())
    def amend(self, order_id: str, price: int, count: int, renamed: bool) -> None:
        self.number += 1

        def step(engine: Engine) -> int | None:
            order = engine.orders.get(order_id)
            if order is None or order.status != "resting":
                return 0
            name = f"c{self.number}" if renamed else order.client_order_id
            return engine.amend(order, price, count, name, None)

        self.do(step)

    @rule(order_id=resting, share=st.integers(0, 100))
    def decrease(self, order_id: str, share: int) -> None:
        def step(engine: Engine) -> None:
            order = engine.orders.get(order_id)
            if order is not None and order.status == "resting":
                before = engine.book(order.ticker).ahead_e2(order)
                engine.decrease(order, order.remaining_e2 * share // 100)
                assert order.status != "resting" or engine.book(order.ticker).ahead_e2(order) == before

        self.do(step)

    @rule(order_id=consumes(resting))
    def cancel(self, order_id: str) -> None:
        def step(engine: Engine) -> None:
            if any(order.order_id == order_id for order in engine.resting()):
                engine.cancel(order_id)

        self.do(step)

    @rule(ticker=tickers, side=sides, price=prices, count=counts, takes=st.booleans())
    def crowd(self, ticker: str, side: str, price: int, count: int, takes: bool) -> None:
        self.do(
            lambda e: e.crowd_take(ticker, side, price, count) if takes else e.crowd_quote(ticker, side, price, count)
        )

    @rule(limit=counts)
    def group(self, limit: int) -> None:
        def step(engine: Engine) -> None:
            group = engine.groups.setdefault("g", OrderGroup("g", limit))
            group.is_triggered = False
            group.matched.clear()

        self.do(step)

    @rule()
    def pause(self) -> None:
        self.do(lambda engine: engine.halt())

    @rule(ticker=tickers, yes=st.booleans())
    def settle(self, ticker: str, yes: bool) -> None:
        def step(engine: Engine) -> None:
            engine.cancel_market(ticker, "CloseCancel")
            for account in (engine.account, engine.crowd):
                account.settle(ticker, "E", "", ONE_DOLLAR_E4 if yes else 0, 1)
                account.positions.pop(ticker, None)

        self.do(step)

    # ------------------------------------------------------------------ what always holds
    @invariant()
    def the_books_are_as_told_and_never_cross(self) -> None:
        for ticker in TICKERS:
            book = self.engine.book(ticker)
            bid, ask = book.best_bid(), book.best_ask()
            assert bid is None or ask is None or bid < ask, "crossed"
            for side, ladder in (("yes", "bid"), ("no", "ask")):
                told = {
                    price: count for (t, s, price), count in self.shown.items() if (t, s) == (ticker, side) and count
                }
                assert told == dict(book.levels(ladder)), "the deltas tell the book"

    @invariant()
    def money_and_contracts_are_conserved(self) -> None:
        engine = self.engine
        in_pairs_e6 = 0
        for ticker in TICKERS:
            mine, theirs = engine.account.position_e2(ticker), engine.crowd.position_e2(ticker)
            assert mine + theirs == 0, "contracts appear in pairs"
            in_pairs_e6 += ONE_DOLLAR_E4 * abs(mine)
        assert engine.account.cash_e6 + engine.crowd.cash_e6 + engine.fees_taken_e6 + in_pairs_e6 == CASH_E6
        # Maker fees are reserved for one fill; every further fill may round up by a quantum and a balance unit.
        slack_e6 = 200 * len(engine.fills)
        assert engine.account.cash_e6 + slack_e6 >= engine.locked_e6() >= 0, "nothing is bought on credit"

    @invariant()
    def orders_live_one_life(self) -> None:
        filled: Counter[str] = Counter()
        fees: Counter[str] = Counter()
        for fill in self.engine.fills:
            filled[fill.order_id] += fill.count_e2
            fees[fill.order_id] += fill.fee_e6
        resting = {order.order_id for order in self.engine.resting()}
        for order in self.engine.orders.values():
            assert (order.status == "resting") == (order.order_id in resting) == (order.remaining_e2 > 0)
            assert order.status in ("resting", self.ended.get(order.order_id))
            assert filled[order.order_id] == order.filled_e2 <= order.initial_e2
            assert 0 <= fees[order.order_id] == order.taker_fees_e6 + order.maker_fees_e6
            assert order.client_order_id in self.engine.client_ids
        for group in self.engine.groups.values():
            assert not (group.is_triggered and any(o.group_id == group.group_id for o in self.engine.resting()))

    def teardown(self) -> None:
        first, second = (msgspec.to_builtins([e.orders, e.fills, e.account.positions]) for e, _ in self.pair)
        assert first == second and self.pair[0][0].account.cash_e6 == self.pair[1][0].account.cash_e6


EngineMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestEngineMachine = EngineMachine.TestCase
