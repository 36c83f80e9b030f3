"""Coinbase Exchange's public data, made from the same path: five channels over WebSocket; candles, ticker, time."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections import OrderedDict
from datetime import UTC, datetime
from typing import Any

import msgspec
from aiohttp import WSMsgType, web

from recio.exchange.simulator.coinbase_book import Depth
from recio.exchange.simulator.core import Exchange
from recio.exchange.simulator.faults import Faults
from recio.exchange.simulator.faults_stream import StreamFaults
from recio.exchange.simulator.render import iso
from recio.exchange.simulator.web import ok

__all__ = ["Coinbase"]

Json = dict[str, Any]
PRODUCT = "BTC-USD"
_CHANNELS = ("ticker", "ticker_batch", "matches", "level2_batch", "heartbeat")
_BATCH_S = 5  # of ticker_batch
_GRANULARITIES = (60, 300, 900, 3600, 21600, 86400)
_MAX_ROWS = 300
_SUBSCRIBE_WITHIN_S = 5.0
_PAST_S = 400 * 86_400  # the past ends somewhere
_SAMPLES = 12  # prices looked at for one candle: enough for highs and lows that look right


class Coinbase:
    """REST and WebSocket below a prefix."""

    def __init__(self, exchange: Exchange, prefix: str, seed: int, faults: Faults | None = None) -> None:
        """``seed`` is for the sizes and the moments of trades."""
        self._faults = faults or Faults()
        self._exchange, self._prefix = exchange, prefix
        self._random = random.Random(seed)  # noqa: S311 - a market, not a secret
        self._clients: dict[web.WebSocketResponse, _Client] = {}
        self._depth = Depth(exchange.index.coinbase_e2(exchange.clock()))
        self._trade_id, self._sequence = int(exchange.clock()), int(exchange.clock()) * 10
        self._last: Json = {}
        self._last_match: Json = {}
        self._candles: OrderedDict[tuple[int, int], list[float | int]] = OrderedDict()

    def routes(self) -> list[web.RouteDef]:
        """What is served."""
        return [
            web.get(f"{self._prefix}/ws", self.stream),
            web.get(f"{self._prefix}/time", self.time),
            web.get(f"{self._prefix}/products/{PRODUCT}/ticker", self.ticker),
            web.get(f"{self._prefix}/products/{PRODUCT}/candles", self.candles),
        ]

    # ------------------------------------------------------------------ REST
    async def time(self, request: web.Request) -> web.Response:
        """GET /time."""
        now_s = self._exchange.clock()
        return ok({"iso": iso(now_s), "epoch": round(now_s, 3)})

    async def ticker(self, request: web.Request) -> web.Response:
        """GET /products/BTC-USD/ticker."""
        now_s = self._exchange.clock()
        price = self._exchange.index.coinbase_e2(now_s)
        return ok(
            {
                "trade_id": self._trade_id,
                "price": _text(price),
                "size": "0.01000000",
                "bid": _text(price - 1),
                "ask": _text(price + 1),
                "volume": "8000.00000000",
                "time": iso(now_s),
            }
        )

    async def candles(self, request: web.Request) -> web.Response:
        """GET /products/BTC-USD/candles: at most 300 rows, newest first, of any time: the path has a past."""
        now_s = self._exchange.clock()
        try:
            granularity = int(request.query.get("granularity", "60"))
            end_s = _moment(request.query.get("end"), now_s)
            start_s = _moment(request.query.get("start"), end_s - _MAX_ROWS * granularity)
        except ValueError as problem:
            return ok({"message": f"Invalid parameter: {problem}"}, 400)
        if granularity not in _GRANULARITIES:
            return ok({"message": "Unsupported granularity"}, 400)
        if (end_s - start_s) / granularity > _MAX_ROWS:
            return ok({"message": f"granularity too small for the requested time range; at most {_MAX_ROWS} rows"}, 400)
        first = int(start_s)
        rows = []
        first = max(first, int(now_s) - _PAST_S)
        first = -(-first // granularity) * granularity
        for at in range(first, int(min(end_s, now_s)) + 1, granularity):
            rows.append(self._candle(at, granularity, now_s))
        return ok(rows[::-1][:_MAX_ROWS])

    def _candle(self, at: int, granularity: int, now_s: float) -> list[float | int]:
        """[time, low, high, open, close, volume]; finished ones are kept."""
        known = self._candles.get((at, granularity))
        if known is not None:
            return known
        ended = at + granularity <= now_s
        last_s = min(at + granularity - 1, int(now_s))
        step = max(1, granularity // _SAMPLES)
        prices = [self._exchange.index.now_e2(s) for s in range(at, last_s, step)]
        prices.append(self._exchange.index.now_e2(last_s))
        volume = 2.0 + (at // granularity * 2654435761 % 1000) / 100
        row = [at, min(prices) / 100, max(prices) / 100, prices[0] / 100, prices[-1] / 100, volume]
        if ended:
            self._candles[at, granularity] = row
            if len(self._candles) > 5_000:
                self._candles.popitem(last=False)
        return row

    # ------------------------------------------------------------------ WebSocket
    async def stream(self, request: web.Request) -> web.StreamResponse:
        """The feed: subscribe within five seconds or be cut."""
        socket = web.WebSocketResponse(compress=False, timeout=0.5)
        await socket.prepare(request)
        transport = request.transport
        wrong = StreamFaults(self._faults, request.path, transport.abort if transport is not None else lambda: None)
        self._clients[socket] = _Client(wrong)
        guard = asyncio.create_task(self._cut_idle(socket))
        try:
            async for message in socket:
                if message.type == WSMsgType.TEXT:
                    await self._command(socket, message.data)
        finally:
            guard.cancel()
            wrong.close()
            self._clients.pop(socket, None)
        return socket

    async def close(self) -> None:
        """Say goodbye to everybody."""
        await asyncio.gather(*(socket.close(code=1001) for socket in list(self._clients)))

    async def _cut_idle(self, socket: web.WebSocketResponse) -> None:
        await asyncio.sleep(_SUBSCRIBE_WITHIN_S)
        client = self._clients.get(socket)
        if client is None or not client.channels:
            await socket.close(code=1008, message=b"subscribe within 5 seconds")

    async def _command(self, socket: web.WebSocketResponse, text: str) -> None:
        try:
            command = msgspec.json.decode(text)
            kind, products = command["type"], command.get("product_ids", [])
            channels = {c if isinstance(c, str) else c["name"] for c in command.get("channels", [])}
            inner = [p for c in command.get("channels", []) if isinstance(c, dict) for p in c.get("product_ids", [])]
        except (msgspec.DecodeError, KeyError, TypeError, AttributeError):
            await _say(socket, {"type": "error", "message": "Malformed JSON", "reason": "not a command"})
            return
        wrong = channels - set(_CHANNELS)
        if kind not in ("subscribe", "unsubscribe") or wrong or set(products) | set(inner) != {PRODUCT}:
            reason = f"{sorted(wrong)} is not a valid channel" if wrong else f"only {PRODUCT} is served"
            await _say(socket, {"type": "error", "message": "Failed to subscribe", "reason": reason})
            return
        client = self._clients.get(socket)
        if client is None:
            return  # cut a moment ago
        client.channels = client.channels | channels if kind == "subscribe" else client.channels - channels
        client.wrong.copies("")
        rows = [{"name": name, "product_ids": [PRODUCT]} for name in sorted(client.channels)]
        await _say(socket, {"type": "subscriptions", "channels": rows})
        if kind == "subscribe":
            await self._begin(socket, channels)

    async def _begin(self, socket: web.WebSocketResponse, channels: set[str]) -> None:
        """What a subscription starts with: the last trade, the whole book."""
        if not self._last:
            self._last_match, self._last = self._match()
        if channels & {"ticker", "ticker_batch"}:
            await _say(socket, self._last)
        if "matches" in channels:
            await _say(socket, self._last_match | {"type": "last_match"})
        if "level2_batch" in channels:
            await _say(socket, {"type": "snapshot", "product_id": PRODUCT, **self._depth.picture()})

    def _match(self) -> tuple[Json, Json]:
        """The next trade, as ``match`` and as ``ticker``."""
        now_s = self._exchange.clock()
        price = self._exchange.index.coinbase_e2(now_s)
        size = f"{self._random.lognormvariate(-4.5, 1.2):.8f}"
        taker = self._random.choice(("buy", "sell"))
        self._trade_id += 1
        self._sequence += self._random.randint(5, 60)
        common = {"product_id": PRODUCT, "sequence": self._sequence, "price": _text(price), "time": iso(now_s)}
        match = {
            "type": "match",
            "trade_id": self._trade_id,
            "maker_order_id": "00000000-0000-4000-8000-000000000000",
            "taker_order_id": "00000000-0000-4000-8000-000000000001",
            "side": "sell" if taker == "buy" else "buy",  # the maker's
            "size": size,
        }
        ticker = {
            "type": "ticker",
            "open_24h": _text(price),
            "volume_24h": "8000.00000000",
            "low_24h": _text(price),
            "high_24h": _text(price),
            "volume_30d": "240000.00000000",
            "best_bid": _text(price - 1),
            "best_bid_size": "0.50000000",
            "best_ask": _text(price + 1),
            "best_ask_size": "0.50000000",
            "side": taker,
            "trade_id": self._trade_id,
            "last_size": size,
        }
        return match | common, ticker | common

    async def trade(self) -> None:
        """A trade happens, and the book moves with it: tell both."""
        self._last_match, self._last = self._match()
        await self._to_all("matches", self._last_match)
        await self._to_all("ticker", self._last)
        now_s = self._exchange.clock()
        changes = self._depth.move(self._exchange.index.coinbase_e2(now_s), self._random)
        if changes:
            update = {"type": "l2update", "product_id": PRODUCT, "time": iso(now_s), "changes": changes}
            await self._to_all("level2_batch", update)

    async def beat(self) -> None:
        """The heartbeat of a second, and every fifth the slow ticker."""
        now_s = self._exchange.clock()
        if int(now_s) % _BATCH_S == 0 and self._last:
            await self._to_all("ticker_batch", self._last)
        await self._to_all(
            "heartbeat",
            {
                "type": "heartbeat",
                "sequence": self._sequence,
                "last_trade_id": self._trade_id,
                "product_id": PRODUCT,
                "time": iso(now_s),
            },
        )

    async def _to_all(self, channel: str, message: Json) -> None:
        for socket, client in list(self._clients.items()):
            if channel not in client.channels:
                continue
            for _ in range(client.wrong.copies(channel)):
                if client.wrong.delay_s:
                    client.say_later(socket, message)
                elif not await _say(socket, message):
                    self._clients.pop(socket, None)  # a slow consumer is cut, as the real feed does


class _Client:
    """What one client wants and what is wrong with its connection."""

    def __init__(self, wrong: StreamFaults) -> None:
        self.channels: set[str] = set()
        self.wrong = wrong
        self._line_s = 0.0  # when the last delayed frame goes out
        self._tasks: set[asyncio.Task[bool]] = set()

    def say_later(self, socket: web.WebSocketResponse, message: Json) -> None:
        """Queue behind what waits already, ``delay_s`` after it, without holding up anybody else."""
        now_s = asyncio.get_running_loop().time()
        self._line_s = max(self._line_s, now_s) + self.wrong.delay_s
        if len(self._tasks) < 1_000:
            task = asyncio.create_task(_say(socket, message, self._line_s - now_s))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)


async def _say(socket: web.WebSocketResponse, message: Json, after_s: float = 0.0) -> bool:
    """Send; False when the client is gone or has not read for so long that half a second does not help."""
    if after_s:
        await asyncio.sleep(after_s)
    with contextlib.suppress(ConnectionError, RuntimeError, TimeoutError):
        await asyncio.wait_for(socket.send_str(msgspec.json.encode(message).decode()), 0.5)
        return True
    return False


def _text(cents: int) -> str:
    return f"{cents // 100}.{cents % 100:02d}"


def _moment(text: str | None, default: float) -> float:
    """ISO time or epoch seconds."""
    if not text:
        return default
    if text.isdigit():
        return float(text)
    moment = datetime.fromisoformat(text)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
