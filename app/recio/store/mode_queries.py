"""What ties the desk to its mode: trades that are not finished, and when the exchange last took our signature."""

from __future__ import annotations

from typing import Any

from recio.store.db import Queries
from recio.store.metrics_queries import orders_unfinished

__all__ = ["in_doubt", "signed", "unfinished"]

Row = dict[str, Any]


def unfinished(db: Queries, user_id: str, mode: str) -> list[Row]:
    """Trades of the mode that are not finished, oldest first, at most 50: they keep the mode from being changed."""
    return db.all(
        "SELECT trade_id, market_ticker, side, state, close_time FROM users.trades WHERE user_id = %s AND mode = %s"
        " AND state IN ('pending', 'open', 'closing', 'expired') ORDER BY trade_id LIMIT 50",
        (user_id, mode),
    )


def in_doubt(db: Queries, user_id: str, mode: str) -> dict[str, int]:
    """How many orders, and cancels of others' orders, are in each state that is not final: they keep it from being changed too."""
    cancels = db.all(
        "SELECT state, count(*) AS n FROM users.cancels WHERE user_id = %s AND mode = %s"
        " AND state IN ('intent', 'sending', 'unknown') GROUP BY state",
        (user_id, mode),
    )
    return orders_unfinished(db, user_id, mode) | {f"cancel {row['state']}": row["n"] for row in cancels}


def signed(db: Queries, mode: str) -> Row | None:
    """When the exchange last answered a signed call of this mode, and its state; None: it was never heard."""
    return db.one(
        "SELECT at, signed_call_at, exchange_active, trading_active, detail FROM live_data.exchange_state WHERE mode = %s",
        (mode,),
    )
