"""trade_executor: the only sender of orders. Claims an intent, checks the risk once more, sends once, records what came.

what happened to the request        recorded as             then
answered with counts                filled / cancelled      nothing: an IOC order never rests
definitely refused                  refused                 the trade ends in error, with the exchange's words
nothing left this host              refused (not sent)      likewise; a stale price is never sent later
"this client id exists"             unknown                 looked up: it is ours
anything else                       unknown                 blocks entries, and this trade, until it is looked up
found by its client id              what the lookup says
not found, 5 looks over 20 s        refused (never there)
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from recio.exchange.errors import ExchangeError, NotSent, OutcomeUnknown, Refused
from recio.exchange.kalshi.models import NewOrder, OrderView
from recio.monitoring.health import Check
from recio.services import log
from recio.services.feeds import kalshi_client
from recio.services.risk_gate import entry_refusals
from recio.services.runtime import Context, Worker, run
from recio.services.spans import now_ns
from recio.store import ledger
from recio.store.db import Notification
from recio.trading.states import OrderState, order_state_of_answer, order_step
from recio.units import ONE_DOLLAR_E4

__all__ = ["TradeExecutor", "main", "wire_order"]

Row = dict[str, Any]
_PROVE_S = 5.0
_LOOK_S, _LOOKS, _LOOK_SPAN_S = 2.0, 5, 20.0
_INTENT_MAX_AGE_S = 10.0


def wire_order(order: Row) -> NewOrder:
    """The order as the exchange's one book knows it: buying NO at q is selling YES at 1 - q."""
    buys = order["purpose"] == "entry"
    yes = order["side"] == "yes"
    price = order["limit_price_e4"] if yes else ONE_DOLLAR_E4 - order["limit_price_e4"]
    return NewOrder(
        ticker=order["market_ticker"],
        book_side="bid" if buys == yes else "ask",
        count_e2=order["count_e2"],
        yes_price_e4=price,
        client_order_id=order["client_order_id"],
        reduce_only=not buys,
    )


class TradeExecutor(Worker):
    """One order at a time; exits before entries; no entry goes out while an outcome is unknown."""

    name = "trade_executor"
    channels = ("order_intent",)
    period_s = 1.0

    def __init__(self, ctx: Context) -> None:
        super().__init__(ctx)
        self._client = kalshi_client(self.settings)
        self._proved_s = self._looked_s = float("-inf")
        self._problem = "not asked yet"
        self._unknown = 0

    def start(self) -> None:
        """Orders that a former process left in `sending` may have gone out: they are unknown until looked up."""
        for order in ledger.unfinished_orders(self.db, self.settings.mode):
            if order["state"] == "sending":
                ledger.finish_order(self.db, order, "unknown", "the executor was restarted while sending")

    def stop(self) -> None:
        """Close the connection."""
        self._client.close()

    def work(self, notes: Sequence[Notification], now_s: float) -> None:
        """Unknown orders first; then every intent; then prove that orders could be sent."""
        waiting = [o for o in ledger.unfinished_orders(self.db, self.settings.mode) if o["state"] != "intent"]
        if waiting and time.monotonic() - self._looked_s >= _LOOK_S:
            self._looked_s = time.monotonic()
            waiting = [order for order in waiting if not self._look_up(order)]
        self._unknown = sum(order["state"] in ("unknown", "sending") for order in waiting)
        began_ns = self.woke_ns
        while (order := ledger.claim_intent(self.db, self.settings.mode)) is not None:
            claimed_ns = now_ns()
            self.spans.add("claim", began_ns, claimed_ns, order_id=order["order_id"])
            self._unknown += not self._execute(order)
            self._note_sent(order["order_id"], claimed_ns)
            began_ns = now_ns()
        self._prove(now_s)

    # ------------------------------------------------------------------ sending
    def _execute(self, order: Row) -> bool:
        """Send one claimed order; True when its outcome is known."""
        refusals = self._last_check(order)
        if refusals:
            self._finish(order, OrderState.REFUSED, f"not sent: {'; '.join(refusals)}")
            return True
        started_s = time.monotonic()
        try:
            ack = self._client.create_order(wire_order(order))
        except Refused as refusal:
            if refusal.is_duplicate:
                self._finish(order, OrderState.UNKNOWN, "the exchange knows this client order id already")
                return False
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
        took_ms = 1000 * (time.monotonic() - started_s)
        log.info("order sent", order_id=order["order_id"], filled_e2=ack.fill_count_e2, took_ms=f"{took_ms:.1f}")
        self._finish(order, state, "", exchange_order_id=ack.order_id, acked_count_e2=ack.fill_count_e2)
        return True

    def _note_sent(self, order_id: int, claimed_ns: int) -> None:
        sent_ns = self._client.sent_ns
        if sent_ns > claimed_ns:  # else nothing left this host
            self.spans.add("send", claimed_ns, sent_ns, order_id=order_id)
            self.spans.add("answer", sent_ns, now_ns(), order_id=order_id)

    def _last_check(self, order: Row) -> list[str]:
        """What forbids sending now. An exit is forbidden by nothing but being pointless."""
        if order["purpose"] == "exit":
            return []
        age_s = time.time() - order["created_at"].timestamp()
        if age_s > _INTENT_MAX_AGE_S:
            return [f"the intent is {age_s:.0f} s old, its price no longer stands"]
        return entry_refusals(self.db, self.settings, order, already_recorded=order["trade_id"])

    def _finish(self, order: Row, state: OrderState, reason: str, **columns: Any) -> None:
        order_step(OrderState.SENDING if order["state"] == "intent" else order["state"], state)
        ledger.finish_order(self.db, order, state.value, reason[:500], **columns)
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
        looks, age_s = order["lookups"] + 1, time.time() - sent_s
        if looks >= _LOOKS and age_s >= _LOOK_SPAN_S:
            why = f"never reached the exchange: not found in {looks} looks over {age_s:.0f} s"
            self._finish(order, OrderState.REFUSED, why, lookups=looks)
            return True
        self.db.run("UPDATE users.orders SET lookups = %s WHERE order_id = %s", (looks, order["order_id"]))
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

    # ------------------------------------------------------------------ health
    def _prove(self, now_s: float) -> None:
        """A signed call on the very connection orders use, every few seconds."""
        if time.monotonic() - self._proved_s < _PROVE_S:
            self._client.keep_warm()  # an order finds an open connection; the proof has parsed the key
            return
        self._proved_s = time.monotonic()
        try:
            self._client.balance()
        except ExchangeError as failure:
            if str(failure) != self._problem:
                log.warning("orders could not be sent", why=failure)
            self._problem = str(failure)
        else:
            self._problem = ""
            self.useful(now_s)

    def checks(self, now_s: float) -> list[Check]:
        """Orders could be sent, and nothing is unknown."""
        return [
            Check("signed call", not self._problem, self._problem),
            Check("outcomes", not self._unknown, f"{self._unknown} order(s) with unknown outcome; orders wait"),
        ]


def main() -> int:
    """Run the service."""
    return run(TradeExecutor)
