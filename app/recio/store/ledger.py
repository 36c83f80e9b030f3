"""The ledger's queries: trades, orders, fills, settlements. Writers: trade_manager and trade_executor."""

from __future__ import annotations

from typing import Any, Protocol

from psycopg2.extras import Json

from recio.store.db import Database, Params

__all__ = [
    "add_event",
    "claim_intent",
    "decide_ticket",
    "events_of_trade",
    "fills_of_trade",
    "finish_order",
    "insert_known_order",
    "insert_order",
    "insert_trade",
    "live_trades",
    "market_row",
    "new_tickets",
    "note_lookup",
    "opposite_held",
    "orders_of_trade",
    "risk_facts",
    "settlement_of",
    "trade_by_id",
    "unfinished_orders",
    "update_trade",
]

Row = dict[str, Any]


class HotQueries(Protocol):
    """What risk_facts needs of a connection: a service's own prepares it, the page's pool just asks."""

    def hot(self, sql: str, params: Params = ()) -> list[Row]:
        """Every row."""


# ------------------------------------------------------------------ tickets
def new_tickets(db: Database, user_id: str) -> list[Row]:
    """Tickets nobody decided yet, oldest first."""
    return db.hot(
        "SELECT *, extract(epoch FROM now() - created_at) AS age_s FROM users.tickets"
        " WHERE state = 'new' AND user_id = %s ORDER BY ticket_id",
        (user_id,),
    )


def decide_ticket(db: Database, ticket_id: int, state: str, reason: str, trade_id: int | None) -> None:
    """Accept or refuse a ticket, once."""
    db.later(
        "UPDATE users.tickets SET state = %s, reason = %s, trade_id = coalesce(%s, trade_id), decided_at = now()"
        " WHERE ticket_id = %s AND state = 'new'",
        (state, reason, trade_id, ticket_id),
    )


# ------------------------------------------------------------------ trades
def insert_trade(db: Database, row: Row) -> int:
    """A pending trade; gives its id."""
    names = ", ".join(row)
    places = ", ".join(f"%({name})s" for name in row)
    made = db.one(f"INSERT INTO users.trades ({names}) VALUES ({places}) RETURNING trade_id", row)  # noqa: S608
    assert made is not None  # noqa: S101 - RETURNING of an insert that did not raise
    return int(made["trade_id"])


def update_trade(db: Database, user_id: str, trade_id: int, changes: Row) -> None:
    """Set columns of one trade."""
    sets = ", ".join(f"{name} = %({name})s" for name in changes)
    db.later(
        f"UPDATE users.trades SET {sets} WHERE user_id = %(key_user)s AND trade_id = %(key_trade)s",  # noqa: S608
        changes | {"key_user": user_id, "key_trade": trade_id},
    )


def add_event(db: Database, user_id: str, trade_id: int, kind: str, detail: Row) -> None:
    """Append to the trade's log."""
    db.later(
        "INSERT INTO users.trade_events (user_id, trade_id, kind, detail) VALUES (%s, %s, %s, %s)",
        (user_id, trade_id, kind, Json(detail)),
    )


def live_trades(db: Database, user_id: str, mode: str) -> list[Row]:
    """Every trade that is not finished; and given-up ones of the last day, whose fills may yet turn up."""
    return db.all(
        "SELECT * FROM users.trades WHERE user_id = %s AND mode = %s"
        " AND (state IN ('pending', 'open', 'closing', 'expired')"
        " OR state = 'error' AND created_at > now() - interval '1 day') ORDER BY trade_id",
        (user_id, mode),
    )


def market_row(db: Database, mode: str, ticker: str) -> Row | None:
    """A market as last seen, or None."""
    rows = db.hot("SELECT * FROM live_data.markets WHERE market_ticker = %s AND mode = %s", (ticker, mode))
    return rows[0] if rows else None


def trade_by_id(db: Database, user_id: str, trade_id: int) -> Row | None:
    """One trade, or None."""
    return db.one("SELECT * FROM users.trades WHERE user_id = %s AND trade_id = %s", (user_id, trade_id))


# ------------------------------------------------------------------ orders
def insert_order(db: Database, row: Row) -> int:
    """An order intent; gives its id. In one transaction with the trade it belongs to."""
    made = db.one(
        "INSERT INTO users.orders (user_id, mode, trade_id, client_order_id, purpose, market_ticker, side, count_e2,"
        " limit_price_e4) VALUES (%(user_id)s, %(mode)s, %(trade_id)s, %(client_order_id)s, %(purpose)s,"
        " %(market_ticker)s, %(side)s, %(count_e2)s, %(limit_price_e4)s) RETURNING order_id",
        row,
    )
    assert made is not None  # noqa: S101
    return int(made["order_id"])


