"""Frames of Kalshi's WebSocket v2 to typed messages in our units."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from recio.exchange.kalshi import wire
from recio.exchange.kalshi.models import FillView, OrderView
from recio.units import ONE_DOLLAR_E4, parse_fixed

__all__ = [
    "BookDelta",
    "BookSnapshot",
    "ErrorFrame",
    "FillFrame",
    "FrameError",
    "IndexValue",
    "Lifecycle",
    "Message",
    "Ok",
    "OrderFrame",
    "OrderGroupFrame",
    "Other",
    "PositionFrame",
    "PublicTrade",
    "Subscribed",
    "Ticker",
    "Unsubscribed",
    "parse_frame",
]

Level = tuple[int, int]
_TERMINAL_ERRORS = frozenset({10, 25})  # channel error, buffer overflow: the subscription is over


class FrameError(ValueError):
    """The frame is not what the protocol says; the text shows its beginning."""


class _Frame(msgspec.Struct, frozen=True, kw_only=True):
    sid: int | None = None
    seq: int | None = None
    id: int | None = None


class Subscribed(_Frame, frozen=True, kw_only=True):
    """The channel is subscribed; its frames carry ``sid``."""

    channel: str


class Unsubscribed(_Frame, frozen=True, kw_only=True):
    """The subscription ``sid`` has ended on request."""


class Ok(_Frame, frozen=True, kw_only=True):
    """A command was done. ``market_tickers`` is the full list after an update."""

    market_tickers: tuple[str, ...] = ()


class ErrorFrame(_Frame, frozen=True, kw_only=True):
    """The exchange's error."""

    code: int
    text: str

    @property
    def is_terminal(self) -> bool:
        """The subscription is gone: subscribe again."""
        return self.code in _TERMINAL_ERRORS


class BookSnapshot(_Frame, frozen=True, kw_only=True):
    """A whole book: bids of both sides, NO in NO prices, in the order they came."""

    market_ticker: str
    clock: int | None
    yes: tuple[Level, ...]
    no: tuple[Level, ...]


class BookDelta(_Frame, frozen=True, kw_only=True):
    """A signed change of one level (not its new size); NO in NO prices. ``client_order_id`` only when we caused it."""

    market_ticker: str
    clock: int | None
    side: str
    price_e4: int
    delta_e2: int
    ts_s: float | None
    client_order_id: str = ""


class Ticker(_Frame, frozen=True, kw_only=True):
    """The top of a book and its volume. Bid 0 and ask 10000 mean "no quote"."""

    market_ticker: str
    price_e4: int
    yes_bid_e4: int
    yes_ask_e4: int
    volume_e2: int
    open_interest_e2: int
    ts_s: float


class PublicTrade(_Frame, frozen=True, kw_only=True):
    """A trade between any two members."""

    trade_id: str
    market_ticker: str
    yes_price_e4: int
    count_e2: int
    taker_side: str
    ts_s: float


class FillFrame(_Frame, frozen=True, kw_only=True):
    """A fill of ours."""

    fill: FillView


class OrderFrame(_Frame, frozen=True, kw_only=True):
    """An order of ours changed."""

    order: OrderView
    reason: str = ""


class PositionFrame(_Frame, frozen=True, kw_only=True):
    """A position of ours changed: + YES, - NO."""

    market_ticker: str
    position_e2: int
    cost_e6: int
    realized_pnl_e6: int
    fees_e6: int


class OrderGroupFrame(_Frame, frozen=True, kw_only=True):
    """An order group was created, triggered, reset, deleted, or its limit changed."""

    event_type: str
    order_group_id: str
    ts_s: float
    contracts_limit_e2: int | None = None


class Lifecycle(_Frame, frozen=True, kw_only=True):
    """A market was created, determined, settled or changed. Opening at the open time comes without a message."""

    event_type: str
    market_ticker: str
    open_time_s: float | None = None
    close_time_s: float | None = None
    result: str = ""
    settlement_value_e4: int | None = None
    floor_strike_e2: int | None = None


