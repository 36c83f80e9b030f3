"""What the Account page reads beside recio.store.account: fills, results and reconciliations page by page, balances taken
as right, and the facts that decide whether one may be.

Lists go by key, newest first: ``before`` is (time, id) of the last row seen. A market's rows are looked for in stretches, so
that no page ever reads a whole ledger; where its result is on record, from there on.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

from psycopg2.extras import Json

from recio.store.account import cash_anchor, ledger_cash, ledger_positions
from recio.store.audit import REMOTE

if TYPE_CHECKING:
    from recio.store.db import Queries

__all__ = [
    "Listed",
    "accept_balance",
    "anchors",
    "balance_facts",
    "fills",
    "reconciled_since",
    "reconciliations",
    "settlements",
]

Row = dict[str, Any]
Mark = tuple[datetime, str]
_STRETCH, _STRETCHES = 4_000, 8  # rows looked through for one market, and how often in a row while nothing is found
_UNFINISHED = "('intent', 'sending', 'resting', 'partially_filled', 'unknown')"  # as the partial index has it


@dataclass(frozen=True)
class Listed:
    """One page: the rows, the mark of the next page (None: this was the last), and whether rows of the market may come
    only later: then the page may be short or empty, and ``more`` goes on looking."""

    rows: list[Row]
    more: Mark | None
    searching: bool = False


def fills(db: Queries, user_id: str, mode: str, limit: int, before: Mark | None = None, market: str = "") -> Listed:
    """Fills newest first, each with trade_id and purpose of our order (None: the order was not ours). ``market``: only
    of this one; where no result of it is on record, of all whose ticker begins so."""
    listed = _page(
        db, "users.fills", "filled_at", "fill_id", mode, limit, before, market,
        "fill_id, exchange_order_id, market_ticker, book_side, count_e2, yes_price_e4, fee_e6, is_taker, filled_at,"
        " recorded_at",
    )  # fmt: skip
    ids = list({row["exchange_order_id"] for row in listed.rows})
    ours = db.all(
        "SELECT exchange_order_id, trade_id, purpose FROM users.orders WHERE exchange_order_id = ANY(%s)"
        " AND user_id = %s AND mode = %s",
        (ids, user_id, mode),
    )
    known = {row["exchange_order_id"]: row for row in ours}
    for row in listed.rows:
        order = known.get(row["exchange_order_id"], {})
        row |= {"trade_id": order.get("trade_id"), "purpose": order.get("purpose")}
    return listed


def settlements(db: Queries, mode: str, limit: int, before: Mark | None = None, market: str = "") -> Listed:
    """Results newest first; ``market`` as for fills."""
    return _page(
        db, "users.settlements", "settled_at", "market_ticker", mode, limit, before, market,
        "market_ticker, result, settlement_value_e4, revenue_e6, settled_at, recorded_at",
    )  # fmt: skip


_Table = Literal["users.fills", "users.settlements"]


def _page(
    db: Queries, table: _Table, at: str, key: str, mode: str, limit: int, before: Mark | None, market: str, columns: str
) -> Listed:  # fmt: skip
    """``limit`` rows of a table and whether there are more. All names come from this module."""
    if market:
        settled = _settled(db, mode, market)
        before = before or settled
        for _ in range(_STRETCHES):
            listed = _search(db, table, at, key, mode, limit, before, market, columns, settled is not None)
            if listed.rows or not listed.searching:
                break
            before = listed.more
        return listed
    where, values = _older(at, key, before)
    rows = db.all(
        f"SELECT {columns} FROM {table} WHERE {where} ORDER BY {at} DESC, {key} DESC LIMIT %(limit)s",  # noqa: S608
        values | {"mode": mode, "limit": limit + 1},
    )
    return Listed(rows[:limit], (rows[limit - 1][at], rows[limit - 1][key]) if len(rows) > limit else None)


def _older(at: str, key: str, before: Mark | None) -> tuple[str, Row]:
    """The condition of a page and its values: the first half is the index's, the second cuts within a microsecond."""
    if before is None:
        return "mode = %(mode)s", {}
    where = f"mode = %(mode)s AND {at} <= %(at)s AND ({at}, {key}) < (%(at)s, %(key)s)"
    return where, {"at": before[0], "key": before[1]}