def insert_known_order(db: Database, row: Row) -> int | None:
    """An order that was sent long ago and whose end is known, from the exchange's record; gives its id, or None when its
    client order id is on record already."""
    made = db.one(
        "INSERT INTO users.orders (user_id, mode, trade_id, client_order_id, purpose, market_ticker, side, count_e2,"
        " limit_price_e4, state, reason, exchange_order_id, acked_count_e2, created_at, sent_at, done_at) VALUES"
        " (%(user_id)s, %(mode)s, %(trade_id)s, %(client_order_id)s, %(purpose)s, %(market_ticker)s, %(side)s,"
        " %(count_e2)s, %(limit_price_e4)s, %(state)s, %(reason)s, %(exchange_order_id)s, %(acked_count_e2)s,"
        " %(sent_at)s, %(sent_at)s, now()) ON CONFLICT (client_order_id) DO NOTHING RETURNING order_id",
        row,
    )
    return None if made is None else int(made["order_id"])


def claim_intent(db: Database, mode: str) -> Row | None:
    """Take the next intent and mark it sending, committed before anything goes out; None when none may go.

    Exits go before entries. While any order's outcome is unknown no entry goes, and no exit of that same trade.
    """
    with db.transaction():
        rows = db.hot(
            "SELECT * FROM users.orders o WHERE state = 'intent' AND mode = %(mode)s AND NOT EXISTS"
            " (SELECT FROM users.orders u WHERE u.mode = %(mode)s AND u.state IN ('sending', 'unknown')"
            " AND (o.purpose = 'entry' OR u.trade_id = o.trade_id))"
            " ORDER BY (purpose = 'exit') DESC, order_id LIMIT 1 FOR UPDATE SKIP LOCKED",
            {"mode": mode},
        )
        if not rows:
            return None
        db.later(
            "UPDATE users.orders SET state = 'sending', sent_at = now() WHERE order_id = %s", (rows[0]["order_id"],)
        )
        return rows[0]


def finish_order(db: Database, order: Row, state: str, reason: str, **columns: Any) -> None:
    """Record what became of an order, its event, and tell the trade's manager; one transaction."""
    columns |= {"state": state, "reason": reason}
    sets = ", ".join(f"{name} = %({name})s" for name in columns)
    done = ", done_at = now()" if state in ("filled", "cancelled", "refused") else ""
    with db.transaction():
        db.later(
            f"UPDATE users.orders SET {sets}{done} WHERE order_id = %(key)s",  # noqa: S608 - names from code
            columns | {"key": order["order_id"]},
        )
        detail = {"order_id": order["order_id"], "reason": reason, "client_order_id": order["client_order_id"]}
        add_event(db, order["user_id"], order["trade_id"], f"order_{state}", detail)
        db.notify("order_update", order["trade_id"])


def unfinished_orders(db: Database, mode: str) -> list[Row]:
    """Orders whose last word has not been heard."""
    return db.hot(
        "SELECT *, extract(epoch FROM now() - sent_at) AS sent_age_s FROM users.orders"
        " WHERE state IN ('intent', 'sending', 'resting', 'partially_filled', 'unknown') AND mode = %s"
        " ORDER BY order_id",
        (mode,),
    )


def note_lookup(db: Database, order_id: int, lookups: int) -> None:
    """An unknown order was looked for and not found, so many times by now."""
    db.run("UPDATE users.orders SET lookups = %s WHERE order_id = %s", (lookups, order_id))


def opposite_held(db: Database, order: Row) -> bool:
    """Whether another live trade of this account holds, or may yet hold, the other side of the order's market."""
    row = db.one(
        "SELECT EXISTS (SELECT FROM users.trades WHERE user_id = %(user_id)s AND mode = %(mode)s AND side <> %(side)s"
        " AND market_ticker = %(market_ticker)s AND (state IN ('pending', 'open', 'closing', 'expired')"
        " OR state = 'error' AND created_at > now() - interval '1 day')) AS yes",
        order,
    )
    return bool(row and row["yes"])


def orders_of_trade(db: Database, user_id: str, trade_id: int) -> list[Row]:
    """A trade's orders, oldest first."""
    return db.all(
        "SELECT * FROM users.orders WHERE user_id = %s AND trade_id = %s ORDER BY order_id", (user_id, trade_id)
    )


def events_of_trade(db: Database, user_id: str, trade_id: int) -> list[Row]:
    """What happened to a trade, oldest first: at, kind, detail."""
    return db.all(
        "SELECT at, kind, detail FROM users.trade_events WHERE user_id = %s AND trade_id = %s ORDER BY event_id",
        (user_id, trade_id),
    )


