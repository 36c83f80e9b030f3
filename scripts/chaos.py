#!/usr/bin/env python3
"""Seeded chaos on a trial host that trades (`make chaos NAME=trial SEED=… MINUTES=60`): faults at random, also several at once.

At the end, and after every few faults, without a hand: twelve healthy services, no incident left open that a fault raised, and the
ledger, its log and the exchange's record the same, order by order and to the cent. Exit code 1 otherwise; the seed repeats the sequence.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import sys
import time
import urllib.error
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(PROJECT / "tests" / "host"), str(PROJECT / "tests" / "faults"), str(PROJECT / "scripts")]

import testinfra  # noqa: E402
from desk import Desk  # noqa: E402
from injury import Injury  # noqa: E402
from remote import Remote  # noqa: E402
from test_database import PSQL  # noqa: E402
from test_exchange import ASK, CASES  # noqa: E402
from test_processes import TWELVE  # noqa: E402
from tester import tester_password  # noqa: E402

CUT = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'rec_io_db' AND pid <> pg_backend_pid()"
    " AND backend_type = 'client backend'"
)
AWAKE = "pkill -CONT -u postgres -x postgres"
PAUSES_S = (0.0, 15.0)  # between two faults: often none, so that they meet
ROUND = 6  # faults between two comparisons
CALM_S = 240.0  # the longest a host may need afterwards

# Told whatever is done to the desk: how busy the machine is, and memory rows that are known to be exceeded.
NO_FAULTS_DOING = re.compile(r"^host (cpu|memory|pressure)|services memory")

Fault = tuple[str, str]  # what it is, the command that does and ends it


def stop_for(unit: str, for_s: float) -> str:
    """Its main process stopped for a while; nothing while there is none (0 would be the group of who asks)."""
    find = f"p=$(systemctl show --value -p MainPID {unit}); [ $p -gt 0 ] || exit 0"
    return f"{find}; kill -STOP $p; (sleep {for_s}; kill -CONT $p) >/dev/null 2>&1 & true"


def kill(chance: random.Random) -> Fault:
    """One of the twelve, at once."""
    name = chance.choice(TWELVE)
    return f"kill {name}", f"systemctl kill --signal=KILL --kill-whom=main recio-{name}.service; true"


def freeze(chance: random.Random) -> Fault:
    """One of the twelve for a while; a long one the watchdog ends."""
    name, for_s = chance.choice(TWELVE), chance.choice((2, 8, 40))
    unit = f"recio-{name}.service"
    return f"freeze {name} {for_s} s", stop_for(unit, for_s)


def database(chance: random.Random) -> Fault:
    """Restarted, killed, or every connection cut."""
    return chance.choice(
        (
            ("PostgreSQL restarted", "systemctl restart postgresql"),
            ("postmaster killed", "kill -9 $(head -1 /var/lib/postgresql/*/main/postmaster.pid); true"),
            ("connections cut", f'{PSQL} -c "{CUT}" >/dev/null 2>&1; true'),
            ("PostgreSQL frozen 6 s", f"(pkill -STOP -u postgres -x postgres; sleep 6; {AWAKE}) >/dev/null 2>&1 & true"),
        )
    )  # fmt: skip


def exchange(chance: random.Random) -> Fault:
    """One of the simulator's misbehaviours for a while; it ends by itself."""
    case, for_s = chance.choice(CASES), chance.choice((3, 10, 25))
    rows = json.dumps({"faults": [row | {"duration_s": for_s} for row in case.rows]})
    return f"exchange {for_s} s: {case.what}", f"echo '{rows}' | python3 -c '{ASK}' PUT"


def simulator(chance: random.Random) -> Fault:
    """The exchange itself killed, or frozen with whatever it holds."""
    if chance.random() < 0.5:
        return "exchange killed", "systemctl kill --signal=KILL --kill-whom=main recio-simulator.service; true"
    for_s = chance.choice((1, 7))
    return f"exchange frozen {for_s} s", stop_for("recio-simulator.service", for_s)


def network(chance: random.Random) -> Fault:
    """Packets to the exchange dropped without a word."""
    for_s = chance.choice((2, 12))
    drop = "nft 'add table inet chaos { chain out { type filter hook output priority -200; tcp dport 8090 drop; }; }'"
    return f"exchange cut off {for_s} s", f"{drop}; (sleep {for_s}; nft delete table inet chaos) >/dev/null 2>&1 & true"


KINDS: tuple[Callable[[random.Random], Fault], ...] = (
    kill,
    kill,
    freeze,
    database,
    exchange,
    exchange,
    simulator,
    network,
)


