"""Tick -> painted cell on a deployed host: real Chromium tabs, stream clients beside them, and the floor in the same run.

    feed frame in            NOTIFY heard               bytes at a client            cell painted
    price.received_at  ->    a bare listener on    ->   a bare TLS client of    ->   MutationObserver on #price, then the
    (the watchdog)           the host                   /api/stream, via proxy       first task after the frame was drawn

Host, clients and browser share this machine's clock (the trial host is a container): no clocks need comparing.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import ssl
import subprocess
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from playwright.sync_api import Page
from weblook.site import Site, goto, launched, settle

Row = tuple[str, str, str, str]
SECONDS = 30.0
# Tabs, and how many of them are Chromium's; the others are stream clients. A Chromium without a graphics card draws every frame with
# about a sixth of a core: one a core measures the appliance, ten measure the machine they are drawn on as well.
ROUNDS = ((1, 1), (50, max(2, os.cpu_count() or 1)), (10, 10), (50, 10))
AIM_MS = 50.0
_STAMP = """() => {
    const channel = new MessageChannel(), stamps = {}, cell = document.querySelector("#price");
    let waiting = [];
    channel.port1.onmessage = () => { for (const at of waiting) stamps[at] ??= Date.now(); waiting = []; };
    new MutationObserver(() => {
        const row = window.desk.latest.price?.price;
        if (!row) return;
        waiting.push(row.received_at_ms); channel.port2.postMessage(0);
    }).observe(cell, { childList: true, characterData: true, subtree: true });
    window.paintedStamps = stamps;
}"""
_LISTENER = """
import json, select, sys, time
from recio.store.db import Database
db = Database("bench", "dbname=rec_io_db host=/var/run/postgresql user=postgres")
db.listen(["price"])
end, heard = time.monotonic() + float(sys.argv[1]), {}
while time.monotonic() < end:
    select.select([db.fileno()], [], [], 0.5)
    at = time.time() * 1000
    if db.notifications():
        row = db.one("SELECT round(extract(epoch FROM received_at) * 1000)::bigint AS ms FROM live_data.btc_price")
        heard.setdefault(int(row["ms"]), at)
print(json.dumps(heard))
"""


def two(values: Sequence[float], places: int = 1) -> tuple[str, str]:
    """Median and p99 of milliseconds, as text."""
    ordered = sorted(values)
    if not ordered:
        return "–", "–"
    p99 = ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))]
    return f"{ordered[len(ordered) // 2]:.{places}f} ms", f"{p99:.{places}f} ms"


async def _client(url: str, ca_file: str, cookie: str, until_s: float, stamps: dict[int, float] | None) -> int:
    """One stream by a bare TLS connection; gives the bytes read. Stamps when a price's bytes were here, by received_at."""
    host = re.sub(r"^https://", "", url).rstrip("/")
    name, _, port = host.partition(":")
    reader, writer = await asyncio.open_connection(
        name, int(port or 443), ssl=ssl.create_default_context(cafile=ca_file), limit=2**20
    )
    writer.write(
        f"GET /api/stream?series=KXBTCSIM HTTP/1.1\r\nHost: {host}\r\nCookie: {cookie}\r\nAccept: text/event-stream\r\n\r\n".encode()
    )
    taken, rest = 0, b""
    try:
        while (left := until_s - time.monotonic()) > 0:
            try:
                data = await asyncio.wait_for(reader.read(65_536), left)
            except TimeoutError:
                break
            if not data:
                raise SystemExit("error: the appliance ended a stream while it was measured")
            taken += len(data)
            if stamps is None:
                continue
            at, rest = time.time() * 1000, (rest + data)[-60_000:]
            for found in re.finditer(rb'event: price\ndata: [^\n]*?"received_at_ms":(\d+)', rest):
                stamps.setdefault(int(found[1]), at)
    finally:
        writer.close()
    return taken


def _streams(facts: dict[str, str], cookie: str, count: int, seconds: float) -> dict[int, float]:
    """``count`` streams at once; the first one stamps."""
    stamps: dict[int, float] = {}

    async def all_of_them() -> None:
        until = time.monotonic() + seconds
        await asyncio.gather(
            *(_client(facts["url"], facts["ca_file"], cookie, until, None if n else stamps) for n in range(count))
        )

    # Playwright's own event loop has this thread: the streams get another.
    with ThreadPoolExecutor(1) as aside:
        aside.submit(asyncio.run, all_of_them()).result()
    return stamps


