"""A ticket of kind ``adopt``: an order the exchange has and the ledger lost becomes a trade, or a trade's exit."""

from __future__ import annotations

from datetime import UTC, datetime

from recio.services.ledger_port import LedgerDb, LedgerStore, Row
from recio.services.trade_folding import gather
from recio.trading.adopt import AdoptError, ForeignOrder, Holding, Place, place, read_foreign
from recio.trading.events import as_detail
from recio.trading.folding import fold_fill_rows
from recio.trading.ledger import LedgerError
from recio.trading.states import TradeState, trade_step

__all__ = ["adopt"]


def adopt(db: LedgerDb, store: LedgerStore, ticket: Row) -> int:
    """Write the order, its trade and their events in one transaction; gives the trade's id. Raises AdoptError.

    Nothing is sent and no fill is made up: quantities come from the exchange's fills alone, at the next fold.
    """
    order = read_foreign(ticket["entry_context"] or {})
    where = place(order, _holdings(db, store, ticket, order), ticket["trade_id"])
    columns: Row = _trade(ticket, order, where) if where.trade_id is None else {}
    if where.closes:
        columns = {"state": trade_step(TradeState.OPEN, TradeState.CLOSING).value}
    with db.transaction():
        if where.trade_id is None:
            trade_id = store.insert_trade(db, columns)
        else:
            trade_id = where.trade_id
            if columns:
                store.update_trade(db, ticket["user_id"], trade_id, columns)
        order_id = store.insert_known_order(db, _order(ticket, order, where, trade_id))
        if order_id is None:
            raise AdoptError(f"order {order.client_order_id} is in the ledger already; nothing was changed")
        detail = {"order_id": order_id, "client_order_id": order.client_order_id}
        intent = detail | {
            "source": "adopted", "count_e2": order.count_e2, "limit_price_e4": where.limit_price_e4,
            "trade": as_detail(columns),
        }  # fmt: skip
        store.add_event(db, ticket["user_id"], trade_id, f"{where.purpose}_intent", intent)
        reason = "adopted from the exchange's record: the ledger did not know it"
        store.add_event(db, ticket["user_id"], trade_id, f"order_{where.state}", detail | {"reason": reason})
        store.decide_ticket(db, ticket["ticket_id"], "accepted", "", trade_id)
        db.notify("trade", trade_id)
    return trade_id


def _holdings(db: LedgerDb, store: LedgerStore, ticket: Row, order: ForeignOrder) -> list[Holding]:
    found = []
    for trade in store.live_trades(db, ticket["user_id"], ticket["mode"]):
        if trade["market_ticker"] != order.market_ticker:
            continue
        try:
            held_e2 = fold_fill_rows(trade["side"], gather(db, store, trade).fills).held_e2
        except LedgerError as contradiction:
            raise AdoptError(f"trade {trade['trade_id']} on the same market: {contradiction}") from contradiction
        found.append(Holding(trade["trade_id"], trade["side"], held_e2, trade["state"]))
    return found


def _trade(ticket: Row, order: ForeignOrder, where: Place) -> Row:
    return {
        "user_id": ticket["user_id"], "mode": ticket["mode"], "ticket_id": ticket["ticket_id"], "source": "adopted",
        "market_ticker": order.market_ticker, "event_ticker": order.event_ticker, "series_ticker": order.series_ticker,
        "strike_e2": order.strike_e2, "side": where.side, "state": "pending", "count_e2": order.count_e2,
        "limit_price_e4": where.limit_price_e4, "close_time": datetime.fromtimestamp(order.close_s, UTC),
    }  # fmt: skip


def _order(ticket: Row, order: ForeignOrder, where: Place, trade_id: int) -> Row:
    return {
        "user_id": ticket["user_id"], "mode": ticket["mode"], "trade_id": trade_id,
        "client_order_id": order.client_order_id, "purpose": where.purpose, "market_ticker": order.market_ticker,
        "side": where.side, "count_e2": order.count_e2, "limit_price_e4": where.limit_price_e4,
        "state": where.state.value, "exchange_order_id": order.exchange_order_id, "acked_count_e2": order.filled_e2,
        "sent_at": datetime.fromtimestamp(order.created_s, UTC), "reason": "adopted from the exchange's record",
    }  # fmt: skip
