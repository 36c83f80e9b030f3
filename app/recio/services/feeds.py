"""How the services reach their exchange: clients and streams made from the settings, in one place."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from recio.contract.settings import Settings
from recio.exchange.errors import ExchangeError
from recio.exchange.kalshi.client import KalshiClient
from recio.exchange.kalshi.subscribe import ws_headers
from recio.exchange.stream import Feed
from recio.monitoring.health import Check
from recio.services import log

__all__ = ["BUDGET_SHARES", "Budget", "kalshi_client", "kalshi_feed", "stream_check"]

# The account has one pair of token buckets; each signing process keeps to its part of them.
BUDGET_SHARES = {"trade_executor": 0.25, "kalshi_account_sync": 0.30, "kalshi_api_watchdog": 0.45}
_LEARN_S, _LEARN_AGAIN_S = 3600.0, 60.0


def kalshi_client(settings: Settings, service: str, part: float = 1.0) -> KalshiClient:
    """A client that signs with this unit's key and keeps to the service's share of the account's token buckets, or to a
    part of that share where the service has several clients."""
    share = BUDGET_SHARES[service] * part
    return KalshiClient(settings.kalshi.rest_url, settings.kalshi.key_id, settings.private_key(), budget_share=share)


class Budget:
    """Asks for the account's limits at the first call, then every hour; until they are known Basic's hold."""

    def __init__(self, client: KalshiClient) -> None:
        self._client, self._next_s, self._tier = client, float("-inf"), ""

    def keep(self) -> None:
        """To be called in every round; a failure is tried again in a minute and harms nothing."""
        if time.monotonic() < self._next_s:
            return
        try:
            limits = self._client.learn_limits()
        except ExchangeError as failure:
            self._next_s = time.monotonic() + _LEARN_AGAIN_S
            log.warning("the account's rate limits are not known yet, keeping to Basic's", why=failure)
            return
        self._next_s = time.monotonic() + _LEARN_S
        if limits.usage_tier != self._tier:
            self._tier = limits.usage_tier
            log.info(
                "rate limits", tier=limits.usage_tier, read_per_s=limits.read_per_s, write_per_s=limits.write_per_s
            )


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
