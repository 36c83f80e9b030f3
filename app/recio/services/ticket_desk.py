"""The manager's decisions: a ticket becomes a trade with its order intent in one transaction, or a refusal.

ticket                                   becomes
open, all rules hold                     trade pending + entry intent + events, one transaction
open, any rule broken or fact missing    refused, with every reason
close, contracts free to sell            exit intent, trade closing
close, an exit owes an answer or fills   refused: selling again could sell what another trade holds
adopt, its place is clear                the exchange's order on record with its trade; nothing is sent
cancel, the last reading has it resting  a cancel on record, which trade_executor sends; no stop forbids it
older than 15 s, or of another mode      refused: its price no longer stands
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime

from recio.services import log
from recio.services.adoption import adopt
from recio.services.cancel_ticket import put_cancel
from recio.services.ledger_port import CancelStore, LedgerDb, LedgerStore, Row
from recio.services.trade_folding import gather, refold
from recio.trading.adopt import AdoptError
from recio.trading.cancel import CancelError
from recio.trading.client_ids import client_order_id
from recio.trading.events import as_detail
from recio.trading.folding import free_to_sell_e2, owes
from recio.trading.ledger import LedgerError
from recio.trading.risk import Intent, RiskFacts, check, sentence
from recio.trading.settings import RiskLimits
from recio.trading.ticket import TicketError, check_price_e4, price_ranges

__all__ = ["TicketDesk"]

_TICKET_MAX_AGE_S = 15.0


class TicketDesk:
    """Tickets in, trades and intents out; every live trade folded anew from its evidence."""

    def __init__(
        self,
        db: LedgerDb,
        store: LedgerStore,
        user_id: str,
        mode: str,
        refusals: Callable[[Row], list[str]],
        exit_limit: Callable[[Row, int], int | None],
        clock: Callable[[], float] = time.time,
        decided: Callable[[int, int], None] = lambda ticket_id, order_id: None,
        cancels: CancelStore | None = None,
    ) -> None:
        """``refusals`` is the risk gate for an entry; ``exit_limit`` the price the book pays for a count, or None;
        ``decided`` hears of every intent that was committed, to measure; without ``cancels`` every cancel is refused."""
        self._decided, self._cancels = decided, cancels
        self._db, self._store, self._user_id, self._mode = db, store, user_id, mode
        self._refusals, self._exit_limit, self._clock = refusals, exit_limit, clock

    def decide_new(self) -> None:
        """Decide every ticket that waits."""
        for ticket in self._store.new_tickets(self._db, self._user_id):
            self._decide(ticket)

    def refold_all(self, stop: Callable[[], bool] = lambda: False) -> bool:
        """Fold every live trade anew; False when ``stop``, asked after each, ended it early: then it is to be repeated,
        with rows read anew."""
        for trade in self._store.live_trades(self._db, self._user_id, self._mode):
            refold(self._db, self._store, trade, gather(self._db, self._store, trade), self._now())
            if stop():
                return False
        return True

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock(), UTC)

    def _decide(self, ticket: Row) -> None:
        if ticket["mode"] != self._mode:
            self._refuse(ticket, f"the ticket is for mode {ticket['mode']}, this desk runs in {self._mode}")
        elif ticket["age_s"] > _TICKET_MAX_AGE_S:
            self._refuse(ticket, f"the ticket waited {ticket['age_s']:.0f} s; its price no longer stands, ask again")
        elif ticket["kind"] == "open":
            self._open(ticket)
        elif ticket["kind"] == "adopt":
            self._adopt(ticket)
        elif ticket["kind"] == "cancel":
            self._cancel(ticket)
        else:
            self._close(ticket)

    def _refuse(self, ticket: Row, reason: str) -> None:
        self._store.decide_ticket(self._db, ticket["ticket_id"], "refused", reason[:1000], None)
        self._db.notify("trade", "")
        log.info("ticket refused", ticket_id=ticket["ticket_id"], source=ticket["source"], reason=reason)

    # ------------------------------------------------------------------ opening
    def _open(self, ticket: Row) -> None:
        market = self._store.market_row(self._db, self._mode, ticket["market_ticker"])
        if market is None:
            self._refuse(ticket, f"there is no market {ticket['market_ticker']}; see the strike table for tickers")
            return
        try:
            check_price_e4(ticket["limit_price_e4"], price_ranges(market["price_ranges"]), ticket["side"])
        except TicketError as wrong:
            self._refuse(ticket, str(wrong))
            return
        refusals = self._refusals(ticket)
        if refusals:
            self._refuse(ticket, "; ".join(refusals))
            return
        row = {
            "user_id": ticket["user_id"], "mode": ticket["mode"], "ticket_id": ticket["ticket_id"],
            "source": ticket["source"], "market_ticker": market["market_ticker"],
            "event_ticker": market["event_ticker"], "series_ticker": market["series_ticker"],
            "strike_e2": market["floor_strike_e2"] or market["cap_strike_e2"], "side": ticket["side"],
            "state": "pending", "count_e2": ticket["count_e2"], "limit_price_e4": ticket["limit_price_e4"],
            "close_time": market["close_time"],
        }  # fmt: skip
        with self._db.transaction():
            trade_id = self._store.insert_trade(self._db, row)
            order_id = self._intend(ticket, row | {"trade_id": trade_id}, "entry", 0, ticket["count_e2"], row)
            self._store.decide_ticket(self._db, ticket["ticket_id"], "accepted", "", trade_id)
        self._decided(ticket["ticket_id"], order_id)

    def _intend(self, ticket: Row, trade: Row, purpose: str, attempt: int, count_e2: int, columns: Row) -> int:
        """The order intent with its client order id, its event and the executor's notice; in the caller's transaction."""
        namespace = f"{ticket['mode']}:{ticket['user_id']}:{ticket['created_at'].isoformat()}"
        trade_id = trade["trade_id"]
        row = {
            "user_id": ticket["user_id"], "mode": ticket["mode"], "trade_id": trade_id,
            "client_order_id": client_order_id(namespace, trade_id, purpose, attempt), "purpose": purpose,
            "market_ticker": trade["market_ticker"], "side": trade["side"], "count_e2": count_e2,
            "limit_price_e4": ticket["limit_price_e4"],
        }  # fmt: skip
        order_id = self._store.insert_order(self._db, row)
        detail = {"order_id": order_id, "source": ticket["source"], "count_e2": count_e2}
        detail |= {"limit_price_e4": row["limit_price_e4"], "client_order_id": row["client_order_id"]}
        detail["trade"] = as_detail(columns)
        self._store.add_event(self._db, ticket["user_id"], trade_id, f"{purpose}_intent", detail)
        self._db.notify("order_intent", order_id)
        self._db.notify("trade", trade_id)
        return order_id

    def _adopt(self, ticket: Row) -> None:
        try:
            trade_id = adopt(self._db, self._store, ticket)
        except (AdoptError, ValueError) as wrong:
            self._refuse(ticket, str(wrong))
        else:
            log.warning("order adopted", trade_id=trade_id, ticket_id=ticket["ticket_id"])

    def _cancel(self, ticket: Row) -> None:
        if self._cancels is None:
            self._refuse(ticket, "this desk has no list of cancels; nothing was sent")
            return
        try:
            cancel_id = put_cancel(self._db, self._store, self._cancels, ticket)
        except (CancelError, AdoptError) as wrong:
            self._refuse(ticket, str(wrong))
        else:
            log.info("cancel accepted", cancel_id=cancel_id, ticket_id=ticket["ticket_id"])

    # ------------------------------------------------------------------ closing
    def _close(self, ticket: Row) -> None:
        trade = self._store.trade_by_id(self._db, ticket["user_id"], ticket["trade_id"])
        if trade is None or trade["mode"] != self._mode:
            self._refuse(ticket, f"there is no trade {ticket['trade_id']} in mode {self._mode}")
            return
        evidence = gather(self._db, self._store, trade)
        trade = refold(self._db, self._store, trade, evidence, self._now())
        if trade["state"] not in ("open", "closing"):
            self._refuse(ticket, f"trade {trade['trade_id']} is {trade['state']}; only an open trade can be closed")
            return
        try:
            held_e2 = free_to_sell_e2(evidence, trade["side"])
        except LedgerError as contradiction:
            self._refuse(ticket, str(contradiction))
            return
        in_doubt = int(owes(evidence, "exit"))
        limit = ticket["limit_price_e4"] or self._exit_limit(trade, held_e2)
        if limit is None and not in_doubt:
            self._refuse(ticket, "no bid to sell to and no limit given; name a limit price, or let it settle")
            return
        intent = Intent(
            purpose="exit",
            market_ticker=trade["market_ticker"],
            side=trade["side"],
            count_e2=max(1, held_e2),
            limit_price_e4=limit or 1,
        )
        facts = RiskFacts(
            now_s=self._clock(), held_e2=held_e2, unknown_exits=in_doubt, market_close_s=trade["close_time"].timestamp()
        )
        refusals = check(intent, facts, RiskLimits())  # an exit is not held to the limits
        if refusals:
            doubt = [refusal for refusal in refusals if refusal.name == "unknown_exits"]
            self._refuse(ticket, sentence(doubt or refusals))
            return
        attempt = sum(order["purpose"] == "exit" for order in evidence.orders)
        with self._db.transaction():
            asked = ticket | {"limit_price_e4": limit}
            changes = {"state": "closing"}
            self._store.update_trade(self._db, trade["user_id"], trade["trade_id"], changes)
            self._intend(asked, trade, "exit", attempt, held_e2, changes)
            self._store.decide_ticket(self._db, ticket["ticket_id"], "accepted", "", trade["trade_id"])
