"""The account as the exchange reports it, and what the ledger expects of it. Writer: kalshi_account_sync."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from psycopg2.extras import Json

from recio.store.cancels import ended_keys
from recio.store.db import Database
from recio.store.system import close_incident, open_incident

if TYPE_CHECKING:  # the services that import this module have no pool
    from recio.store.db import Queries

__all__ = [
    "advance_checkpoint",
    "agreed_at_s",
    "cash_anchor",
    "close_incident",
    "fills_since_s",
    "foreign_orders",
    "keys_unknown",
    "ledger_cash",
    "ledger_positions",
    "ledger_view",
    "open_incident",
    "record_fills",
    "record_settlements",
    "save_balance",
    "save_positions",
    "save_reconciliation",
    "set_cash_anchor",
    "settlements_since_s",
]


# Trades news may still come for; written so that the partial indexes serve it, whatever the ledger's age.
_WAITING = "(t.state IN ('pending', 'open', 'closing', 'expired') OR t.state = 'error' AND t.created_at > now() - interval '1 day')"


def record_fills(db: Database, mode: str, rows: Sequence[tuple[Any, ...]]) -> int:
    """Insert fills not seen before, by fill id: (fill_id, exchange_order_id, ticker, book_side, count_e2,
    yes_price_e4, fee_e6, is_taker, filled_at). Gives how many were new; notifies ``fill`` when any was."""
    new = 0
    with db.transaction():
        for row in rows:
            new += db.run(
                "INSERT INTO users.fills (mode, fill_id, exchange_order_id, market_ticker, book_side, count_e2,"
                " yes_price_e4, fee_e6, is_taker, filled_at) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)"
                " ON CONFLICT DO NOTHING",
                (mode, *row),
            )
        if new:
            db.notify("fill", new)
    return new


def keys_unknown(db: Database, mode: str, keys: Sequence[str]) -> list[str]:
    """Those of these client order ids that no order of the ledger has, whatever its state."""
    rows = db.all(
        "SELECT key FROM unnest(%(keys)s::text[]) AS key WHERE NOT EXISTS (SELECT FROM users.orders o"
        " WHERE o.mode = %(mode)s AND o.client_order_id = key)",
        {"mode": mode, "keys": list(keys)},
    )
    return [row["key"] for row in rows]


def record_settlements(
    db: Database, mode: str, rows: Sequence[tuple[str, str, int | None, int | None, datetime]]
) -> int:
    """Insert market results not seen before: (ticker, result, settlement_value_e4, revenue_e6, settled_at). Only a void
    market may have no value."""
    new = 0
    with db.transaction():
        for row in rows:
            new += db.run(
                "INSERT INTO users.settlements (mode, market_ticker, result, settlement_value_e4, revenue_e6, settled_at)"
                " VALUES (%s, %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING",
                (mode, *row),
            )
        if new:
            db.notify("settlement", new)
    return new


def fills_since_s(db: Database, mode: str) -> float | None:
    """From when fills must be read so that none is missed: the newest on record, or the sending of the oldest order
    that may still bring one, whichever is earlier. Epoch seconds; None: from the beginning.

    The newest alone is not enough: the stream can bring it while an older one was lost with its frame.
    """
    row = db.one(
        "SELECT extract(epoch FROM (SELECT max(filled_at)"  # noqa: S608 - a constant condition
        " FROM users.fills WHERE mode = %(mode)s))::float8 AS newest_s,"
        " extract(epoch FROM (SELECT min(sent_at) FROM ("
        "  SELECT sent_at FROM users.orders WHERE mode = %(mode)s AND sent_at IS NOT NULL"
        "   AND state IN ('intent', 'sending', 'resting', 'partially_filled', 'unknown')"
        "  UNION ALL SELECT o.sent_at FROM users.trades t JOIN users.orders o USING (user_id, trade_id)"
        f"   WHERE t.mode = %(mode)s AND {_WAITING} AND o.acked_count_e2 > (SELECT coalesce(sum(f.count_e2), 0)"
        "    FROM users.fills f WHERE f.exchange_order_id = o.exchange_order_id AND f.mode = o.mode)) owed))::float8"
        " AS owed_s",
        {"mode": mode},
    )
    return _earlier(row)


def settlements_since_s(db: Database, mode: str) -> float | None:
    """The same for results: the newest on record, or the oldest close a live trade waits for, whichever is earlier."""
    row = db.one(
        "SELECT extract(epoch FROM (SELECT max(settled_at)"  # noqa: S608 - a constant condition
        " FROM users.settlements WHERE mode = %(mode)s))::float8"
        " AS newest_s, extract(epoch FROM (SELECT min(t.close_time) FROM users.trades t WHERE t.mode = %(mode)s"
        f" AND {_WAITING}))::float8 AS owed_s",
        {"mode": mode},
    )
    return _earlier(row)


def _earlier(row: dict[str, Any] | None) -> float | None:
    if row is None or row["newest_s"] is None:
        return None
    return float(row["newest_s"] if row["owed_s"] is None else min(row["newest_s"], row["owed_s"]))


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


def agreed_at_s(db: Database, mode: str) -> float | None:
    """When ledger and exchange last agreed, in epoch seconds; None: never, or so long ago that it is not kept."""
    row = db.one(
        "SELECT extract(epoch FROM at)::float8 AS at_s FROM users.reconciliations WHERE mode = %s AND ok"
        " ORDER BY reconciliation_id DESC LIMIT 1",
        (mode,),
    )
    return None if row is None else float(row["at_s"])


def foreign_orders(db: Database, mode: str) -> tuple[float, list[dict[str, Any]]]:
    """Orders the exchange has and the ledger does not, by the newest reconciliation: its age in seconds, and the records as
    recio.trading.adopt.ForeignOrder has them, oldest first. Raises LookupError when there was no reconciliation."""
    row = db.one(
        "SELECT extract(epoch FROM now() - at)::float8 AS age_s, differences FROM users.reconciliations WHERE mode = %s"
        " ORDER BY reconciliation_id DESC LIMIT 1",
        (mode,),
    )
    if row is None:
        raise LookupError(f"ledger and exchange have not been compared yet in mode {mode}")
    found = [d["order"] for d in row["differences"] if d["about"] == "order" and "order" in d]
    return row["age_s"], sorted(found, key=lambda order: order["created_s"])


def ledger_view(db: Database, mode: str, since_s: float) -> dict[str, Any]:
    """What the ledger says: orders (unfinished ones however old) and fills of our own since a time, the net position of
    unsettled markets, ``cash_e6``, what everything on record did to the account's cash, and ``ended``, the keys of orders
    of others that this desk cancelled."""
    key = {"mode": mode, "since_s": since_s} | _checkpoint(db, mode)
    orders = db.all(
        "SELECT client_order_id, market_ticker, state, acked_count_e2,"
        " extract(epoch FROM greatest(created_at, sent_at, done_at))::float8 AS changed_s,"
        " extract(epoch FROM sent_at)::float8 AS at_s FROM users.orders"
        " WHERE mode = %(mode)s AND state NOT IN ('intent', 'refused') AND (sent_at >= to_timestamp(%(since_s)s) OR"
        " sent_at IS NOT NULL AND state IN ('intent', 'sending', 'resting', 'partially_filled', 'unknown'))",
        key,
    )
    fills = db.all(
        "SELECT f.fill_id, f.count_e2, f.market_ticker, extract(epoch FROM f.recorded_at)::float8 AS changed_s,"
        " extract(epoch FROM f.filled_at)::float8 AS at_s"
        " FROM users.fills f JOIN users.orders o ON o.exchange_order_id = f.exchange_order_id AND o.mode = f.mode"
        " WHERE f.mode = %(mode)s AND f.filled_at >= to_timestamp(%(since_s)s)",
        key,
    )
    found = {"orders": orders, "fills": fills, "positions": _positions(db, key), "ended": ended_keys(db, mode)}
    return found | _cash(db, key)


def ledger_positions(db: Queries, mode: str) -> list[dict[str, Any]]:
    """Net contracts of every unsettled market by the fills on record: market_ticker, position_e2 (+ YES, - NO), settling
    (past its close), changed_s (epoch seconds)."""
    return _positions(db, {"mode": mode} | _checkpoint(db, mode))


def ledger_cash(db: Queries, mode: str) -> dict[str, Any]:
    """cash_e6, what everything on record did to the account's cash, and cash_known, whether that is all."""
    return _cash(db, {"mode": mode} | _checkpoint(db, mode))


