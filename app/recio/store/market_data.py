"""Queries of live_data and historical_data: prices, markets, books, strike tables. Ticks may lose 0.6 s at a power cut."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
from psycopg2.extras import Json

from recio.store.db import Database

__all__ = [
    "bar_closes",
    "books_of_markets",
    "candle_closes",
    "confirm_books",
    "exchange_state",
    "live_events",
    "markets_of_events",
    "markets_wanting_result",
    "newest_price",
    "save_bars",
    "save_books",
    "save_candles",
    "save_exchange_state",
    "save_markets",
    "save_price",
    "save_strike_tables",
    "when",
]

Row = dict[str, Any]


def when(epoch_s: float) -> datetime:
    """Epoch seconds as the aware UTC datetime the database stores."""
    return datetime.fromtimestamp(epoch_s, UTC)


# ------------------------------------------------------------------ BTC price
def save_bars(db: Database, bars: Sequence[tuple[float, int, int, int, int, int]]) -> None:
    """Upsert 1-second bars (start_s, open, high, low, close in cents, ticks)."""
    with db.transaction(durable=False):
        db.run_many(
            "INSERT INTO live_data.btc_bars_1s (at, open_e2, high_e2, low_e2, close_e2, ticks) VALUES %s"
            " ON CONFLICT (at) DO UPDATE SET high_e2 = greatest(btc_bars_1s.high_e2, excluded.high_e2),"
            " low_e2 = least(btc_bars_1s.low_e2, excluded.low_e2), close_e2 = excluded.close_e2,"
            " ticks = btc_bars_1s.ticks + excluded.ticks",
            [(when(bar[0]), *bar[1:]) for bar in bars],
        )


def save_candles(db: Database, candles: Sequence[tuple[float, int, int, int, int, int]]) -> None:
    """Insert one-minute candles not there yet (start_s, open, high, low, close in cents, ticks)."""
    with db.transaction(durable=False):
        db.run_many(
            "INSERT INTO historical_data.btc_candles_1m (at, open_e2, high_e2, low_e2, close_e2, ticks) VALUES %s"
            " ON CONFLICT DO NOTHING",
            [(when(candle[0]), *candle[1:]) for candle in candles],
        )


def bar_closes(db: Database, since_s: float) -> list[tuple[float, int]]:
    """(start_s, close in cents) of the 1-second bars since a time, oldest first."""
    rows = db.all(
        "SELECT extract(epoch FROM at)::float8 AS at_s, close_e2 FROM live_data.btc_bars_1s WHERE at >= %s ORDER BY at",
        (when(since_s),),
    )
    return [(row["at_s"], row["close_e2"]) for row in rows]


def candle_closes(db: Database, since_s: float) -> list[tuple[float, int]]:
    """(start_s, close in cents) of the one-minute candles since a time, oldest first."""
    rows = db.all(
        "SELECT extract(epoch FROM at)::float8 AS at_s, close_e2 FROM historical_data.btc_candles_1m"
        " WHERE at >= %s ORDER BY at",
        (when(since_s),),
    )
    return [(row["at_s"], row["close_e2"]) for row in rows]


def save_price(db: Database, row: Row, stamps_ns: Sequence[int] = ()) -> None:
    """The newest price with its momentum; one row, and a notification. ``stamps_ns``: see recio.services.spans."""
    row = row | {"momentum_windows": Json(row["momentum_windows"]), "stamps_ns": list(stamps_ns)}
    names = ", ".join(row)
    places = ", ".join(f"%({name})s::bigint[]" if name == "stamps_ns" else f"%({name})s" for name in row)
    sets = ", ".join(f"{name} = excluded.{name}" for name in row)
    sql = f"INSERT INTO live_data.btc_price ({names}) VALUES ({places}) ON CONFLICT (one) DO UPDATE SET {sets}"  # noqa: S608
    db.batch(
        [
            (sql, row),
            ("SELECT pg_notify('price', %s)", (str(row["price_e2"]),)),
        ],
        durable=False,
    )


def newest_price(db: Database) -> Row | None:
    """The newest price with age_s, or None."""
    rows = db.hot(
        "SELECT *, extract(epoch FROM now() - received_at)::float8 AS age_s,"
        " extract(epoch FROM exchange_time)::float8 AS exchange_s FROM live_data.btc_price"
    )
    return rows[0] if rows else None


# ------------------------------------------------------------------ markets and books
_MARKET_COLUMNS = (
    "market_ticker", "mode", "event_ticker", "series_ticker", "title", "strike_type", "floor_strike_e2",
    "cap_strike_e2", "open_time", "close_time", "status", "result", "settlement_value_e4", "expiration_value",
    "volume_e2", "price_ranges", "updated_at",
)  # fmt: skip


def save_markets(db: Database, rows: Sequence[Row]) -> None:
    """Upsert markets; rows have every column of live_data.markets."""
    sets = ", ".join(f"{name} = excluded.{name}" for name in _MARKET_COLUMNS[1:])
    with db.transaction(durable=False):
        db.run_many(
            f"INSERT INTO live_data.markets ({', '.join(_MARKET_COLUMNS)}) VALUES %s"  # noqa: S608 - constant names
            f" ON CONFLICT (market_ticker) DO UPDATE SET {sets}",
            [
                tuple(Json(row[name]) if name == "price_ranges" else row[name] for name in _MARKET_COLUMNS)
                for row in rows
            ],
        )


def live_events(db: Database, mode: str) -> list[Row]:
    """Events that have not closed, soonest first: event_ticker, series_ticker, close_time, close_s, markets."""
    return db.all(
        "SELECT event_ticker, series_ticker, min(close_time) AS close_time,"
        " extract(epoch FROM min(close_time))::float8 AS close_s, count(*) AS markets FROM live_data.markets"
        " WHERE mode = %s AND close_time > now() AND open_time <= now() AND status = 'active'"
        " GROUP BY 1, 2 ORDER BY 3, 1",
        (mode,),
    )


def books_of_markets(db: Database, market_tickers: Sequence[str]) -> list[Row]:
    """The books of some markets: market_ticker, yes_bids, no_bids, valid, received_s (epoch seconds)."""
    return db.hot(
        "SELECT market_ticker, yes_bids, no_bids, valid, extract(epoch FROM received_at)::float8 AS received_s"
        " FROM live_data.books WHERE market_ticker = ANY(%s::text[])",
        (list(market_tickers),),
    )


def markets_of_events(db: Database, event_tickers: Sequence[str]) -> list[Row]:
    """The events' markets by strike: event_ticker, market_ticker, strike_type, floor_strike_e2, cap_strike_e2, volume_e2."""
    return db.hot(
        "SELECT event_ticker, market_ticker, strike_type, floor_strike_e2, cap_strike_e2, volume_e2 FROM live_data.markets"
        " WHERE event_ticker = ANY(%s::text[]) ORDER BY coalesce(floor_strike_e2, cap_strike_e2), market_ticker",
        (list(event_tickers),),
    )


