"""Tickets: the only door by which anything asks for a trade. A key is used once; the same key gives the same answer."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import msgspec
from psycopg2.extras import Json

from recio.store.audit import audit_statement
from recio.store.db import Params

__all__ = [
    "KeyReused",
    "Queries",
    "Submitted",
    "submit_adopt",
    "submit_cancel",
    "submit_close",
    "submit_open",
    "ticket_by_id",
    "tickets_by_id",
    "wait_decided",
]


class Queries(Protocol):
    """What a ticket needs of a connection: recio.store.db.Database has it, the web's pooled connection too."""

    def one(self, sql: str, params: Params = ()) -> dict[str, Any] | None:
        """The first row, or None."""


class Many(Protocol):
    """What reading several tickets needs of a connection."""

    def all(self, sql: str, params: Params = ()) -> list[dict[str, Any]]:
        """Every row."""


class KeyReused(ValueError):
    """The idempotency key already stands for another request."""


class Submitted(msgspec.Struct, frozen=True):
    """A ticket on record; ``replayed`` when this key had been used for this very request before."""

    ticket_id: int
    replayed: bool


_COLUMNS = (
    "user_id, mode, idempotency_key, source, kind, market_ticker, side, count_e2, limit_price_e4, trade_id, monitor_id,"
    " entry_context"
)


_AUDITED = (
    ", line AS (INSERT INTO users.audit_log (actor, action, detail, remote_addr) SELECT %s, %s, %s, %s FROM made)"
)


def _submit(db: Queries, values: tuple[Any, ...], audit: tuple[Any, ...] = ()) -> Submitted:
    """``audit``: the line of the audit log that goes with a ticket that is new, both or neither."""
    row = db.one(
        f"""WITH made AS (
                INSERT INTO users.tickets ({_COLUMNS}) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
                ON CONFLICT (user_id, idempotency_key) DO NOTHING RETURNING ticket_id){_AUDITED if audit else ""}
            SELECT ticket_id, pg_notify('ticket', ticket_id::text) FROM made""",  # noqa: S608 - constant columns
        values + audit,
    )
    if row is not None:
        return Submitted(row["ticket_id"], replayed=False)
    user_id, _mode, key, _source, kind, ticker, side, count_e2, limit_price_e4, trade_id = values[:10]
    old = db.one("SELECT * FROM users.tickets WHERE user_id = %s AND idempotency_key = %s", (user_id, key))
    if old is None:
        raise KeyReused(f"idempotency key {key!r} is being used by another request at this moment; repeat the call")
    asked = (kind, ticker, side, count_e2, limit_price_e4)
    found = (old["kind"], old["market_ticker"], old["side"], old["count_e2"], old["limit_price_e4"])
    other = kind == "cancel" and old["entry_context"] != values[-1].adapted
    if asked != found or (kind == "close" and old["trade_id"] != trade_id) or other:
        raise KeyReused(f"idempotency key {key!r} already stands for another request; take a new key for a new order")
    return Submitted(old["ticket_id"], replayed=True)


def submit_open(
    db: Queries,
    *,
    user_id: str,
    mode: str,
    key: str,
    source: str,
    market_ticker: str,
    side: str,
    count_e2: int,
    limit_price_e4: int,
    monitor_id: str | None = None,
    context: Mapping[str, Any] | None = None,
) -> Submitted:
    """Ask for a new trade. Raises KeyReused when the key stands for something else. Decided by trade_manager.

    ``monitor_id`` and ``context`` (what it saw: plain data) stay with the ticket and its trade."""
    seen = None if context is None else Json(dict(context))
    return _submit(
        db,
        (user_id, mode, key, source, "open", market_ticker, side, count_e2, limit_price_e4, None, monitor_id, seen),
    )


def submit_close(
    db: Queries,
    *,
    user_id: str,
    mode: str,
    key: str,
    source: str,
    trade_id: int,
    limit_price_e4: int | None = None,
) -> Submitted:
    """Ask to close a trade now; without a limit trade_manager takes the book's price with the exit collar."""
    return _submit(db, (user_id, mode, key, source, "close", None, None, None, limit_price_e4, trade_id, None, None))


def submit_adopt(
    db: Queries, *, user_id: str, mode: str, order: Mapping[str, Any], trade_id: int | None = None
) -> Submitted:
    """Ask that an order the exchange has and the ledger lost be put on record; ``order`` as recio.trading.adopt.ForeignOrder
    has it, ``trade_id`` the trade it closed where that is not clear. Repeated for a refused one it asks anew."""
    for attempt in range(100):
        key = f"adopt-{order['client_order_id']}-{attempt}"
        made = _submit(
            db,
            (
                user_id, mode, key, "cli", "adopt", order["market_ticker"], None, order["count_e2"], None, trade_id, None,
                Json(dict(order)),
            ),
        )  # fmt: skip
        if not made.replayed or ticket_by_id(db, made.ticket_id)["state"] != "refused":
            return made
    raise KeyReused(f"order {order['client_order_id']} was refused a hundred times; see its tickets' reasons")


def submit_cancel(
    db: Queries, *, user_id: str, mode: str, key: str, source: str, order_id: str, actor: str
) -> Submitted:
    """Ask that a resting order the ledger does not know be taken off the book, by the exchange's id; the audit log keeps
    that ``actor`` did. Raises KeyReused."""
    wanted = {"exchange_order_id": order_id}
    _, line = audit_statement(actor, "cancel order", wanted)
    return _submit(db, (user_id, mode, key, source, "cancel", None, None, None, None, None, None, Json(wanted)), line)


def ticket_by_id(db: Queries, ticket_id: int) -> dict[str, Any]:
    """The ticket's row; raises LookupError when there is none."""
    row = db.one("SELECT * FROM users.tickets WHERE ticket_id = %s", (ticket_id,))
    if row is None:
        raise LookupError(f"no ticket {ticket_id}")
    return row


def tickets_by_id(db: Many, ticket_ids: Sequence[int]) -> dict[int, dict[str, Any]]:
    """State and reason of several tickets, by id; those that do not exist are missing."""
    rows = db.all("SELECT ticket_id, state, reason FROM users.tickets WHERE ticket_id = ANY(%s)", (list(ticket_ids),))
    return {row["ticket_id"]: row for row in rows}


def wait_decided(db: Queries, ticket_id: int, timeout_s: float = 3.0, poll_s: float = 0.05) -> dict[str, Any]:
    """Wait until the ticket is accepted or refused, at most ``timeout_s``; gives the row as it then is.

    A ticket still ``new`` is not lost: trade_manager decides it when it is back, and a stale one is refused then.
    """
    until = time.monotonic() + timeout_s
    row = ticket_by_id(db, ticket_id)
    while row["state"] == "new" and time.monotonic() < until:
        time.sleep(poll_s)
        row = ticket_by_id(db, ticket_id)
    return row
