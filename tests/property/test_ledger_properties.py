"""Money is conserved and no order is doubled, whatever the history."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from recio.trading.ledger import Fill, Folded, closed_pnl_e6, fold_fills, settle
from recio.trading.states import (
    OrderState,
    TradeState,
    TransitionError,
    order_state_of_answer,
    order_step,
    trade_after,
    trade_step,
)

sides = st.sampled_from(["yes", "no"])
prices = st.integers(1, 9999)
counts = st.integers(1, 50_000)


@st.composite
def histories(draw: st.DrawFn) -> tuple[str, list[Fill]]:
    """A trade's side and its fills: entries, then exits of no more than was bought."""
    side = draw(sides)
    bought, sold = ("bid", "ask") if side == "yes" else ("ask", "bid")
    entries = draw(st.lists(st.tuples(counts, prices, st.integers(0, 100_000)), max_size=6))
    fills = [
        Fill(fill_id=f"e{n}", book_side=bought, count_e2=c, yes_price_e4=p, fee_e6=f)
        for n, (c, p, f) in enumerate(entries)
    ]
    left = sum(fill.count_e2 for fill in fills)
    for n in range(draw(st.integers(0, 4))):
        if not left:
            break
        count = draw(st.integers(1, left))
        left -= count
        price, fee = draw(prices), draw(st.integers(0, 100_000))
        fills.append(Fill(fill_id=f"x{n}", book_side=sold, count_e2=count, yes_price_e4=price, fee_e6=fee))
    return side, fills


def exchange_cash_e6(fills: list[Fill], yes_value_e4: int) -> int:
    """The account's view, another arithmetic: a bid pays the YES price and gains a YES, an ask receives it and owes
    one; what is held at the end is worth the settlement. Short YES and long NO are the same book."""
    cash = position = fees = 0
    for fill in fills:
        sign = 1 if fill.book_side == "bid" else -1
        cash -= sign * fill.count_e2 * fill.yes_price_e4
        position += sign * fill.count_e2
        fees += fill.fee_e6
    return cash + position * yes_value_e4 - fees


@given(st.lists(histories(), min_size=1, max_size=4), st.integers(0, 10_000))
def test_what_the_trades_earn_is_what_the_account_gains(trades: list[tuple[str, list[Fill]]], value: int) -> None:
    """Several trades of both sides on one ticker, netted by the exchange: to the micro-dollar the same."""
    result = {0: "no", 10_000: "yes"}.get(value, "scalar")
    earned = sum(settle(fold_fills(side, fills), side, result, value).pnl_e6 for side, fills in trades)
    assert earned == exchange_cash_e6([fill for _, fills in trades for fill in fills], value)


@given(histories(), st.randoms(use_true_random=False))
def test_order_and_repetition_of_the_news_do_not_matter(trade: tuple[str, list[Fill]], rng: random.Random) -> None:
    side, fills = trade
    news = fills + [rng.choice(fills) for _ in range(3 if fills else 0)]
    rng.shuffle(news)
    assert fold_fills(side, news) == fold_fills(side, fills)


@given(histories())
def test_yes_and_no_are_mirrors(trade: tuple[str, list[Fill]]) -> None:
    side, fills = trade
    flip = {"bid": "ask", "ask": "bid", "yes": "no", "no": "yes"}
    mirrored = [
        Fill(fill_id=f.fill_id, book_side=flip[f.book_side], count_e2=f.count_e2, yes_price_e4=10_000 - f.yes_price_e4,
             fee_e6=f.fee_e6)
        for f in fills
    ]  # fmt: skip
    assert fold_fills(flip[side], mirrored) == fold_fills(side, fills)


@given(histories())
def test_loss_and_gain_are_bounded(trade: tuple[str, list[Fill]]) -> None:
    side, fills = trade
    folded = fold_fills(side, fills)
    for result in ("yes", "no", "void"):
        done = settle(folded, side, result)
        assert 0 <= done.payout_e6 <= folded.held_e2 * 10_000
        assert done.pnl_e6 >= -folded.entry_cost_e6 - folded.fees_e6
    if folded.held_e2 == 0:
        assert closed_pnl_e6(folded) == settle(folded, side, "yes").pnl_e6 == settle(folded, side, "no").pnl_e6