# ------------------------------------------------------------------ fills and settlements
def fills_of_trade(db: Database, user_id: str, trade_id: int) -> list[Row]:
    """The fills of a trade's own orders, with each order's purpose: quantities of two trades on a ticker stay apart."""
    return db.all(
        "SELECT f.*, o.purpose, o.side AS trade_side, o.order_id FROM users.fills f JOIN users.orders o"
        " ON o.exchange_order_id = f.exchange_order_id AND o.mode = f.mode"
        " WHERE o.user_id = %s AND o.trade_id = %s ORDER BY f.filled_at, f.fill_id",
        (user_id, trade_id),
    )


def settlement_of(db: Database, mode: str, ticker: str) -> Row | None:
    """A market's final result: from the account's settlements, else from the market itself; None until it is posted.

    The account's list tells a value in whole cents: the market's own value is taken where it says the same, but exactly.
    """
    return db.one(
        "SELECT coalesce(s.result, m.result) AS result, CASE WHEN s.result IS NULL OR (m.result = s.result AND"
        " abs(m.settlement_value_e4 - s.settlement_value_e4) < 100) THEN m.settlement_value_e4"
        " ELSE s.settlement_value_e4 END AS settlement_value_e4, coalesce(s.settled_at, m.updated_at) AS settled_at"
        " FROM (SELECT * FROM users.settlements WHERE mode = %(mode)s AND market_ticker = %(ticker)s) s FULL JOIN"
        " (SELECT * FROM live_data.markets WHERE mode = %(mode)s AND market_ticker = %(ticker)s AND result <> ''"
        "  AND settlement_value_e4 IS NOT NULL) m ON true",
        {"mode": mode, "ticker": ticker},
    )


# ------------------------------------------------------------------ what risk needs to know
def risk_facts(db: HotQueries, user_id: str, mode: str, ticker: str) -> Row:
    """One row with every fact the risk rules ask for; a fact that is not known is NULL, and NULL refuses."""
    rows = db.hot(
        """
        SELECT
          (SELECT value FROM users.settings WHERE user_id = %(user)s AND name = 'kill_switch') AS kill_switch,
          (SELECT extract(epoch FROM now() - received_at) FROM live_data.btc_price) AS price_age_s,
          b.book_age_s, b.valid AS book_valid, b.yes_bids, b.no_bids,
          (SELECT row_to_json(m) FROM live_data.markets m WHERE market_ticker = %(ticker)s AND mode = %(mode)s) AS market,
          (SELECT row_to_json(e) FROM (SELECT *, extract(epoch FROM now() - at) AS age_s
             FROM live_data.exchange_state WHERE mode = %(mode)s) e) AS exchange,
          (SELECT row_to_json(b) FROM (SELECT balance_e6, extract(epoch FROM now() - seen_at) AS age_s
             FROM users.balances WHERE mode = %(mode)s) b) AS balance,
          (SELECT row_to_json(d) FROM (SELECT entries_allowed, root_cause, extract(epoch FROM now() - at) AS age_s
             FROM system.dependency_state) d) AS dependencies,
          (SELECT row_to_json(r) FROM (SELECT ok, extract(epoch FROM now() - at) AS age_s FROM users.reconciliations
             WHERE mode = %(mode)s AND ok ORDER BY reconciliation_id DESC LIMIT 1) r) AS reconciliation,
          (SELECT coalesce(json_agg(json_build_object('trade_id', trade_id, 'market_ticker', market_ticker,
               'event_ticker', event_ticker, 'strike_e2', strike_e2, 'side', side, 'state', state,
               'exposure_e6', CASE WHEN entry_count_e2 > 0 THEN entry_cost_e6 + fees_e6
                                   ELSE count_e2 * limit_price_e4 END)), '[]')
             FROM users.trades WHERE user_id = %(user)s AND mode = %(mode)s
              AND state IN ('pending', 'open', 'closing', 'expired')) AS live_trades,
          (SELECT count(*) FROM users.orders WHERE user_id = %(user)s AND mode = %(mode)s AND state = 'unknown')::int AS unknown_orders,
          (SELECT coalesce(sum(pnl_e6), 0)::bigint FROM users.trades WHERE user_id = %(user)s AND mode = %(mode)s
             AND state = 'closed' AND closed_at >= date_trunc('day', now() AT TIME ZONE 'America/New_York')
                                                     AT TIME ZONE 'America/New_York') AS pnl_today_e6,
          (SELECT coalesce(sum(pnl_if_closed_e6), 0)::bigint FROM users.live_trades WHERE user_id = %(user)s) AS pnl_live_e6
        FROM (SELECT 1) AS always LEFT JOIN (SELECT extract(epoch FROM now() - received_at) AS book_age_s, valid,
            yes_bids, no_bids FROM live_data.books WHERE market_ticker = %(ticker)s) b ON true
        """,
        {"user": user_id, "mode": mode, "ticker": ticker},
    )
    return rows[0]  # one row, always
