"""Faults of HTTP answers, as a middleware inside the signature check, and the call on loopback that sets them."""

from __future__ import annotations

import asyncio
import ipaddress
from email.utils import formatdate
from typing import Any

import msgspec
from aiohttp import web
from aiohttp.typedefs import Handler

from recio.exchange.kalshi.signing import TIMESTAMP_HEADER
from recio.exchange.simulator.core import Exchange
from recio.exchange.simulator.faults import (
    ErrorAfter,
    ErrorBefore,
    FaultError,
    Faults,
    NoOrder,
    RateLimited,
    TimeoutAfter,
    TimeoutBefore,
    UnfundedShard,
    parse_faults,
)
from recio.exchange.simulator.orders import Rejected
from recio.exchange.simulator.web import fail, ok

__all__ = ["ADMIN_PATH", "FaultyHttp"]

ADMIN_PATH = "/admin/faults"
_PROXIED = ("Forwarded", "X-Forwarded-For", "Via")
_NAMES = ("localhost", "127.0.0.1", "[::1]")
Json = dict[str, Any]


class FaultyHttp:
    """Does to requests and answers what the faults in force say."""

    def __init__(self, faults: Faults, exchange: Exchange, prefix: str) -> None:
        """``prefix`` is /trade-api/v2."""
        self._faults, self._exchange, self._prefix = faults, exchange, prefix
        self._orders = f"{prefix}/portfolio/events/orders"
        self._usual_lag_ms = exchange.view.lag_ms
        self._paused = ""
        self._set_state()

    # ------------------------------------------------------------------ the middleware
    async def around(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Answer ``request``, wrongly when a fault says so."""
        path = request.path
        if not self._faults.any or path == ADMIN_PATH:
            return await handler(request)
        refused = await self._before(request, path)
        if refused is not None:
            return refused
        self._set_state()
        response = await handler(request)
        if isinstance(response, web.Response) and response.status < 300:
            return await self._after(request, path, response)
        return response

    def _set_state(self) -> None:
        """Faults that are a state of the exchange: reads that lag, a pause."""
        lag_ms = self._faults.lag_ms() or self._usual_lag_ms
        if lag_ms != self._exchange.view.lag_ms:
            self._exchange.view.set_lag(lag_ms)
        paused = self._faults.maintenance()
        if paused != self._paused:
            self._paused = paused
            self._exchange.pause(trading_active=not paused, exchange_active=paused != "exchange")

    async def _before(self, request: web.Request, path: str) -> web.Response | None:
        take, method = self._faults.take, request.method
        if hold := take(TimeoutBefore, path, method):
            return await _hang(request, hold.hold_s)
        if error := take(ErrorBefore, path, method):
            return fail(error.status, "internal_server_error")
        if take(RateLimited, path, method):
            return ok({"error": "too many requests"}, 429)
        self._check_window(request)
        creates = method == "POST" and path.startswith(self._orders)
        private = path.startswith(self._prefix) and not path.startswith(f"{self._prefix}/exchange/")
        if private and self._paused == "exchange":
            return ok({"exchange_active": False, "trading_active": False}, 503)
        if creates and take(UnfundedShard, path, method):
            return fail(404, "user_not_found", "user not found")
        return None

    def _check_window(self, request: web.Request) -> None:
        """The narrower window of a clock_skew fault; the offset is in the signature check's own clock."""
        skew, stamp = self._faults.clock_skew(), request.headers.get(TIMESTAMP_HEADER, "")
        if skew is None or len(stamp) > 15 or not stamp.isascii() or not stamp.isdigit():
            return
        if abs(int(stamp) / 1000 - self._exchange.clock() - skew.offset_s) > skew.window_s:
            raise Rejected(401, "header_timestamp_expired", "header timestamp expired")

    async def _after(self, request: web.Request, path: str, response: web.Response) -> web.Response:
        take, method = self._faults.take, request.method
        if error := take(ErrorAfter, path, method):
            return fail(error.status, "internal_server_error")
        if hold := take(TimeoutAfter, path, method):
            return await _hang(request, hold.hold_s)
        if path.startswith(self._orders) and take(NoOrder, path, method):
            return ok({k: v for k, v in _json(response).items() if k != "order_id"}, response.status)
        if path == f"{self._prefix}/portfolio/balance" and take(UnfundedShard, path, method):
            return ok(_unfunded(_json(response)))
        return response

    async def stamp(self, request: web.Request, response: web.StreamResponse) -> None:
        """The Date header of a clock that is wrong (a signal of the application)."""
        skew = self._faults.clock_skew()
        if skew is not None:
            response.headers["Date"] = formatdate(self._exchange.clock() + skew.offset_s, usegmt=True)

    # ------------------------------------------------------------------ the admin call
    def routes(self) -> list[web.RouteDef]:
        """What is served."""
        return [
            web.get(ADMIN_PATH, self.list_faults),
            web.put(ADMIN_PATH, self.put_faults),
            web.delete(ADMIN_PATH, self.delete_faults),
        ]

    async def list_faults(self, request: web.Request) -> web.Response:
        """GET /admin/faults: each fault and how often it was committed."""
        _require_loopback(request)
        return ok({"faults": self._faults.listing()})

    async def put_faults(self, request: web.Request) -> web.Response:
        """PUT /admin/faults: these in place of all others; a document as --faults takes it."""
        _require_loopback(request)
        try:
            faults, seed = parse_faults(await request.read(), "body")
        except FaultError as problem:
            return fail(400, "bad_request", str(problem))
        self._faults.replace(faults, seed)
        self._set_state()
        return await self.list_faults(request)

    async def delete_faults(self, request: web.Request) -> web.Response:
        """DELETE /admin/faults: a healthy exchange again."""
        _require_loopback(request)
        self._faults.replace([])
        self._set_state()
        return await self.list_faults(request)


def _require_loopback(request: web.Request) -> None:
    """HTTPForbidden for whoever is not a program on this host: another address, a proxy's client, a web page."""
    peer = request.transport.get_extra_info("peername") if request.transport is not None else None
    try:
        near = peer is not None and ipaddress.ip_address(str(peer[0]).partition("%")[0]).is_loopback
    except ValueError:
        near = False
    name = request.host.rpartition(":")[0] or request.host
    if not near or name not in _NAMES or any(header in request.headers for header in (*_PROXIED, "Origin")):
        body = {"error": {"code": "forbidden", "message": "faults are set from this host's loopback address only"}}
        raise web.HTTPForbidden(body=msgspec.json.encode(body), content_type="application/json")


async def _hang(request: web.Request, hold_s: float) -> web.Response:
    """Say nothing for so long, or until the client gives up, and cut the connection."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + hold_s
    while (left_s := deadline - loop.time()) > 0 and request.transport is not None:
        await asyncio.sleep(min(0.1, left_s))
    if request.transport is not None:
        request.transport.abort()
    return fail(503, "internal_server_error")  # nobody hears it


def _json(response: web.Response) -> Json:
    found: Json = msgspec.json.decode(response.body if isinstance(response.body, bytes) else b"{}")
    return found


def _unfunded(balance: Json) -> Json:
    shards = [row | {"balance": "0.000000"} for row in balance.get("balance_breakdown", [])]
    return balance | {"balance": 0, "balance_dollars": "0.000000", "balance_breakdown": shards}
