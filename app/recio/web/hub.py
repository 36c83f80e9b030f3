"""One listening connection for every tab: notifications say what changed, rows are read once and fanned out.

    PostgreSQL NOTIFY --> hub thread (reads the rows) --> each tab's slots: one frame per topic, the newest wins

Every frame is a whole picture of its topic, so a slow tab skips frames instead of falling behind, memory is bounded by
the number of topics and tables, and a tab that reconnects has missed nothing. The exception is news, what a person must
hear of: its frames hold the newest items, carry the time as their id, and a tab that says its last id is told all since.
Besides notifications the hub sweeps every 5 s.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import select
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import psycopg2

from recio.store.db import Database, Notification
from recio.web.snapshots import TOPICS, Snapshots
from recio.web.wire import encode

__all__ = ["Hub", "Subscriber", "TooManyTabs", "Want", "frame"]

log = logging.getLogger("recio.web")

# channel -> the topic it makes stale
_STALES = {
    "price": "price", "strike_table": "table", "setting": "switches", "incident": "status", "request": "status",
    "trade": "trades", "order_update": "trades", "order_intent": "trades", "fill": "trades", "settlement": "trades",
}  # fmt: skip
_SWEEP_S = 5.0
_TRADES_S = 1.0  # live PnL moves with the book, without a notification
_QUIET_S = 0.05  # between two rounds: a burst of notifications becomes one reading
MAX_TABS = 100


class TooManyTabs(RuntimeError):
    """More streams are open than one page serves."""


@dataclass(frozen=True)
class Want:
    """A strike table that is shown: an event's, or that of whatever event of a series closes next."""

    event: str = ""
    series: str = ""

    def __str__(self) -> str:
        """As it is asked for; a table's frame says it in ``for``."""
        return f"event={self.event}" if self.event else f"series={self.series}"


@dataclass(eq=False)
class Subscriber:
    """One tab: a slot per topic and table, filled by the hub's thread, emptied by the tab's own coroutine."""

    wants: frozenset[Want]
    user_id: str
    token_hash: bytes
    loop: asyncio.AbstractEventLoop
    since_ms: int | None = None  # the last news it heard, when it was here before
    program: bool = False  # it came with an API token, not with a session
    ready: asyncio.Event = field(default_factory=asyncio.Event)
    closed: bool = False
    fresh: bool = True
    _slots: dict[str, bytes] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def offer(self, slot: str, data: bytes) -> None:
        """Put the newest frame into its slot."""
        with self._lock:
            self._slots[slot] = data
        self.wake()

    def wake(self) -> None:
        """Let the tab's coroutine look."""
        try:
            self.loop.call_soon_threadsafe(self.ready.set)
        except RuntimeError:  # its event loop is closed: the server is stopping
            self.closed = True

    def take(self) -> bytes:
        """Everything that waits."""
        with self._lock:
            data = b"".join(self._slots.values())
            self._slots.clear()
        return data


def frame(topic: str, value: Any, id_ms: int | None = None) -> bytes:
    """One server-sent event; with ``id_ms`` a browser says it as Last-Event-ID when it reconnects."""
    return (
        (b"" if id_ms is None else b"id: %d\n" % id_ms)
        + b"event: "
        + topic.encode()
        + b"\ndata: "
        + encode(value)
        + b"\n\n"
    )


