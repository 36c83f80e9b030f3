"""trade_manager: the only writer of trades. Decides tickets, and works out every live trade anew from the evidence."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from recio.market.book_math import sell
from recio.monitoring.health import Check
from recio.services import log
from recio.services.risk_gate import entry_refusals
from recio.services.runtime import Context, Worker, run
from recio.services.spans import now_ns
from recio.services.trade_folding import gather, refold
from recio.store import ledger
from recio.store.db import Notification
from recio.store.system import setting
from recio.trading.client_ids import client_order_id
from recio.trading.risk import Intent, RiskFacts, check, sentence
from recio.trading.settings import AutoStopSettings, RiskLimits, read
from recio.trading.states import UNFINISHED_ORDERS
from recio.trading.ticket import TicketError, check_price_e4, price_ranges, snap

__all__ = ["TradeManager", "main"]

Row = dict[str, Any]
_TICKET_MAX_AGE_S = 15.0
_SWEEP_S = 1.0


class TradeManager(Worker):
    """Tickets at once; live trades after every order, fill or result, and each second."""

    name = "trade_manager"
    channels = ("ticket", "order_update", "fill", "settlement")
    period_s = 0.5

    def __init__(self, ctx: Context) -> None:
        super().__init__(ctx)
        self._swept_s = float("-inf")
        self._live = 0

    def work(self, notes: Sequence[Notification], now_s: float) -> None:
        """Decide what was asked, then refold what is live."""
        for ticket in ledger.new_tickets(self.db, self.settings.user_id):
            self._decide(ticket)
        news = any(note.channel != "ticket" for note in notes)
        if news or time.monotonic() - self._swept_s >= _SWEEP_S:
            self._swept_s = time.monotonic()
            self._refold_all()
            self.useful(now_s)

    def _refold_all(self) -> None:
        trades = ledger.live_trades(self.db, self.settings.user_id, self.settings.mode)
        now = datetime.now(UTC)
        for trade in trades:
            refold(self.db, trade, gather(self.db, trade), now)
        self._live = len(trades)

    # ------------------------------------------------------------------ tickets
    def _decide(self, ticket: Row) -> None:
        if ticket["mode"] != self.settings.mode:
            self._refuse(ticket, f"the ticket is for mode {ticket['mode']}, this desk runs in {self.settings.mode}")
        elif ticket["age_s"] > _TICKET_MAX_AGE_S:
            self._refuse(ticket, f"the ticket waited {ticket['age_s']:.0f} s; its price no longer stands, ask again")
        elif ticket["kind"] == "open":
            self._open(ticket)
        else:
            self._close(ticket)

    def _refuse(self, ticket: Row, reason: str) -> None:
        ledger.decide_ticket(self.db, ticket["ticket_id"], "refused", reason[:1000], None)
        self.db.notify("trade", "")
        log.info("ticket refused", ticket_id=ticket["ticket_id"], source=ticket["source"], reason=reason)

    def _open(self, ticket: Row) -> None:
        market = self.db.one(
            "SELECT * FROM live_data.markets WHERE market_ticker = %s AND mode = %s",
            (ticket["market_ticker"], self.settings.mode),
        )
        if market is None:
            self._refuse(ticket, f"there is no market {ticket['market_ticker']}; see the strike table for tickers")
            return
        try:
            check_price_e4(ticket["limit_price_e4"], price_ranges(market["price_ranges"]), ticket["side"])
        except TicketError as wrong:
            self._refuse(ticket, str(wrong))
            return
        refusals = entry_refusals(self.db, self.settings, ticket)
        if refusals:
            self._refuse(ticket, "; ".join(refusals))
            return
        with self.db.transaction():
            trade_id = ledger.insert_trade(
                self.db,
                {
                    "user_id": ticket["user_id"], "mode": ticket["mode"], "ticket_id": ticket["ticket_id"],
                    "source": ticket["source"], "market_ticker": market["market_ticker"],
                    "event_ticker": market["event_ticker"], "series_ticker": market["series_ticker"],
                    "strike_e2": market["floor_strike_e2"] or market["cap_strike_e2"], "side": ticket["side"],
                    "state": "pending", "count_e2": ticket["count_e2"], "limit_price_e4": ticket["limit_price_e4"],
                    "close_time": market["close_time"],
                },
            )  # fmt: skip
            order_id = self._intend(
                ticket, trade_id, "entry", 0, ticket["side"], market["market_ticker"], ticket["count_e2"]
            )
            ledger.decide_ticket(self.db, ticket["ticket_id"], "accepted", "", trade_id)
        self.spans.add("decide", self.woke_ns, now_ns(), ticket_id=ticket["ticket_id"], order_id=order_id)

    def _intend(
        self, ticket: Row, trade_id: int, purpose: str, attempt: int, side: str, market_ticker: str, count_e2: int
    ) -> int:
        """The order intent with its client order id, its event and the executor's notice; in the caller's transaction."""
        namespace = f"{ticket['mode']}:{ticket['user_id']}:{ticket['created_at'].isoformat()}"
        row = {
            "user_id": ticket["user_id"], "mode": ticket["mode"], "trade_id": trade_id,
            "client_order_id": client_order_id(namespace, trade_id, purpose, attempt), "purpose": purpose,
            "market_ticker": market_ticker, "side": side, "count_e2": count_e2,
            "limit_price_e4": ticket["limit_price_e4"],
        }  # fmt: skip
        order_id = ledger.insert_order(self.db, row)
        detail = {"order_id": order_id, "source": ticket["source"], "count_e2": count_e2}
        detail |= {"limit_price_e4": row["limit_price_e4"], "client_order_id": row["client_order_id"]}
        ledger.add_event(self.db, ticket["user_id"], trade_id, f"{purpose}_intent", detail)
        self.db.notify("order_intent", order_id)
        self.db.notify("trade", trade_id)
        return order_id

    # ------------------------------------------------------------------ closing
    def _close(self, ticket: Row) -> None:
        trade = ledger.trade_by_id(self.db, ticket["user_id"], ticket["trade_id"])
        if trade is None or trade["mode"] != self.settings.mode:
            self._refuse(ticket, f"there is no trade {ticket['trade_id']} in mode {self.settings.mode}")
            return
        evidence = gather(self.db, trade)
        refold(self.db, trade, evidence, datetime.now(UTC))
        trade = ledger.trade_by_id(self.db, ticket["user_id"], ticket["trade_id"]) or trade
        if trade["state"] not in ("open", "closing"):
            self._refuse(ticket, f"trade {trade['trade_id']} is {trade['state']}; only an open trade can be closed")
            return
        exits = [order for order in evidence.orders if order["purpose"] == "exit"]
        unfinished = sum(order["state"] in UNFINISHED_ORDERS for order in exits)
        held_e2 = trade["entry_count_e2"] - trade["exit_count_e2"]
        limit = ticket["limit_price_e4"] or self._exit_limit(trade, held_e2)
        if limit is None:
            self._refuse(ticket, "no bid to sell to and no limit given; name a limit price, or let it settle")
            return
        intent = Intent(
            purpose="exit",
            market_ticker=trade["market_ticker"],
            side=trade["side"],
            count_e2=held_e2,
            limit_price_e4=limit,
        )
        facts = RiskFacts(
            now_s=time.time(), held_e2=held_e2, unknown_exits=unfinished, market_close_s=trade["close_time"].timestamp()
        )
        refusals = check(intent, facts, RiskLimits())  # an exit is not held to the limits
        if refusals:
            self._refuse(ticket, sentence(refusals))
            return
        with self.db.transaction():
            asked = ticket | {"limit_price_e4": limit}
            self._intend(asked, trade["trade_id"], "exit", len(exits), trade["side"], trade["market_ticker"], held_e2)
            ledger.update_trade(self.db, trade["user_id"], trade["trade_id"], {"state": "closing"})
            ledger.decide_ticket(self.db, ticket["ticket_id"], "accepted", "", trade["trade_id"])

    def _exit_limit(self, trade: Row, count_e2: int) -> int | None:
        """The price the book pays for all of it, less the exit collar; None where nobody bids."""
        book = self.db.one(
            "SELECT b.*, m.price_ranges FROM live_data.books b JOIN live_data.markets m USING (market_ticker)"
            " WHERE b.market_ticker = %s AND valid AND received_at > now() - interval '30 seconds'",
            (trade["market_ticker"],),
        )
        walk = sell(book[f"{trade['side']}_bids"], count_e2) if book else None
        if book is None or walk is None or walk.worst_e4 is None:
            return None
        rules = read(AutoStopSettings, setting(self.db, trade["user_id"], "auto_stop"))
        lowest = max(1, walk.worst_e4 - rules.exit_collar_e4)
        return snap(lowest, price_ranges(book["price_ranges"]), trade["side"])

    def checks(self, now_s: float) -> list[Check]:
        """Useful work already says it: every live trade was folded from its evidence a moment ago."""
        return []


def main() -> int:
    """Run the service."""
    return run(TradeManager)
