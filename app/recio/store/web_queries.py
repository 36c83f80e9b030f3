"""What the web page reads: prices, strike tables, trades, the account and the machine. Writes are in web_sessions and tickets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from recio.store.db import Queries

__all__ = [
    "LIVE",
    "TradeFilter",
    "account",
    "bars",
    "beats",
    "books_of",
    "entry_status",
    "events",
    "held_sides",
    "incidents",
    "live_trades",
    "machine",
    "market",
    "price",
    "strike_table",
    "ticket_id_of",
    "today",
    "trade",
    "trade_detail",
    "trades",
]

Row = dict[str, Any]


# ------------------------------------------------------------------ the market
def price(db: Queries) -> Row | None:
    """The newest BTC price with momentum and age_s, or None."""
    return db.hot_one(
        "SELECT price_e2, exchange_time, received_at, momentum_bp, momentum_windows, volatility_per_sqrt_s,"
        " change_1h_bp, change_3h_bp, change_1d_bp, extract(epoch FROM now() - received_at)::float8 AS age_s"
        " FROM live_data.btc_price"
    )


def bars(db: Queries, seconds: int) -> list[Row]:
    """Closes of the last ``seconds``: 1-second bars up to 2 hours, 1-minute candles above; oldest first."""
    table = "live_data.btc_bars_1s" if seconds <= 7200 else "historical_data.btc_candles_1m"
    return db.all(
        f"SELECT extract(epoch FROM at)::bigint AS t_s, close_e2 FROM {table}"  # noqa: S608 - one of two names
        " WHERE at > now() - make_interval(secs => %s) ORDER BY at",
        (seconds,),
    )


def events(db: Queries, mode: str, series: Sequence[str]) -> list[Row]:
    """Open events of the series, soonest close first."""
    return db.hot(
        "SELECT event_ticker, series_ticker, min(close_time) AS close_time, count(*)::int AS markets"
        " FROM live_data.markets WHERE mode = %s AND series_ticker = ANY(%s) AND open_time <= now()"
        " AND close_time > now() GROUP BY 1, 2 ORDER BY 3, 1",
        (mode, list(series)),
    )


def strike_table(db: Queries, event_ticker: str) -> Row | None:
    """An event's newest strike table with age_s, or None."""
    return db.hot_one(
        "SELECT event_ticker, series_ticker, close_time, built_at, price_e2, price_age_s, rows,"
        " extract(epoch FROM now() - built_at)::float8 AS age_s FROM live_data.strike_tables WHERE event_ticker = %s",
        (event_ticker,),
    )


def market(db: Queries, mode: str, ticker: str) -> Row | None:
    """One market, or None."""
    return db.hot_one("SELECT * FROM live_data.markets WHERE mode = %s AND market_ticker = %s", (mode, ticker))


def books_of(db: Queries, ticker: str) -> Row | None:
    """A market's book with age_s, or None."""
    return db.hot_one(
        "SELECT yes_bids, no_bids, valid, received_at, extract(epoch FROM now() - received_at)::float8 AS age_s"
        " FROM live_data.books WHERE market_ticker = %s",
        (ticker,),
    )


def entry_status(db: Queries) -> list[Row]:
    """Why auto entry acts or not, by market; what it is doing first."""
    return db.all(
        "SELECT market_ticker, monitor_id, at, acting, action, reason, why, differential_e4, raw_differential_e4"
        " FROM live_data.entry_status ORDER BY acting DESC, (action = 'watch') DESC, at DESC LIMIT 60"
    )


# ------------------------------------------------------------------ trades
_TRADE = (
    "t.trade_id, t.mode, t.ticket_id, t.source, t.market_ticker, t.event_ticker, t.series_ticker, t.strike_e2, t.side,"
    " t.state, t.reason, t.count_e2, t.limit_price_e4, t.entry_count_e2, t.entry_cost_e6, t.exit_count_e2,"
    " t.exit_proceeds_e6, t.fees_e6, t.result, t.settlement_value_e4, t.pnl_e6, t.close_time, t.created_at,"
    " t.opened_at, t.closed_at"
)
_LAST_ORDER = (
    " LEFT JOIN LATERAL (SELECT o.state AS order_state, o.purpose AS order_purpose, o.reason AS order_reason"
    " FROM users.orders o WHERE o.user_id = t.user_id AND o.trade_id = t.trade_id ORDER BY o.order_id DESC LIMIT 1) o ON true"
)
LIVE = ("pending", "open", "closing", "expired")