class Hub:
    """The thread between the database and the tabs."""

    def __init__(self, dsn: str, snapshots: Snapshots) -> None:
        self._dsn, self.snapshots = dsn, snapshots
        self._tabs: set[Subscriber] = set()
        self._lock = threading.Lock()
        self._stopping = False
        self._wake_read, self._wake_write = os.pipe()
        os.set_blocking(self._wake_write, False)
        os.set_blocking(self._wake_read, False)
        self._thread = threading.Thread(target=self._run, name="stream", daemon=True)
        self._shown: dict[Want, str] = {}
        self._news: Any = None
        self._trades_s = float("-inf")
        self.connected = False
        self.why = "not started"
        self.last_ok_s: float | None = None  # monotonic

    # -------------------------------------------------------------- the tabs' side
    def start(self) -> None:
        """Start listening."""
        self._thread.start()

    def stop(self) -> None:
        """End every stream and the thread; safe to repeat, also from a signal handler."""
        self._stopping = True
        for tab in list(self._tabs):
            tab.closed = True
            tab.wake()
        self._poke()

    def join(self) -> None:
        """Wait for the thread's end."""
        if self._thread.is_alive():
            self._thread.join(timeout=5)

    def subscribe(self, tab: Subscriber) -> None:
        """A tab opened; it gets every topic at once. Raises TooManyTabs."""
        with self._lock:
            if len(self._tabs) >= MAX_TABS:
                raise TooManyTabs(f"{MAX_TABS} streams are open")
            self._tabs.add(tab)
        self._poke()

    def unsubscribe(self, tab: Subscriber) -> None:
        """A tab closed."""
        with self._lock:
            self._tabs.discard(tab)

    def end_sessions(self, user_id: str, *, only: bytes | None = None, but: bytes | None = None) -> None:
        """Close the tabs of sessions that ended: of ``only`` this token, or of all of the user's ``but`` one."""
        for tab in list(self._tabs):
            if tab.user_id == user_id and only in (None, tab.token_hash) and tab.token_hash != but:
                tab.closed = True
                tab.wake()

    @property
    def tabs(self) -> int:
        """How many streams are open."""
        return len(self._tabs)

    def _poke(self) -> None:
        with contextlib.suppress(BlockingIOError):  # a full pipe: it is awake already
            os.write(self._wake_write, b".")

    # -------------------------------------------------------------- the thread
    def _run(self) -> None:
        delay_s = 0.5
        while not self._stopping:
            try:
                self._listen()
            except Exception as failure:
                expected = isinstance(failure, psycopg2.Error)
                delay_s = 0.5 if self.connected else min(5.0, delay_s * 2)
                self.connected, self.why = False, " ".join(str(failure).split())[:200]
                log.log(logging.WARNING if expected else logging.ERROR, "stream: %s", self.why, exc_info=not expected)
                if not self._stopping:
                    time.sleep(delay_s)

    def _listen(self) -> None:
        db = Database("main_app stream", self._dsn)
        try:
            db.listen(tuple(_STALES))
            self._shown.clear()
            self._news = None
            sweep_s = rest_s = float("-inf")
            early: list[Notification] = []
            waiting: set[str] = set()
            while not self._stopping:
                now = time.monotonic()
                waiting |= self._understood([*early, *db.notifications()])
                if now - sweep_s >= _SWEEP_S:
                    sweep_s = now
                    db.one("SELECT 1 AS alive")
                    waiting |= {*TOPICS, "table"}
                self.connected, self.why, self.last_ok_s = True, "", now
                # The price never waits: its watchdog publishes in measure, and its age is on the page. The rest is gathered.
                due = set(waiting) if now - rest_s >= _QUIET_S else waiting & {"price"}
                self._round(db, due, now)
                waiting -= due
                if due - {"price"}:
                    rest_s = time.monotonic()
                early = db.notifications()  # what came during a query lies in libpq already: the socket stays silent
                if not early:
                    left_s = rest_s + _QUIET_S - time.monotonic() if waiting else 1.0
                    select.select([db.fileno(), self._wake_read], [], [], max(0.0, left_s))
                with contextlib.suppress(BlockingIOError):
                    os.read(self._wake_read, 4096)
        finally:
            db.close()

    @staticmethod
    def _understood(notes: Sequence[Notification]) -> set[str]:
        """The topics made stale; for strike tables also the event's own ``table:EVENT``."""
        return {
            f"table:{note.payload}" if note.channel == "strike_table" else _STALES[note.channel]
            for note in notes
            if note.channel in _STALES
        }

    def _round(self, db: Database, stale: set[str], now: float) -> None:
        with self._lock:
            tabs = list(self._tabs)
        if not tabs:
            return
        newcomers = [tab for tab in tabs if tab.fresh]
        if stale & {"trades", "status"}:
            stale.add("news")
        if self.snapshots.live and now - self._trades_s >= _TRADES_S:
            stale.add("trades")
        for topic in TOPICS:
            wanted = tabs if topic in stale else newcomers
            if not wanted:
                continue
            if topic == "trades":
                self._trades_s = now
            picture = self.snapshots.of(topic, db)
            if topic == "news":
                self._tell(db, picture, tabs, newcomers)
                continue
            data = frame(topic, picture)
            for tab in wanted:
                tab.offer(topic, data)
        for want in {want for tab in tabs for want in tab.wants}:
            self._table(db, want, [tab for tab in tabs if want in tab.wants], stale)
        for tab in newcomers:
            tab.fresh = False

    def _tell(self, db: Database, picture: dict[str, Any], tabs: list[Subscriber], newcomers: list[Subscriber]) -> None:
        """News to all when there are any; to newcomers what they have missed, in a slot that no later frame takes."""
        at_ms = picture["now_ms"]
        changed, self._news = picture["items"] != self._news, picture["items"]
        data = frame("news", picture, at_ms)
        for tab in tabs if changed else newcomers:
            if tab.fresh and tab.since_ms is not None:
                missed = self.snapshots.news(db, tab.since_ms) | {"now_ms": at_ms, "since_ms": tab.since_ms}
                tab.offer("missed", frame("news", missed, at_ms))
            else:
                tab.offer("news", data)

    def _table(self, db: Database, want: Want, tabs: list[Subscriber], stale: set[str]) -> None:
        event = want.event or self.snapshots.current_event(want.series)
        changed = self._shown.get(want) != event or "table" in stale or f"table:{event}" in stale
        wanted = tabs if changed else [tab for tab in tabs if tab.fresh]
        if not wanted:
            return
        if len(self._shown) > MAX_TABS:
            self._shown.clear()
        self._shown[want] = event
        data = frame("table", self.snapshots.table(event, db) | {"for": str(want)})
        for tab in wanted:
            tab.offer(f"table {want}", data)
