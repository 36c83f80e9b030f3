"""The matching engine: one book per market, price-time priority, integers only.

new --(IOC, no more to match)--> canceled | executed
new --(FOK, too little)--> 409, no order, its client id is used up
new --(GTC)--> resting --> executed | canceled (by the user, expiry, close, self-trade)
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator

import msgspec

from recio.exchange.simulator.account import Account
from recio.exchange.simulator.fees import FeeSchedule
from recio.exchange.simulator.orders import BookChanged, Event, Fill, Order, OrderChanged, Rejected, Traded

__all__ = ["Engine", "MatchBook"]

Match = tuple[Order, int]


class MatchBook:
    """One market's orders by level; within a level in order of arrival (dicts keep it)."""

    def __init__(self) -> None:
        """Empty."""
        self.bids: dict[int, dict[str, Order]] = {}
        self.asks: dict[int, dict[str, Order]] = {}

    def ladder(self, side: str) -> dict[int, dict[str, Order]]:
        """The levels of a side."""
        return self.bids if side == "bid" else self.asks

    def best_bid(self) -> int | None:
        """The highest bid, None without one."""
        return max(self.bids) if self.bids else None

    def best_ask(self) -> int | None:
        """The lowest ask, None without one."""
        return min(self.asks) if self.asks else None

    def levels(self, side: str) -> list[tuple[int, int]]:
        """(YES price, count) of a side, best first."""
        ladder = self.ladder(side)
        prices = sorted(ladder, reverse=side == "bid")
        return [(price, sum(order.remaining_e2 for order in ladder[price].values())) for price in prices]

    def add(self, order: Order) -> None:
        """Rest an order, behind the others of its level."""
        self.ladder(order.side).setdefault(order.price_e4, {})[order.order_id] = order

    def remove(self, order: Order) -> None:
        """Take an order off."""
        ladder = self.ladder(order.side)
        level = ladder.get(order.price_e4)
        if level is not None and level.pop(order.order_id, None) is not None and not level:
            del ladder[order.price_e4]

    def facing(self, side: str, limit_e4: int) -> Iterator[Order]:
        """Resting orders a taker of ``side`` may hit up to its limit, best price first, then oldest."""
        ladder = self.asks if side == "bid" else self.bids
        for price in sorted(ladder, reverse=side == "ask"):
            if (price > limit_e4) if side == "bid" else (price < limit_e4):
                return
            yield from ladder[price].values()