def markets_wanting_result(db: Database, mode: str, passed_over: Sequence[str] = ()) -> list[Row]:
    """Closed markets without a result yet that matter: the last half hour's, and any a live trade hangs on; none of ``passed_over``."""
    return db.all(
        "SELECT market_ticker FROM live_data.markets m WHERE mode = %s AND close_time < now() AND result = ''"
        " AND market_ticker <> ALL (%s::text[])"
        " AND (close_time > now() - interval '30 minutes' AND volume_e2 > 0 AND series_ticker <> 'KXBTC'"
        " OR EXISTS (SELECT FROM users.trades t WHERE t.market_ticker = m.market_ticker"
        " AND t.state IN ('open', 'closing', 'expired', 'pending')))"
        " ORDER BY EXISTS (SELECT FROM users.trades t WHERE t.market_ticker = m.market_ticker"
        " AND t.state IN ('open', 'closing', 'expired', 'pending')) DESC, close_time LIMIT 20",
        (mode, list(passed_over)),
    )


def save_books(db: Database, rows: Sequence[tuple[str, Any, Any, float | None, float, bool]]) -> None:
    """Upsert books: (ticker, yes_bids, no_bids best first as [[price_e4, count_e2]], exchange_s, received_s, valid)."""
    with db.transaction(durable=False):
        db.run_many(
            "INSERT INTO live_data.books (market_ticker, yes_bids, no_bids, exchange_time, received_at, valid) VALUES %s"
            " ON CONFLICT (market_ticker) DO UPDATE SET yes_bids = excluded.yes_bids, no_bids = excluded.no_bids,"
            " exchange_time = excluded.exchange_time, received_at = excluded.received_at, valid = excluded.valid",
            [(r[0], Json(r[1]), Json(r[2]), when(r[3]) if r[3] else None, when(r[4]), r[5]) for r in rows],
        )
        db.notify("books", len(rows))


def confirm_books(db: Database, tickers: Sequence[str], seen_s: float) -> None:
    """The stream proved itself alive without a change to these books: they are as true as at ``seen_s``."""
    with db.transaction(durable=False):
        db.run(
            "UPDATE live_data.books SET received_at = greatest(received_at, %s) WHERE market_ticker = ANY(%s) AND valid",
            (when(seen_s), list(tickers)),
        )


def save_exchange_state(db: Database, row: Row) -> None:
    """kalshi_api_watchdog's view of the exchange; one row a mode."""
    names = ", ".join(row)
    places = ", ".join(f"%({name})s" for name in row)
    sets = ", ".join(f"{name} = excluded.{name}" for name in row)
    with db.transaction(durable=False):
        db.run(
            f"INSERT INTO live_data.exchange_state ({names}) VALUES ({places})"  # noqa: S608 - names from code
            f" ON CONFLICT (mode) DO UPDATE SET {sets}",
            row,
        )


def exchange_state(db: Database, mode: str) -> Row | None:
    """The exchange's state with age_s, or None."""
    return db.one(
        "SELECT *, extract(epoch FROM now() - at)::float8 AS age_s FROM live_data.exchange_state WHERE mode = %s",
        (mode,),
    )


# ------------------------------------------------------------------ strike tables
def save_strike_tables(db: Database, tables: Sequence[Row]) -> None:
    """The events' tables in one message; a notification carries each event. ``stamps_ns``: see recio.services.spans."""
    statements: list[tuple[str, Any]] = []
    for table in tables:
        rows = Json(table["rows"], dumps=lambda value: msgspec.json.encode(value).decode())
        statements.append((_SAVE_TABLE, {"stamps_ns": [], **table, "rows": rows}))
        statements.append(("SELECT pg_notify('strike_table', %s)", (table["event_ticker"],)))
    db.batch(statements, durable=False)


_SAVE_TABLE = (
    "INSERT INTO live_data.strike_tables (event_ticker, series_ticker, close_time, built_at, price_e2, price_age_s, rows,"
    " stamps_ns) VALUES (%(event_ticker)s, %(series_ticker)s, %(close_time)s, now(), %(price_e2)s, %(price_age_s)s,"
    " %(rows)s, %(stamps_ns)s::bigint[]) ON CONFLICT (event_ticker) DO UPDATE SET built_at = now(),"
    " price_e2 = excluded.price_e2, price_age_s = excluded.price_age_s, rows = excluded.rows,"
    " close_time = excluded.close_time, stamps_ns = excluded.stamps_ns"
)