class IndexValue(_Frame, frozen=True, kw_only=True):
    """The settling index (BRTI), once a second. ``average_60s_e2`` is over [t - 60 s, t), in cents, rounded."""

    index_id: str
    value_e2: int
    time_s: float
    average_60s_e2: int
    window_size: int


class Other(_Frame, frozen=True, kw_only=True):
    """A type this program has no use for, or does not know yet."""

    type: str


Message = (
    Subscribed | Unsubscribed | Ok | ErrorFrame | BookSnapshot | BookDelta | Ticker | PublicTrade
    | FillFrame | OrderFrame | PositionFrame | OrderGroupFrame | Lifecycle | IndexValue | Other
)  # fmt: skip
Json = dict[str, Any]


def parse_frame(data: bytes | str, *, yes_priced: bool = True) -> Message:
    """One frame as a message. FrameError when it breaks the protocol.

    ``yes_priced``: whether the order books were subscribed with ``use_yes_price`` (subscribe's default): then NO levels
    come in YES prices and are turned into NO prices here.
    """
    try:
        frame = msgspec.json.decode(data)
        kind = frame["type"]
        head = {"sid": _number(frame, "sid"), "seq": _number(frame, "seq"), "id": _number(frame, "id")}
        body = frame.get("msg")
        if kind in ("orderbook_snapshot", "orderbook_delta"):
            return (_snapshot if kind == "orderbook_snapshot" else _delta)(body, head, yes_priced)
        parser = _PARSERS.get(kind)
        return parser(body, head) if parser else Other(type=str(kind), **head)
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError) as problem:
        begin = data[:160] if isinstance(data, str) else data[:160].decode(errors="replace")
        raise FrameError(f"unreadable frame ({type(problem).__name__}: {problem}): {begin}") from problem


def _text(body: Json, name: str) -> str:
    value = body[name]
    if not isinstance(value, str):
        raise TypeError(f"{name} is {value!r:.40}, not text")
    return value


def _number(frame: Json, name: str) -> int | None:
    value = frame.get(name)
    if value is not None and type(value) is not int:
        raise TypeError(f"{name} is {value!r:.40}, not a whole number")
    return value


def _side_price(text: str, side: str, yes_priced: bool) -> int:
    price_e4 = parse_fixed(text, 4)
    return ONE_DOLLAR_E4 - price_e4 if side == "no" and yes_priced else price_e4


def _levels(rows: list[list[str]] | None, side: str, yes_priced: bool) -> tuple[Level, ...]:
    return tuple((_side_price(price, side, yes_priced), parse_fixed(count, 2)) for price, count in rows or ())


def _snapshot(body: Json, head: Json, yes_priced: bool) -> BookSnapshot:
    return BookSnapshot(
        market_ticker=_text(body, "market_ticker"),
        clock=body.get("clock"),
        yes=_levels(body.get("yes_dollars_fp"), "yes", yes_priced),
        no=_levels(body.get("no_dollars_fp"), "no", yes_priced),
        **head,
    )


def _delta(body: Json, head: Json, yes_priced: bool) -> BookDelta:
    side = body["side"]
    if side not in ("yes", "no"):
        raise ValueError(f"side {side!r}")
    ts_ms = body.get("ts_ms")
    return BookDelta(
        market_ticker=_text(body, "market_ticker"),
        clock=body.get("clock"),
        side=side,
        price_e4=_side_price(body["price_dollars"], side, yes_priced),
        delta_e2=parse_fixed(body["delta_fp"], 2),
        ts_s=ts_ms / 1000 if ts_ms else (wire.epoch_s(body["ts"]) if body.get("ts") else None),
        client_order_id=str(body.get("client_order_id") or ""),
        **head,
    )


def _subscribed(body: Json, head: Json) -> Message:
    return Subscribed(channel=_text(body, "channel"), sid=_number(body, "sid"), seq=head["seq"], id=head["id"])


def _ok(body: Any, head: Json) -> Message:
    tickers = body.get("market_tickers") if isinstance(body, dict) else None
    return Ok(market_tickers=tuple(tickers or ()), **head)