class Chaos:
    """The run: what was done, what was bought, what was found."""

    def __init__(self, injury: Injury, seed: int) -> None:
        self.injury, self.chance = injury, random.Random(seed)  # noqa: S311 - repeatable is the point
        self.done: Counter[str] = Counter()
        self.bought: Counter[str] = Counter()
        self.rounds = 0

    def buy(self) -> None:
        """Try to buy one contract; every answer is allowed, only a lie is not."""
        try:
            offers = self.injury.desk.offers(left_min_s=10)
            answer = self.injury.desk.buy(self.chance.choice(offers)) if offers else None
            said = "no offer" if answer is None else str(answer.body.get("state", answer.status))
        except (AssertionError, urllib.error.URLError, OSError) as failure:
            said = "no answer" if not isinstance(failure, AssertionError) else "page unavailable"
        self.bought[said] += 1

    def step(self) -> None:
        """One fault, and an order in the middle of it."""
        kind = self.chance.choice(KINDS)
        what, command = kind(self.chance)
        print(f"  {time.strftime('%H:%M:%S')}  {what}", flush=True)
        self.done[kind.__name__] += 1
        if self.chance.random() < 0.6:
            self.buy()
        self.injury.remote.host.run(command)
        if self.chance.random() < 0.8:
            self.buy()
        time.sleep(self.chance.uniform(*PAUSES_S) if self.chance.random() < 0.7 else 0.0)

    def calm(self) -> dict[str, int]:
        """Wait until it has helped itself, then compare; the counts."""
        began_s = time.monotonic()
        self.injury.remote.wait_healthy(CALM_S)
        counts = self.injury.same_story(CALM_S)
        self.rounds += 1
        print(
            f"  calm after {time.monotonic() - began_s:.0f} s: {counts['trades']} trades, {counts['orders']} orders,"
            f" {counts['fills']} fills: none lost, none doubled, cash right to the cent",
            flush=True,
        )
        return counts

    def left_open(self, since_s: float) -> list[str]:
        """Incidents that were opened since and still stand."""
        rows = self.injury.remote.sql(
            f"SELECT key, cause FROM system.incidents WHERE closed_at IS NULL AND opened_at >= to_timestamp({since_s})"  # noqa: S608 - a number
        )
        return [f"{key}: {cause}" for key, cause in rows if not NO_FAULTS_DOING.search(f"{key}: {cause}")]


def main() -> int:
    """Run until the time is over, then judge."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--name", default="trial", help="the host (default: trial)")
    parser.add_argument("--seed", type=int, default=time.time_ns() % 1_000_000, help="default: of the clock, printed")
    parser.add_argument("--minutes", type=float, default=60.0)
    given = parser.parse_args()
    facts: dict[str, Any] = json.loads((PROJECT / "build" / f"{given.name}.json").read_text())
    print(f"seed {given.seed}, {given.minutes:g} minutes on {given.name}", flush=True)
    remote = Remote(testinfra.get_host(f"ssh://{facts['host']}", ssh_config=facts["ssh_config"]))
    desk = Desk(facts["url"], facts["ca_file"])
    desk.log_in(facts["admin_user"], tester_password(facts))
    injury = Injury(facts, remote, desk, PROJECT / "build/reports/chaos.jsonl")
    run = Chaos(injury, given.seed)
    try:
        since_s = float(remote.out("date +%s.%N"))
        run.calm()
        ends_s = time.monotonic() + given.minutes * 60
        while time.monotonic() < ends_s:
            for _ in range(ROUND):
                run.step()
            counts = run.calm()
        time.sleep(15)  # incidents end with the next looks
        left = run.left_open(since_s)
        asked = f"SELECT count(*) FROM system.incidents WHERE opened_at >= to_timestamp({since_s})"  # noqa: S608 - a number
        raised = remote.sql(asked)[0][0]
    except AssertionError as failure:
        print(f"FAILED (seed {given.seed}): {failure}", file=sys.stderr)
        return 1
    finally:
        injury.watcher.stop()
    print(
        f"{sum(run.done.values())} faults ({', '.join(f'{n} {c}' for n, c in run.done.most_common())}), {run.rounds} comparisons,"
        f" {raised} incidents raised, orders asked for: {dict(run.bought)}; at the end {counts}"
    )
    if left:
        print(f"FAILED (seed {given.seed}): incidents nobody ended: {'; '.join(left)}", file=sys.stderr)
    return 1 if left else 0


if __name__ == "__main__":
    sys.exit(main())
