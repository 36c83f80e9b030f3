"""One listening connection for every tab: notifications say what changed, rows are read once and fanned out.

    PostgreSQL NOTIFY --> hub thread (reads the rows) --> each tab's slots: one frame per topic, the newest wins

Every frame is a whole picture of its topic, so a slow tab skips frames instead of falling behind, memory is bounded by
the number of topics, and a tab that reconnects has missed nothing. Besides notifications the hub sweeps every 5 s.
"""

from __future__ import annotations

import asyncio
import logging
import os
import select
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from recio.store import web_queries as queries
from recio.store.db import Database, DatabaseGone, Notification
from recio.trading.settings import KINDS, read, to_dict
from recio.web.status import StatusBoard
from recio.web.wire import encode, wire, wire_all

__all__ = ["Hub", "Subscriber", "TooManyTabs", "Want", "frame"]

log = logging.getLogger("recio.web")

CHANNELS = (
    "price", "strike_table", "trade", "order_update", "order_intent", "fill", "settlement", "ticket", "setting", "incident",
)  # fmt: skip
_TRADES = {"trade", "order_update", "order_intent", "fill", "settlement", "ticket"}
_SWEEP_S = 5.0
_QUIET_S = 0.05  # between two rounds: a burst of notifications becomes one reading
MAX_TABS = 100


class TooManyTabs(RuntimeError):
    """More streams are open than one page serves."""


@dataclass(frozen=True)
class Want:
    """Which strike table a tab shows: an event, or whatever event of a series closes next."""

    event: str = ""
    series: str = ""


@dataclass(eq=False)
class Subscriber:
    """One tab: a slot per topic, filled by the hub's thread, emptied by the tab's own coroutine."""

    want: Want
    user_id: str
    token_hash: bytes
    loop: asyncio.AbstractEventLoop
    ready: asyncio.Event = field(default_factory=asyncio.Event)
    closed: bool = False
    fresh: bool = True
    _slots: dict[str, bytes] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def offer(self, topic: str, data: bytes) -> None:
        """Put the newest frame of a topic into its slot."""
        with self._lock:
            self._slots[topic] = data
        self.wake()

    def wake(self) -> None:
        """Let the tab's coroutine look."""
        try:
            self.loop.call_soon_threadsafe(self.ready.set)
        except RuntimeError:  # its event loop is closed: the server is stopping
            self.closed = True

    def take(self) -> bytes:
        """Everything that waits, oldest topic first."""
        with self._lock:
            data = b"".join(self._slots.values())
            self._slots.clear()
        return data


def frame(topic: str, value: Any) -> bytes:
    """One server-sent event."""
    return b"event: " + topic.encode() + b"\ndata: " + encode(value) + b"\n\n"


