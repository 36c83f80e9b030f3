"""The executor's work: claims an intent, checks the risk once more, sends once, records what came.

what happened to the request        recorded as             then
answered with counts                filled / cancelled      nothing: an IOC order never rests
definitely refused                  refused                 the trade ends in error, with the exchange's words
nothing left this host              refused (not sent)      likewise; a stale price is never sent later
"this client id exists"             unknown                 looked up: it is ours
anything else                       unknown                 blocks entries, and this trade, until it is looked up
found by its client id              what the lookup says
never listed, 5 looks over 20 s     refused (never there)   the signature is void after 10 s: it cannot arrive any more
listed before, not found now        as it was               looked up again: a list can have gaps
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol

from recio.exchange.errors import ExchangeError, NotSent, OutcomeUnknown, Refused
from recio.exchange.kalshi.models import NewOrder, OrderAck, OrderView
from recio.services import log
from recio.services.ledger_port import LedgerDb, LedgerStore, Row
from recio.services.order_groups import GroupKeeper, NoGroup
from recio.trading.states import OrderState, order_state_of_answer, order_step
from recio.units import ONE_DOLLAR_E4

__all__ = ["OrderDesk", "OrderGate", "wire_order"]

_LOOK_S, _LOOKS, _LOOK_SPAN_S = 2.0, 5, 20.0
_INTENT_MAX_AGE_S = 10.0


class OrderGate(Protocol):
    """The two calls by which orders reach the exchange and are found again."""

    def create_order(self, new: NewOrder) -> OrderAck:
        """Place an order, once; recio.exchange.errors says what each failure means."""

    def order_by_client_id(
        self, client_order_id: str, ticker: str | None = None, min_ts: int | None = None
    ) -> OrderView | None:
        """The order with this client id, or None when none is listed yet."""


def wire_order(order: Row, *, group_id: str | None = None, reduce_only: bool | None = None) -> NewOrder:
    """The order as the exchange's one book knows it: buying NO at q is selling YES at 1 - q.

    An exit only reduces, unless told otherwise: where a live trade holds the other side of the same market the exchange
    has netted both away, and would refuse to reduce what it no longer shows.
    """
    buys = order["purpose"] == "entry"
    yes = order["side"] == "yes"
    price = order["limit_price_e4"] if yes else ONE_DOLLAR_E4 - order["limit_price_e4"]
    return NewOrder(
        ticker=order["market_ticker"],
        book_side="bid" if buys == yes else "ask",
        count_e2=order["count_e2"],
        yes_price_e4=price,
        client_order_id=order["client_order_id"],
        reduce_only=not buys if reduce_only is None else reduce_only,
        order_group_id=group_id,
    )


class OrderDesk:
    """One order at a time; exits before entries; no entry goes out while an outcome is unknown."""

    def __init__(
        self,
        db: LedgerDb,
        store: LedgerStore,
        client: OrderGate,
        mode: str,
        refusals: Callable[[Row], list[str]],
        groups: GroupKeeper,
        clock: Callable[[], float] = time.time,
        ticks: Callable[[], float] = time.monotonic,
        claimed: Callable[[Row], None] = lambda order: None,
        done: Callable[[Row], None] = lambda order: None,
    ) -> None:
        """``refusals`` is the risk gate for a claimed entry; ``claimed`` and ``done`` hear of every order, to measure."""
        self._db, self._store, self._client, self._mode = db, store, client, mode
        self._refusals, self._groups, self._clock, self._ticks = refusals, groups, clock, ticks
        self._claimed, self._done = claimed, done
        self._looked_s = float("-inf")
        self.unknown = 0  # orders whose outcome is not known, as of the last round

    def recover(self) -> None:
        """Orders that a former process left in `sending` may have gone out: they are unknown until looked up."""
        for order in self._store.unfinished_orders(self._db, self._mode):
            if order["state"] == "sending":
                self._finish(order, OrderState.UNKNOWN, "the executor was restarted while sending")

    def round(self) -> None:
        """Unknown orders first; then every intent that may go."""
        waiting = [o for o in self._store.unfinished_orders(self._db, self._mode) if o["state"] != "intent"]
        if waiting and self._ticks() - self._looked_s >= _LOOK_S:
            self._looked_s = self._ticks()
            waiting = [order for order in waiting if not self._look_up(order)]
        self.unknown = sum(order["state"] in ("unknown", "sending") for order in waiting)
        while (order := self._store.claim_intent(self._db, self._mode)) is not None:
            self._claimed(order)
            self.unknown += not self._execute(order)
            self._done(order)

    # ------------------------------------------------------------------ sending
    def _execute(self, order: Row) -> bool:
        """Send one claimed order; True when its outcome is known."""
        refusals = self._last_check(order)
        if refusals:
            self._finish(order, OrderState.REFUSED, f"not sent: {'; '.join(refusals)}")
            return True
        try:
            new = self._wired(order)
        except NoGroup as why:
            self._finish(order, OrderState.REFUSED, f"not sent: {why}")
            return True
        started_s = self._ticks()
        try:
            ack = self._client.create_order(new)
        except Refused as refusal:
            if refusal.is_duplicate:
                self._finish(order, OrderState.UNKNOWN, "the exchange knows this client order id already")
                return False
            self._groups.heard(new.order_group_id, refusal)
            state = OrderState.CANCELLED if refusal.is_no_fill else OrderState.REFUSED
            self._finish(order, state, str(refusal))
            return True
        except (NotSent, ValueError) as failure:
            self._finish(order, OrderState.REFUSED, f"nothing was sent: {failure}")
            return True
        except OutcomeUnknown as failure:
            self._finish(order, OrderState.UNKNOWN, str(failure))
            return False
        filled = ack.fill_count_e2 >= order["count_e2"]
        state = OrderState.FILLED if filled else OrderState.CANCELLED
        took_ms = 1000 * (self._ticks() - started_s)
        log.info("order sent", order_id=order["order_id"], filled_e2=ack.fill_count_e2, took_ms=f"{took_ms:.1f}")
        self._finish(order, state, "", exchange_order_id=ack.order_id, acked_count_e2=ack.fill_count_e2)
        return True

    def _wired(self, order: Row) -> NewOrder:
        if order["purpose"] == "entry":
            return wire_order(order, group_id=self._groups.for_entry())
        return wire_order(order, reduce_only=not self._store.opposite_held(self._db, order))

    def _last_check(self, order: Row) -> list[str]:
        """What forbids sending now. An exit is forbidden by nothing but being pointless."""
        if order["purpose"] == "exit":
            return []
        age_s = self._clock() - order["created_at"].timestamp()
        if age_s > _INTENT_MAX_AGE_S:
            return [f"the intent is {age_s:.0f} s old, its price no longer stands"]
        return self._refusals(order)

    def _finish(self, order: Row, state: OrderState, reason: str, **columns: object) -> None:
        order_step(OrderState.SENDING if order["state"] == "intent" else order["state"], state)
        self._store.finish_order(self._db, order, state.value, reason[:500], **columns)
        if state in (OrderState.REFUSED, OrderState.UNKNOWN):
            log.warning("order", order_id=order["order_id"], state=state.value, reason=reason)

    # ------------------------------------------------------------------ looking up
    def _look_up(self, order: Row) -> bool:
        """Ask the exchange for an order by its client id; True when its outcome is now known."""
        sent_s = order["sent_at"].timestamp() if order["sent_at"] else order["created_at"].timestamp()
        try:
            found = self._client.order_by_client_id(
                order["client_order_id"], ticker=order["market_ticker"], min_ts=int(sent_s - 60)
            )
        except ExchangeError as failure:
            log.warning("unknown order cannot be looked up yet", order_id=order["order_id"], why=failure)
            return False
        if found is not None:
            return self._book_found(order, found)
        looks, age_s = order["lookups"] + 1, self._clock() - sent_s
        if order["exchange_order_id"] is None and looks >= _LOOKS and age_s >= _LOOK_SPAN_S:
            why = f"never reached the exchange: not found in {looks} looks over {age_s:.0f} s"
            self._finish(order, OrderState.REFUSED, why, lookups=looks)
            return True
        self._store.note_lookup(self._db, order["order_id"], looks)
        return False

    def _book_found(self, order: Row, found: OrderView) -> bool:
        try:
            state = order_state_of_answer(found.status, order["count_e2"], found.fill_count_e2)
        except ValueError as strange:
            log.warning("the exchange's record of an order proves nothing", order_id=order["order_id"], why=strange)
            return False
        if state.value == order["state"]:
            return True
        reason = "found on the exchange by its client order id"
        self._finish(order, state, reason, exchange_order_id=found.order_id, acked_count_e2=found.fill_count_e2)
        return True
