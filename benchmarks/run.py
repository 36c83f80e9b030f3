#!/usr/bin/env python3
"""Measures a deployed host and prints one table: deploy seconds, memory, latencies, page sizes (`make bench`)."""

from __future__ import annotations

import argparse
import http.client
import json
import re
import ssl
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

PROJECT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(PROJECT / "tests" / "host"), str(PROJECT / "scripts")]

import exchange  # noqa: E402
import latency  # noqa: E402
import research  # noqa: E402
import web  # noqa: E402
from desk import Desk  # noqa: E402
from tester import tester_password  # noqa: E402
from trialhost.summary import table  # noqa: E402

REQUESTS = 200
ORDERS = 8
PAGES = ("/login", "/", "/history", "/account", "/system", "/settings")
CALLS = ("/livez", "/api/price", "/api/events", "/api/trades?state=all", "/")
ORDER_TIMES = """
SELECT extract(epoch FROM o.sent_at - t.created_at) * 1000, extract(epoch FROM o.done_at - t.created_at) * 1000,
       extract(epoch FROM min(f.recorded_at) - t.created_at) * 1000
FROM users.tickets t JOIN users.orders o ON o.trade_id = t.trade_id AND o.purpose = 'entry'
JOIN users.fills f ON f.exchange_order_id = o.exchange_order_id
WHERE t.ticket_id IN (IDS) GROUP BY t.ticket_id, o.order_id, o.sent_at, o.done_at, t.created_at
"""
Row = tuple[str, str, str, str]


def figures(values: Sequence[float], unit: str) -> tuple[str, str]:
    """Median and 99th percentile."""
    ordered = sorted(values)
    return (
        f"{statistics.median(ordered):.1f} {unit}",
        f"{ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))]:.1f} {unit}",
    )


def deploys(name: str) -> Iterator[Row]:
    """What `make up` noted when it ran."""
    for file, what in ((f"{name}-timings.json", "make up"), (f"{name}-timings-unchanged.json", "make up, unchanged")):
        path = PROJECT / "build" / file
        if not path.exists():
            continue
        record = json.loads(path.read_text())
        for phase, seconds in record["seconds"].items():
            note = f"changed={record['changed']}" if phase == "total" else ""
            yield f"{what}: {phase}", f"{seconds:.1f} s", "", note


