"""Faults set on a running simulator, and what a client of ours sees of them."""

from __future__ import annotations

import http.client
import json
import select
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from simulator_process import Process

from recio.exchange.kalshi import messages
from recio.exchange.kalshi.book import Books
from recio.exchange.kalshi.book_subscription import BookSubscription
from recio.exchange.kalshi.models import Market, NewOrder
from recio.exchange.kalshi.subscribe import subscribe, ws_headers
from recio.exchange.stream import Feed

ORDERS = "/trade-api/v2/portfolio/events/orders"


def admin(simulator: Process, method: str, body: object = None, **headers: str) -> tuple[int, Any]:
    """One call of /admin/faults."""
    connection = http.client.HTTPConnection("127.0.0.1", simulator.port, timeout=5)
    payload = body if isinstance(body, bytes) else None if body is None else json.dumps(body).encode()
    connection.request(method, "/admin/faults", payload, headers)
    response = connection.getresponse()
    answer = json.loads(response.read())
    connection.close()
    return response.status, answer


@contextmanager
def faults(simulator: Process, *rows: dict[str, Any]) -> Iterator[Callable[[], list[int]]]:
    """These faults for a while; the value tells how often each was committed."""
    status, answer = admin(simulator, "PUT", {"faults": list(rows), "seed": 7})
    assert status == 200, answer
    try:
        yield lambda: [row["hits"] for row in admin(simulator, "GET")[1]["faults"]]
    finally:
        admin(simulator, "DELETE")


def order_for(market: Market, price_e4: int = 9_900, **more: object) -> NewOrder:
    """An order that fills at once, or with a low price rests."""
    values = {"ticker": market.ticker, "book_side": "bid", "count_e2": 100, "yes_price_e4": price_e4}
    return NewOrder(**(values | {"client_order_id": str(uuid.uuid4())} | more))  # type: ignore[arg-type]


def feed_of(simulator: Process, hello: list[bytes], **more: Any) -> Feed:
    """A signed feed that reconnects quickly."""
    return Feed(
        simulator.ws,
        lambda: ws_headers("k", simulator.pem, simulator.ws),
        hello,
        "test",
        **({"backoff_base_s": 0.1, "backoff_cap_s": 0.4} | more),
    )


class Watcher:
    """Follows order books with the watchdog's own parts: gap -> stale -> snapshot, terminal error -> subscribe again."""

    def __init__(self, simulator: Process, tickers: list[str], **more: Any) -> None:
        self.tickers = tickers
        self.books, self.subscription = Books(), BookSubscription()
        self.asked = self.subscribed = self.deltas = 0
        self.audits = False  # ask for snapshots of whole books too
        self.connection = 0
        self.feed = feed_of(simulator, [subscribe(1, ["market_lifecycle_v2"])], **more)

    def follow(self, seconds: float, until: Callable[[], bool] | None = None) -> bool:
        """Work for so long; with a condition until it holds, at most four times so long: machines are busy. Whether it did."""
        deadline = time.monotonic() + (seconds if until is None else 4 * seconds)
        while time.monotonic() < deadline and not (until is not None and until()):
            select.select([self.feed], [], [], 0.2)
            for frame in self.feed.drain():
                self._take(frame.connection, messages.parse_frame(frame.data), frame.received_s)
            if self.feed.connected and self.connection == self.feed.connections:
                self._ask()
        return until is not None and until()

    def _ask(self) -> None:
        stale = [ticker for tickers in self.books.stale_by_sid().values() for ticker in tickers]
        for line in self.subscription.commands(self.tickers, self.tickers if self.audits else stale, time.monotonic()):
            self.asked += b'"get_snapshot"' in line
            self.subscribed += b'"subscribe"' in line
            self.feed.send(line)

    def _take(self, connection: int, message: messages.Message, received_s: float) -> None:
        if connection != self.connection:
            self.connection = connection
            self.books.reset()
            self.subscription.reset()
        self.subscription.take(message)
        changed = self.books.apply(message, received_s)
        if isinstance(message, messages.ErrorFrame) and message.is_terminal:
            assert not self.books.stale_by_sid() and not self.whole, "stale, and nobody left to ask for snapshots"
        self.deltas += isinstance(message, messages.BookDelta) and changed is not None
        assert changed is None or changed.stale or not changed.crossed

    @property
    def whole(self) -> bool:
        """Every book is there and trusted."""
        return all((book := self.books.get(t)) is not None and not book.stale for t in self.tickers)
