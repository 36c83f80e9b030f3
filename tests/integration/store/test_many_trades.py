"""Fifty thousand trades: every query on the ledger goes by an index. (benchmarks/million.py times a million.)"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from pg import Cluster

from recio.store.db import Database

sys.path.insert(0, str(Path(__file__).parents[3] / "benchmarks"))
import ledger_queries as queries

TRADES = 50_000


@pytest.fixture(scope="module")
def filled(cluster: Cluster) -> Iterator[tuple[queries.Watched, queries.Ledger]]:
    owner = Database("filling", cluster.dsn("postgres"))
    owner.run(
        "TRUNCATE users.users, live_data.markets, live_data.books, live_data.strike_tables RESTART IDENTITY CASCADE"
    )
    owner.run("TRUNCATE users.fills, users.settlements, users.trade_events, users.balances, users.reconciliations")
    owner.run("INSERT INTO users.users (user_id, login, password_hash) VALUES ('0001', 'admin', 'unset')")
    at = queries.fill(owner, TRADES)
    owner.close()
    watched = queries.Watched("watched", cluster.dsn("postgres"))
    watched.run(
        "SET statement_timeout = '10s'"
    )  # a query that reads whole tables for each row fails instead of hanging
    yield watched, at
    watched.close()


@pytest.mark.parametrize("name", list(queries.HOT))
def test_goes_by_an_index(filled: tuple[queries.Watched, queries.Ledger], name: str) -> None:
    db, at = filled
    call = queries.HOT[name]
    for _ in range(7):  # a prepared statement settles on its plan with the sixth call
        call(db, at)
    plan = queries.plan_of(db, lambda: call(db, at))
    scans = [node for node in plan if node[0] == "Seq Scan" and node[1] in queries.BIG]
    assert plan, "no statement was seen"
    assert not scans, f"{name} reads whole tables: {scans}"


def test_no_query_is_forgotten() -> None:
    known = {name.partition(" ")[0] for name in (*queries.HOT, *queries.GROWS)} | set(queries.ELSEWHERE)
    missing = sorted(set(queries.all_queries()) - known)
    assert not missing, f"add to HOT (or, with a reason, GROWS or ELSEWHERE) of benchmarks/ledger_queries.py: {missing}"
    gone = sorted(known - set(queries.all_queries()) - {"market_data.markets_wanting_result"})
    assert not gone, f"no longer there: {gone}"
