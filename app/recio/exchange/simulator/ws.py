"""Kalshi's WebSocket v2: subscriptions with a sid each, a seq per sid, snapshots and deltas, pings every 10 s."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterable
from typing import Any

import msgspec
from aiohttp import WSMsgType, web

from recio.exchange.simulator import frames
from recio.exchange.simulator.core import Exchange, MarketEvent
from recio.exchange.simulator.orders import BookChanged, Event, Fill, OrderChanged, Traded

__all__ = ["Connection", "Hub"]

Json = dict[str, Any]
_MARKET_CHANNELS = ("orderbook_delta", "ticker", "trade", "fill", "user_orders", "market_positions")
_CHANNELS = (*_MARKET_CHANNELS, "market_lifecycle_v2", "cfbenchmarks_value")
_COUNTED = ("orderbook_delta", "trade", "market_lifecycle_v2", "cfbenchmarks_value")  # these carry a seq
_MAX_WAITING = 50_000
PING_EVERY_S = 10.0


class _Sub:
    """One channel of one connection. ``tickers`` None is all markets."""

    def __init__(self, sid: int, channel: str, tickers: set[str] | None, yes_priced: bool) -> None:
        self.sid, self.channel, self.tickers, self.yes_priced = sid, channel, tickers, yes_priced
        self.seq = 0

    def wants(self, ticker: str) -> bool:
        return self.tickers is None or ticker in self.tickers


class _CommandError(Exception):
    def __init__(self, code: int, text: str) -> None:
        self.code, self.text = code, text
        super().__init__(text)


class Connection:
    """One client: its subscriptions and what waits to be written to it."""

    def __init__(self, exchange: Exchange, clock_of: Callable[[str], int], cut: Callable[[], None]) -> None:
        """``clock_of`` gives a market's book clock; ``cut`` ends the connection at once."""
        self.subs: dict[int, _Sub] = {}
        self.waiting: list[bytes] = []
        self.more = asyncio.Event()
        self.is_lost = False
        self._exchange, self._clock_of, self._cut = exchange, clock_of, cut
        self._last_sid = 0
        self._encoder = msgspec.json.Encoder()

    # ------------------------------------------------------------------ writing
    def put(self, message: Json) -> None:
        """Queue a message; a client that does not read is given up."""
        if self.is_lost:
            return
        message["sending_ts_ms"] = self._exchange.now_ms()
        self.waiting.append(self._encoder.encode(message) + b"\n")
        if len(self.waiting) > _MAX_WAITING:
            self.is_lost = True
            self.waiting.clear()
            self._cut()
        self.more.set()

    def tell(self, sub: _Sub, kind: str, body: Json, command_id: int | None = None) -> None:
        """A message of a subscription."""
        message: Json = {"type": kind, "sid": sub.sid, "msg": body}
        if sub.channel in _COUNTED:
            sub.seq += 1
            message["seq"] = sub.seq
        if command_id is not None:
            message["id"] = command_id
        self.put(message)

    def on_channel(self, channel: str, ticker: str | None) -> Iterable[_Sub]:
        """Subscriptions that want this."""
        return [s for s in self.subs.values() if s.channel == channel and (ticker is None or s.wants(ticker))]

    # ------------------------------------------------------------------ commands
    def command(self, text: str) -> None:
        """Do what a client says; errors go back with their code."""
        command_id: int | None = None
        try:
            try:
                command = msgspec.json.decode(text)
            except msgspec.DecodeError as problem:
                raise _CommandError(1, "Unable to process message") from problem
            if not isinstance(command, dict):
                raise _CommandError(1, "Unable to process message")
            given = command.get("id")
            command_id = given if isinstance(given, int) else None
            if command.get("cmd") == "list_subscriptions":
                rows = [{"channel": s.channel, "sid": s.sid} for s in self.subs.values()]
                self.put({"type": "ok", "id": command_id, "msg": rows})
                return
            action = {
                "subscribe": self._subscribe,
                "unsubscribe": self._unsubscribe,
                "update_subscription": self._update,
            }.get(str(command.get("cmd")))
            if action is None:
                raise _CommandError(5, "Unknown command")
            params = command.get("params")
            if not isinstance(params, dict):
                raise _CommandError(2, "Params required")
            action(command_id, params)
        except _CommandError as problem:
            self._refuse(command_id, problem.code, problem.text)
        except (TypeError, ValueError, AttributeError):  # of a type no command has
            self._refuse(command_id, 11, "Invalid parameter")

    def _refuse(self, command_id: int | None, code: int, text: str) -> None:
        message: Json = {"type": "error", "msg": {"code": code, "msg": text}}
        self.put(message | ({"id": command_id} if command_id is not None else {}))

    def _subscribe(self, command_id: int | None, params: Json) -> None:
        channels = params.get("channels")
        if not isinstance(channels, list) or not channels:
            raise _CommandError(3, "Channels required")
        if any(channel not in _CHANNELS for channel in channels):
            raise _CommandError(8, "Unknown channel name")
        tickers = _tickers(params)
        if "orderbook_delta" in channels and not tickers:
            raise _CommandError(14, "Market ticker required")
        if "cfbenchmarks_value" in channels and not params.get("index_ids"):
            raise _CommandError(24, "Index ids required")
        for channel in dict.fromkeys(channels):
            self._last_sid += 1
            wanted = set(tickers) if tickers and channel in _MARKET_CHANNELS else None
            sub = _Sub(self._last_sid, channel, wanted, bool(params.get("use_yes_price")))
            self.subs[sub.sid] = sub
            self.put({"type": "subscribed", "id": command_id, "msg": {"channel": channel, "sid": sub.sid}})
            if channel == "orderbook_delta":
                self._snapshots(sub, tickers)
            if channel == "ticker" and params.get("send_initial_snapshot"):
                for ticker in tickers:
                    self._ticker_now(sub, ticker)

    def _unsubscribe(self, command_id: int | None, params: Json) -> None:
        sids = params.get("sids")
        if not isinstance(sids, list) or not sids:
            raise _CommandError(4, "Subscription IDs required")
        if any(sid not in self.subs for sid in sids):
            raise _CommandError(7, "Unknown subscription ID")
        for sid in sids:
            sub = self.subs.pop(sid)
            self.put({"type": "unsubscribed", "id": command_id, "sid": sid, "seq": sub.seq + 1})

    def _update(self, command_id: int | None, params: Json) -> None:
        sids = params.get("sids") if params.get("sid") is None else [params["sid"]]
        if not isinstance(sids, list) or len(sids) != 1:
            raise _CommandError(12, "Exactly one subscription ID is required")
        sub = self.subs.get(sids[0])
        if sub is None:
            raise _CommandError(7, "Unknown subscription ID")
        action, tickers = params.get("action"), _tickers(params)
        if not action:
            raise _CommandError(15, "Action required")
        if action not in ("add_markets", "delete_markets", "get_snapshot"):
            raise _CommandError(13, "Unsupported action")
        if not tickers:
            raise _CommandError(14, "Market ticker required")
        if action == "get_snapshot":
            self._snapshots(sub, tickers, command_id)
            return
        new = [t for t in tickers if sub.tickers is not None and t not in sub.tickers]
        if sub.tickers is not None:
            sub.tickers = sub.tickers | set(tickers) if action == "add_markets" else sub.tickers - set(tickers)
        message: Json = {
            "type": "ok",
            "id": command_id,
            "sid": sub.sid,
            "msg": {"market_tickers": sorted(sub.tickers or ())},
        }
        if sub.channel in _COUNTED:
            sub.seq += 1
            message["seq"] = sub.seq
        self.put(message)
        if action == "add_markets" and sub.channel == "orderbook_delta":
            self._snapshots(sub, new)

    def _snapshots(self, sub: _Sub, tickers: Iterable[str], command_id: int | None = None) -> None:
        for ticker in tickers:
            market = self._exchange.markets.get(ticker)
            if market is None:
                body: Json = {"code": 11, "msg": "Invalid parameter", "market_ticker": ticker}
                sub.seq += 1
                self.put({"type": "error", "sid": sub.sid, "seq": sub.seq, "msg": body})
                continue
            book = self._exchange.engine.book(ticker)
            shown = frames.snapshot(market, book, self._clock_of(ticker), sub.yes_priced)
            self.tell(sub, "orderbook_snapshot", shown, command_id)

    def _ticker_now(self, sub: _Sub, ticker: str) -> None:
        market = self._exchange.markets.get(ticker)
        if market is not None:
            book = self._exchange.engine.book(ticker)
            self.tell(sub, "ticker", frames.ticker(market, book, 0, self._exchange.now_ms()))


