"""Kalshi's WebSocket v2: what happens on the exchange as frames to everybody who subscribed; pings every 10 s."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any

import msgspec
from aiohttp import WSMsgType, web

from recio.exchange.simulator import frames
from recio.exchange.simulator.core import Exchange, MarketEvent
from recio.exchange.simulator.faults import Faults
from recio.exchange.simulator.faults_stream import StreamFaults
from recio.exchange.simulator.orders import BookChanged, Event, Fill, GroupChanged, OrderChanged, Traded
from recio.exchange.simulator.ws_client import Connection

__all__ = ["Hub"]

Json = dict[str, Any]
PING_EVERY_S = 10.0
_MANY_TOLD = 5_000


class Hub:
    """All connections; turns what happens into frames."""

    def __init__(self, exchange: Exchange, faults: Faults | None = None) -> None:
        """Listen to the exchange."""
        self._exchange, self._faults = exchange, faults or Faults()
        self._connections: set[Connection] = set()
        self._sockets: set[web.WebSocketResponse] = set()
        self._clock = 1  # of all books; a snapshot holds everything up to its clock
        self._changed: dict[str, int] = {}  # ticker -> size of its last trade; to be told by flush
        self._told_ms: dict[str, int] = {}
        exchange.listeners.append(self._hear)
        exchange.group_listeners.append(self._hear_group)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Serve one client until it goes."""
        socket = web.WebSocketResponse(compress=False, max_msg_size=1 << 20, timeout=0.5)
        await socket.prepare(request)
        transport = request.transport
        cut = transport.abort if transport is not None else lambda: None
        wrong = StreamFaults(self._faults, request.path, cut)
        connection = Connection(self._exchange, lambda ticker: self._clock, cut, wrong)
        self._connections.add(connection)
        self._sockets.add(socket)
        writer = asyncio.create_task(self._write(socket, connection))
        try:
            async for message in socket:
                if message.type == WSMsgType.TEXT:
                    connection.command(message.data)
                elif message.type == WSMsgType.BINARY:
                    connection.command("")
        finally:
            self._connections.discard(connection)
            self._sockets.discard(socket)
            writer.cancel()
            wrong.close()
            with contextlib.suppress(asyncio.CancelledError):
                await writer
        return socket

    async def close(self) -> None:
        """Say goodbye to everybody."""
        await asyncio.gather(*(socket.close(code=1001, message=b"going away") for socket in list(self._sockets)))

    async def _write(self, socket: web.WebSocketResponse, connection: Connection) -> None:
        loop = asyncio.get_running_loop()
        next_ping = loop.time() + PING_EVERY_S
        try:
            while not socket.closed:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(connection.more.wait(), max(next_ping - loop.time(), 0.0))
                connection.more.clear()
                lines, connection.waiting = connection.waiting, []
                for line in lines or (b"",):
                    if loop.time() >= next_ping:
                        next_ping = loop.time() + PING_EVERY_S
                        await socket.ping(b"heartbeat")
                    if line and connection.faults.delay_s:
                        await asyncio.sleep(connection.faults.delay_s)
                    if line:
                        await socket.send_str(line.decode())
        except (ConnectionError, RuntimeError):
            return  # the client is gone; its reader ends too

    def _hear(self, event: Event | MarketEvent) -> None:
        if isinstance(event, BookChanged):
            self._clock += 1
            self._changed.setdefault(event.ticker, 0)
            self._book_changed(event)
        elif isinstance(event, Traded):
            self._changed[event.ticker] = event.count_e2
            self._to_all("trade", "trade", event.ticker, lambda: frames.trade(event))
        elif isinstance(event, Fill):
            self._to_all("fill", "fill", event.ticker, lambda: frames.fill(event))
            held = self._exchange.engine.account.positions[event.ticker]
            self._to_all("market_positions", "market_position", event.ticker, lambda: frames.market_position(held))
        elif isinstance(event, OrderChanged):
            order = event.order
            self._to_all("user_orders", "user_order", order.ticker, lambda: frames.user_order(order))
        else:
            body = frames.lifecycle(event.kind, event.market)
            if body is not None:
                self._to_all("market_lifecycle_v2", "market_lifecycle_v2", None, lambda: body)
            if event.kind == "settled":
                self._told_ms.pop(event.market.ticker, None)

    def _to_all(self, channel: str, kind: str, ticker: str | None, body: Callable[[], Json]) -> None:
        for connection in self._connections:
            for sub in connection.on_channel(channel, ticker):
                connection.tell(sub, kind, body())

    def _book_changed(self, changed: BookChanged) -> None:
        """A delta, written once for each way of pricing NO and shared by everybody who wants it so."""
        written: dict[bool, msgspec.Raw] = {}
        for connection in self._connections:
            for sub in connection.on_channel("orderbook_delta", changed.ticker):
                body = written.get(sub.yes_priced)
                if body is None:
                    market, now_ms = self._exchange.markets[changed.ticker], self._exchange.now_ms()
                    told = frames.delta(changed, market, self._clock, now_ms, sub.yes_priced)
                    body = written[sub.yes_priced] = msgspec.Raw(msgspec.json.encode(told))
                connection.tell(sub, "orderbook_delta", body)

    def flush(self, now_ms: int) -> None:
        """Tell the tickers of books that changed, at most once a second for each market."""
        later: dict[str, int] = {}
        for ticker, last_e2 in self._changed.items():
            if now_ms - self._told_ms.get(ticker, 0) < 1_000:
                later[ticker] = last_e2
                continue
            market = self._exchange.markets.get(ticker)
            if market is None:
                continue
            self._told_ms[ticker] = now_ms
            body = frames.ticker(market, self._exchange.engine.book(ticker), last_e2, now_ms)
            self._to_all("ticker", "ticker", ticker, lambda body=body: body)  # type: ignore[misc]
        self._changed = later
        if len(self._told_ms) > _MANY_TOLD:  # what was told over a second ago holds nothing back any more
            self._told_ms = {ticker: at_ms for ticker, at_ms in self._told_ms.items() if now_ms - at_ms < 1_000}

    def _hear_group(self, changed: GroupChanged) -> None:
        body = frames.order_group(changed)
        self._to_all("order_group_updates", "order_group_updates", None, lambda: body)

    def tell_index(self, second: int, now_ms: int) -> None:
        """The index of a second, to who subscribed to it."""
        if self._listens("cfbenchmarks_value"):
            body = frames.index_value(self._exchange.index, second, now_ms)
            self._to_all("cfbenchmarks_value", "cfbenchmarks_value", body["index_id"], lambda: body)

    def tell_index_5hz(self, at_s: float, now_ms: int) -> None:
        """The index at a fifth of a second."""
        if self._listens("cfbenchmarks_value_5hz"):
            body = frames.index_value_5hz(self._exchange.index, at_s, now_ms)
            self._to_all("cfbenchmarks_value_5hz", "cfbenchmarks_value_5hz", body["index_id"], lambda: body)

    def _listens(self, channel: str) -> bool:
        return any(connection.on_channel(channel, None) for connection in self._connections)
