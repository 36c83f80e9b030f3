#!/usr/bin/env python3
"""Does a ledger of a million trades answer like a young one? Two real clusters, every query on both, turn by turn."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(PROJECT / "app"), str(PROJECT / "scripts"), str(PROJECT / "tests" / "integration")]

import ledger_queries as queries  # noqa: E402
from exchange import machine  # noqa: E402
from pg import make_cluster, remove_cluster  # noqa: E402
from trialhost.summary import table  # noqa: E402

from recio.store.db import Database  # noqa: E402

Row = tuple[str, ...]
WORSE = 1.2


def _filled(dsn: str, trades: int) -> queries.Ledger:
    db = Database("filling", dsn)
    db.run("INSERT INTO users.users (user_id, login, password_hash) VALUES ('0001', 'admin', 'unset')")
    started = time.perf_counter()
    at = queries.fill(db, trades)
    size = db.one("SELECT pg_database_size(current_database()) / 1048576 AS mb") or {}
    print(f"{trades} trades in {time.perf_counter() - started:.0f} s, {size['mb']} MB", flush=True)
    db.close()
    return at


def _times(both: list[tuple[queries.Watched, queries.Ledger]], call: queries.Call, rounds: int) -> list[list[float]]:
    """Milliseconds in each of the two, measured turn by turn: what disturbs the machine disturbs both."""
    found: list[list[float]] = [[], []]
    for _ in range(rounds):
        for index, (db, at) in enumerate(both):
            started = time.perf_counter()
            call(db, at)
            found[index].append(1000 * (time.perf_counter() - started))
    return [sorted(values[7:]) for values in found]  # the first ones plan


def _row(name: str, both: list[tuple[queries.Watched, queries.Ledger]], call: queries.Call, rounds: int) -> Row:
    small, large = _times(both, call, rounds)
    plans = [queries.plan_of(db, lambda db=db, at=at: call(db, at)) for db, at in both]  # type: ignore[misc]
    scans = sorted({node[1] for node in plans[1] if node[0] == "Seq Scan" and node[1] in queries.BIG})
    said = "same" if plans[0] == plans[1] else "differs"
    p50, p99 = ([v[int(len(v) * share)] for v in (small, large)] for share in (0.5, 0.99))
    worse = "slower" if p50[1] > WORSE * p50[0] and p99[1] > WORSE * p99[0] else ""
    return (
        name, f"{p50[0]:.2f}", f"{p50[1]:.2f}", f"{p99[0]:.2f}", f"{p99[1]:.2f}", f"{p50[1] / p50[0] - 1:+.0%}",
        f"{p99[1] / p99[0] - 1:+.0%}", said, " ".join([*(f"reads all {s}" for s in scans), worse]).strip(),
    )  # fmt: skip


def main() -> int:
    """Fill, measure, print; exit status 1 when a hot query's plan changed into reading a whole table, or p50 and p99
    both grew by more than a fifth."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trades", type=int, default=1_000_000, help="of the large ledger (default: a million)")
    parser.add_argument("--small", type=int, default=10_000, help="of the young ledger (default: ten thousand)")
    parser.add_argument("--rounds", type=int, default=200, help="calls of each query (default: 200)")
    arguments = parser.parse_args()
    clusters = []
    try:
        both = []
        for trades in (arguments.small, arguments.trades):
            clusters.append(make_cluster())
            dsn = clusters[-1].dsn("postgres")
            at = _filled(dsn, trades)
            both.append((queries.Watched("bench", dsn), at))
        rows = [_row(name, both, call, arguments.rounds) for name, call in queries.HOT.items()]
        grows = [_row(name, both, call, 12) for name, (_, call) in queries.GROWS.items()]
    finally:
        for cluster in clusters:
            remove_cluster(cluster)
    print(machine())
    head = ("query (ms)", "p50 young", "p50 large", "p99 young", "p99 large", "p50 +", "p99 +", "plan", "note")
    print(table([head, *rows]))
    print("\nWhat adds up all there ever was:")
    print(table([head, *grows]))
    bad = [row[0] for row in rows if row[-1]]
    print(f"\n{len(rows)} hot queries; worse: {', '.join(bad) or 'none'}")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