class Hub:
    """All connections; turns what happens into frames."""

    def __init__(self, exchange: Exchange) -> None:
        """Listen to the exchange."""
        self._exchange = exchange
        self._connections: set[Connection] = set()
        self._sockets: set[web.WebSocketResponse] = set()
        self._clock = 1  # of all books; a snapshot holds everything up to its clock
        self._changed: dict[str, int] = {}  # ticker -> size of its last trade; to be told by flush
        self._told_ms: dict[str, int] = {}
        exchange.listeners.append(self._hear)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Serve one client until it goes."""
        socket = web.WebSocketResponse(compress=False, max_msg_size=1 << 20, timeout=0.5)
        await socket.prepare(request)
        transport = request.transport
        connection = Connection(
            self._exchange, lambda ticker: self._clock, transport.abort if transport is not None else lambda: None
        )
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
            with contextlib.suppress(asyncio.CancelledError):
                await writer
        return socket

    async def close(self) -> None:
        """Say goodbye to everybody."""
        await asyncio.gather(*(socket.close(code=1001, message=b"going away") for socket in list(self._sockets)))

    async def _write(self, socket: web.WebSocketResponse, connection: Connection) -> None:
        loop = asyncio.get_running_loop()
        next_ping = loop.time() + PING_EVERY_S
        while not socket.closed:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(connection.more.wait(), max(next_ping - loop.time(), 0.0))
            connection.more.clear()
            lines, connection.waiting = connection.waiting, []
            try:
                for line in lines:
                    await socket.send_str(line.decode())
                if loop.time() >= next_ping:
                    next_ping = loop.time() + PING_EVERY_S
                    await socket.ping(b"heartbeat")
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
        market, now_ms = self._exchange.markets[changed.ticker], self._exchange.now_ms()
        for connection in self._connections:
            for sub in connection.on_channel("orderbook_delta", changed.ticker):
                connection.tell(
                    sub, "orderbook_delta", frames.delta(changed, market, self._clock, now_ms, sub.yes_priced)
                )

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

    def tell_index(self, second: int, now_ms: int) -> None:
        """The index of a second, to who subscribed to it."""
        if any(connection.on_channel("cfbenchmarks_value", None) for connection in self._connections):
            body = frames.index_value(self._exchange.index, second, now_ms)
            self._to_all("cfbenchmarks_value", "cfbenchmarks_value", None, lambda: body)


def _tickers(params: Json) -> list[str]:
    many, one = params.get("market_tickers"), params.get("market_ticker")
    if many is not None and one is not None:
        raise _CommandError(11, "Invalid parameter")
    tickers = many if many is not None else ([one] if one else [])
    if not isinstance(tickers, list) or not all(isinstance(t, str) for t in tickers):
        raise _CommandError(11, "Invalid parameter")
    return list(dict.fromkeys(tickers))
