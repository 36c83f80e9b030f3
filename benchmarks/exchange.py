#!/usr/bin/env python3
"""Measures the simulated exchange on this machine: matching, signed REST, WebSocket fan-out, memory over a day."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(PROJECT / "app"), str(PROJECT / "scripts")]

from cryptography.hazmat.primitives import serialization  # noqa: E402
from cryptography.hazmat.primitives.asymmetric import rsa  # noqa: E402

from recio.exchange.http import HttpConnection  # noqa: E402
from recio.exchange.kalshi.models import NewOrder  # noqa: E402
from recio.exchange.kalshi.signing import Signer  # noqa: E402
from recio.exchange.kalshi.subscribe import subscribe, ws_headers  # noqa: E402
from recio.exchange.kalshi.wire import new_order_body  # noqa: E402
from recio.exchange.simulator.app import WS_PATH, Simulator  # noqa: E402
from recio.exchange.simulator.auth import Authenticator  # noqa: E402
from recio.exchange.simulator.core import Exchange  # noqa: E402
from recio.exchange.simulator.orders import Order  # noqa: E402
from recio.market.generator import GeneratedPath  # noqa: E402

Row = tuple[str, str, str, str]
START_S = 1_795_478_405.0
ENGINE_ORDERS, REST_ORDERS, SUBSCRIBERS, FAN_OUT_S = 5_000, 600, 10, 5.0


class Clock:
    """A clock the benchmark turns."""

    def __init__(self) -> None:
        self.now_s = START_S

    def __call__(self) -> float:
        return self.now_s


def machine() -> str:
    """The processor, its cores, memory, Python."""
    cpu = next(
        (
            line.split(":", 1)[1].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if "model name" in line
        ),
        platform.machine(),
    )
    memory_mb = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20
    load = os.getloadavg()[0]
    return f"{cpu}, {os.cpu_count()} cores, {memory_mb} MB, Python {platform.python_version()}, load {load:.1f}"


def pss_mb() -> float:
    """Proportional set size of this process."""
    rollup = Path("/proc/self/smaps_rollup").read_text()
    return int(next(line for line in rollup.splitlines() if line.startswith("Pss:")).split()[1]) / 1024


def figures(label: str, milliseconds: Sequence[float], note: str) -> Iterator[Row]:
    """Rate, median and p99 of calls made one after another."""
    ordered = sorted(milliseconds)
    p99 = ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))]
    yield f"{label}: rate", f"{1000 * len(ordered) / sum(ordered):.0f} /s", "", note
    yield f"{label}: latency", f"{statistics.median(ordered):.3f} ms", f"{p99:.3f} ms", f"{len(ordered)} orders"


def order(ticker: str, side: str, price_e4: int, how: str) -> Order:
    """An order of the user's, as REST would make it."""
    name = str(uuid.uuid4())
    now_ms = int(START_S * 1000)
    return Order(name, name, ticker, side, price_e4, 100, 100, how, now_ms, now_ms)


def near(exchange: Exchange) -> str:
    """The market at the money that closes last."""
    open_ones = [m for m in exchange.markets.values() if m.status == "active" and m.ticker.startswith("KXBTCD-")]
    value_e2 = exchange.index.value_e2(int(exchange.clock()))
    return min(open_ones, key=lambda m: (-m.definition.close_s, abs((m.strike_e2 or 0) - value_e2))).ticker


def engine() -> Iterator[Row]:
    """Order after order into the exchange without a wire: crossing, resting and cancelling by turns."""
    clock = Clock()
    exchange = Exchange(GeneratedPath(1), "bench", clock, seed=1)
    for _ in range(20):
        clock.now_s += 0.5
        exchange.tick()
    ticker, times = near(exchange), []
    for number in range(ENGINE_ORDERS):
        if number % 50 == 0:  # let the crowd refill the book
            clock.now_s += 0.05
            exchange.tick()
        crossing = number % 2 == 0
        side, price = (("bid", 9_900), ("ask", 100))[number // 2 % 2] if crossing else ("bid", 100)
        new = order(ticker, side, price, "immediate_or_cancel" if crossing else "good_till_canceled")
        started = time.perf_counter()
        done = exchange.place(new)
        if done.status == "resting":
            exchange.cancel(done.order_id)
        times.append(1000 * (time.perf_counter() - started))
    yield from figures("matching engine", times, "half cross, half rest and are cancelled; no journal")


class Keys:
    """A key pair for one run."""

    def __init__(self) -> None:
        key = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)
        self.pem = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        self.public = key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )


def rest() -> Iterator[Row]:
    """Signed creates over one kept connection on loopback, to a simulator in a process of its own, with a journal."""
    keys = Keys()
    with tempfile.TemporaryDirectory() as folder:
        public = Path(folder) / "public.pem"
        public.write_bytes(keys.public)
        words = ["--listen", "127.0.0.1:0", "--key-id", "k", "--public-key", str(public), "--state", f"{folder}/state"]
        child = subprocess.Popen(
            [sys.executable, "-m", "recio.cli", "simulator", *words, "--tier", "none"],
            env=os.environ | {"PYTHONPATH": str(PROJECT / "app")},
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            assert child.stdout is not None
            port = child.stdout.readline().split(" (")[0].rpartition(":")[2]
            yield from _rest(HttpConnection(f"http://127.0.0.1:{port}/trade-api/v2"), Signer("k", keys.pem))
        finally:
            child.terminate()
            child.wait(10)
            if child.stdout is not None:
                child.stdout.close()


def _rest(http: HttpConnection, signer: Signer) -> Iterator[Row]:
    time.sleep(1.5)  # the crowd quotes first
    listed = json.loads(http.request("GET", "/markets?series_ticker=KXBTCD&status=open&limit=1000").body)["markets"]
    ticker = min(listed, key=lambda m: abs(float(m["yes_ask_dollars"]) - 0.5))["ticker"]
    path, times = "/portfolio/events/orders", []
    for number in range(REST_ORDERS):
        side, price = (("bid", 9_900), ("ask", 100))[number % 2]
        body = json.dumps(new_order_body(NewOrder(ticker, side, 100, price, str(uuid.uuid4())))).encode()  # type: ignore[arg-type]
        started = time.perf_counter()
        answer = http.request("POST", path, lambda: signer.headers("POST", http.prefix + path, time.time()), body)
        times.append(1000 * (time.perf_counter() - started))
        if answer.status != 201:
            raise SystemExit(f"error: a create was answered with {answer.status}: {answer.body[:200]!r}")
    yield from figures("signed REST create", times, "RSA signed and verified, journaled; one connection, two processes")


def fan_out() -> Iterator[Row]:
    """Deltas to subscribers in another process, as fast as one core sends them."""
    delivered, made, seconds = asyncio.run(_fan_out())
    yield (
        "WebSocket deltas", f"{delivered / seconds:.0f} /s", "",
        f"{made / seconds:.0f} changes/s to each of {SUBSCRIBERS} subscribers",
    )  # fmt: skip


async def _fan_out() -> tuple[int, int, float]:
    from aiohttp import web

    keys = Keys()
    exchange = Exchange(GeneratedPath(1), "bench", time.time, seed=1)
    exchange.tick()
    simulator = Simulator(exchange, Authenticator("k", keys.public, time.time), 1, "")
    runner = web.AppRunner(simulator.app, access_log=None)
    await runner.setup()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        await web.SockSite(runner, listener).start()
        ticker = near(exchange)
        url = f"ws://127.0.0.1:{listener.getsockname()[1]}{WS_PATH}"
        given = json.dumps({"url": url, "pem": keys.pem.decode(), "ticker": ticker})
        child = await asyncio.create_subprocess_exec(
            sys.executable, __file__, "--listen-to", given, stdout=asyncio.subprocess.PIPE
        )
        assert child.stdout is not None
        await child.stdout.readline()  # all are subscribed
        made, started = 0, time.perf_counter()
        while time.perf_counter() - started < FAN_OUT_S:
            placed = exchange.place(order(ticker, "bid", 100, "good_till_canceled"))
            exchange.cancel(placed.order_id)
            made += 2
            await asyncio.sleep(0)
        exchange.place(order(ticker, "bid", 200, "good_till_canceled"))  # the end, for who counts
        count = int(await child.stdout.readline())
        seconds = time.perf_counter() - started
        await child.wait()
        await runner.cleanup()
    return count, made, seconds


async def listen(given: dict[str, Any]) -> None:
    """The child: subscribe ten times, count deltas until the last one, print the sum."""
    import aiohttp

    headers = ws_headers("k", given["pem"].encode(), given["url"])
    hello = subscribe(1, ["orderbook_delta"], [given["ticker"]]).decode()

    async def one(session: aiohttp.ClientSession, ready: asyncio.Semaphore) -> int:
        count = 0
        async with session.ws_connect(given["url"], headers=headers, max_msg_size=0) as live:
            await live.send_str(hello)
            async for message in live:
                if '"orderbook_snapshot"' in message.data:
                    ready.release()
                elif '"orderbook_delta"' in message.data and '"delta_fp"' in message.data:
                    count += 1
                    if '"price_dollars":"0.0200"' in message.data:
                        break
        return count

    ready = asyncio.Semaphore(0)
    async with aiohttp.ClientSession() as session:
        tasks = [asyncio.create_task(one(session, ready)) for _ in range(SUBSCRIBERS)]
        for _ in range(SUBSCRIBERS):
            await ready.acquire()
        print("ready", flush=True)
        print(sum(await asyncio.gather(*tasks)), flush=True)


def memory(hours: int) -> Iterator[Row]:
    """A child turns the clock of a whole simulator, nobody connected, an order a minute, five seconds a step."""
    done = subprocess.run(
        [sys.executable, __file__, "--live-for", str(hours)], capture_output=True, text=True, check=True
    )
    samples = json.loads(done.stdout)
    note = f"clock turned 5 s a step, an order a minute, no clients; took {samples.pop('seconds'):.0f} s"
    for hour, megabytes in samples.items():
        yield f"simulator's PSS after {hour} h", f"{megabytes:.1f} MB", "", note
        note = ""


def live_for(hours: int) -> None:
    """The child of ``memory``."""
    clock = Clock()
    exchange = Exchange(GeneratedPath(1), "bench", clock, seed=1)
    keys = Keys()
    simulator = Simulator(exchange, Authenticator("k", keys.public, clock), 1, "")
    marks = sorted({1, hours // 4 or 1, hours // 2 or 1, hours})
    found: dict[str, float] = {}
    started = time.perf_counter()
    for step in range(hours * 720):
        clock.now_s += 5.0
        exchange.tick()
        simulator.exchange.engine.take_events()
        simulator._hub.flush(exchange.now_ms())
        if step % 12 == 6:
            exchange.place(order(near(exchange), "bid", 9_900, "immediate_or_cancel"))
        if (step + 1) % 720 == 0 and (step + 1) // 720 in marks:
            found[str((step + 1) // 720)] = pss_mb()
    print(json.dumps(found | {"seconds": time.perf_counter() - started}))


def rows(hours: int = 24) -> Iterator[Row]:
    """Everything, for a table."""
    yield from engine()
    yield from rest()
    yield from fan_out()
    if hours:
        yield from memory(hours)


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--hours", type=int, default=24, help="simulated for the memory figures; 0 for none (default: 24)"
    )
    parser.add_argument("--listen-to", help=argparse.SUPPRESS)
    parser.add_argument("--live-for", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.listen_to:
        asyncio.run(listen(json.loads(arguments.listen_to)))
    elif arguments.live_for:
        live_for(arguments.live_for)
    else:
        from trialhost.summary import table

        print(machine())
        print(table([("measure", "median", "p99", "note"), *rows(arguments.hours)]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
