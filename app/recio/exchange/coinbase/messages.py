"""Frames of Coinbase Exchange's public WebSocket feed to typed messages."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec

from recio.units import parse_fixed

__all__ = [
    "ErrorFrame",
    "FrameError",
    "Heartbeat",
    "Message",
    "Other",
    "Subscriptions",
    "Tick",
    "parse_frame",
    "subscribe",
]


class FrameError(ValueError):
    """The frame is not what the protocol says; the text shows its beginning."""


class Tick(msgspec.Struct, frozen=True):
    """A trade. ``side`` is the taker's in both channels; ``price_e2`` is exact for BTC-USD, else rounded."""

    product_id: str
    price_e2: int
    time_s: float
    trade_id: int
    side: str
    size: str
    best_bid_e2: int | None = None
    best_ask_e2: int | None = None


class Heartbeat(msgspec.Struct, frozen=True):
    """Once a second: the feed lives. A ``last_trade_id`` above the last tick's means that ticks were lost."""

    product_id: str
    time_s: float
    last_trade_id: int


class Subscriptions(msgspec.Struct, frozen=True):
    """What the connection is subscribed to."""

    channels: tuple[str, ...]


class ErrorFrame(msgspec.Struct, frozen=True):
    """The feed refuses something."""

    message: str
    reason: str


class Other(msgspec.Struct, frozen=True):
    """A type this program has no use for."""

    type: str


Message = Tick | Heartbeat | Subscriptions | ErrorFrame | Other


def subscribe(product_ids: Sequence[str] = ("BTC-USD",), channels: Sequence[str] = ("ticker", "heartbeat")) -> bytes:
    """The command to send within 5 s of connecting."""
    return msgspec.json.encode({"type": "subscribe", "product_ids": list(product_ids), "channels": list(channels)})


def parse_frame(data: bytes | str) -> Message:
    """One frame as a message. FrameError when it breaks the protocol."""
    try:
        frame = msgspec.json.decode(data)
        kind = frame["type"]
        if kind == "ticker":
            return _ticker(frame)
        if kind in ("match", "last_match"):
            return _match(frame)
        if kind == "heartbeat":
            return Heartbeat(frame["product_id"], _epoch_s(frame["time"]), int(frame["last_trade_id"]))
        if kind == "subscriptions":
            return Subscriptions(tuple(channel["name"] for channel in frame["channels"]))
        if kind == "error":
            return ErrorFrame(str(frame.get("message") or ""), str(frame.get("reason") or ""))
        return Other(str(kind))
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError) as problem:
        begin = data[:160] if isinstance(data, str) else data[:160].decode(errors="replace")
        raise FrameError(f"unreadable frame ({type(problem).__name__}: {problem}): {begin}") from problem


def _ticker(frame: dict[str, Any]) -> Tick:
    # The first ticker after a subscription may lack the trade: it is a picture of the present, not an event.
    bid, ask = frame.get("best_bid"), frame.get("best_ask")
    return Tick(
        frame["product_id"],
        _cents(frame["price"]),
        _epoch_s(frame["time"]),
        int(frame.get("trade_id") or 0),
        str(frame.get("side") or ""),
        str(frame.get("last_size") or "0"),
        _cents(bid) if bid else None,
        _cents(ask) if ask else None,
    )


def _match(frame: dict[str, Any]) -> Tick:
    taker = "sell" if frame["side"] == "buy" else "buy"  # matches name the maker's side
    return Tick(
        frame["product_id"],
        _cents(frame["price"]),
        _epoch_s(frame["time"]),
        int(frame["trade_id"]),
        taker,
        frame["size"],
    )


def _cents(text: str) -> int:
    return (parse_fixed(text, 10) + 50_000_000) // 100_000_000


def _epoch_s(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()
