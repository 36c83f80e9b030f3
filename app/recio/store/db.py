"""One PostgreSQL connection per service: queries, transactions and notifications on it, survives nothing by itself.

A service owns one Database. When the server goes away the call raises psycopg2.OperationalError or InterfaceError;
the runtime then closes it, says so in the service's health and connects again.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any, Protocol

import msgspec
import psycopg2
import psycopg2.extensions
import psycopg2.extras
from psycopg2.extensions import TRANSACTION_STATUS_IDLE

__all__ = [
    "DEFAULT_DSN", "Database", "DatabaseGone", "Notification", "Prepared", "Queries", "connect", "dsn_from_environment",
    "quick_json",
]  # fmt: skip

DEFAULT_DSN = "dbname=rec_io_db host=/var/run/postgresql"

# What psycopg2 raises when the server, not the statement, is at fault.
DatabaseGone = (psycopg2.OperationalError, psycopg2.InterfaceError)

Params = Sequence[Any] | Mapping[str, Any]


class Notification(msgspec.Struct, frozen=True):
    """One NOTIFY: the channel's name and its payload (an id or a name, never a row)."""

    channel: str
    payload: str


class Queries(Protocol):
    """What queries need of a connection: Database has it, and the page's pool."""

    def all(self, sql: str, params: Params = ()) -> list[dict[str, Any]]:
        """Every row."""

    def hot(self, sql: str, params: Params = ()) -> list[dict[str, Any]]:
        """Every row of a query that is asked often: prepared at its first use on a connection."""

    def hot_one(self, sql: str, params: Params = ()) -> dict[str, Any] | None:
        """The first row of ``hot``, or None."""

    def one(self, sql: str, params: Params = ()) -> dict[str, Any] | None:
        """The first row, or None."""

    def run(self, sql: str, params: Params = ()) -> int:
        """The number of rows touched."""


def dsn_from_environment() -> str:
    """RECIO_DSN, or the appliance's own database over the unix socket with peer authentication."""
    return os.environ.get("RECIO_DSN", DEFAULT_DSN)


def connect(application_name: str, dsn: str | None = None) -> Any:
    """Open an autocommit connection that notices a half-open socket within about ten seconds."""
    connection: Any = psycopg2.connect(
        dsn or dsn_from_environment(),
        application_name=application_name,
        connect_timeout=5,
        keepalives_idle=30,
        keepalives_interval=10,
        keepalives_count=3,
        tcp_user_timeout=10_000,
        options="-c timezone=UTC",
        cursor_factory=psycopg2.extras.RealDictCursor,
    )
    connection.autocommit = True
    quick_json(connection)
    return connection


def quick_json(connection: Any) -> None:
    """json and jsonb of this connection are read by msgspec: five times as fast as the standard library."""
    for register in (psycopg2.extras.register_default_json, psycopg2.extras.register_default_jsonb):
        register(connection, loads=msgspec.json.decode)


_PLACE = re.compile(r"%(?:\((\w+)\))?([s%])")


def _numbered(sql: str) -> tuple[str, tuple[str, ...]]:
    """A statement with $1, $2 ... for its places, and the places' names in that order ('' for plain %s)."""
    names: list[str] = []

    def number(found: re.Match[str]) -> str:
        if found[2] == "%":
            return "%"
        name = found[1] or ""
        if not name or name not in names:
            names.append(name)
        return f"${names.index(name) + 1 if name else len(names)}"

    return _PLACE.sub(number, sql), tuple(names)


