"""The API under 200 requests a second through the proxy while the desk trades: open loop, so that a slow answer delays no
other request, and a late start counts as latency."""

from __future__ import annotations

import asyncio
import ssl
import threading
import time
from collections.abc import Iterator
from typing import Any

import aiohttp
from web_tabs import two

Row = tuple[str, str, str, str]
RATE, SECONDS, CONNECTIONS = 200.0, 20.0, 16
AIM_MS = 10.0


def routes(desk: Any) -> tuple[str, ...]:
    """What a busy page and a script ask for, with a market that is open now."""
    offer = desk.wait_offer(left_min_s=SECONDS)
    event = offer.market_ticker.rsplit("-", 1)[0]
    quote = f"/api/quote?market_ticker={offer.market_ticker}&side={offer.side}&count=1&limit_price=0.9000"
    return (
        "/api/price", "/api/events", "/api/trades?state=all&limit=50", f"/api/strikes?event={event}", quote, "/api/status",
        "/api/settings/kill_switch",
    )  # fmt: skip


class Trader:
    """Buys what is offered, again and again, until it is stopped: the trading load."""

    def __init__(self, desk: Any) -> None:
        self._desk, self._ended = desk, threading.Event()
        self.accepted = 0
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Trader:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join(timeout=30)

    def _run(self) -> None:
        while not self._ended.wait(1.0):
            offers = self._desk.offers(8.0)
            if offers:
                answer = self._desk.buy(offers[0])
                self.accepted += answer.status == 200 and answer.body.get("state") == "accepted"


async def _load(
    url: str, ca_file: str, cookie: str, paths: tuple[str, ...], rate: float, seconds: float
) -> dict[str, Any]:
    taken: dict[str, list[float]] = {path: [] for path in paths}
    bad: dict[str, int] = {}
    connector = aiohttp.TCPConnector(limit=CONNECTIONS, ssl=ssl.create_default_context(cafile=ca_file))
    async with aiohttp.ClientSession(connector=connector, headers={"Cookie": cookie}) as session:

        async def one(path: str, due_s: float) -> None:
            async with session.get(url + path) as answer:
                await answer.read()
            taken[path].append(1000 * (time.perf_counter() - due_s))
            if answer.status != 200:
                bad[f"{answer.status} {path}"] = bad.get(f"{answer.status} {path}", 0) + 1

        await asyncio.gather(*(one(path, time.perf_counter()) for path in paths * 3))  # connections open, nothing cold
        for values in taken.values():
            values.clear()
        bad.clear()
        began, tasks = time.perf_counter(), []
        for n in range(int(rate * seconds)):
            due_s = began + n / rate
            if (wait := due_s - time.perf_counter()) > 0:
                await asyncio.sleep(wait)
            tasks.append(asyncio.create_task(one(paths[n % len(paths)], due_s)))
        await asyncio.gather(*tasks)
        return {"taken": taken, "bad": bad, "seconds": time.perf_counter() - began}


def rows(facts: dict[str, str], desk: Any, trader: Any, rate: float = RATE, seconds: float = SECONDS) -> Iterator[Row]:
    """By route and together; ``desk`` asks, ``trader`` (another session) buys meanwhile."""
    paths = routes(desk)
    with Trader(trader) as load:
        found = asyncio.run(_load(facts["url"], facts["ca_file"], desk.cookie_header(), paths, rate, seconds))
    taken = found["taken"]
    whole = [value for values in taken.values() for value in values]
    wrong = f"; NOT 200: {found['bad']}" if found["bad"] else ""
    how = f"{len(whole)} in {found['seconds']:.1f} s over {CONNECTIONS} connections"
    note = f"aim p99 {AIM_MS:g} ms; {how}, {load.accepted} orders meanwhile{wrong}"
    yield f"web: API at {rate:g}/s", *two(whole, 2), note
    for path, values in taken.items():
        yield f"web: API at {rate:g}/s: {path.partition('?')[0]}", *two(values, 2), f"{len(values)} times"