def _search(
    db: Queries, table: _Table, at: str, key: str, mode: str, limit: int, before: Mark | None, market: str, columns: str,
    exact: bool,
) -> Listed:  # fmt: skip
    """One stretch of rows, and those of the market in it."""
    where, values = _older(at, key, before)
    values |= {"mode": mode, "market": market, "limit": limit + 1, "stretch": _STRETCH, "exact": exact}
    order = f"ORDER BY {at} DESC, {key} DESC"
    found = db.all(
        f"WITH stretch AS MATERIALIZED (SELECT * FROM {table} WHERE {where} {order} LIMIT %(stretch)s),"  # noqa: S608
        f" edge AS (SELECT min({at}) AS edge_at, (SELECT {key} FROM stretch ORDER BY {at}, {key} LIMIT 1) AS edge_key,"
        "  count(*) AS looked FROM stretch)"
        f" SELECT edge.*, f.* FROM edge LEFT JOIN (SELECT {columns} FROM stretch"
        "  WHERE CASE WHEN %(exact)s THEN market_ticker = %(market)s ELSE starts_with(market_ticker, %(market)s) END"
        f" {order} LIMIT %(limit)s) f ON true {order.replace('BY ', 'BY f.')}",
        values,
    )
    first = found[0]
    rows = [
        {name: value for name, value in row.items() if name not in ("edge_at", "edge_key", "looked")}
        for row in found
        if row["market_ticker"] is not None
    ]
    if len(rows) > limit:
        return Listed(rows[:limit], (rows[limit - 1][at], rows[limit - 1][key]))
    if first["looked"] < _STRETCH:
        return Listed(rows, None)
    return Listed(rows, (first["edge_at"], first["edge_key"]), searching=True)


def _settled(db: Queries, mode: str, market: str) -> Mark | None:
    """Where looking for one market's rows begins: at its result, with a day to spare. None: no result, or no market."""
    row = db.one(
        "SELECT settled_at + interval '1 day' AS settled_at FROM users.settlements WHERE mode = %s AND market_ticker = %s",
        (mode, market),
    )
    return (row["settled_at"], "") if row else None


def reconciliations(
    db: Queries, mode: str, limit: int, before: int | None = None, differing: bool = False
) -> tuple[list[Row], int | None]:
    """Outcomes newest first, and the id of the next page (None: this was the last); only those that differed, when asked.
    They are kept for seven days."""
    rows = db.all(
        "SELECT reconciliation_id, at, ok, differences FROM users.reconciliations WHERE mode = %(mode)s"
        " AND (%(before)s::bigint IS NULL OR reconciliation_id < %(before)s)"
        " AND (NOT %(differing)s OR NOT ok) ORDER BY reconciliation_id DESC LIMIT %(limit)s",
        {"mode": mode, "before": before, "differing": differing, "limit": limit + 1},
    )
    return rows[:limit], rows[limit - 1]["reconciliation_id"] if len(rows) > limit else None


def reconciled_since(db: Queries, mode: str) -> Row:
    """Since when the newest outcome has been what it is (``since``, None: never compared; ``whole``: False when it is so
    for as long as outcomes are kept), and of the last 24 hours ``runs``, ``differed`` and ``differed_at``."""
    row = db.one(
        "WITH newest AS (SELECT ok FROM users.reconciliations WHERE mode = %(mode)s ORDER BY reconciliation_id DESC LIMIT 1),"
        " other AS (SELECT reconciliation_id AS id FROM users.reconciliations, newest WHERE mode = %(mode)s"
        "  AND reconciliations.ok <> newest.ok ORDER BY reconciliation_id DESC LIMIT 1)"
        " SELECT (SELECT at FROM users.reconciliations WHERE mode = %(mode)s"
        "  AND reconciliation_id > coalesce((SELECT id FROM other), 0) ORDER BY reconciliation_id LIMIT 1) AS since,"
        " EXISTS (SELECT FROM other) AS whole, day.* FROM (SELECT count(*) AS runs, count(*) FILTER (WHERE NOT ok) AS differed,"
        "  max(at) FILTER (WHERE NOT ok) AS differed_at FROM users.reconciliations WHERE mode = %(mode)s"
        "  AND at > now() - interval '1 day') day",
        {"mode": mode},
    )
    assert row is not None  # noqa: S101 - an aggregate has one row
    return row


