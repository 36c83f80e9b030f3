"""A ticket of kind ``cancel``: a resting order the ledger does not know is to be taken off the exchange's book."""

from __future__ import annotations

from datetime import UTC, datetime

from recio.services.ledger_port import CancelStore, LedgerDb, LedgerStore, Row
from recio.trading.adopt import read_foreign
from recio.trading.cancel import CancelError, CancelFacts, ForeignOrder, admit

__all__ = ["put_cancel"]


def put_cancel(db: LedgerDb, store: LedgerStore, cancels: CancelStore, ticket: Row) -> int:
    """Put the cancel on record for trade_executor, in one transaction with the ticket's answer; gives its id.

    Raises CancelError, or AdoptError for a reading that cannot be used. No rule that stops entries is asked.
    """
    order_id = str((ticket["entry_context"] or {}).get("exchange_order_id", ""))
    facts = cancels.cancel_facts(db, ticket["mode"], order_id)
    orders = [read_foreign(row) for row in facts.pop("orders")]
    order = admit(order_id, CancelFacts(orders=orders, **facts))
    with db.transaction():
        cancel_id = cancels.insert_cancel(db, _row(ticket, order))
        if cancel_id is None:
            raise CancelError(f"order {order_id} is being cancelled already; it is never sent twice")
        store.decide_ticket(db, ticket["ticket_id"], "accepted", "", None)
        db.notify("cancel", cancel_id)
    return cancel_id


def _row(ticket: Row, order: ForeignOrder) -> Row:
    return {
        "user_id": ticket["user_id"], "mode": ticket["mode"], "ticket_id": ticket["ticket_id"],
        "exchange_order_id": order.exchange_order_id, "client_order_id": order.client_order_id,
        "market_ticker": order.market_ticker, "book_side": order.book_side, "yes_price_e4": order.yes_price_e4,
        "count_e2": order.count_e2, "filled_e2": order.filled_e2,
        "rests_since": datetime.fromtimestamp(order.created_s, UTC),
    }  # fmt: skip
