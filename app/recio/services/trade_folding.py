"""A trade's row brought to what the evidence says; the rules are recio.trading.folding's, the log is never left behind."""

from __future__ import annotations

from datetime import datetime

from recio.services import log
from recio.services.ledger_port import LedgerDb, LedgerStore, Row
from recio.trading.events import as_detail
from recio.trading.folding import Evidence, fold_trade

__all__ = ["gather", "refold"]


def gather(db: LedgerDb, store: LedgerStore, trade: Row) -> Evidence:
    """Read a trade's orders, fills and, once its market is over, the result."""
    user_id, trade_id = trade["user_id"], trade["trade_id"]
    # Orders before fills: an order that is read as final has all the fills it reported counted against it afterwards.
    orders = store.orders_of_trade(db, user_id, trade_id)
    fills = store.fills_of_trade(db, user_id, trade_id)
    return Evidence(orders, fills, store.settlement_of(db, trade["mode"], trade["market_ticker"]))


def refold(db: LedgerDb, store: LedgerStore, trade: Row, evidence: Evidence, now: datetime) -> Row:
    """Bring one trade's row to what the evidence says, with its event; gives the row as it then is."""
    changes = fold_trade(trade, evidence, now)
    if not changes:
        return trade
    user_id, trade_id = trade["user_id"], trade["trade_id"]
    with db.transaction():
        store.update_trade(db, user_id, trade_id, changes)
        store.add_event(db, user_id, trade_id, f"trade_{changes.get('state', 'updated')}", as_detail(changes))
        db.notify("trade", trade_id)
    if "state" in changes:
        reason = changes.get("reason", trade["reason"])
        log.info("trade", trade_id=trade_id, state=changes["state"], reason=reason)
    return trade | changes
