"""The simulator as one web application: Kalshi's REST and WebSocket and Coinbase's, on one port."""

from __future__ import annotations

import asyncio
import logging
import random

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from recio.exchange.kalshi.signing import KEY_HEADER
from recio.exchange.simulator.auth import Authenticator
from recio.exchange.simulator.coinbase import Coinbase
from recio.exchange.simulator.core import Exchange
from recio.exchange.simulator.faults import Faults
from recio.exchange.simulator.faults_http import FaultyHttp
from recio.exchange.simulator.history import HistoryRest
from recio.exchange.simulator.journal import JournalError
from recio.exchange.simulator.limits import Limiter, TooManyRequests
from recio.exchange.simulator.notify import notify
from recio.exchange.simulator.orders import Rejected
from recio.exchange.simulator.portfolio import PortfolioRest
from recio.exchange.simulator.rest import PublicRest
from recio.exchange.simulator.trading import TradingRest
from recio.exchange.simulator.web import fail, rejected, too_many
from recio.exchange.simulator.ws import Hub

__all__ = ["KALSHI_PREFIX", "WS_PATH", "Simulator"]

log = logging.getLogger(__name__)

KALSHI_PREFIX = "/trade-api/v2"
WS_PATH = "/trade-api/ws/v2"
COINBASE_PREFIX = "/coinbase"
TICK_S = 0.5
_SIGNED = (f"{KALSHI_PREFIX}/portfolio/", f"{KALSHI_PREFIX}/account/limits", WS_PATH)


class Simulator:
    """Everything of one running simulator. ``broken`` is set, with the reason, when it must stop."""

    def __init__(
        self,
        exchange: Exchange,
        authenticator: Authenticator,
        seed: int,
        tier: str = "basic",
        faults: Faults | None = None,
    ) -> None:
        """Wire the rooms together. ``tier`` sets the token buckets ('' for none); ValueError for an unknown one."""
        self.exchange = exchange
        faults = faults or Faults()
        faulty = FaultyHttp(faults, exchange, KALSHI_PREFIX)
        self.broken: str | None = None
        self.stop = asyncio.Event()
        self._authenticator = authenticator
        self._limiter = Limiter(tier, exchange.clock)
        self._hub = Hub(exchange, faults)
        self._coinbase = Coinbase(exchange, COINBASE_PREFIX, seed, faults)
        self._random = random.Random(seed)  # noqa: S311 - a market, not a secret
        self._tasks: list[asyncio.Task[None]] = []
        self.app = web.Application(middlewares=[self._middleware(), _inner(faulty)], client_max_size=1 << 20)
        self.app.add_routes(HistoryRest(exchange, KALSHI_PREFIX).routes())  # before the general paths of the public
        self.app.add_routes(PublicRest(exchange, KALSHI_PREFIX).routes())
        self.app.add_routes(PortfolioRest(exchange, KALSHI_PREFIX, self._limiter).routes())
        self.app.add_routes(TradingRest(exchange, KALSHI_PREFIX, self._limiter).routes())
        self.app.add_routes([web.get(WS_PATH, self._hub.handle)])
        self.app.add_routes(self._coinbase.routes())
        self.app.add_routes(faulty.routes())
        self.app.on_response_prepare.append(faulty.stamp)
        self.app.on_shutdown.append(self._goodbye)

    def begin(self) -> None:
        """Let time pass, from now on."""
        self.exchange.tick()
        self._tasks = [
            asyncio.create_task(self._keep_ticking()),
            asyncio.create_task(self._keep_beating()),
            asyncio.create_task(self._keep_indexing()),
            asyncio.create_task(self._keep_trading()),
        ]
        for task in self._tasks:
            task.add_done_callback(self._ended)

    def end(self) -> None:
        """Let time stand still."""
        for task in self._tasks:
            task.cancel()

    def _ended(self, task: asyncio.Task[None]) -> None:
        """A heart that stops stops the simulator: half an exchange lies."""
        if not task.cancelled() and task.exception() is not None:
            self.broken = f"{type(task.exception()).__name__}: {task.exception()}"
            log.error("the simulator stops: %s", self.broken, exc_info=task.exception())
            self.stop.set()

    async def _keep_ticking(self) -> None:
        while True:
            self.exchange.tick()
            self._hub.flush(self.exchange.now_ms())
            await asyncio.sleep(TICK_S)

    async def _keep_beating(self) -> None:
        """Once a second, on the second: the index and the heartbeat; every fifth also to the service manager."""
        while True:
            now_s = self.exchange.clock()
            await asyncio.sleep(1.0 - now_s % 1.0 + 0.002)
            second = int(self.exchange.clock())
            self._hub.tell_index(second, self.exchange.now_ms())
            await self._coinbase.beat()
            if second % 5 == 0:
                notify("WATCHDOG=1")

    async def _keep_indexing(self) -> None:
        """Five times a second, the fast index."""
        while True:
            await asyncio.sleep(0.2 - self.exchange.clock() % 0.2)
            self._hub.tell_index_5hz(round(self.exchange.clock() * 5) / 5, self.exchange.now_ms())

    async def _keep_trading(self) -> None:
        while True:
            await self._coinbase.trade()
            await asyncio.sleep(min(0.9, max(0.05, self._random.expovariate(2.5))))

    async def _goodbye(self, app: web.Application) -> None:
        await self._hub.close()
        await self._coinbase.close()

    def _charge(self, request: web.Request) -> None:
        """Pay for a request: from the key's buckets, or without a key from the address's."""
        path = request.path
        if path.startswith(KALSHI_PREFIX):
            who = request["who"] = request.headers.get(KEY_HEADER) or f"address {request.remote}"
            self._limiter.charge(request.method, path.removeprefix(KALSHI_PREFIX), who)

    def _middleware(self) -> Middleware:
        @web.middleware
        async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
            """Signatures before handlers, the exchange's error shapes after."""
            try:
                if request.path.startswith(_SIGNED):
                    self._authenticator.check(request.method, request.raw_path.partition("?")[0], request.headers)
                self._charge(request)
                return await handler(request)
            except Rejected as problem:
                return rejected(problem)
            except TooManyRequests:
                return too_many()
            except JournalError as problem:
                self.broken = str(problem)
                log.critical("the simulator stops: %s", problem)
                self.stop.set()
                return fail(500, "internal_server_error")
            except web.HTTPException as problem:
                return problem if problem.content_type == "application/json" else _plain(problem)

        return guard


def _inner(faulty: FaultyHttp) -> Middleware:
    @web.middleware
    async def around(request: web.Request, handler: Handler) -> web.StreamResponse:
        """Faults, for requests whose signature is right."""
        return await faulty.around(request, handler)

    return around


def _plain(problem: web.HTTPException) -> web.Response:
    """aiohttp's own errors (no such route, body too large) in the exchange's shape."""
    codes = {404: "not_found", 405: "method_not_allowed", 413: "request_entity_too_large"}
    return fail(problem.status, codes.get(problem.status, f"http_{problem.status}"), problem.reason)
