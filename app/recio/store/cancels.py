"""Cancels of orders this desk did not place. trade_manager makes them, trade_executor claims and finishes them.

A user makes a handful, so the table stays small; users.orders is only asked for one order by its ids.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from recio.store.db import Database

if TYPE_CHECKING:  # the services that import this module have no pool
    from recio.store.db import Queries

__all__ = [
    "cancel_facts",
    "cancel_of_ticket",
    "claim_cancel",
    "ended_keys",
    "finish_cancel",
    "insert_cancel",
    "newest_cancels",
    "note_cancel_lookup",
    "unfinished_cancels",
]

Row = dict[str, Any]


def cancel_facts(db: Database, mode: str, order_id: str) -> Row:
    """What recio.trading.cancel.CancelFacts is made of: reading_age_s and orders (None, []: never compared), own_state of
    this desk's own order with that id, and former, the newest cancel's state unless the reading is newer than its end."""
    run = db.one(
        "SELECT at, extract(epoch FROM now() - at)::float8 AS age_s, differences FROM users.reconciliations"
        " WHERE mode = %s ORDER BY reconciliation_id DESC LIMIT 1",
        (mode,),
    )
    found = [d for d in run["differences"] if isinstance(d, dict)] if run else []
    orders = [d["order"] for d in found if d.get("about") == "order" and "order" in d]
    known = [order["client_order_id"] for order in orders if order["exchange_order_id"] == order_id]
    own = db.one(
        "SELECT state FROM users.orders WHERE mode = %(mode)s AND (exchange_order_id = %(id)s OR client_order_id = ANY(%(known)s))"
        " ORDER BY order_id DESC LIMIT 1",
        {"mode": mode, "id": order_id, "known": [*known, order_id]},
    )
    former = db.one(
        "SELECT state FROM (SELECT state, done_at FROM users.cancels WHERE mode = %(mode)s AND exchange_order_id = %(id)s"
        " ORDER BY cancel_id DESC LIMIT 1) newest"
        " WHERE state IN ('intent', 'sending', 'unknown') OR state <> 'refused' AND done_at >= %(read_at)s",
        {"mode": mode, "id": order_id, "read_at": run["at"] if run else None},
    )
    return {
        "reading_age_s": run and run["age_s"], "orders": orders, "own_state": own and own["state"],
        "former": former and former["state"],
    }  # fmt: skip


def insert_cancel(db: Database, row: Row) -> int | None:
    """A cancel that waits to be sent; gives its id, or None when one of this order is under way."""
    names = ", ".join(row)
    places = ", ".join(f"%({name})s" for name in row)
    made = db.one(
        f"INSERT INTO users.cancels ({names}) VALUES ({places})"  # noqa: S608 - names from code
        " ON CONFLICT (mode, exchange_order_id) WHERE state IN ('intent', 'sending', 'unknown') DO NOTHING"
        " RETURNING cancel_id",
        row,
    )
    return None if made is None else int(made["cancel_id"])


def unfinished_cancels(db: Database, mode: str) -> list[Row]:
    """Cancels whose last word has not been heard, oldest first, with sent_age_s."""
    return db.hot(
        "SELECT *, extract(epoch FROM now() - sent_at)::float8 AS sent_age_s FROM users.cancels"
        " WHERE state IN ('intent', 'sending', 'unknown') AND mode = %s ORDER BY cancel_id",
        (mode,),
    )


def claim_cancel(db: Database, mode: str) -> Row | None:
    """Take the oldest that waits and mark it sending, committed before anything goes out; None when none waits."""
    return db.one(
        "UPDATE users.cancels SET state = 'sending', sent_at = now() WHERE cancel_id = (SELECT cancel_id FROM users.cancels"
        " WHERE state = 'intent' AND mode = %s ORDER BY cancel_id LIMIT 1 FOR UPDATE SKIP LOCKED) RETURNING *",
        (mode,),
    )


def finish_cancel(
    db: Database, cancel_id: int, state: str, reason: str, reduced_e2: int | None, not_found: bool = False
) -> None:
    """Record what became of a cancel and tell the account's reader; ``unknown`` is no end."""
    with db.transaction():
        db.later(
            "UPDATE users.cancels SET state = %s, reason = %s, reduced_e2 = %s, not_found = not_found OR %s,"
            " done_at = CASE WHEN %s THEN now() END WHERE cancel_id = %s",
            (state, reason[:500], reduced_e2, not_found, state != "unknown", cancel_id),
        )
        db.notify("order_update", f"cancel {cancel_id}")


def note_cancel_lookup(db: Database, cancel_id: int, lookups: int) -> None:
    """The order was looked up without a last word, so many times by now."""
    db.run("UPDATE users.cancels SET lookups = %s WHERE cancel_id = %s", (lookups, cancel_id))


def cancel_of_ticket(db: Queries, ticket_id: int) -> Row | None:
    """The cancel a ticket became, or None."""
    return db.one("SELECT * FROM users.cancels WHERE ticket_id = %s", (ticket_id,))


def newest_cancels(db: Queries, user_id: str, mode: str, limit: int = 20) -> list[Row]:
    """Newest first."""
    return db.all(
        "SELECT * FROM users.cancels WHERE user_id = %s AND mode = %s ORDER BY cancel_id DESC LIMIT %s",
        (user_id, mode, limit),
    )


def ended_keys(db: Database, mode: str) -> set[str]:
    """The keys of orders this desk has seen the end of by a cancel of its own."""
    rows = db.all(
        "SELECT client_order_id FROM users.cancels WHERE mode = %s AND state IN ('cancelled', 'gone')", (mode,)
    )
    return {row["client_order_id"] for row in rows}
