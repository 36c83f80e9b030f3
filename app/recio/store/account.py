"""The account as the exchange reports it: balance, positions, and how far fills and settlements have been read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from psycopg2.extras import Json

from recio.store.db import Database

__all__ = [
    "ledger_view",
    "newest_fill_s",
    "newest_settlement_s",
    "save_balance",
    "save_positions",
    "save_reconciliation",
]


def newest_fill_s(db: Database, mode: str) -> float | None:
    """Epoch seconds of the newest fill on record."""
    row = db.one("SELECT extract(epoch FROM max(filled_at))::float8 AS at_s FROM users.fills WHERE mode = %s", (mode,))
    return row["at_s"] if row else None


def newest_settlement_s(db: Database, mode: str) -> float | None:
    """Epoch seconds of the newest settlement on record."""
    row = db.one(
        "SELECT extract(epoch FROM max(settled_at))::float8 AS at_s FROM users.settlements WHERE mode = %s", (mode,)
    )
    return row["at_s"] if row else None


def save_balance(db: Database, mode: str, balance_e6: int, portfolio_e6: int) -> None:
    """The balance as of now."""
    with db.transaction(durable=False):
        db.run(
            "INSERT INTO users.balances (mode, balance_e6, portfolio_e6, seen_at) VALUES (%s, %s, %s, now())"
            " ON CONFLICT (mode) DO UPDATE SET balance_e6 = excluded.balance_e6,"
            " portfolio_e6 = excluded.portfolio_e6, seen_at = excluded.seen_at",
            (mode, balance_e6, portfolio_e6),
        )


def save_positions(db: Database, mode: str, rows: Sequence[tuple[str, int, int, int]]) -> None:
    """Replace the positions by what a complete read gave: (ticker, position_e2, exposure_e6, fees_e6)."""
    with db.transaction(durable=False):
        db.run(
            "DELETE FROM users.positions WHERE mode = %s AND NOT market_ticker = ANY(%s)", (mode, [r[0] for r in rows])
        )
        db.run_many(
            "INSERT INTO users.positions (mode, market_ticker, position_e2, exposure_e6, fees_e6, seen_at) VALUES %s"
            " ON CONFLICT (mode, market_ticker) DO UPDATE SET position_e2 = excluded.position_e2,"
            " exposure_e6 = excluded.exposure_e6, fees_e6 = excluded.fees_e6, seen_at = now()",
            [(mode, *row, "now") for row in rows],
        )


def save_reconciliation(db: Database, mode: str, differences: Sequence[dict[str, Any]]) -> None:
    """Keep the outcome of one reconciliation: the differences, none being the good case."""
    db.run(
        "INSERT INTO users.reconciliations (mode, ok, differences) VALUES (%s, %s, %s)",
        (mode, not differences, Json(list(differences))),
    )


def ledger_view(db: Database, mode: str, since_s: float) -> dict[str, list[dict[str, Any]]]:
    """What the ledger says since a time: orders and fills of our own, and the net position of unsettled markets."""
    key = {"mode": mode, "since_s": since_s}
    orders = db.all(
        "SELECT client_order_id, market_ticker, state, acked_count_e2,"
        " extract(epoch FROM greatest(created_at, sent_at, done_at))::float8 AS changed_s,"
        " extract(epoch FROM sent_at)::float8 AS at_s FROM users.orders"
        " WHERE mode = %(mode)s AND sent_at >= to_timestamp(%(since_s)s) AND state NOT IN ('intent', 'refused')",
        key,
    )
    fills = db.all(
        "SELECT f.fill_id, f.count_e2, f.market_ticker, extract(epoch FROM f.recorded_at)::float8 AS changed_s,"
        " extract(epoch FROM f.filled_at)::float8 AS at_s"
        " FROM users.fills f JOIN users.orders o ON o.exchange_order_id = f.exchange_order_id AND o.mode = f.mode"
        " WHERE f.mode = %(mode)s AND f.filled_at >= to_timestamp(%(since_s)s)",
        key,
    )
    positions = db.all(
        "SELECT f.market_ticker, sum(CASE f.book_side WHEN 'bid' THEN f.count_e2 ELSE -f.count_e2 END)::bigint"
        " AS position_e2, bool_or(m.close_time <= now()) AS settling, extract(epoch FROM max(f.recorded_at))::float8"
        " AS changed_s FROM users.fills f LEFT JOIN live_data.markets m USING (market_ticker)"
        " WHERE f.mode = %(mode)s AND NOT EXISTS (SELECT FROM users.settlements s"
        " WHERE s.mode = f.mode AND s.market_ticker = f.market_ticker) GROUP BY 1",
        key,
    )
    return {"orders": orders, "fills": fills, "positions": positions}