class Bench:
    """One deployed host to be measured."""

    def __init__(self, facts: dict[str, str]) -> None:
        self.facts = facts
        self.desk = Desk(facts["url"], facts["ca_file"])
        password = tester_password(facts)
        answer = self.desk.log_in(facts["admin_user"], password)
        if answer.status != 200:
            raise SystemExit(f"error: the desk at {facts['url']} refuses {facts['admin_user']}: {answer.body}")

    def ssh(self, command: str) -> str:
        """Standard output of a command on the host."""
        words = ["ssh", "-F", self.facts["ssh_config"], self.facts["host"], command]
        return subprocess.run(words, capture_output=True, text=True, check=True, stdin=subprocess.DEVNULL).stdout

    def memory(self) -> Iterator[Row]:
        """PSS of the twelve, of PostgreSQL and of the proxy, beside the contract."""
        services = json.loads(self.ssh("recio status --json; true"))["services"]
        for service in services:
            yield f"memory: {service['name']}", f"{service['pss_mb'] or 0:.1f} MB", "", "PSS"
        total = sum(service["pss_mb"] or 0 for service in services)
        yield "memory: the twelve", f"{total:.1f} MB", "", "contract 256 MB"
        for what, user, budget in (("PostgreSQL", "postgres", 512), ("proxy", "caddy", 64)):
            kb = self.ssh(
                f"cat $(pgrep -u {user} | sed 's|.*|/proc/&/smaps_rollup|') 2>/dev/null | awk '/^Pss:/ {{s += $2}} END {{print s}}'"
            )
            yield f"memory: {what}", f"{int(kb) / 1024:.1f} MB", "", f"contract {budget} MB"

    def latencies(self) -> Iterator[Row]:
        """Calls over one kept TLS connection, from outside, through the proxy."""
        place = urlsplit(self.facts["url"])
        context = ssl.create_default_context(cafile=self.facts["ca_file"])
        connection = http.client.HTTPSConnection(place.hostname or "", place.port or 443, context=context, timeout=20)
        headers = {"Cookie": self.desk.cookie_header()}
        for path in CALLS:

            def call(path: str = path) -> None:
                connection.request("GET", path, headers=headers)
                answer = connection.getresponse()
                answer.read()
                if answer.status != 200:
                    raise SystemExit(f"error: GET {path} answered {answer.status}")

            yield f"HTTPS GET {path}", *figures(timed(call, REQUESTS), "ms"), f"{REQUESTS} calls, one connection"
        connection.close()
        yield "recio status", *figures(timed(lambda: self.ssh("recio status"), 5), "ms"), "with SSH, 5 calls"

    def orders(self) -> Iterator[Row]:
        """Tickets by the API, and what the ledger's own times say of each."""
        answered, tickets = [], []
        for _ in range(ORDERS):
            offer = self.desk.wait_offer(left_min_s=10)
            started = time.perf_counter()
            answer = self.desk.buy(offer)
            answered.append(1000 * (time.perf_counter() - started))
            if answer.status == 200 and answer.body["state"] == "accepted":
                tickets.append(answer.body["ticket_id"])
            time.sleep(1)
        time.sleep(3)
        yield "order: POST /api/tickets", *figures(answered, "ms"), f"{len(answered)} orders, with the decision"
        if not tickets:
            yield "order: accepted", "0", "", "every ticket was refused"
            return
        query = ORDER_TIMES.replace("IDS", ",".join(map(str, tickets)))
        rows = self.ssh(f'cd / && runuser -u postgres -- psql -XAtF, -d rec_io_db -c "{query}"')
        times = [[float(cell) for cell in line.split(",")] for line in rows.splitlines() if line]
        for index, what in enumerate(("ticket to sent", "ticket to answer", "ticket to fill on record")):
            if times:
                yield f"order: {what}", *figures([row[index] for row in times], "ms"), f"{len(times)} filled"

    def sizes(self) -> Iterator[Row]:
        """Pages as sent (HTML, uncompressed) and the static files of the trade page together."""
        static: dict[str, int] = {}
        for path in PAGES:
            text = self.desk.raw(path)
            yield f"page {path}", f"{len(text) / 1024:.1f} KB", "", "HTML"
            for link in re.findall(r'(?:src|href)="(/static/[^"]+)"', text.decode()):
                if link not in static:
                    static[link] = len(self.desk.raw(link))
        yield "page files", f"{sum(static.values()) / 1024:.1f} KB", "", f"{len(static)} of /static"


def timed(call: Callable[[], Any], times: int) -> list[float]:
    """Milliseconds of each of ``times`` calls."""
    found = []
    for _ in range(times):
        started = time.perf_counter()
        call()
        found.append(1000 * (time.perf_counter() - started))
    return found


def main() -> int:
    """Measure what there is and print it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--name", default="trial", help="the host (default: trial)")
    parser.add_argument(
        "--hours",
        type=int,
        default=0,
        help="simulated for the exchange's memory (default: 0, none; a day of 24 takes six minutes)",
    )
    parser.add_argument(
        "--orders",
        type=int,
        default=latency.ORDERS,
        help="from tick to wire (default: %(default)s; up to five minutes)",
    )
    arguments = parser.parse_args()
    summary = PROJECT / "build" / f"{arguments.name}.json"
    rows: list[Row] = [("measure", "median", "p99", "note"), *deploys(arguments.name)]
    if summary.exists():
        bench = Bench(json.loads(summary.read_text()))
        for part in (bench.memory, bench.latencies, bench.orders, bench.sizes):
            rows.extend(part())
        rows.extend(web.rows(summary))
        rows.extend(latency.rows(bench.facts, arguments.orders))
    rows.extend(exchange.rows(arguments.hours))
    rows.extend(research.rows())
    print(exchange.machine())
    print(table(rows))
    if not summary.exists():
        print(f"\nerror: {summary} is missing, so no host was measured: run `make up` first", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
