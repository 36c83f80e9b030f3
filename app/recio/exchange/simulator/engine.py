"""The matching engine: one book per market, price-time priority, integers only.

new --(IOC, no more to match)--> canceled | executed
new --(FOK, too little)--> 409, no order, its client id is used up
new --(GTC)--> resting --> executed | canceled (by the user, expiry, close, self-trade, a pause, its group)

An amend that changes the price or adds contracts goes to the back of the queue (and may trade at once); one that only
takes contracts away or moves the expiry, and a decrease, keep their place.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable

import msgspec

from recio.exchange.simulator.account import Account
from recio.exchange.simulator.fees import FeeSchedule
from recio.exchange.simulator.groups import OrderGroup
from recio.exchange.simulator.matchbook import Match, MatchBook
from recio.exchange.simulator.orders import (
    BookChanged,
    Event,
    Fill,
    GroupChanged,
    Order,
    OrderChanged,
    Rejected,
    Traded,
)
from recio.exchange.simulator.used_ids import UsedIds

__all__ = ["Engine", "MatchBook"]  # the book lives in its own module; readers of ours find it here too


class Engine:
    """Books of all markets and the two accounts: the user's, and the crowd's that everybody else shares."""

    def __init__(
        self,
        cash_e6: int,
        fees: FeeSchedule,
        now_ms: Callable[[], int],
        new_id: Callable[[], str] = lambda: str(uuid.uuid4()),
    ) -> None:
        """``cash_e6`` is the user's starting cash, ``new_id`` names trades (tests that compare runs give their own)."""
        self.account = Account(cash_e6)
        self.crowd = Account(0)  # may go below zero: the crowd's depth of pocket is not simulated
        self.fees = fees
        self.fees_taken_e6 = 0
        self.orders: dict[str, Order] = {}  # the user's, until Memory prunes them
        self.client_ids = UsedIds()  # used up for ever, also by orders that never were
        self.fills: list[Fill] = []
        self.events: list[Event] = []
        self.groups: dict[str, OrderGroup] = {}
        self.group_events: list[GroupChanged] = []
        self._new_id = new_id
        self._arrivals = 0
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
        for order in sorted(self.orders.values(), key=lambda order: (order.priority, order.created_ms)):
            if order.status == "resting":
                self._resting[order.order_id] = order
                self.book(order.ticker).add(order)
                self._arrivals = max(self._arrivals, order.priority)

    def resting(self) -> list[Order]:
        """The user's resting orders."""
        return list(self._resting.values())

    def take_events(self) -> list[Event]:
        """What happened since the last call."""
        events, self.events = self.events, []
        return events

    def locked_e6(self) -> int:
        """Cash behind the user's resting orders."""
        return self._locked_e6(self._resting.values())

    def _locked_e6(self, orders: Iterable[Order]) -> int:
        """What orders could cost, maker fees included (not the roundings of many small fills)."""
        listed = list(orders)
        fees_e6 = sum(self.fees.fee_e6(order.remaining_e2, order.price_e4, False) for order in listed)
        return self.account.locked_e6(listed) + fees_e6

    # ------------------------------------------------------------------ the user's orders
    def submit(self, order: Order, reduce_only: bool = False) -> Order:
        """Take in a user's order and match it. Rejected says no and changes nothing but, for a FOK, the client id."""
        self.require_new(order.client_order_id)
        self._require_open_group(order.group_id)
        if reduce_only:
            self._cap_to_position(order)
        matches, own = self.book(order.ticker).meet(order)
        if order.post_only and (matches or own):
            raise Rejected(400, "invalid_order", "invalid order", "post only cross")
        self._require_cash(order, matches)
        self.client_ids.add(order.client_order_id)
        if order.time_in_force == "fill_or_kill" and sum(count for _, count in matches) < order.initial_e2:
            raise Rejected(
                409, "fill_or_kill_insufficient_resting_volume", "fill or kill order could not be filled in full"
            )
        self.orders[order.order_id] = order
        self._take(order, own)
        return order

    def _take(self, order: Order, own: list[Order]) -> None:
        """Match a user's order and rest, end or cancel what is left of it."""
        for resting in own if order.self_trade == "maker" else ():
            self._cancel(resting, "SelfTradeCancel")
        self._cross(order)
        group = self.groups.get(order.group_id)
        is_stopped = bool(own) and order.self_trade == "taker_at_cross"
        if order.remaining_e2 == 0:
            order.status = "executed"
        elif order.time_in_force == "good_till_canceled" and not is_stopped and not (group and group.is_triggered):
            self._resting[order.order_id] = order
            self._arrivals += 1
            order.priority = self._arrivals
            self.book(order.ticker).add(order)
            self._changed(order, order.remaining_e2)
        else:
            order.status, order.remaining_e2 = "canceled", 0
            order.reason = "SelfTradeCancel" if own else ""
        self._tell(order)

    def amend(self, order: Order, price_e4: int, total_e2: int, client_order_id: str, expires_s: int | None) -> int:
        """Give a resting order another price, size (with what it filled), expiry and name; returns what it traded.

        Rejected changes nothing. The caller has checked that it rests.
        """
        if client_order_id != order.client_order_id:
            self.require_new(client_order_id)
        left_e2 = total_e2 - order.filled_e2
        if left_e2 <= 0:
            raise Rejected(
                400, "invalid_order_size", "invalid order size", f"count must exceed the filled {order.filled_e2 / 100}"
            )
        filled_before, keeps_place = order.filled_e2, price_e4 == order.price_e4 and left_e2 <= order.remaining_e2
        own: list[Order] = []
        if not keeps_place:
            probe = msgspec.structs.replace(order, price_e4=price_e4, remaining_e2=left_e2)
            matches, own = self.book(order.ticker).meet(probe)
            if order.post_only and (matches or own):
                raise Rejected(400, "invalid_order", "invalid order", "post only cross")
            self._require_cash(probe, matches)
        self.client_ids.add(client_order_id)
        order.client_order_id, order.expires_s = client_order_id, expires_s
        order.updated_ms, order.reason, order.initial_e2 = self._now_ms(), "Amend", total_e2
        if keeps_place:
            self._shrink(order, left_e2)
            self._tell(order)
            return 0
        self._lift(order)
        order.price_e4, order.remaining_e2 = price_e4, left_e2
        self._take(order, own)
        return order.filled_e2 - filled_before

    def decrease(self, order: Order, to_e2: int) -> None:
        """Take contracts off a resting order; it keeps its place. To none is a cancel."""
        if to_e2 == 0:
            self._cancel(order, "Decrease")
            return
        order.updated_ms, order.reason = self._now_ms(), "Decrease"
        self._shrink(order, to_e2)
        self._tell(order)

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

    def halt(self) -> None:
        """Trading pauses: cancel what asked for that."""
        for order in self.resting():
            if order.cancel_on_pause:
                self._cancel(order, "HaltCancel")

    def trigger(self, group: OrderGroup) -> None:
        """Stop a group: cancel its orders; it takes none until it is reset."""
        group.is_triggered = True
        self.cancel_group(group.group_id)
        self.tell_group("triggered", group)

    def cancel_group(self, group_id: str) -> None:
        """Cancel a group's resting orders."""
        for order in self.resting():
            if order.group_id == group_id:
                self._cancel(order, "")

    def tell_group(self, kind: str, group: OrderGroup) -> None:
        """Say what became of a group."""
        self.group_events.append(GroupChanged(kind, group.group_id, group.limit_e2, self._now_ms()))

    # ------------------------------------------------------------------ the crowd's orders
    def crowd_quote(self, ticker: str, side: str, price_e4: int, count_e2: int) -> Order | None:
        """Rest a market maker's order; what crosses trades first. None when nothing of it is left."""
        order = self._crowd_order(ticker, side, price_e4, count_e2)
        self._cross(order)
        if order.remaining_e2 == 0:
            return None
        self.book(ticker).add(order)
        self._changed(order, order.remaining_e2)
        return order

    def crowd_take(self, ticker: str, side: str, limit_e4: int, count_e2: int) -> int:
        """A taker of the crowd hits the book; returns the count traded."""
        order = self._crowd_order(ticker, side, limit_e4, count_e2)
        self._cross(order)
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
    def require_new(self, client_order_id: str) -> None:
        """Rejected when the client id was used before."""
        if client_order_id in self.client_ids:
            raise Rejected(409, "order_already_exists", "order already exists")

    def _require_open_group(self, group_id: str) -> None:
        if not group_id:
            return
        group = self.groups.get(group_id)
        if group is None:
            raise Rejected(404, "not_found", "not found", f"there is no order group {group_id[:40]}")
        if group.is_triggered:
            raise Rejected(
                400, "invalid_order", "invalid order", f"order group {group_id} is triggered; reset it first"
            )

    def _require_cash(self, order: Order, matches: list[Match]) -> None:
        """Refuse what the user could not pay: at the limit price as a whole, and as it would fill right now."""
        fees_e6 = 0
        for maker, count in matches:
            trade_fee_e6 = self.fees.fee_e6(count, maker.price_e4, True)
            fees_e6 += self.fees.net_e6(-order.own_price_e4(maker.price_e4) * count, trade_fee_e6, 0)[0]
        others = (resting for resting in self._resting.values() if resting.order_id != order.order_id)
        worst_e6 = self._locked_e6([*others, order]) + fees_e6
        if worst_e6 > self.account.cash_e6:
            raise Rejected(
                400, "insufficient_balance", "insufficient balance",
                f"needs {worst_e6 / 1e6:.4f}, has {self.account.cash_e6 / 1e6:.4f}",
            )  # fmt: skip

    def _cap_to_position(self, order: Order) -> None:
        held = self.account.position_e2(order.ticker)
        most = max(0, -held if order.side == "bid" else held)
        if order.time_in_force != "immediate_or_cancel" or most == 0:
            raise Rejected(400, "invalid_order", "invalid order", "reduce only needs an IOC order and a position")
        order.initial_e2 = order.remaining_e2 = min(order.initial_e2, most)

    def _cross(self, taker: Order) -> None:
        """Match until nothing fits any more. A group that is hit on the way may take makers, or the taker, out."""
        book = self.book(taker.ticker)
        while taker.remaining_e2:
            matches, _ = book.meet(taker)
            if not matches:
                return
            for maker, count in matches:
                if maker.remaining_e2 < count:
                    break  # its group was stopped by the match before: look again
                self._match(book, taker, maker, count)
                group = self.groups.get(taker.group_id)
                if group is not None and group.is_triggered:
                    return

    def _match(self, book: MatchBook, taker: Order, maker: Order, count: int) -> None:
        trade_id, at_ms, price = self._new_id(), self._now_ms(), maker.price_e4
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
        for order in (taker, maker):
            group = self.groups.get(order.group_id)
            if group is not None and group.is_hit_by(count, at_ms) and not group.is_triggered:
                self.trigger(group)

    def _book_fill(self, order: Order, count: int, price: int, is_taker: bool, trade_id: str, at_ms: int) -> None:
        order.filled_e2 += count
        if not order.owner:
            self.crowd.apply_fill(order, count, price, 0, at_ms)
            return
        cost_e6 = order.own_price_e4(price) * count
        # The dollars that netting pays back are whole cents per 0.01 contract: they do not change the rounding.
        trade_fee_e6 = self.fees.fee_e6(count, price, is_taker)
        fee_e6, order.overpaid_e6 = self.fees.net_e6(-cost_e6, trade_fee_e6, order.overpaid_e6)
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
        self._lift(order)
        order.remaining_e2, order.status, order.reason, order.updated_ms = 0, "canceled", reason, self._now_ms()
        self._tell(order)
        return taken

    def _lift(self, order: Order) -> None:
        """Off the book."""
        self.book(order.ticker).remove(order)
        self._resting.pop(order.order_id, None)
        self._changed(order, -order.remaining_e2)

    def _shrink(self, order: Order, to_e2: int) -> None:
        if to_e2 != order.remaining_e2:
            self._changed(order, to_e2 - order.remaining_e2)
            order.remaining_e2 = to_e2

    def _changed(self, order: Order, delta_e2: int) -> None:
        side = "yes" if order.side == "bid" else "no"
        self.events.append(BookChanged(order.ticker, side, order.price_e4, delta_e2, order.client_order_id))

    def _tell(self, order: Order) -> None:
        self.events.append(OrderChanged(msgspec.structs.replace(order)))