def _ticker(body: Json, head: Json) -> Message:
    return Ticker(
        market_ticker=_text(body, "market_ticker"),
        price_e4=parse_fixed(body.get("price_dollars") or "0", 4),
        yes_bid_e4=parse_fixed(body["yes_bid_dollars"], 4),
        yes_ask_e4=parse_fixed(body["yes_ask_dollars"], 4),
        volume_e2=parse_fixed(body["volume_fp"], 2),
        open_interest_e2=parse_fixed(body.get("open_interest_fp") or "0", 2),
        ts_s=_time(body),
        **head,
    )


def _trade(body: Json, head: Json) -> Message:
    return PublicTrade(
        trade_id=_text(body, "trade_id"),
        market_ticker=_text(body, "market_ticker"),
        yes_price_e4=parse_fixed(body["yes_price_dollars"], 4),
        count_e2=parse_fixed(body["count_fp"], 2),
        taker_side=body.get("taker_outcome_side") or body["taker_side"],
        ts_s=_time(body),
        **head,
    )


def _position(body: Json, head: Json) -> Message:
    return PositionFrame(
        market_ticker=_text(body, "market_ticker"),
        position_e2=parse_fixed(body["position_fp"], 2),
        cost_e6=parse_fixed(body["position_cost_dollars"], 6),
        realized_pnl_e6=parse_fixed(body["realized_pnl_dollars"], 6),
        fees_e6=parse_fixed(body["fees_paid_dollars"], 6),
        **head,
    )


def _order_group(body: Json, head: Json) -> Message:
    limit = body.get("contracts_limit_fp")
    return OrderGroupFrame(
        event_type=_text(body, "event_type"),
        order_group_id=_text(body, "order_group_id"),
        ts_s=body["ts_ms"] / 1000,
        contracts_limit_e2=parse_fixed(limit, 2) if limit else None,
        **head,
    )


def _lifecycle(body: Json, head: Json) -> Message:
    extra = body.get("additional_metadata") or body
    value, strike = body.get("settlement_value"), extra.get("floor_strike")
    return Lifecycle(
        event_type=_text(body, "event_type"),
        market_ticker=_text(body, "market_ticker"),
        open_time_s=body.get("open_ts"),
        close_time_s=body.get("close_ts"),
        result=body.get("result") or "",
        settlement_value_e4=parse_fixed(value, 4) if value else None,
        floor_strike_e2=None if strike is None else parse_fixed(str(strike), 2),
        **head,
    )


def _index(body: Json, head: Json) -> Message:
    inner = msgspec.json.decode(body["data"])  # a JSON document inside a string
    average = body["avg_60s_data"]
    return IndexValue(
        index_id=_text(body, "index_id"),
        value_e2=_cents(inner["value"]),
        time_s=inner["time"] / 1000,
        average_60s_e2=_cents(average["value"]),
        window_size=average["window_size"],
        **head,
    )


def _cents(text: str) -> int:
    """An index value has up to eight decimals: rounded half up to cents."""
    return (parse_fixed(text, 8) + 500_000) // 1_000_000


def _time(body: Json) -> float:
    return body["ts_ms"] / 1000 if body.get("ts_ms") else float(body["ts"])


_PARSERS: dict[str, Callable[[Any, Json], Message]] = {
    "subscribed": _subscribed,
    "unsubscribed": lambda body, head: Unsubscribed(**head),
    "ok": _ok,
    "error": lambda body, head: ErrorFrame(code=int(body["code"]), text=str(body.get("msg") or ""), **head),
    "ticker": _ticker,
    "trade": _trade,
    "fill": lambda body, head: FillFrame(fill=wire.fill(body), **head),
    "user_order": lambda body, head: OrderFrame(
        order=wire.order(body), reason=str(body.get("last_update_reason") or ""), **head
    ),
    "market_position": _position,
    "order_group_updates": _order_group,
    "market_lifecycle_v2": _lifecycle,
    "cfbenchmarks_value": _index,
}