def anchors(db: Queries, mode: str, limit: int = 20) -> list[Row]:
    """Balances taken as right, newest first: at, balance_e6, why, and moved_e6, what came from outside since the one
    before (None: the first, there is none before)."""
    return db.all(
        "SELECT anchor_id, at, balance_e6, why, balance_e6 - before_e6 - (cash_e6 - before_cash_e6) AS moved_e6 FROM ("
        " SELECT *, lag(balance_e6) OVER w AS before_e6, lag(cash_e6) OVER w AS before_cash_e6 FROM ("
        "  SELECT * FROM users.cash_anchors WHERE mode = %s ORDER BY anchor_id DESC LIMIT %s) newest"
        " WINDOW w AS (ORDER BY anchor_id)) a ORDER BY anchor_id DESC LIMIT %s",
        (mode, limit + 1, limit),
    )


def balance_facts(db: Queries, mode: str) -> Row:
    """What recio.trading.balance.BalanceFacts is made of. What moved money is read last: whatever comes while this reads
    makes the balance look too old, never too new."""
    balance = db.one(
        "SELECT balance_e6, extract(epoch FROM now() - seen_at)::float8 AS balance_age_s FROM users.balances WHERE mode = %s",
        (mode,),
    ) or {"balance_e6": None, "balance_age_s": None}
    anchor = cash_anchor(db, mode)
    cash, held = ledger_cash(db, mode), ledger_positions(db, mode)
    run = db.one(
        "SELECT extract(epoch FROM now() - at)::float8 AS compared_age_s, differences FROM users.reconciliations"
        " WHERE mode = %s ORDER BY reconciliation_id DESC LIMIT 1",
        (mode,),
    ) or {"compared_age_s": None, "differences": []}
    moved = db.one(
        f"SELECT (SELECT count(*) FROM users.orders WHERE mode = %(mode)s AND state IN {_UNFINISHED}) AS unfinished,"  # noqa: S608
        " extract(epoch FROM now() - greatest((SELECT max(sent_at) FROM users.orders WHERE mode = %(mode)s),"
        "  (SELECT max(recorded_at) FROM users.fills WHERE mode = %(mode)s),"
        "  (SELECT max(recorded_at) FROM (SELECT recorded_at FROM users.settlements WHERE mode = %(mode)s"
        "    ORDER BY settled_at DESC LIMIT 100) newest)))::float8 AS moved_age_s",
        {"mode": mode},
    )
    assert moved is not None  # noqa: S101 - one row, always
    return balance | cash | run | moved | {
        "anchor_balance_e6": anchor and anchor["balance_e6"], "anchor_cash_e6": anchor and anchor["cash_e6"],
        "anchor_at": anchor and anchor["at"],
        "settling": [row["market_ticker"] for row in held if row["settling"] and row["position_e2"]],
    }  # fmt: skip


def accept_balance(
    db: Queries, mode: str, actor: str, balance_e6: int, cash_e6: int, expected_e6: int | None, why: str
) -> None:
    """Take a balance as right, with the line in the audit log, both or neither. Whether it may be: recio.trading.balance."""
    told = {
        "ledger": "not known" if expected_e6 is None else f"{expected_e6 / 1e6:.6f}", "exchange": f"{balance_e6 / 1e6:.6f}",
        "why": why,
    }  # fmt: skip
    db.run(
        "WITH line AS (INSERT INTO users.audit_log (actor, action, detail, remote_addr)"
        "  VALUES (%(actor)s, 'accept balance', %(told)s, %(remote)s))"
        " INSERT INTO users.cash_anchors (mode, balance_e6, cash_e6, why) VALUES (%(mode)s, %(balance)s, %(cash)s, %(why)s)",
        {"actor": actor, "told": Json(told), "remote": REMOTE.get(), "mode": mode, "balance": balance_e6, "cash": cash_e6,
         "why": f"{actor}: {why}"},
    )  # fmt: skip