class Prepared:
    """The statements one connection has prepared: parsed and planned at their first use on it only."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[str, tuple[str, ...]]] = {}

    def rows(self, cursor: Any, sql: str, params: Params, send: Callable[[Any, bytes], None]) -> list[dict[str, Any]]:
        """Every row, through a cursor of that connection; ``send`` sends a finished statement on it."""
        known = self._known.get(sql)
        if known is None:
            text, names = _numbered(sql)
            known = (f"hot_{len(self._known) + 1}", names)
            send(cursor, f"PREPARE {known[0]} AS {text}".encode())
            self._known[sql] = known
        handle, names = known
        values = [params[name] for name in names] if isinstance(params, Mapping) else list(params)
        places = f" ({', '.join(['%s'] * len(values))})" if values else ""
        send(cursor, cursor.mogrify(f"EXECUTE {handle}{places}", values or None))
        return [dict(row) for row in cursor.fetchall()] if cursor.description else []


class Database:
    """A connection with the four verbs services need; rows are dictionaries."""

    def __init__(self, application_name: str, dsn: str | None = None) -> None:
        self._connection = connect(application_name, dsn)
        self._prepared = Prepared()
        self._waiting: list[bytes] = []  # statements that travel with the next one
        self._in_transaction = False

    def fileno(self) -> int:
        """The socket, for select(): readable when a notification may have come."""
        return int(self._connection.fileno())

    def _send(self, cursor: Any, text: bytes) -> None:
        """A finished statement, in one message with those that wait to go before it."""
        if self._waiting:
            text, self._waiting = b"; ".join([*self._waiting, text]), []
        cursor.execute(text)

    def all(self, sql: str, params: Params = ()) -> list[dict[str, Any]]:
        """Every row of a query."""
        with self._connection.cursor() as cursor:
            self._send(cursor, cursor.mogrify(sql, params or None))
            return [dict(row) for row in cursor.fetchall()]

    def one(self, sql: str, params: Params = ()) -> dict[str, Any] | None:
        """The first row of a query, or None."""
        with self._connection.cursor() as cursor:
            self._send(cursor, cursor.mogrify(sql, params or None))
            row = cursor.fetchone()
            return dict(row) if row is not None else None

    def hot(self, sql: str, params: Params = ()) -> list[dict[str, Any]]:
        """Every row of a query on the path of an order: parsed and planned at its first use on this connection only.

        The same rows as ``all``; the types of its places must follow from the statement (else cast: ``%s::int``).
        """
        with self._connection.cursor() as cursor:
            return self._prepared.rows(cursor, sql, params, self._send)

    def hot_one(self, sql: str, params: Params = ()) -> dict[str, Any] | None:
        """The first row of ``hot``, or None."""
        return next(iter(self.hot(sql, params)), None)

    def run(self, sql: str, params: Params = ()) -> int:
        """Execute a statement; gives the number of rows it touched."""
        with self._connection.cursor() as cursor:
            self._send(cursor, cursor.mogrify(sql, params or None))
            return int(cursor.rowcount)

    def later(self, sql: str, params: Params = ()) -> None:
        """A statement whose answer nobody needs: inside a transaction it travels with the next one, at the latest with
        COMMIT, which then raises its error; outside it is ``run``."""
        if not self._in_transaction:
            self.run(sql, params)
            return
        with self._connection.cursor() as cursor:
            self._waiting.append(cursor.mogrify(sql, params or None))

    def batch(self, statements: Sequence[tuple[str, Params]], durable: bool = True) -> None:
        """Several statements, all or nothing, in one round trip. ``durable`` as in ``transaction``."""
        with self.transaction(durable):
            for sql, params in statements:
                self.later(sql, params)

    def run_many(self, sql: str, rows: Sequence[Sequence[Any]]) -> None:
        """One INSERT ... VALUES %s for many rows in one round trip."""
        if rows:
            with self._connection.cursor() as cursor:
                if self._waiting:
                    before, self._waiting = self._waiting, []
                    cursor.execute(b"; ".join(before))
                psycopg2.extras.execute_values(cursor, sql, rows, page_size=500)

    @contextmanager
    def transaction(self, durable: bool = True) -> Iterator[None]:
        """All or nothing. ``durable=False`` is for ticks and heartbeats only: a power cut may lose the last 0.6 s.

        BEGIN travels with the first statement and COMMIT with the last ``later`` ones: round trips are milliseconds
        when the machine is busy.
        """
        opening = [b"BEGIN"] if durable else [b"BEGIN", b"SET LOCAL synchronous_commit = off"]
        self._waiting, self._in_transaction = list(opening), True
        try:
            yield
            if self._waiting != opening:  # else nothing was asked for
                self.run("COMMIT")
        except BaseException:
            self._waiting = []
            if not self._connection.closed and self._connection.info.transaction_status != TRANSACTION_STATUS_IDLE:
                with suppress(*DatabaseGone):  # a connection that broke in between has rolled back by itself
                    self.run("ROLLBACK")  # not .rollback(): in autocommit mode psycopg2 sends nothing for it
            raise
        finally:
            self._waiting, self._in_transaction = [], False

    def listen(self, channels: Sequence[str]) -> None:
        """Subscribe to notification channels."""
        for channel in channels:
            self.run(f'LISTEN "{channel}"')

    def notify(self, channel: str, payload: object = "") -> None:
        """Send a notification; inside a transaction it goes out with the commit."""
        self.later("SELECT pg_notify(%s, %s)", (channel, str(payload)))

    def notifications(self) -> list[Notification]:
        """What has arrived since the last call; never waits."""
        self._connection.poll()
        arrived = [Notification(n.channel, n.payload or "") for n in self._connection.notifies]
        self._connection.notifies.clear()
        return arrived

    @property
    def closed(self) -> bool:
        """The connection is gone, whatever class of error told so."""
        return bool(self._connection.closed)

    @property
    def pending(self) -> bool:
        """Notifications were read along with a query's answer: the socket will not become readable for them."""
        return bool(self._connection.notifies)

    def close(self) -> None:
        """Close the connection; safe to repeat."""
        self._connection.close()