def _positions(db: Queries, key: dict[str, Any]) -> list[dict[str, Any]]:
    return db.all(
        "SELECT f.market_ticker, sum(CASE f.book_side WHEN 'bid' THEN f.count_e2 ELSE -f.count_e2 END)::bigint"
        " AS position_e2, bool_or(m.close_time <= now()) AS settling, extract(epoch FROM max(f.recorded_at))::float8"
        " AS changed_s FROM users.fills f LEFT JOIN live_data.markets m USING (market_ticker)"
        " WHERE f.mode = %(mode)s AND f.recorded_at >= %(upto)s AND NOT EXISTS (SELECT FROM users.settlements s"
        " WHERE s.mode = f.mode AND s.market_ticker = f.market_ticker) GROUP BY 1",
        key,
    )


def _checkpoint(db: Queries, mode: str) -> dict[str, Any]:
    """All fills recorded before ``upto`` are of settled markets, and their cash is ``summed_e6``. A query of its own: a
    planner that sees the moment reads only what came after it."""
    row = db.one(
        "SELECT upto::text AS upto, cash_e6 AS summed_e6 FROM users.cash_checkpoints WHERE mode = %s"
        " ORDER BY upto DESC LIMIT 1",
        (mode,),
    )
    return row or {"upto": "-infinity", "summed_e6": 0}