def live_trades(db: Queries, user_id: str, mode: str) -> list[Row]:
    """Trades that are not finished, with what the supervisor sees of them and their last order; newest first."""
    return db.hot(
        f"SELECT {_TRADE}, o.order_state, o.order_purpose, o.order_reason, l.exit_price_e4, l.pnl_if_closed_e6,"  # noqa: S608
        f" l.probability, l.stop_state, l.note, l.at AS live_at FROM users.trades t{_LAST_ORDER}"
        " LEFT JOIN users.live_trades l ON l.user_id = t.user_id AND l.trade_id = t.trade_id"
        " WHERE t.user_id = %s AND t.mode = %s AND t.state IN ('pending', 'open', 'closing', 'expired')"
        " ORDER BY t.trade_id DESC",
        (user_id, mode),
    )


def held_sides(db: Queries, user_id: str, mode: str) -> list[Row]:
    """Which sides are held, by market: a strike table marks them."""
    return db.hot(
        "SELECT market_ticker, side, sum(entry_count_e2 - exit_count_e2)::bigint AS count_e2 FROM users.trades"
        " WHERE user_id = %s AND mode = %s AND state IN ('pending', 'open', 'closing') GROUP BY 1, 2",
        (user_id, mode),
    )


@dataclass(frozen=True)
class TradeFilter:
    """Which trades: ``state`` live, closed (which includes error) or all; ``outcome`` won or lost."""

    state: str = "closed"
    series: str = ""
    side: str = ""
    outcome: str = ""
    since: datetime | None = None
    until: datetime | None = None

    def where(self, user_id: str, mode: str) -> tuple[str, list[Any]]:
        """The condition and its parameters."""
        parts, values = ["t.user_id = %s", "t.mode = %s"], [user_id, mode]
        if self.state in ("live", "closed"):
            parts.append(
                f"t.state {'' if self.state == 'live' else 'NOT '}IN ('pending', 'open', 'closing', 'expired')"
            )
        for column, value in (("series_ticker", self.series), ("side", self.side)):
            if value:
                parts.append(f"t.{column} = %s")
                values.append(value)
        if self.outcome:
            parts.append("t.pnl_e6 > 0" if self.outcome == "won" else "t.pnl_e6 < 0")
        for sign, moment in ((">=", self.since), ("<", self.until)):
            if moment is not None:
                parts.append(f"t.created_at {sign} %s")
                values.append(moment)  # type: ignore[arg-type]
        return " AND ".join(parts), values


def trades(db: Queries, user_id: str, mode: str, wanted: TradeFilter, limit: int, before: int | None) -> list[Row]:
    """Trades newest first, by key: ``before`` is the last trade_id of the page before."""
    where, values = wanted.where(user_id, mode)
    if before is not None:
        where, values = f"{where} AND t.trade_id < %s", [*values, before]
    return db.all(
        f"SELECT {_TRADE}, o.order_state, o.order_purpose, o.order_reason FROM users.trades t{_LAST_ORDER}"  # noqa: S608
        f" WHERE {where} ORDER BY t.trade_id DESC LIMIT %s",
        [*values, limit],
    )


def trade(db: Queries, user_id: str, trade_id: int) -> Row | None:
    """One trade with its last order's state and what the supervisor sees of it."""
    return db.one(
        f"SELECT {_TRADE}, o.order_state, o.order_purpose, o.order_reason, l.exit_price_e4, l.pnl_if_closed_e6,"  # noqa: S608
        f" l.probability, l.stop_state, l.note, l.at AS live_at FROM users.trades t{_LAST_ORDER}"
        " LEFT JOIN users.live_trades l ON l.user_id = t.user_id AND l.trade_id = t.trade_id"
        " WHERE t.user_id = %s AND t.trade_id = %s",
        (user_id, trade_id),
    )


def trade_detail(db: Queries, user_id: str, trade_id: int) -> dict[str, list[Row]]:
    """A trade's events, orders and fills, oldest first."""
    key = (user_id, trade_id)
    return {
        "events": db.all(
            "SELECT event_id, at, kind, detail FROM users.trade_events WHERE user_id = %s AND trade_id = %s"
            " ORDER BY event_id",
            key,
        ),
        "orders": db.all(
            "SELECT order_id, client_order_id, exchange_order_id, purpose, side, count_e2, limit_price_e4, state, reason,"
            " acked_count_e2, lookups, created_at, sent_at, done_at FROM users.orders"
            " WHERE user_id = %s AND trade_id = %s ORDER BY order_id",
            key,
        ),
        "fills": db.all(
            "SELECT f.fill_id, f.exchange_order_id, o.purpose, f.book_side, f.count_e2, f.yes_price_e4, f.fee_e6,"
            " f.is_taker, f.filled_at FROM users.fills f JOIN users.orders o"
            " ON o.exchange_order_id = f.exchange_order_id AND o.mode = f.mode"
            " WHERE o.user_id = %s AND o.trade_id = %s ORDER BY f.filled_at, f.fill_id",
            key,
        ),
    }


def ticket_id_of(db: Queries, user_id: str, key: str) -> int | None:
    """The ticket an idempotency key stands for, or None."""
    row = db.one("SELECT ticket_id FROM users.tickets WHERE user_id = %s AND idempotency_key = %s", (user_id, key))
    return int(row["ticket_id"]) if row else None