class Hub:
    """The thread between the database and the tabs."""

    def __init__(
        self, dsn: str, user_id: str, mode: str, series: Sequence[str], status: StatusBoard,
        clock: Callable[[], float] = time.time,
    ) -> None:  # fmt: skip
        self._dsn, self._user_id, self._mode, self._series = dsn, user_id, mode, tuple(series)
        self._status, self._clock = status, clock
        self._tabs: set[Subscriber] = set()
        self._lock = threading.Lock()
        self._stopping = False
        self._wake_read, self._wake_write = os.pipe()
        os.set_blocking(self._wake_write, False)
        os.set_blocking(self._wake_read, False)
        self._thread = threading.Thread(target=self._run, name="stream", daemon=True)
        self._events: list[dict[str, Any]] = []
        self._shown: dict[Want, str] = {}
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
                raise TooManyTabs(f"{MAX_TABS} streams are open; close a tab")
            self._tabs.add(tab)
        self._poke()

    def unsubscribe(self, tab: Subscriber) -> None:
        """A tab closed."""
        with self._lock:
            self._tabs.discard(tab)

    def end_session(self, token_hash: bytes, *, others_of: str = "") -> None:
        """Close the tabs of a session that ended; with ``others_of`` all tabs of that user but this session's."""
        for tab in list(self._tabs):
            mine = tab.token_hash == token_hash
            if (mine and not others_of) or (others_of and tab.user_id == others_of and not mine):
                tab.closed = True
                tab.wake()

    @property
    def tabs(self) -> int:
        """How many streams are open."""
        return len(self._tabs)

    def _poke(self) -> None:
        try:
            os.write(self._wake_write, b".")
        except BlockingIOError:
            pass  # it is awake already

    # -------------------------------------------------------------- the thread
    def _run(self) -> None:
        delay_s = 0.5
        while not self._stopping:
            try:
                self._listen()
                delay_s = 0.5
            except Exception as failure:
                expected = isinstance(failure, DatabaseGone)
                self.connected, self.why = False, " ".join(str(failure).split())[:200]
                log.log(logging.WARNING if expected else logging.ERROR, "stream: %s", self.why, exc_info=not expected)
                if not self._stopping:
                    select.select([self._wake_read], [], [], delay_s)
                    self._drain()
                delay_s = min(5.0, delay_s * 2)

    def _drain(self) -> None:
        try:
            while os.read(self._wake_read, 512):
                pass
        except BlockingIOError:
            pass

    def _listen(self) -> None:
        db = Database("main_app stream", self._dsn)
        try:
            db.listen(CHANNELS)
            self._shown.clear()
            sweep_s = float("-inf")
            while not self._stopping:
                now = time.monotonic()
                dirty: set[str] = set()
                if now - sweep_s >= _SWEEP_S:
                    sweep_s = now
                    db.one("SELECT 1 AS alive")
                    dirty |= {"price", "events", "trades", "switches", "status", "tables"}
                dirty |= self._understood(db.notifications())
                self.connected, self.why, self.last_ok_s = True, "", now
                self._round(db, dirty)
                time.sleep(_QUIET_S)
                select.select([db.fileno(), self._wake_read], [], [], 1.0 - _QUIET_S)
                self._drain()
        finally:
            db.close()

    @staticmethod
    def _understood(notes: Sequence[Notification]) -> set[str]:
        dirty = set()
        for note in notes:
            if note.channel in _TRADES:
                dirty.add("trades")
            elif note.channel == "strike_table":
                dirty.add(f"table:{note.payload}")
            else:
                dirty.add({"price": "price", "setting": "switches", "incident": "status"}[note.channel])
        return dirty

    def _round(self, db: Database, dirty: set[str]) -> None:
        with self._lock:
            tabs = list(self._tabs)
        if not tabs:
            return
        newcomers = [tab for tab in tabs if tab.fresh]
        topics = {"price", "events", "trades", "switches", "status"}
        for topic in ("events", "price", "trades", "switches", "status"):
            wanted = tabs if topic in dirty or (topic == "trades" and "table" in "".join(dirty)) else newcomers
            if wanted and topic in topics:
                data = frame(topic, getattr(self, f"_{topic}")(db))
                for tab in wanted:
                    tab.offer(topic, data)
        self._tables(db, tabs, newcomers, dirty)
        for tab in newcomers:
            tab.fresh = False

    # -------------------------------------------------------------- what each topic says
    def now_ms(self) -> int:
        """The server's clock: tabs measure ages by it."""
        return round(self._clock() * 1000)

    def _price(self, db: Database) -> dict[str, Any]:
        row = queries.price(db)
        return {"now_ms": self.now_ms(), "price": wire(row) if row else None}

    def _events(self, db: Database) -> dict[str, Any]:
        self._open = queries.events(db, self._mode, self._series)
        return {"now_ms": self.now_ms(), "events": wire_all(self._open)}

    def _trades(self, db: Database) -> dict[str, Any]:
        live = queries.live_trades(db, self._user_id, self._mode)
        done = queries.trades(db, self._user_id, self._mode, queries.TradeFilter("closed"), 6, None)
        return {"now_ms": self.now_ms(), "live": wire_all(live), "done": wire_all(done)}
