"""trade_manager: the only writer of trades. Decides tickets, and works out every live trade anew from the evidence."""

from __future__ import annotations

import time
from collections.abc import Sequence

from recio.market.book_math import sell
from recio.monitoring.health import Check
from recio.services.ledger_port import Row
from recio.services.risk_gate import entry_refusals
from recio.services.runtime import Context, Worker, run
from recio.services.spans import now_ns
from recio.services.ticket_desk import TicketDesk
from recio.store import cancels, ledger
from recio.store.db import Notification
from recio.store.system import setting
from recio.trading.settings import AutoStopSettings, read
from recio.trading.ticket import price_ranges, snap

__all__ = ["TradeManager", "main"]

_SWEEP_S = 1.0


class TradeManager(Worker):
    """Tickets at once; live trades after every order, fill or result, and each second."""

    name = "trade_manager"
    channels = ("ticket", "order_update", "fill", "settlement")
    period_s = 0.5

    def __init__(self, ctx: Context) -> None:
        super().__init__(ctx)
        self._swept_s = float("-inf")
        self._news = False  # something came while trades were being folded
        self._desk = TicketDesk(
            self.db, ledger, self.settings.user_id, self.settings.mode, self._entry_refusals, self._exit_limit,
            decided=self._note_decided, cancels=cancels,
        )  # fmt: skip

    def work(self, notes: Sequence[Notification], now_s: float) -> None:
        """Decide what was asked, then refold what is live."""
        self._desk.decide_new()
        news = self._news or any(note.channel != "ticket" for note in notes)
        self._news = False
        late = time.monotonic() - self._swept_s >= _SWEEP_S
        if news or late:
            began_s = time.monotonic()
            if self._desk.refold_all(self._never if late else self._ticket_waits):
                self._swept_s = began_s
                self.useful(now_s)
            else:
                self._news = True  # a ticket goes first; the rest in the next round, and once a second come what may

    def due_s(self) -> float:
        """At once, when something came during the last round."""
        return 0.0 if self._news else self.period_s

    @staticmethod
    def _never() -> bool:
        return False

    def _ticket_waits(self) -> bool:
        notes = self.db.notifications()
        self._news = self._news or any(note.channel != "ticket" for note in notes)
        return any(note.channel == "ticket" for note in notes)

    def _note_decided(self, ticket_id: int, order_id: int) -> None:
        self.spans.add("decide", self.woke_ns, now_ns(), ticket_id=ticket_id, order_id=order_id)

    def _entry_refusals(self, ticket: Row) -> list[str]:
        return entry_refusals(self.db, self.settings, ticket)

    def _exit_limit(self, trade: Row, count_e2: int) -> int | None:
        """The price the book pays for all of it, less the exit collar; None where nobody bids."""
        book = self.db.one(
            "SELECT b.*, m.price_ranges FROM live_data.books b JOIN live_data.markets m USING (market_ticker)"
            " WHERE b.market_ticker = %s AND valid AND received_at > now() - interval '30 seconds'",
            (trade["market_ticker"],),
        )
        walk = sell(book[f"{trade['side']}_bids"], count_e2) if book and count_e2 > 0 else None
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
