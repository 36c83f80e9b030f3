"""One client of the WebSocket: its commands, its subscriptions (a sid each, a seq per sid), what waits to be sent."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import msgspec

from recio.exchange.simulator import frames
from recio.exchange.simulator.core import Exchange
from recio.exchange.simulator.faults_stream import StreamFaults

__all__ = ["INDEXES", "Connection"]

Json = dict[str, Any]
_MARKET_CHANNELS = ("orderbook_delta", "ticker", "trade", "fill", "user_orders", "market_positions")
_INDEX_CHANNELS = ("cfbenchmarks_value", "cfbenchmarks_value_5hz")
_CHANNELS = (*_MARKET_CHANNELS, "order_group_updates", "market_lifecycle_v2", *_INDEX_CHANNELS)
_COUNTED = ("orderbook_delta", "trade", "market_lifecycle_v2", "order_group_updates", *_INDEX_CHANNELS)  # carry a seq
_MARKET_ACTIONS = ("add_markets", "delete_markets", "get_snapshot")
_INDEX_ACTIONS = ("subscribe_indices", "unsubscribe_indices", "indexlist")
_MAX_WAITING = 50_000
INDEXES = ("BRTI",)


class _Sub:
    """One channel of one connection. ``tickers`` None is all markets; ``indexes`` may hold 'all'."""

    def __init__(self, sid: int, channel: str, tickers: set[str] | None, params: Json) -> None:
        self.sid, self.channel, self.tickers = sid, channel, tickers
        self.yes_priced = bool(params.get("use_yes_price"))
        self.short_ok = bool(params.get("skip_ticker_ack"))
        self.indexes: set[str] = set()
        self.seq = 0

    def wants(self, name: str) -> bool:
        if self.channel in _INDEX_CHANNELS:
            return name in self.indexes or "all" in self.indexes
        return self.tickers is None or name in self.tickers


class _CommandError(Exception):
    def __init__(self, code: int, text: str) -> None:
        self.code, self.text = code, text
        super().__init__(text)


class Connection:
    """One client: its subscriptions and what waits to be written to it."""

    def __init__(
        self,
        exchange: Exchange,
        clock_of: Callable[[str], int],
        cut: Callable[[], None],
        faults: StreamFaults,
    ) -> None:
        """``clock_of`` gives a market's book clock; ``cut`` ends the connection at once.

        ``exchange.compat`` 'spec' leaves an empty side out of a snapshot, as specified; 'sdk' sends it empty, because
        released SDKs drop a snapshot without it, and every delta after it.
        """
        self.subs: dict[int, _Sub] = {}
        self.waiting: list[bytes] = []
        self.more = asyncio.Event()
        self.is_lost = False
        self.faults = faults
        self._exchange, self._clock_of, self._cut = exchange, clock_of, cut
        self._both_sides = exchange.compat == "sdk"
        self._last_sid = 0
        self._late: bytes | None = None  # a frame that waits for the next one
        self._encoder = msgspec.json.Encoder()

    # ------------------------------------------------------------------ writing
    def put(self, message: Json, channel: str = "") -> None:
        """Queue a message. A client that does not read loses its subscriptions, and then the connection."""
        copies = self.faults.copies(channel)
        if self.is_lost or not copies:
            return
        message["sending_ts_ms"] = self._exchange.now_ms()
        line = self._encoder.encode(message) + b"\n"
        if self._late is None and self.faults.late(channel):
            self._late = line
            return
        self.waiting += [line] * copies
        if self._late is not None:
            self.waiting.append(self._late)
            self._late = None
        if len(self.waiting) > _MAX_WAITING:
            self._overflow()
        self.more.set()

    def _overflow(self) -> None:
        subs = list(self.subs.values())
        self.waiting.clear()
        if not subs:
            self.is_lost = True
            self._cut()
        for sub in subs:
            self._end(sub, 25)

    def _end(self, sub: _Sub, code: int) -> None:
        """A terminal error: 10 channel error, 25 buffer overflow. The subscription is gone."""
        self.subs.pop(sub.sid, None)
        text = "Subscription buffer overflow" if code == 25 else "Channel error"
        self.put({"type": "error", "sid": sub.sid, **self._numbered(sub), "msg": {"code": code, "msg": text}})

    def _numbered(self, sub: _Sub) -> Json:
        if sub.channel not in _COUNTED:
            return {}
        sub.seq += 1
        return {"seq": sub.seq}

    def tell(self, sub: _Sub, kind: str, body: Json | msgspec.Raw, command_id: int | None = None) -> None:
        """A message of a subscription."""
        code = self.faults.ended(sub.channel)
        if code:
            self._end(sub, code)
            return
        sub.seq += self.faults.skipped(sub.channel)
        message: Json = {"type": kind, "sid": sub.sid, **self._numbered(sub), "msg": body}
        if command_id is not None:
            message["id"] = command_id
        self.put(message, sub.channel)

    def on_channel(self, channel: str, name: str | None) -> Iterable[_Sub]:
        """Subscriptions that want this market's (or index's) messages."""
        return [s for s in self.subs.values() if s.channel == channel and (name is None or s.wants(name))]

    # ------------------------------------------------------------------ commands
    def command(self, text: str) -> None:
        """Do what a client says; errors go back with their code."""
        command_id: int | None = None
        try:
            try:
                command = msgspec.json.decode(text)
            except (msgspec.DecodeError, UnicodeError, RecursionError) as problem:
                raise _CommandError(1, "Unable to process message") from problem
            if not isinstance(command, dict):
                raise _CommandError(1, "Unable to process message")
            given = command.get("id")
            command_id = given if type(given) is int else None
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
        tickers = self._tickers(params, by_id="ticker" in channels)
        if "orderbook_delta" in channels and not tickers:
            raise _CommandError(14, "Market ticker required")
        indexes = _indexes(params)
        for channel in dict.fromkeys(channels):
            self._last_sid += 1
            wanted = set(tickers) if tickers and channel in _MARKET_CHANNELS else None
            sub = _Sub(self._last_sid, channel, wanted, params)
            sub.indexes = indexes if channel in _INDEX_CHANNELS else set()
            self.subs[sub.sid] = sub
            self.put({"type": "subscribed", "id": command_id, "msg": {"channel": channel, "sid": sub.sid}})
            if channel == "orderbook_delta":
                self._snapshots(sub, tickers)
            if channel == "ticker" and params.get("send_initial_snapshot"):
                self._tickers_now(sub, tickers or self._open())

    def _unsubscribe(self, command_id: int | None, params: Json) -> None:
        sids = params.get("sids")
        if not isinstance(sids, list) or not sids:
            raise _CommandError(4, "Subscription IDs required")
        if any(sid not in self.subs for sid in sids):
            raise _CommandError(7, "Unknown subscription ID")
        for sid in dict.fromkeys(sids):
            sub = self.subs.pop(sid)
            self.put({"type": "unsubscribed", "id": command_id, "sid": sid, "seq": sub.seq + 1})

    def _update(self, command_id: int | None, params: Json) -> None:
        sids = params.get("sids") if params.get("sid") is None else [params["sid"]]
        if not isinstance(sids, list) or len(sids) != 1:
            raise _CommandError(12, "Exactly one subscription ID is required")
        sub = self.subs.get(sids[0])
        if sub is None:
            raise _CommandError(7, "Unknown subscription ID")
        action = params.get("action")
        if not action:
            raise _CommandError(15, "Action required")
        if sub.channel in _INDEX_CHANNELS:
            self._update_indexes(sub, command_id, action, params)
        elif sub.channel in _MARKET_CHANNELS:
            self._update_markets(sub, command_id, action, params)
        else:
            raise _CommandError(13, "Unsupported action")

    def _update_indexes(self, sub: _Sub, command_id: int | None, action: str, params: Json) -> None:
        if action not in _INDEX_ACTIONS:
            raise _CommandError(13, "Unsupported action")
        if action == "indexlist":
            self.tell(sub, f"{sub.channel}_indexlist", {"index_ids": list(INDEXES)}, command_id)
            return
        given = _indexes(params)
        if not given:
            raise _CommandError(24, "Index IDs required")
        if action == "subscribe_indices":
            sub.indexes = {"all"} if "all" in given else sub.indexes | given
        else:
            sub.indexes = set() if "all" in given else sub.indexes - given
        self._ok(sub, command_id, {"index_ids": sorted(sub.indexes)})

    def _update_markets(self, sub: _Sub, command_id: int | None, action: str, params: Json) -> None:
        if action not in _MARKET_ACTIONS or (action == "get_snapshot" and sub.channel != "orderbook_delta"):
            raise _CommandError(13, "Unsupported action")
        tickers = self._tickers(params, by_id=sub.channel == "ticker")
        if not tickers:
            raise _CommandError(14, "Market ticker required")
        if action == "get_snapshot":
            self._snapshots(sub, tickers, command_id)
            return
        new = [t for t in tickers if sub.tickers is not None and t not in sub.tickers]
        if sub.tickers is not None:
            sub.tickers = sub.tickers | set(tickers) if action == "add_markets" else sub.tickers - set(tickers)
        self._ok(sub, command_id, {} if sub.short_ok else {"market_tickers": sorted(sub.tickers or ())})
        if action == "add_markets" and sub.channel == "orderbook_delta":
            self._snapshots(sub, new)
        if action == "add_markets" and sub.channel == "ticker" and params.get("send_initial_snapshot"):
            self._tickers_now(sub, new)

    def _ok(self, sub: _Sub, command_id: int | None, body: Json) -> None:
        message: Json = {"type": "ok", "sid": sub.sid, **self._numbered(sub), "msg": body}
        self.put(message | ({"id": command_id} if command_id is not None else {}))

    def _snapshots(self, sub: _Sub, tickers: Iterable[str], command_id: int | None = None) -> None:
        for ticker in tickers:
            market = self._exchange.markets.get(ticker)
            if market is None:
                body: Json = {"code": 11, "msg": "Invalid parameter", "market_ticker": ticker}
                error: Json = {"type": "error", "sid": sub.sid, **self._numbered(sub), "msg": body}
                self.put(error | ({"id": command_id} if command_id is not None else {}))
                continue
            book = self._exchange.engine.book(ticker)
            shown = frames.snapshot(market, book, self._clock_of(ticker), sub.yes_priced)
            if not self._both_sides:
                shown = {name: value for name, value in shown.items() if value != []}
            self.tell(sub, "orderbook_snapshot", shown, command_id)

    def _tickers_now(self, sub: _Sub, tickers: Iterable[str]) -> None:
        for ticker in tickers:
            market = self._exchange.markets.get(ticker)
            if market is not None:
                book = self._exchange.engine.book(ticker)
                self.tell(sub, "ticker", frames.ticker(market, book, 0, self._exchange.now_ms()))

    def _open(self) -> Sequence[str]:
        return [ticker for ticker, market in self._exchange.markets.items() if market.status == "active"]

    def _tickers(self, params: Json, by_id: bool) -> list[str]:
        """The markets a command names, in one of the ways there are; ids only where they are allowed."""
        given = [
            (name, value if name.endswith("s") else [value])
            for name in ("market_tickers", "market_ticker", "market_ids", "market_id")
            if (value := params.get(name)) is not None
        ]
        if not given:
            return []
        (name, names), *others = given
        if others or not isinstance(names, list) or not all(isinstance(n, str) for n in names):
            raise _CommandError(11, "Invalid parameter")
        if name.startswith("market_id"):
            if not by_id:
                raise _CommandError(11, "Invalid parameter")
            known = {m.definition.market_id: ticker for ticker, m in self._exchange.markets.items()}
            if any(n not in known for n in names):
                raise _CommandError(11, "Invalid parameter")
            names = [known[n] for n in names]
        return list(dict.fromkeys(names))


def _indexes(params: Json) -> set[str]:
    """The ``index_ids`` of a command."""
    given = params.get("index_ids") or []
    if not isinstance(given, list) or any(not isinstance(i, str) or i not in (*INDEXES, "all") for i in given):
        raise _CommandError(11, "Invalid parameter")
    return set(given)