def _cash(db: Queries, key: dict[str, Any]) -> dict[str, Any]:
    """What all fills and results on record did to the account's cash, in micro-dollars, and whether that is all.

    Bids pay the YES price and asks get it; who is short YES holds NO and has paid a dollar for each until the result.
    What a void market without a value gave back nobody has said: ``cash_known`` is false until a later anchor.
    """
    row = db.one(
        "SELECT coalesce(sum(cash_e6 + CASE WHEN s.market_ticker IS NULL THEN -10000 * greatest(0, -position_e2)"
        " ELSE position_e2 * coalesce(s.settlement_value_e4, 0) END), 0)::bigint"
        " + %(summed_e6)s AS cash_e6,"
        " NOT EXISTS (SELECT FROM users.settlements v WHERE v.mode = %(mode)s AND v.settlement_value_e4 IS NULL"
        "  AND v.recorded_at > coalesce((SELECT max(at) FROM users.cash_anchors WHERE mode = %(mode)s), '-infinity'))"
        " AS known"
        " FROM (SELECT market_ticker, sum(CASE book_side WHEN 'bid' THEN count_e2 ELSE -count_e2 END) AS position_e2,"
        "  sum(CASE book_side WHEN 'bid' THEN -1 ELSE 1 END * count_e2 * yes_price_e4 - fee_e6) AS cash_e6"
        "  FROM users.fills WHERE mode = %(mode)s AND recorded_at >= %(upto)s GROUP BY 1) f"
        " LEFT JOIN users.settlements s ON s.mode = %(mode)s AND s.market_ticker = f.market_ticker",
        key,
    )
    assert row is not None  # noqa: S101 - one row, always
    return {"cash_e6": int(row["cash_e6"]), "cash_known": bool(row["known"])}


def advance_checkpoint(db: Database, mode: str, settled_for_s: float = 3600.0) -> bool:
    """Add up, once and for ever, the cash of fills whose markets settled a while ago; True when there were any.

    A fill of a settled market did count x (value - price) less its fee (the other way round for an ask), whatever else
    was held: so any stretch of such fills can be summed by itself. Only the recorder of fills may call this: no fill
    can then be recorded before ``upto`` any more.
    """
    return bool(
        db.run(
            "WITH bound AS (SELECT least((SELECT min(f.recorded_at) FROM users.fills f LEFT JOIN users.settlements s"
            "  USING (mode, market_ticker) WHERE f.mode = %(mode)s AND f.recorded_at >= %(upto)s"
            "  AND (s.recorded_at IS NULL OR s.recorded_at > now() - %(age)s * interval '1 s')),"
            "  now() - %(age)s * interval '1 s') AS upto)"
            " INSERT INTO users.cash_checkpoints (mode, upto, cash_e6)"
            " SELECT %(mode)s, bound.upto, %(summed_e6)s + sum(CASE f.book_side WHEN 'bid' THEN 1 ELSE -1 END"
            "  * f.count_e2 * (coalesce(s.settlement_value_e4, 0) - f.yes_price_e4) - f.fee_e6)::bigint"
            " FROM bound JOIN users.fills f ON f.mode = %(mode)s AND f.recorded_at >= %(upto)s"
            "  AND f.recorded_at < bound.upto JOIN users.settlements s USING (mode, market_ticker)"
            " GROUP BY bound.upto",
            {"mode": mode, "age": settled_for_s} | _checkpoint(db, mode),
        )
    )


def cash_anchor(db: Queries, mode: str) -> dict[str, Any] | None:
    """The newest moment at which balance and ledger were taken as agreeing: balance_e6 and the ledger's cash_e6 then."""
    return db.one(
        "SELECT balance_e6, cash_e6, at FROM users.cash_anchors WHERE mode = %s ORDER BY anchor_id DESC LIMIT 1",
        (mode,),
    )


def set_cash_anchor(db: Database, mode: str, balance_e6: int, cash_e6: int, why: str = "first reconciliation") -> None:
    """Take this balance as agreeing with the ledger; every later one is held against it."""
    db.run(
        "INSERT INTO users.cash_anchors (mode, balance_e6, cash_e6, why) VALUES (%s, %s, %s, %s)",
        (mode, balance_e6, cash_e6, why),
    )
