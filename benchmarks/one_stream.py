#!/usr/bin/env python3
"""Server-sent events or a WebSocket: the same hub, the same frames, 50 clients, one after the other on this machine.

    benchmarks/one_stream.py [--clients 50] [--seconds 20] [--hz 10]

A price is written and told 10 times a second; measured is the time from before that transaction to each client having the
frame, and the server process' CPU time and memory (PSS). docs/decisions/0007-one-stream.md has the result.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(PROJECT / "tests" / "integration"), str(PROJECT / "tests" / "integration" / "web")]

FIRST_E2 = 20_000_000  # prices count up from here, so that each says which one it is


# ------------------------------------------------------------------ the server process
def serve(kind: str, dsn: str, port: int) -> None:
    """The hub of the page behind one scratch route, as SSE or as a WebSocket; no session, no gate."""
    import uvicorn
    import yaml
    from starlette.applications import Starlette
    from starlette.responses import StreamingResponse
    from starlette.routing import Route, WebSocketRoute

    from recio.contract import parse
    from recio.web import stream
    from recio.web.hub import Hub, Subscriber, Want
    from recio.web.snapshots import Snapshots
    from recio.web.status import StatusBoard

    raw = yaml.safe_load((PROJECT / "roles" / "contract" / "defaults" / "main.yml").read_text())["contract"]
    board = StatusBoard(parse(json.dumps(raw)), "simulated")
    hub = Hub(dsn, Snapshots("0001", "simulated", ("KXBTCSIM",), board))

    stream._SESSION_EVERY_S = float("inf")  # there is no session to look up

    class Scratch:
        """What the stream's coroutine needs of a desk."""

        def __init__(self) -> None:
            self.hub = hub

    def tab() -> Subscriber:
        made = Subscriber(frozenset({Want(series="KXBTCSIM")}), "0001", b"t", asyncio.get_running_loop())
        hub.subscribe(made)
        return made

    async def sse(_request: Any) -> StreamingResponse:
        return StreamingResponse(stream._frames(Scratch(), tab()), media_type="text/event-stream")  # type: ignore[arg-type]

    async def ws(link: Any) -> None:
        await link.accept()
        async for data in stream._frames(Scratch(), tab()):  # type: ignore[arg-type]
            await link.send_bytes(data)

    @asynccontextmanager
    async def life(_app: Any) -> AsyncIterator[None]:
        hub.start()
        yield
        hub.stop()

    app = Starlette(routes=[Route("/sse", sse), WebSocketRoute("/ws", ws)], lifespan=life)
    kinds = "websockets-sansio" if kind == "ws" else "none"
    uvicorn.run(
        app, port=port, loop="uvloop", http="httptools", ws=kinds, log_level="warning", ws_per_message_deflate=False
    )


# ------------------------------------------------------------------ the clients
class Seen:
    """When each price arrived, over all clients."""

    def __init__(self) -> None:
        self.sent: dict[int, float] = {}
        self.late_ms: list[float] = []
        self.bytes = 0

    def take(self, data: bytes) -> None:
        """A piece of the stream."""
        at = time.perf_counter()
        self.bytes += len(data)
        for part in data.split(b'"price_e2":')[1:]:
            price = int(part.split(b",", 1)[0].split(b"}", 1)[0])
            if price in self.sent:
                self.late_ms.append((at - self.sent[price]) * 1000)


async def listen(kind: str, port: int, seen: Seen) -> None:
    """One client, until it is cancelled."""
    if kind == "sse":
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /sse HTTP/1.1\r\nHost: x\r\n\r\n")
        rest = b""
        while data := await reader.read(65_536):
            whole, _, rest = (rest + data).rpartition(b"\n\n")
            seen.take(whole)
    else:
        from websockets.asyncio.client import connect

        async with connect(f"ws://127.0.0.1:{port}/ws", max_size=None, compression=None) as link:
            async for message in link:
                seen.take(message if isinstance(message, bytes) else message.encode())


def pss_mb(pid: int) -> float:
    """Of the process."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024


def cpu_s(pid: int) -> float:
    """User and system time of the process so far."""
    parts = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(parts[11]) + int(parts[12])) / os.sysconf("SC_CLK_TCK")


async def measure(kind: str, cluster: Any, given: argparse.Namespace) -> dict[str, float]:
    """One kind's figures."""
    from recio.store.db import Database

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, __file__, "--serve", kind, "--dsn", cluster.dsn("main_app"), "--port", str(port)]
    server = subprocess.Popen(command, env=os.environ | {"PYTHONPATH": str(PROJECT / "app")})
    db, seen = Database("bench", cluster.dsn("postgres")), Seen()
    try:
        for _ in range(600):
            await asyncio.sleep(0.1)
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
        else:
            sys.exit(f"one_stream: the {kind} server did not open port {port} within a minute")
        alone_mb = pss_mb(server.pid)
        clients = [asyncio.create_task(listen(kind, port, seen)) for _ in range(given.clients)]
        await asyncio.sleep(3)
        seen.bytes, began_cpu, began = 0, cpu_s(server.pid), time.perf_counter()
        for number in range(given.seconds * given.hz):
            price = FIRST_E2 + number
            seen.sent[price] = time.perf_counter()
            await asyncio.to_thread(_tell, db, price)
            await asyncio.sleep(max(0.0, began + (number + 1) / given.hz - time.perf_counter()))
        await asyncio.sleep(0.5)
        took, used = time.perf_counter() - began, cpu_s(server.pid) - began_cpu
        full_mb = pss_mb(server.pid)
        for client in clients:
            client.cancel()
        late = sorted(seen.late_ms)
        return {
            "frames": len(late), "p50_ms": statistics.median(late), "p99_ms": late[int(len(late) * 0.99)],
            "cpu_percent": 100 * used / took, "alone_mb": alone_mb, "full_mb": full_mb, "kbit_s": seen.bytes * 8 / took / 1000,
        }  # fmt: skip
    finally:
        server.kill()  # it would wait for its streams to end
        server.wait(timeout=10)
        db.close()


def _tell(db: Any, price: int) -> None:
    with db.transaction():
        db.later("UPDATE live_data.btc_price SET price_e2 = %s, received_at = now()", (price,))
        db.notify("price", price)


def main() -> None:
    """Both kinds, twice, alternating."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, value in (("--clients", 50), ("--seconds", 20), ("--hz", 10), ("--port", 0)):
        parser.add_argument(name, type=int, default=value)
    parser.add_argument("--serve", choices=("sse", "ws"))
    parser.add_argument("--dsn", default="")
    given = parser.parse_args()
    if given.serve:
        serve(given.serve, given.dsn, given.port)
        return
    from pg import make_cluster, remove_cluster
    from webdesk import seed_market

    from recio.store.db import Database

    cluster = make_cluster()
    try:
        owner = Database("bench", cluster.dsn("postgres"))
        seed_market(owner)
        owner.close()
        for kind in ("sse", "ws", "sse", "ws"):
            found = asyncio.run(measure(kind, cluster, given))
            print(kind, " ".join(f"{name}={value:.1f}" for name, value in found.items()), flush=True)
        print(f"load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    finally:
        remove_cluster(cluster)


if __name__ == "__main__":
    main()