# ------------------------------------------------------------------ account
def today(db: Queries, user_id: str, mode: str) -> Row:
    """PnL, fees and number of the trades closed since midnight in New York."""
    row = db.one(
        "SELECT coalesce(sum(pnl_e6), 0)::bigint AS pnl_e6, coalesce(sum(fees_e6), 0)::bigint AS fees_e6,"
        " count(*) AS trades, count(*) FILTER (WHERE pnl_e6 > 0) AS wins FROM users.trades"
        " WHERE user_id = %s AND mode = %s AND state = 'closed' AND entry_count_e2 > 0"
        " AND closed_at >= date_trunc('day', now() AT TIME ZONE 'America/New_York') AT TIME ZONE 'America/New_York'",
        (user_id, mode),
    )
    assert row is not None  # noqa: S101 - an aggregate has one row
    return row


def account(db: Queries, user_id: str, mode: str) -> Row:
    """Balance, positions, the last reconciliation, recent fills and settlements, today's PnL."""
    return {
        "today": today(db, user_id, mode),
        "balance": db.one(
            "SELECT balance_e6, portfolio_e6, seen_at, extract(epoch FROM now() - seen_at)::float8 AS age_s"
            " FROM users.balances WHERE mode = %s",
            (mode,),
        ),
        "positions": db.all(
            "SELECT market_ticker, position_e2, exposure_e6, fees_e6, seen_at,"
            " extract(epoch FROM now() - seen_at)::float8 AS age_s FROM users.positions"
            " WHERE mode = %s AND position_e2 <> 0 ORDER BY market_ticker",
            (mode,),
        ),
        "reconciliation": db.one(
            "SELECT at, ok, differences, extract(epoch FROM now() - at)::float8 AS age_s FROM users.reconciliations"
            " WHERE mode = %s ORDER BY reconciliation_id DESC LIMIT 1",
            (mode,),
        ),
        "resting_orders": db.all(
            "SELECT order_id, trade_id, market_ticker, purpose, side, count_e2, acked_count_e2, limit_price_e4, state, reason,"
            " lookups, created_at FROM users.orders WHERE user_id = %s AND mode = %s"
            " AND state IN ('intent', 'sending', 'resting', 'partially_filled', 'unknown') ORDER BY order_id DESC",
            (user_id, mode),
        ),
        "fills": db.all(
            "SELECT fill_id, market_ticker, book_side, count_e2, yes_price_e4, fee_e6, is_taker, filled_at"
            " FROM users.fills WHERE mode = %s ORDER BY filled_at DESC LIMIT 20",
            (mode,),
        ),
        "settlements": db.all(
            "SELECT market_ticker, result, settlement_value_e4, revenue_e6, settled_at FROM users.settlements"
            " WHERE mode = %s ORDER BY settled_at DESC LIMIT 20",
            (mode,),
        ),
    }


# ------------------------------------------------------------------ the machine
def incidents(db: Queries, limit: int = 20) -> list[Row]:
    """Open incidents first, then the newest closed ones."""
    return db.all(
        "SELECT incident_id, key, severity, opened_at, closed_at, cause, action, seen_by FROM system.incidents"
        " ORDER BY (closed_at IS NULL) DESC, opened_at DESC LIMIT %s",
        (limit,),
    )


def machine(db: Queries, mode: str) -> Row:
    """The newest host and database samples, the exchange's state and the failure detector's conclusion; None where absent."""
    return {
        "host": db.one(
            "SELECT at, cpu_percent, memory_percent, disk_percent, detail FROM system.host_samples ORDER BY at DESC LIMIT 1"
        ),
        "database": db.one("SELECT * FROM system.database_samples ORDER BY at DESC LIMIT 1"),
        "exchange": db.one("SELECT * FROM live_data.exchange_state WHERE mode = %s", (mode,)),
        "balance": db.one("SELECT balance_e6, portfolio_e6, seen_at FROM users.balances WHERE mode = %s", (mode,)),
        "dependencies": db.one("SELECT at, entries_allowed, root_cause, affected FROM system.dependency_state"),
    }


def beats(db: Queries, minutes: int = 30) -> dict[str, list[bool]]:
    """By service, one beat per ``minutes``/30: True when every sample in it was healthy; oldest first, gaps left out."""
    rows = db.all(
        "SELECT service, bool_and(healthy) AS ok FROM system.service_samples"
        " WHERE at > now() - make_interval(mins => %s)"
        " GROUP BY service, floor(extract(epoch FROM at) / (%s * 2)) ORDER BY service,"
        " floor(extract(epoch FROM at) / (%s * 2))",
        (minutes, minutes, minutes),
    )
    found: dict[str, list[bool]] = {}
    for row in rows:
        found.setdefault(row["service"], []).append(row["ok"])
    return found
