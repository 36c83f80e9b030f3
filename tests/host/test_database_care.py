"""What is slow, and why: the statements the desk itself runs, and the plan of each."""

from __future__ import annotations

import json
from typing import Any

from remote import Remote


def test_the_slow_statements_are_named_and_each_has_a_plan(remote: Remote) -> None:
    rows = json.loads(remote.out("recio db slow --json --most 40"))
    assert len(rows) == 40
    assert [row["total_ms"] for row in rows] == sorted((row["total_ms"] for row in rows), reverse=True)
    queries = [
        row
        for row in rows
        if row["query"].split()[0].upper() in ("SELECT", "INSERT", "UPDATE", "DELETE", "WITH", "PREPARE")
    ]
    assert len(queries) > 10
    script = "; ".join(f"echo '#{row['query_id']}'; recio db explain -- {row['query_id']} 2>&1" for row in queries)
    plans = {}
    for block in remote.out(f"{script}; true").split("\n#"):
        number, _, plan = block.lstrip("#").partition("\n")
        plans[number] = plan.strip()
    unplanned = [
        (row["role"], row["query"], plan) for row in queries if "cost=" not in (plan := plans[row["query_id"]])
    ]
    print(f"\n{len(queries) - len(unplanned)} of {len(queries)} statements have a plan", *unplanned, sep="\n")
    # What other programs asked, these tests too, may be what nobody can plan without its values; then that is said.
    assert not [one for one in unplanned if one[0] != "postgres"]
    assert all("without its values" in plan for _role, _query, plan in unplanned)


def statement(remote: Remote) -> dict[str, Any]:
    """What is counted of one that only this test runs."""
    (found,) = remote.sql(
        "SELECT queryid, calls, query FROM pg_stat_statements WHERE query LIKE 'UPDATE users.trades SET reason = reason WHERE trade_id%'",
        database="postgres",
    )
    return dict(zip(("query_id", "calls", "query"), found, strict=True))


def test_a_statement_is_not_run_by_looking_at_its_plan(remote: Remote) -> None:
    remote.sql("UPDATE users.trades SET reason = reason WHERE trade_id = -1")
    found = statement(remote)
    plan = remote.out(f"recio db explain -- {found['query_id']}")
    assert "Update on users.trades" in plan
    assert statement(remote)["calls"] == found["calls"]


def test_a_number_nobody_knows_is_refused_with_the_way_to_one(remote: Remote) -> None:
    done = remote.host.run("recio db explain 12345")
    assert done.rc == 1 and "`recio db slow` lists" in done.stderr


def test_indexes_and_dead_rows_while_it_trades(remote: Remote) -> None:
    assert "are new" in remote.out("recio db reindex users.trades_0001")
    assert "vacuumed and analyzed" in remote.out("recio db vacuum users.trades_0001")
    assert not remote.unhealthy()
    refused = remote.host.run("recio db reindex users.nothing")
    assert refused.rc == 1 and "there is no table users.nothing" in refused.stderr
