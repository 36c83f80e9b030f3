"""How the services reach their exchange: clients and streams made from the settings, in one place."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from recio.contract.settings import Settings
from recio.exchange.kalshi.client import KalshiClient
from recio.exchange.kalshi.subscribe import ws_headers
from recio.exchange.stream import Feed
from recio.monitoring.health import Check

__all__ = ["kalshi_client", "kalshi_feed", "stream_check"]


def kalshi_client(settings: Settings) -> KalshiClient:
    """A client that signs with this unit's key."""
    return KalshiClient(settings.kalshi.rest_url, settings.kalshi.key_id, settings.private_key())


def kalshi_feed(settings: Settings, hello: Callable[[], Sequence[bytes]], name: str, *, quiet: bool = False) -> Feed:
    """A signed WebSocket; ``quiet`` for private channels, where the server's pings count as life."""
    key = settings.private_key()
    return Feed(
        settings.kalshi.ws_url,
        lambda: ws_headers(settings.kalshi.key_id, key, settings.kalshi.ws_url),
        hello,
        name,
        pings_count=quiet,
        backoff_cap_s=10.0,
    )


def stream_check(feed: Feed | None) -> Check:
    """Whether the stream is connected, and when not, why."""
    if feed is not None and feed.connected:
        return Check("stream", True)
    return Check("stream", False, (feed.last_error if feed else "") or "not connected yet")