def pss_mb(ssh: Any) -> float:
    """PSS of main_app now."""
    kb = ssh("awk '/^Pss:/ {print $2}' /proc/$(systemctl show -P MainPID recio-main_app)/smaps_rollup")
    return int(kb) / 1024


def _listener(facts: dict[str, str], seconds: float) -> subprocess.Popen[str]:
    command = f"runuser -u postgres -- /opt/recio/current/venv/bin/python - {seconds:g}"
    process = subprocess.Popen(
        ["ssh", "-F", facts["ssh_config"], facts["host"], f"cd / && {command}"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdin is not None
    process.stdin.write(_LISTENER)
    process.stdin.close()
    return process


def _round(facts: dict[str, str], pages: list[Page], cookie: str, extra: int, seconds: float) -> dict[str, list[float]]:
    """Milliseconds by leg over ``seconds``; ``extra`` stream clients beside the pages and the one that stamps."""
    for page in pages:
        page.evaluate(_STAMP)
    listener = _listener(facts, seconds)
    bytes_at = _streams(facts, cookie, 1 + extra, seconds)
    painted = [{int(k): v for k, v in page.evaluate("() => window.paintedStamps").items()} for page in pages]
    assert listener.stdout is not None
    heard = {int(k): v for k, v in json.loads(listener.stdout.read() or "{}").items()}
    listener.wait()
    moved = set().union(*painted)  # a price that did not move is published by its own slow clock: no tick, no measure
    return {
        "tick to NOTIFY": [at - tick for tick, at in heard.items() if tick in moved],
        "NOTIFY to bytes": [bytes_at[tick] - at for tick, at in heard.items() if tick in bytes_at and tick in moved],
        "tick to bytes": [at - tick for tick, at in bytes_at.items() if tick in moved],
        "tick to painted": [at - tick for stamps in painted for tick, at in list(stamps.items())[1:]],
        "bytes to painted": [
            at - bytes_at[tick] for stamps in painted for tick, at in list(stamps.items())[1:] if tick in bytes_at
        ],
    }


def rows(facts: dict[str, str], site: Site, ssh: Any, seconds: float = SECONDS) -> Iterator[Row]:
    """Legs of each of ROUNDS, every tab in a profile of its own so that each has its own stream; PSS of main_app with each."""
    yield "web: main_app with 0 tabs", f"{pss_mb(ssh):.1f} MB", "", "PSS, contract 64 MB"
    with launched() as browser:
        state = site.sign_in(browser)
        cookie = "; ".join(f"{c['name']}={c['value']}" for c in state["cookies"])
        pages: list[Page] = []
        for tabs, real in ROUNDS:
            while len(pages) < real:
                page = site.context(browser, state=state).new_page()
                page.set_default_timeout(90_000)
                goto(page, "/?series=KXBTCSIM")
                settle(page)
                pages.append(page)
            extra = tabs - len(pages)
            time.sleep(3)
            legs = _round(facts, pages, cookie, extra, seconds)
            who = f"{len(pages)} Chromium" + (f" + {extra} stream clients" if extra else "")
            name = f"{tabs} tabs ({len(pages)} drawn)"
            for leg, values in legs.items():
                aim = f"aim p99 {AIM_MS:g} ms; " if leg == "tick to painted" and tabs == 50 else ""
                yield f"web: {name}: {leg}", *two(values), f"{aim}{len(values)} times; {who}"
            whole, floor = sorted(legs["tick to painted"]), sorted(legs["tick to NOTIFY"])
            if whole and floor:
                ratio = [whole[int(len(whole) * q)] / max(0.1, floor[int(len(floor) * q)]) for q in (0.5, 0.99)]
                yield (
                    f"web: {name}: painted, times the floor",
                    f"{ratio[0]:.1f}",
                    f"{ratio[1]:.1f}",
                    "floor: tick to NOTIFY",
                )
            if extra:
                until = seconds / 3
                process = subprocess.Popen(
                    ["ssh", "-F", facts["ssh_config"], facts["host"],
                     f"sleep {until / 2:g}; awk '/^Pss:/ {{print $2}}' /proc/$(systemctl show -P MainPID recio-main_app)/smaps_rollup"],
                    stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
                )  # fmt: skip
                _streams(facts, cookie, 1 + extra, until)
                mb = int(process.communicate()[0]) / 1024
            else:
                mb = pss_mb(ssh)
            yield f"web: main_app with {name}", f"{mb:.1f} MB", "", f"PSS, contract 64 MB; {who}"
