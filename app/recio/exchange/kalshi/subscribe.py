"""Commands of the WebSocket and the signed headers of its handshake."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import urlsplit

import msgspec

from recio.exchange.kalshi.signing import Signer

__all__ = [
    "add_markets",
    "delete_markets",
    "get_snapshot",
    "list_subscriptions",
    "subscribe",
    "unsubscribe",
    "ws_headers",
]


def ws_headers(key_id: str, pem: bytes, url: str, clock: Callable[[], float] = time.time) -> dict[str, str]:
    """The handshake's headers, signed now. Each connection needs new ones: give Feed a function that calls this."""
    return Signer(key_id, pem).headers("GET", urlsplit(url).path, clock())


def subscribe(
    command_id: int,
    channels: Sequence[str],
    market_tickers: Sequence[str] = (),
    *,
    index_ids: Sequence[str] = (),
    yes_priced: bool = True,
) -> bytes:
    """Subscribe to ``channels``; one answer with a ``sid`` comes for each.

    ``yes_priced`` asks for NO levels in YES prices, which is where the exchange's default is going; it is always sent
    explicitly for order books. Parse with the same flag.
    """
    params: dict[str, Any] = {"channels": list(channels)}
    if market_tickers:
        params["market_tickers"] = list(market_tickers)
    if "orderbook_delta" in channels:
        params["use_yes_price"] = yes_priced
    if index_ids:
        params["index_ids"] = list(index_ids)
    return _command(command_id, "subscribe", params)


def unsubscribe(command_id: int, sids: Sequence[int]) -> bytes:
    """End subscriptions."""
    return _command(command_id, "unsubscribe", {"sids": list(sids)})


def add_markets(command_id: int, sid: int, market_tickers: Sequence[str]) -> bytes:
    """Widen a subscription; order books answer with a snapshot for each new market."""
    return _update(command_id, sid, "add_markets", market_tickers)


def delete_markets(command_id: int, sid: int, market_tickers: Sequence[str]) -> bytes:
    """Narrow a subscription."""
    return _update(command_id, sid, "delete_markets", market_tickers)


def get_snapshot(command_id: int, sid: int, market_tickers: Sequence[str]) -> bytes:
    """Ask for fresh snapshots, after a gap."""
    return _update(command_id, sid, "get_snapshot", market_tickers)


def list_subscriptions(command_id: int) -> bytes:
    """Ask what this connection is subscribed to."""
    return msgspec.json.encode({"id": command_id, "cmd": "list_subscriptions"})


def _update(command_id: int, sid: int, action: str, market_tickers: Sequence[str]) -> bytes:
    params = {"sids": [sid], "market_tickers": list(market_tickers), "action": action}
    return _command(command_id, "update_subscription", params)


def _command(command_id: int, cmd: str, params: dict[str, Any]) -> bytes:
    return msgspec.json.encode({"id": command_id, "cmd": cmd, "params": params})