class Engine:
    """Books of all markets and the two accounts: the user's, and the crowd's that everybody else shares."""

    def __init__(self, cash_e6: int, fees: FeeSchedule, now_ms: Callable[[], int]) -> None:
        """``cash_e6`` is the user's starting cash."""
        self.account = Account(cash_e6)
        self.crowd = Account(0)  # may go below zero: the crowd's depth of pocket is not simulated
        self.fees = fees
        self.fees_taken_e6 = 0
        self.orders: dict[str, Order] = {}  # the user's, for ever
        self.client_ids: set[str] = set()  # used up for ever, also by orders that never were
        self.fills: list[Fill] = []
        self.events: list[Event] = []
        self._books: dict[str, MatchBook] = {}
        self._resting: dict[str, Order] = {}  # the user's
        self._now_ms = now_ms
        self._crowd_orders = 0

    def book(self, ticker: str) -> MatchBook:
        """The market's book, made at its first use."""
        book = self._books.get(ticker)
        if book is None:
            book = self._books[ticker] = MatchBook()
        return book

    def drop_book(self, ticker: str) -> None:
        """Forget a market's (empty) book."""
        self._books.pop(ticker, None)

    def restore_books(self) -> None:
        """Rest again what rests according to the journal, oldest first."""
        for order in sorted(self.orders.values(), key=lambda order: order.created_ms):
            if order.status == "resting":
                self._resting[order.order_id] = order
                self.book(order.ticker).add(order)

    def resting(self) -> list[Order]:
        """The user's resting orders."""
        return list(self._resting.values())

    def take_events(self) -> list[Event]:
        """What happened since the last call."""
        events, self.events = self.events, []
        return events

    def locked_e6(self) -> int:
        """Cash behind the user's resting orders."""
        return self.account.locked_e6(self._resting.values())

    # ------------------------------------------------------------------ the user's orders
    def submit(self, order: Order, post_only: bool = False, reduce_only: bool = False) -> Order:
        """Take in a user's order and match it. Rejected says no and changes nothing but, for a FOK, the client id."""
        if order.client_order_id in self.client_ids:
            raise Rejected(409, "order_already_exists", "order already exists")
        if reduce_only:
            self._cap_to_position(order)
        book = self.book(order.ticker)
        matches, own = self._preview(book, order)
        if post_only and (matches or own):
            raise Rejected(400, "invalid_order", "invalid order", "post only cross")
        matched_e2 = sum(count for _, count in matches)
        self._require_cash(order, matches)
        self.client_ids.add(order.client_order_id)
        if order.time_in_force == "fill_or_kill" and matched_e2 < order.initial_e2:
            raise Rejected(
                409, "fill_or_kill_insufficient_resting_volume", "fill or kill order could not be filled in full"
            )
        self.orders[order.order_id] = order
        for resting in own if order.self_trade == "maker" else ():
            self._cancel(resting, "SelfTradeCancel")
        self._execute(order, matches)
        if order.remaining_e2 == 0:
            order.status = "executed"
        elif order.time_in_force == "good_till_canceled" and not (own and order.self_trade == "taker_at_cross"):
            self._resting[order.order_id] = order
            book.add(order)
            self._changed(order, order.remaining_e2)
        else:
            order.status, order.remaining_e2 = "canceled", 0
            order.reason = "SelfTradeCancel" if own else ""
        self._tell(order)
        return order

    def cancel(self, order_id: str, reason: str = "") -> int:
        """Take a user's order off; returns the count taken off. Rejected 404 when it does not rest."""
        order = self._resting.get(order_id)
        if order is None:
            raise Rejected(404, "not_found", "not found")
        return self._cancel(order, reason)

    def cancel_market(self, ticker: str, reason: str) -> None:
        """Empty a market's book at its close."""
        book = self.book(ticker)
        for side in ("bid", "ask"):
            for level in list(book.ladder(side).values()):
                for order in list(level.values()):
                    if order.owner:
                        self._cancel(order, reason)
                    else:
                        self.crowd_cancel(order)

    def expire(self, now_s: float) -> None:
        """Cancel what is past its expiration time."""
        for order in self.resting():
            if order.expires_s is not None and order.expires_s <= now_s:
                self._cancel(order, "ExpiryCancel")

    # ------------------------------------------------------------------ the crowd's orders
    def crowd_quote(self, ticker: str, side: str, price_e4: int, count_e2: int) -> Order | None:
        """Rest a market maker's order; what crosses trades first. None when nothing of it is left."""
        order = self._crowd_order(ticker, side, price_e4, count_e2)
        book = self.book(ticker)
        self._execute(order, self._preview(book, order)[0])
        if order.remaining_e2 == 0:
            return None
        book.add(order)
        self._changed(order, order.remaining_e2)
        return order

    def crowd_take(self, ticker: str, side: str, limit_e4: int, count_e2: int) -> int:
        """A taker of the crowd hits the book; returns the count traded."""
        order = self._crowd_order(ticker, side, limit_e4, count_e2)
        self._execute(order, self._preview(self.book(ticker), order)[0])
        return order.filled_e2

    def crowd_cancel(self, order: Order) -> None:
        """Take a market maker's order off."""
        if order.remaining_e2:
            self.book(order.ticker).remove(order)
            self._changed(order, -order.remaining_e2)
            order.remaining_e2, order.status = 0, "canceled"

    def _crowd_order(self, ticker: str, side: str, price_e4: int, count_e2: int) -> Order:
        self._crowd_orders += 1
        return Order(f"c{self._crowd_orders}", "", ticker, side, price_e4, count_e2, count_e2, "", 0, 0, owner="")

    # ------------------------------------------------------------------ matching
    def _preview(self, book: MatchBook, taker: Order) -> tuple[list[Match], list[Order]]:
        """Whom the taker would meet, and which of its owner's own orders stand in the way.

        taker_at_cross stops at the first own order; maker steps over them (they get cancelled).
        """
        matches: list[Match] = []
        own: list[Order] = []
        left = taker.remaining_e2
        for maker in book.facing(taker.side, taker.price_e4):
            if left == 0:
                break
            if maker.owner and maker.owner == taker.owner:
                own.append(maker)
                if taker.self_trade == "taker_at_cross":
                    break
                continue
            count = min(left, maker.remaining_e2)
            matches.append((maker, count))
            left -= count
        return matches, own

    def _require_cash(self, order: Order, matches: list[Match]) -> None:
        """Refuse what the user could not pay: at the limit price as a whole, and as it would fill right now."""
        fees_e6 = sum(self.fees.fee_e6(count, maker.price_e4, True) for maker, count in matches)
        worst_e6 = self.account.locked_e6([*self._resting.values(), order]) + fees_e6
        if worst_e6 > self.account.cash_e6:
            raise Rejected(
                400, "insufficient_balance", "insufficient balance",
                f"needs {worst_e6 / 1e6:.4f}, has {self.account.cash_e6 / 1e6:.4f}",
            )  # fmt: skip

    def _cap_to_position(self, order: Order) -> None:
        held = self.account.position_e2(order.ticker)
        most = max(0, -held if order.side == "bid" else held)
        if order.time_in_force == "good_till_canceled" or most == 0:
            raise Rejected(
                400, "invalid_order", "invalid order", "reduce only needs an IOC or FOK order and a position"
            )
        order.initial_e2 = order.remaining_e2 = min(order.initial_e2, most)

    def _execute(self, taker: Order, matches: list[Match]) -> None:
        book = self.book(taker.ticker)
        for maker, count in matches:
            trade_id, at_ms, price = str(uuid.uuid4()), self._now_ms(), maker.price_e4
            maker.remaining_e2 -= count
            if maker.remaining_e2 == 0:
                book.remove(maker)
                maker.status = "executed"
                self._resting.pop(maker.order_id, None)
            self._changed(maker, -count)
            taker.remaining_e2 -= count
            self.events.append(Traded(trade_id, taker.ticker, price, count, taker.side, at_ms))
            self._book_fill(taker, count, price, True, trade_id, at_ms)
            self._book_fill(maker, count, price, False, trade_id, at_ms)
            if maker.owner:
                self._tell(maker)

    def _book_fill(self, order: Order, count: int, price: int, is_taker: bool, trade_id: str, at_ms: int) -> None:
        order.filled_e2 += count
        if not order.owner:
            self.crowd.apply_fill(order, count, price, 0, at_ms)
            return
        fee_e6 = self.fees.fee_e6(count, price, is_taker)
        cost_e6 = order.own_price_e4(price) * count
        self.account.apply_fill(order, count, price, fee_e6, at_ms)
        self.fees_taken_e6 += fee_e6
        if is_taker:
            order.taker_cost_e6 += cost_e6
            order.taker_fees_e6 += fee_e6
        else:
            order.maker_cost_e6 += cost_e6
            order.maker_fees_e6 += fee_e6
        order.updated_ms, order.reason = at_ms, "Trade"
        fill = Fill(
            trade_id, order.order_id, order.client_order_id, order.ticker, order.side, count, price, fee_e6, is_taker,
            at_ms, self.account.position_e2(order.ticker),
        )  # fmt: skip
        self.fills.append(fill)
        self.events.append(fill)

    def _cancel(self, order: Order, reason: str) -> int:
        taken = order.remaining_e2
        self.book(order.ticker).remove(order)
        self._resting.pop(order.order_id, None)
        self._changed(order, -taken)
        order.remaining_e2, order.status, order.reason, order.updated_ms = 0, "canceled", reason, self._now_ms()
        self._tell(order)
        return taken

    def _changed(self, order: Order, delta_e2: int) -> None:
        side = "yes" if order.side == "bid" else "no"
        self.events.append(BookChanged(order.ticker, side, order.price_e4, delta_e2, order.client_order_id))

    def _tell(self, order: Order) -> None:
        self.events.append(OrderChanged(msgspec.structs.replace(order)))