class OrderLife(RuleBasedStateMachine):
    """One entry order and its trade under timeouts, repeated and late answers, restarts and lookups.

    A toy exchange fills the order at most once; the ledger hears of it in any order, often twice or late.
    """

    def __init__(self) -> None:
        super().__init__()
        self.order = OrderState.INTENT
        self.trade = TradeState.PENDING
        self.sent = 0
        self.reached: int | None = None  # what the exchange filled; None: the order is not there
        self.heard: list[Fill] = []
        self.over = False

    def _step(self, new: OrderState) -> None:
        try:
            self.order = order_step(self.order, new)
        except TransitionError:
            assert self.order in (OrderState.FILLED, OrderState.CANCELLED, OrderState.REFUSED)

    @rule(filled=st.integers(0, 100), outcome=st.sampled_from(["answer", "timeout", "lost", "refused"]))
    def send(self, filled: int, outcome: str) -> None:
        """The executor claims and sends; the request arrives or not, the answer comes back or not."""
        if self.order is not OrderState.INTENT:
            return
        self.order = order_step(self.order, OrderState.SENDING)
        self.sent += 1
        if outcome in ("answer", "timeout"):
            self.reached = filled
        if outcome == "answer":
            self._step(order_state_of_answer("executed" if filled == 100 else "canceled", 100, filled))
        elif outcome == "refused":
            self._step(OrderState.REFUSED)
        else:
            self._step(OrderState.UNKNOWN)

    @precondition(lambda self: self.order is OrderState.SENDING)
    @rule()
    def restart(self) -> None:
        """A restart finds the order sending: it may have gone out."""
        self._step(OrderState.UNKNOWN)

    @precondition(lambda self: self.order is OrderState.UNKNOWN)
    @rule()
    def look_up(self) -> None:
        """By its client order id; not found often enough is refused."""
        if self.reached is None:
            self._step(OrderState.REFUSED)
        else:
            self._step(order_state_of_answer("executed" if self.reached == 100 else "canceled", 100, self.reached))

    @rule(repeat=st.integers(1, 3))
    def fills_arrive(self, repeat: int) -> None:
        """By stream and by sweep, again and again."""
        if self.reached:
            fill = Fill(fill_id="f", book_side="bid", count_e2=self.reached, yes_price_e4=9000, fee_e6=630)
            self.heard += [fill] * repeat

    @rule()
    def late_answer(self) -> None:
        """An old answer told again changes nothing that is final."""
        if self.reached is not None and self.order in (OrderState.UNKNOWN, OrderState.FILLED, OrderState.CANCELLED):
            before = self.order
            self._step(order_state_of_answer("executed" if self.reached == 100 else "canceled", 100, self.reached))
            assert before is OrderState.UNKNOWN or self.order is before

    @rule()
    def market_closes(self) -> None:
        """The hour ends."""
        self.over = True

    @rule(result=st.booleans())
    def fold(self, result: bool) -> None:
        """The manager works the trade out anew from its evidence."""
        folded: Folded = fold_fills("yes", self.heard)
        unfinished = self.order in (OrderState.INTENT, OrderState.SENDING, OrderState.UNKNOWN) or (
            folded.entry_count_e2 < (self.reached or 0)
        )
        after = trade_after(
            self.trade, folded.entry_count_e2, 0, entry_unfinished=unfinished, exit_unfinished=False,
            market_closed=self.over, entry_refused=self.order is OrderState.REFUSED,
            result_known=result and self.over and not unfinished,
        )  # fmt: skip
        assert trade_step(self.trade, after) is after
        self.trade = after
        if after is TradeState.CLOSED:
            assert folded.entry_count_e2 == (self.reached or 0)  # nothing the exchange filled is left out

    @invariant()
    def sent_at_most_once(self) -> None:
        """Whatever happened."""
        assert self.sent <= 1
        assert fold_fills("yes", self.heard).entry_count_e2 <= (self.reached or 0)


TestOrderLife = OrderLife.TestCase
