"""A small pool of connections for the web page: waits instead of failing when busy, survives database restarts."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import psycopg2
import psycopg2.extensions
from psycopg2.extensions import TRANSACTION_STATUS_IDLE
from psycopg2.extras import RealDictCursor
from psycopg2.pool import ThreadedConnectionPool

from recio.store.db import DatabaseGone, Params, Prepared, dsn_from_environment, quick_json

__all__ = ["Pool", "PoolBusy"]


class PoolBusy(psycopg2.OperationalError):
    """Every connection was in use for the whole wait."""


class _Connection(psycopg2.extensions.connection):
    """A connection that knows what it has prepared; a new one knows nothing."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.prepared = Prepared()
        quick_json(self)


def _execute(cursor: Any, text: bytes) -> None:
    cursor.execute(text)


class Pool:
    """Two to four autocommit connections shared by the web page's threads; each call borrows one and gives it back."""

    def __init__(
        self, application_name: str, dsn: str | None = None, *, smallest: int = 1, largest: int = 4, wait_s: float = 5.0
    ) -> None:
        self._name, self._dsn = application_name, dsn or dsn_from_environment()
        self._smallest, self._largest, self._wait_s = smallest, largest, wait_s
        self._free = threading.BoundedSemaphore(largest)
        self._lock = threading.Lock()
        self._pool: ThreadedConnectionPool | None = None

    def _open(self) -> ThreadedConnectionPool:
        with self._lock:
            if self._pool is None:
                self._pool = ThreadedConnectionPool(
                    self._smallest, self._largest, self._dsn,
                    application_name=self._name, connect_timeout=3, keepalives_idle=30, keepalives_interval=10,
                    keepalives_count=3, options="-c timezone=UTC", cursor_factory=RealDictCursor,
                    connection_factory=_Connection,
                )  # fmt: skip
                # What was opened stays open: psycopg2 closes what comes back beyond minconn, and a burst of requests then
                # connects anew for each, over the role's connection limit while the server still ends the old ones.
                self._pool.minconn = self._largest
            return self._pool

    def _forget(self, pool: ThreadedConnectionPool) -> None:
        """After a lost connection all idle ones are suspects: a restart of the database kills every one."""
        with self._lock:
            if self._pool is pool:
                self._pool = None
        if not pool.closed:
            pool.closeall()

    @contextmanager
    def connection(self) -> Iterator[Any]:
        """Borrow a connection (psycopg2's, autocommit). Raises PoolBusy or psycopg2.OperationalError."""
        if not self._free.acquire(timeout=self._wait_s):
            raise PoolBusy(f"all {self._largest} database connections were busy for {self._wait_s:g} s; try again")
        try:
            pool = self._open()
            connection = pool.getconn()
            connection.autocommit = True
            try:
                yield connection
            except psycopg2.Error as failure:
                # A crash of the server may come as a plain DatabaseError, with the connection still called open.
                crashed = type(failure) is psycopg2.DatabaseError
                if connection.closed or crashed:
                    self._forget(pool)
                if crashed:
                    raise psycopg2.OperationalError(str(failure)) from failure
                raise
            finally:
                if not pool.closed:
                    clean = not connection.closed and connection.info.transaction_status == TRANSACTION_STATUS_IDLE
                    pool.putconn(connection, close=not clean)
        finally:
            self._free.release()

    def _fetch(self, sql: str, params: Params, first: bool, often: bool) -> list[dict[str, Any]]:
        with self.connection() as connection, connection.cursor() as cursor:
            if often:
                found: list[dict[str, Any]] = connection.prepared.rows(cursor, sql, params, _execute)
                return found
            cursor.execute(sql, params or None)
            if first:
                row = cursor.fetchone()
                return [dict(row)] if row is not None else []
            return [dict(row) for row in cursor.fetchall()]

    def _twice(self, sql: str, params: Params, first: bool = False, often: bool = False) -> list[dict[str, Any]]:
        """An idle connection may have died with the database; a second try gets a new one.

        Only for statements that may run twice: reads, and inserts guarded by a key.
        """
        try:
            return self._fetch(sql, params, first, often)
        except PoolBusy:
            raise
        except DatabaseGone:
            return self._fetch(sql, params, first, often)

    def all(self, sql: str, params: Params = ()) -> list[dict[str, Any]]:
        """Every row of a query; tried again once on a fresh connection when the old one was dead."""
        return self._twice(sql, params)

    def one(self, sql: str, params: Params = ()) -> dict[str, Any] | None:
        """The first row of a query, or None; tried again once like ``all``."""
        rows = self._twice(sql, params, first=True)
        return rows[0] if rows else None

    def hot(self, sql: str, params: Params = ()) -> list[dict[str, Any]]:
        """The same rows as ``all``, parsed and planned once a connection; for what every page and script asks."""
        return self._twice(sql, params, often=True)

    def hot_one(self, sql: str, params: Params = ()) -> dict[str, Any] | None:
        """The first row of ``hot``, or None."""
        return next(iter(self.hot(sql, params)), None)

    def run(self, sql: str, params: Params = ()) -> int:
        """Execute a statement, once; gives the number of rows it touched."""
        with self.connection() as connection, connection.cursor() as cursor:
            cursor.execute(sql, params or None)
            return int(cursor.rowcount)

    @contextmanager
    def transaction(self) -> Iterator[Any]:
        """Borrow a cursor for several statements: all or nothing."""
        with self.connection() as connection:
            connection.autocommit = False
            try:
                with connection.cursor() as cursor:
                    yield cursor
                connection.commit()
            except BaseException:
                if not connection.closed:
                    connection.rollback()
                raise
            finally:
                if not connection.closed:
                    connection.autocommit = True

    def batch(self, statements: Sequence[tuple[str, Params]]) -> None:
        """Several statements in one transaction: all or nothing."""
        with self.transaction() as cursor:
            for sql, params in statements:
                cursor.execute(sql, params or None)

    def close(self) -> None:
        """Close every connection; safe to repeat."""
        with self._lock:
            pool, self._pool = self._pool, None
        if pool is not None and not pool.closed:
            pool.closeall()
