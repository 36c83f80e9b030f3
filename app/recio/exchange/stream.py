"""A WebSocket that stays connected, in a thread, with a pipe to wake a select() loop.

connecting --hello sent--> connected --closed, silent, lagging or overflow--> waiting (full jitter) --> connecting
"""

from __future__ import annotations

import contextlib
import logging
import os
import random
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from recio.exchange.age import AgeWatch

if TYPE_CHECKING:
    from websockets.sync.client import ClientConnection

__all__ = ["Feed", "Frame"]

log = logging.getLogger(__name__)


class Frame(NamedTuple):
    """A frame as it came. ``connection`` counts from 1: when it changes, all state is to be rebuilt."""

    received_s: float
    data: bytes
    connection: int
    received_ns: int = 0  # by the host's monotonic clock, which all its processes share


class Feed:
    """One WebSocket. The thread runs from the start until ``close``; every method is safe from any thread."""

    def __init__(
        self,
        url: str,
        headers: Callable[[], dict[str, str]] | None,
        hello: Sequence[bytes] | Callable[[], Sequence[bytes]],
        name: str,
        *,
        silence_s: float = 30.0,
        pings_count: bool = False,
        age_growth_s: float = 2.5,
        max_frames: int = 20_000,
        backoff_base_s: float = 0.5,
        backoff_cap_s: float = 30.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Start connecting. ``headers`` and ``hello`` are asked anew for each connection (signatures age).

        No data frame for ``silence_s`` means dead, healthy pings or not; with ``pings_count`` the server's pings count
        as life too (private channels may rightly be silent for hours). Frames that get older than they were by more
        than ``age_growth_s``, for 3 s on end, mean that the connection lags: it is made anew (0: never). More than
        ``max_frames`` waiting means that the reader is too slow: the queue is dropped and the connection made anew, so
        that nobody trades on the remains.
        """
        self.url, self.name = url, name
        self.connected = False
        self.last_frame_s: float | None = None  # of data; the age to show
        self.connections = 0
        self.overflows = 0
        self.age_s: float | None = None  # of the last frame that told its time, on arrival; includes clock differences
        self.last_error = ""
        self._headers, self._hello = headers, hello
        self._silence_s, self._pings_count, self._max_frames = silence_s, pings_count, max_frames
        self._age_growth_s = age_growth_s
        self._backoff_base_s, self._backoff_cap_s, self._clock = backoff_base_s, backoff_cap_s, clock
        self._frames: deque[Frame] = deque()
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._live: ClientConnection | None = None
        self._wake_read, self._wake_write = os.pipe()
        os.set_blocking(self._wake_read, False)
        os.set_blocking(self._wake_write, False)
        self._thread = threading.Thread(target=self._run, name=f"feed-{name}", daemon=True)
        self._thread.start()

    # ------------------------------------------------------------------ for the owner
    def fileno(self) -> int:
        """Readable when frames wait or the connection's state changed; ``drain`` makes it quiet again."""
        return self._wake_read

    def drain(self) -> list[Frame]:
        """All frames that wait, oldest first."""
        with contextlib.suppress(BlockingIOError):
            os.read(self._wake_read, 4096)
        with self._lock:
            frames = list(self._frames)
            self._frames.clear()
        return frames

    def send(self, data: bytes) -> bool:
        """Send a text frame. False when there is no connection: the next ``hello`` has to say it then."""
        from websockets.exceptions import WebSocketException

        live = self._live
        if live is None or not self.connected:
            return False
        try:
            live.send(data.decode())
        except (WebSocketException, OSError) as problem:
            self.last_error = str(problem)
            return False
        return True

    def renew(self) -> None:
        """Leave this connection and make another: for an owner who knows that it does not bring what was asked for."""
        self._drop()

    def close(self) -> None:
        """End the thread and the connection; waits up to 3 s."""
        self._ended.set()
        self._drop()
        if threading.current_thread() is not self._thread:
            self._thread.join(3.0)
        with self._lock:
            for end in (self._wake_read, self._wake_write):
                if end >= 0:
                    os.close(end)
            self._wake_read = self._wake_write = -1

    # ------------------------------------------------------------------ the thread
    def _run(self) -> None:
        from websockets.exceptions import WebSocketException

        attempt = 0
        while not self._ended.is_set():
            frames_before = self.last_frame_s
            try:
                self._live_once()
            except (WebSocketException, OSError, TimeoutError) as problem:
                self.last_error = f"{type(problem).__name__}: {problem}"
                if not self._ended.is_set():
                    log.warning("feed %s: %s (%s)", self.name, self.last_error, self.url)
            except Exception as problem:  # headers() or hello() of the owner: say it, and try again
                self.last_error = f"{type(problem).__name__}: {problem}"
                log.exception("feed %s: cannot prepare the connection to %s", self.name, self.url)
            self.connected = False
            self._live = None
            self._wake()
            attempt = 0 if self.last_frame_s != frames_before else attempt + 1
            cap_s = min(self._backoff_cap_s, self._backoff_base_s * 2**attempt)
            self._ended.wait(random.uniform(0.05, cap_s))  # noqa: S311 - jitter, not a secret

    def _live_once(self) -> None:
        """One connection, from the handshake to its end."""
        from websockets.sync.client import connect

        alive_s = [time.monotonic()]
        ages = AgeWatch(self._age_growth_s)
        with connect(
            self.url,
            additional_headers=self._headers() if self._headers else None,
            user_agent_header="recio",
            compression=None,
            proxy=None,
            open_timeout=10,
            ping_interval=None,  # silence is judged here: one thread less
            close_timeout=1,
            max_size=16 * 1024 * 1024,
            max_queue=1024,
        ) as live:
            if self._pings_count:
                _notice_control_frames(live, alive_s)
            self._live = live
            self.connections += 1
            number = self.connections
            for line in self._hello() if callable(self._hello) else self._hello:
                live.send(line.decode())
            self.connected = True
            self._wake()
            log.info("feed %s: connected to %s (connection %d)", self.name, self.url, number)
            alive_s[0] = time.monotonic()
            while not self._ended.is_set():
                try:
                    data = live.recv(timeout=1.0, decode=False)
                except TimeoutError:
                    if time.monotonic() - alive_s[0] > self._silence_s:
                        raise TimeoutError(f"no frame for {self._silence_s:g} s") from None
                    continue
                alive_s[0] = time.monotonic()
                self._put(data, number)
                lag_s = ages.see(data, self.last_frame_s or 0.0)
                self.age_s = ages.age_s
                if lag_s:
                    raise TimeoutError(f"frames arrive {lag_s:.1f} s later than they did at first")

    def _put(self, data: bytes, number: int) -> None:
        now_s = self._clock()
        self.last_frame_s = now_s
        with self._lock:
            was_empty = not self._frames
            if len(self._frames) >= self._max_frames:
                self._frames.clear()
                self.overflows += 1
                raise OSError(f"{self._max_frames} frames were not read in time; starting over")
            self._frames.append(Frame(now_s, data, number, time.monotonic_ns()))
        if was_empty:
            self._wake()

    def _wake(self) -> None:
        with self._lock:
            if self._wake_write >= 0:
                with contextlib.suppress(BlockingIOError):
                    os.write(self._wake_write, b"!")

    def _drop(self) -> None:
        live = self._live
        if live is not None:
            with contextlib.suppress(Exception):  # it is going away; whatever it says about that changes nothing
                live.close()


def _notice_control_frames(live: ClientConnection, alive_s: list[float]) -> None:
    """Let every frame of the connection, the server's pings included, count as a sign of life."""
    handle = live.process_event

    def noticing(event: object) -> None:
        alive_s[0] = time.monotonic()
        handle(event)  # type: ignore[arg-type]

    live.process_event = noticing  # type: ignore[method-assign]
