#!/usr/bin/env python3
"""Tick in to order bytes out on a deployed host: real ticks of the simulated exchange, the services as they run, four
short markets and 75 idle strikes; beside it the floor of this machine: one commit, one notification, one signature.

For the measurement auto entry is switched on for the practice monitor with settings that nearly always enter; what was
set before is put back at the end.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(PROJECT / "scripts")]

from trialhost.summary import table  # noqa: E402

Row = tuple[str, str, str, str]
ORDERS, LONGEST_S = 100, 300.0
AIM = {"tick to wire": (10.0, 25.0)}
_WIDE = {
    "risk": {
        "allow_same_entry": True, "max_open_trades": 1_000, "max_exposure_e6": 5_000_000_000,
        "max_daily_loss_e6": 5_000_000_000,
    },
    "auto_entry": {"enabled": True, "spike_pause_bp": 10_000, "spike_resume_bp": 10_000, "spike_resume_after_s": 0},
}  # fmt: skip
_MONITOR = {
    "min_probability_percent": 0, "min_differential_e4": -10_000, "min_time_to_close_s": 6, "cooldown_s": 1,
    "allow_reentry": True, "max_book_age_s": 30,
}  # fmt: skip
_FLOOR = """
import select, statistics, time
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives import serialization
from recio.exchange.kalshi.signing import Signer
from recio.store.db import Database
key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
signer = Signer("k", pem)
signer.headers("POST", "/x", 0.0)
dsn = "dbname=rec_io_db host=/var/run/postgresql user=postgres"
writer, reader = Database("floor", dsn), Database("floor", dsn)
reader.listen(["floor"])
writer.run("CREATE TABLE IF NOT EXISTS public.floor (n int)")
taken = {"commit": [], "notify": [], "sign": []}
for n in range(200):
    time.sleep(0.02)
    at = [time.perf_counter()]
    writer.run("INSERT INTO public.floor VALUES (%s)", (n,)); at.append(time.perf_counter())
    writer.notify("floor", n)
    while not reader.notifications():
        select.select([reader.fileno()], [], [], 1.0)
    at.append(time.perf_counter())
    signer.headers("POST", "/trade-api/v2/portfolio/events/orders", time.time()); at.append(time.perf_counter())
    for name, begin, end in zip(taken, at, at[1:]):
        taken[name].append(1000 * (end - begin))
writer.run("DROP TABLE public.floor")
taken["floor"] = [sum(three) for three in zip(*taken.values())]
import json
print(json.dumps({k: [statistics.median(v), sorted(v)[int(len(v) * 0.99)]] for k, v in taken.items()}))
"""


class Host:
    """The host, by SSH."""

    def __init__(self, facts: dict[str, str]) -> None:
        self._words = ["ssh", "-F", facts["ssh_config"], facts["host"]]

    def run(self, command: str, given: str = "") -> str:
        """Standard output of a command; its failure raises."""
        done = subprocess.run(
            [*self._words, f"cd / && {command}"], input=given, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise SystemExit(f"error: {command[:60]} on the host: {done.stderr.strip() or done.stdout.strip()}")
        return done.stdout

    def sql(self, text: str) -> str:
        """A statement as the superuser."""
        return self.run("runuser -u postgres -- psql -XAtq -d rec_io_db", text).strip()

    def latency(self, minutes: int) -> dict[str, dict[str, Any]]:
        """`recio latency`, by leg."""
        found = json.loads(self.run(f"recio latency --json --minutes {minutes}"))
        return {leg["name"]: leg for leg in found["legs"]}


def _set(host: Host, name: str, value: dict[str, Any] | None) -> None:
    if value is None:
        host.sql(f"DELETE FROM users.settings WHERE user_id = '0001' AND name = '{name}'")  # noqa: S608
    else:
        host.sql(
            "INSERT INTO users.settings (user_id, name, value, changed_by) VALUES ('0001', '" + name + "', '"  # noqa: S608
            + json.dumps(value) + "', 'bench') ON CONFLICT (user_id, name) DO UPDATE SET value = excluded.value"
        )  # fmt: skip
    host.sql(f"SELECT pg_notify('setting', '{name}')")


def _pairs(settings: dict[str, Any]) -> str:
    return " ".join(f"{key}={json.dumps(value)}" for key, value in settings.items())


def rows(facts: dict[str, str], orders: int = ORDERS) -> Iterator[Row]:
    """Every leg, the whole, the floor and the ratio."""
    host = Host(facts)
    before = {
        name: json.loads(host.sql(f"SELECT value FROM users.settings WHERE name = '{name}'") or "null")  # noqa: S608
        for name in _WIDE
    }
    practice = next(m for m in json.loads(host.run("recio monitor list --json")) if m["monitor_id"] == "practice")
    was = {key: practice["settings"][key] for key in _MONITOR}
    started = time.monotonic()
    try:
        for name, value in _WIDE.items():
            _set(host, name, value)
        host.run(f"recio monitor set practice {_pairs(_MONITOR)}")
        host.run("recio monitor enable practice")
        found: dict[str, dict[str, Any]] = {}
        while found.get("tick to wire", {"count": 0})["count"] < orders and time.monotonic() - started < LONGEST_S:
            time.sleep(5)
            found = host.latency(max(1, int((time.monotonic() - started) // 60) + 1))
        floor = json.loads(host.run("runuser -u postgres -- /opt/recio/current/venv/bin/python -", _FLOOR))
    finally:
        if not practice["enabled"]:
            host.run("recio monitor disable practice")
        host.run(f"recio monitor set practice {_pairs(was)}")
        for name, value in before.items():
            _set(host, name, value)
    yield from _told(found, floor)


def _told(found: dict[str, dict[str, Any]], floor: dict[str, list[float]]) -> Iterator[Row]:
    for name, leg in found.items():
        aim = "aim {:g} and {:g} ms; ".format(*AIM[name]) if name in AIM else ""
        yield f"latency: {name}", f"{leg['p50_ms']:.2f} ms", f"{leg['p99_ms']:.2f} ms", f"{aim}{leg['count']} orders"
    for name, (p50, p99) in floor.items():
        yield f"latency floor: {name}", f"{p50:.2f} ms", f"{p99:.2f} ms", "200 times, on the same host, right after"
    whole = found.get("tick to wire")
    if whole:
        ratio = [whole["p50_ms"] / floor["floor"][0], whole["p99_ms"] / floor["floor"][1]]
        yield (
            "latency: times the floor",
            f"{ratio[0]:.1f}",
            f"{ratio[1]:.1f}",
            "three durable commits on the way, five processes",
        )


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--name", default="trial", help="the host (default: trial)")
    parser.add_argument("--orders", type=int, default=ORDERS, help=f"that began with a tick (default: {ORDERS})")
    arguments = parser.parse_args()
    facts = json.loads((PROJECT / "build" / f"{arguments.name}.json").read_text())
    found = list(rows(facts, arguments.orders))
    print(table([("measure", "median", "p99", "note"), *found]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
