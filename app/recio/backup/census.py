"""The ledger in a few figures: rows and checksum of each table, and what folding all fills gives. Equal figures, equal ledger."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from itertools import groupby
from typing import Any

import msgspec

from recio.trading.ledger import Fill, Folded, LedgerError, fold_fills

__all__ = ["TABLES", "Census", "TableCount", "differences", "take"]

TABLES = ("users.trades", "users.orders", "users.fills", "users.trade_events", "users.settlements")

# Each row as text, hashed, and the hashes added up: the order of rows does not matter, which a restore may change.
_COUNT = """SELECT count(*) AS rows, coalesce(sum(('x' || left(md5(t::text), 15))::bit(60)::bigint), 0)::text AS checksum
FROM {} t"""
_FILLS = """SELECT t.user_id, t.trade_id, t.side, t.entry_count_e2, t.entry_cost_e6, t.exit_count_e2, t.exit_proceeds_e6,
 t.fees_e6, f.fill_id, f.book_side, f.count_e2, f.yes_price_e4, f.fee_e6
FROM users.trades t JOIN users.orders o USING (user_id, trade_id)
JOIN users.fills f ON f.exchange_order_id = o.exchange_order_id AND f.mode = o.mode
ORDER BY t.user_id, t.trade_id, f.fill_id"""


class TableCount(msgspec.Struct, frozen=True):
    """Rows of a table and the sum of their hashes."""

    rows: int
    checksum: str


class Census(msgspec.Struct, frozen=True):
    """``fold`` is the digest of every trade's fills folded anew; ``unfolded`` counts trades whose books lag behind theirs."""

    schema: str
    tables: dict[str, TableCount]
    trades_with_fills: int
    fold: str
    unfolded: int


def take(connection: Any) -> Census:
    """Count through an open psycopg2 connection (rows as dictionaries), within whatever transaction it is in."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL timezone = 'UTC'; SET LOCAL datestyle = 'ISO'; SET LOCAL extra_float_digits = 1")
        cursor.execute("SELECT version_num FROM public.schema_version")
        schema = str(cursor.fetchone()["version_num"])
        tables = {}
        for table in TABLES:
            cursor.execute(_COUNT.format(table))
            row = cursor.fetchone()
            tables[table] = TableCount(row["rows"], row["checksum"])
    folded, digest, lagging = 0, hashlib.sha256(), 0
    for trade, result in _folds(connection):
        folded += 1
        digest.update(msgspec.json.encode([trade["user_id"], trade["trade_id"], result]))
        lagging += not (isinstance(result, Folded) and _booked(trade) == result)
    return Census(schema, tables, folded, digest.hexdigest(), lagging)


def _folds(connection: Any) -> Iterator[tuple[dict[str, Any], Folded | str]]:
    with connection.cursor(name="census") as cursor:  # named: the server keeps the rows, we hold a few at a time
        cursor.itersize = 5000
        cursor.execute(_FILLS)
        for _trade, rows in groupby(cursor, key=lambda row: (row["user_id"], row["trade_id"])):
            fills = list(rows)
            parts = [
                Fill(fill_id=r["fill_id"], book_side=r["book_side"], count_e2=r["count_e2"],
                     yes_price_e4=r["yes_price_e4"], fee_e6=r["fee_e6"])
                for r in fills
            ]  # fmt: skip
            try:
                yield fills[0], fold_fills(fills[0]["side"], parts)
            except LedgerError as contradiction:
                yield fills[0], str(contradiction)


def _booked(trade: dict[str, Any]) -> Folded:
    return Folded(**{name: trade[name] for name in Folded.__struct_fields__})


def differences(recorded: Census, found: Census) -> list[str]:
    """What a restored database has otherwise than was recorded when it was dumped; empty when nothing."""
    said = []
    if recorded.schema != found.schema:
        said.append(f"schema {found.schema}, recorded was {recorded.schema}")
    for table, was in recorded.tables.items():
        now = found.tables.get(table)
        if now is None or now.rows != was.rows:
            said.append(f"{table} has {now.rows if now else 'no'} rows, recorded were {was.rows}")
        elif now.checksum != was.checksum:
            said.append(f"{table} has the {was.rows} rows but not their content")
    if (recorded.trades_with_fills, recorded.fold, recorded.unfolded) != (
        found.trades_with_fills,
        found.fold,
        found.unfolded,
    ):
        said.append("the ledger folds to other figures than recorded")
    return said
