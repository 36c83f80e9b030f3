"""One keep-alive HTTP/1.1 connection that knows whether a request left this host.

Standard library only: twelve processes on a small host each carry what they import.
"""

from __future__ import annotations

import http.client
import select
import socket
import time
from collections.abc import Callable
from datetime import UTC
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

import msgspec

from recio.exchange.errors import NotSent, OutcomeUnknown

__all__ = ["HttpConnection", "HttpResponse"]

MAX_BODY_BYTES = 32 * 1024 * 1024
# A server may close an idle connection at any moment; a request that changes something is never sent down one that
# has been idle for longer than this, because then nobody could say whether it arrived.
FRESH_FOR_POST_S = 2.0
FRESH_FOR_GET_S = 30.0


class HttpResponse(msgspec.Struct, frozen=True):
    """A whole answer. ``server_time_s`` comes from the Date header (whole seconds), None without one."""

    status: int
    body: bytes
    server_time_s: float | None
    latency_s: float


class HttpConnection:
    """Requests one after another to one origin. Not thread-safe: one per thread."""

    def __init__(self, base_url: str, timeout_s: float = 5.0, user_agent: str = "recio") -> None:
        """``base_url`` like ``https://host[:port]/prefix``; ValueError names a wrong one."""
        parts = urlsplit(base_url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query:
            raise ValueError(f"not an http(s) base URL: {base_url!r}; expected for example 'https://host/trade-api/v2'")
        self.base_url = base_url.rstrip("/")
        self.prefix = parts.path.rstrip("/")
        self._tls = parts.scheme == "https"
        self._host = parts.hostname
        self._port = parts.port or (443 if self._tls else 80)
        self._timeout_s = timeout_s
        self._user_agent = user_agent
        self._connection: http.client.HTTPConnection | None = None
        self._idle_since = 0.0
        self.sent_ns = 0  # when the last request's bytes were handed to the kernel; the host's monotonic clock

    def close(self) -> None:
        """Drop the connection; the next request opens a new one."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def idle_s(self) -> float:
        """Seconds since the last answer; infinite before the first and after a failure."""
        return time.monotonic() - self._idle_since if self._connection is not None else float("inf")

    def _is_usable(self, fresh_s: float) -> bool:
        """Young enough, and the server has not hung up (a readable idle socket is a goodbye)."""
        connection = self._connection
        if connection is None or connection.sock is None or time.monotonic() - self._idle_since > fresh_s:
            return False
        readable, _, _ = select.select([connection.sock], [], [], 0)
        return not readable

    def _connect(self) -> http.client.HTTPConnection:
        """A connected connection. NotSent when there is no way to the server."""
        self.close()
        kind = http.client.HTTPSConnection if self._tls else http.client.HTTPConnection
        connection = kind(self._host, self._port, timeout=self._timeout_s)
        connection.auto_open = 0  # never reconnect behind our back: it decides between NotSent and OutcomeUnknown
        try:
            connection.connect()
        except OSError as problem:  # refused, DNS, TLS, timeout: no byte of a request went out
            connection.close()
            raise NotSent(f"cannot connect to {self._host}:{self._port}: {problem}") from problem
        connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._connection = connection
        return connection

    def request(
        self, method: str, path: str, headers: Callable[[], dict[str, str]] | None = None, body: bytes | None = None
    ) -> HttpResponse:
        """Send once, read once. ``path`` is below the base URL, with its query. ``headers`` is called right before
        sending, so that a signature is as young as can be.

        Raises NotSent before a byte went out, OutcomeUnknown after. Never retries.
        """
        fresh_s = FRESH_FOR_GET_S if method in ("GET", "HEAD") else FRESH_FOR_POST_S
        connection = self._connection if self._is_usable(fresh_s) else None
        if connection is None:
            connection = self._connect()
        sent_headers = {"User-Agent": self._user_agent, "Accept": "application/json"}
        if body is not None:
            sent_headers["Content-Type"] = "application/json"
        if headers is not None:
            sent_headers |= headers()
        where = f"{method} {self.base_url}{path.partition('?')[0]}"
        started = time.monotonic()
        try:
            connection.request(method, self.prefix + path, body=body, headers=sent_headers)
            self.sent_ns = time.monotonic_ns()
            response = connection.getresponse()
            payload = self._read(connection, response, started + self._timeout_s)
        except (OSError, http.client.HTTPException) as problem:
            self.close()
            raise OutcomeUnknown(f"{where}: {_plain(problem)} after the request was sent") from problem
        finished = time.monotonic()
        if response.will_close:
            self.close()
        self._idle_since = finished
        return HttpResponse(response.status, payload, _date(response.getheader("Date")), finished - started)

    def _read(
        self, connection: http.client.HTTPConnection, response: http.client.HTTPResponse, deadline: float
    ) -> bytes:
        """The body, within the deadline as a whole: a server that drips bytes must not hold a service."""
        pieces: list[bytes] = []
        size = 0
        while piece := response.read1(1 << 18):
            pieces.append(piece)
            size += len(piece)
            left_s = deadline - time.monotonic()
            if size > MAX_BODY_BYTES:
                raise http.client.HTTPException(f"body larger than {MAX_BODY_BYTES} bytes")
            if left_s <= 0:
                raise TimeoutError(f"body not complete within {self._timeout_s} s")
            if connection.sock is not None:
                connection.sock.settimeout(left_s)
        if response.length:
            raise http.client.IncompleteRead(b"", response.length)
        response.close()  # read1 leaves an answer of known length open at its end, and the connection unusable with it
        if connection.sock is not None:
            connection.sock.settimeout(self._timeout_s)
        return b"".join(pieces)


def _plain(problem: Exception) -> str:
    return f"{type(problem).__name__}: {problem}" if str(problem) else type(problem).__name__


def _date(text: str | None) -> float | None:
    if not text:
        return None
    try:
        moment = parsedate_to_datetime(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
