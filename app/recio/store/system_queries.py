"""What the System page reads. None of it touches the ledger: every table here is pruned, or one row."""

from __future__ import annotations

from typing import Any

from recio.store.db import Queries
from recio.store.system import readings
from recio.store.web_queries import machine

__all__ = [
    "beats", "database_details", "feeds", "host_history", "machine", "open_incidents", "past_incidents", "readings",
]  # fmt: skip

Row = dict[str, Any]
_INCIDENT = "incident_id, key, severity, opened_at, closed_at, cause, action, seen_by"


def open_incidents(db: Queries) -> list[Row]:
    """What is wrong now, the critical first, with how long."""
    return db.all(
        f"SELECT {_INCIDENT}, extract(epoch FROM now() - opened_at)::float8 AS lasted_s FROM system.incidents"  # noqa: S608
        " WHERE closed_at IS NULL ORDER BY severity, opened_at"
    )


def past_incidents(db: Queries, limit: int = 30) -> list[Row]:
    """What ended, newest first: each cause with how long it lasted and how often it happened in the last week."""
    return db.all(
        f"SELECT {_INCIDENT}, extract(epoch FROM closed_at - opened_at)::float8 AS lasted_s,"  # noqa: S608
        " (SELECT count(*) FROM system.incidents o WHERE o.key = i.key AND o.opened_at > now() - interval '7 days') AS week"
        " FROM system.incidents i WHERE closed_at IS NOT NULL ORDER BY opened_at DESC LIMIT %s",
        (limit,),
    )


def beats(db: Queries, count: int = 90, seconds: int = 60) -> dict[str, list[Row]]:
    """By service its last ``count`` slots of ``seconds``, oldest first: n (0 to count-1), ok, at, the first reason; gaps left out."""
    rows = db.all(
        "SELECT service, n, bool_and(healthy) AS ok, min(at) AS at,"
        " coalesce((array_agg(reason ORDER BY at) FILTER (WHERE NOT healthy))[1], '') AS reason FROM ("
        "  SELECT *, %(count)s - 1 - floor(extract(epoch FROM now() - at) / %(seconds)s)::int AS n FROM system.service_samples"
        "  WHERE at > now() - make_interval(secs => %(count)s * %(seconds)s)) s"
        " GROUP BY service, n ORDER BY service, n",
        {"count": count, "seconds": seconds},
    )
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(row["service"], []).append(row)
    return found


def host_history(db: Queries, minutes: int = 60) -> list[Row]:
    """A point a minute of the host's percentages, the highest of each minute; oldest first."""
    return db.all(
        "SELECT date_trunc('minute', at) AS at, max(cpu_percent) AS cpu, max(memory_percent) AS memory, max(disk_percent) AS disk"
        " FROM system.host_samples WHERE at > now() - make_interval(mins => %s) GROUP BY 1 ORDER BY 1",
        (minutes,),
    )


def feeds(db: Queries, mode: str) -> list[Row]:
    """Each feed with when it was last heard and after how many seconds it is too old."""
    return db.all(
        """
        SELECT 'BTC price' AS name, (SELECT received_at FROM live_data.btc_price) AS at, 10 AS limit_s
        UNION ALL SELECT 'Order books', (SELECT max(received_at) FROM live_data.books), 60
        UNION ALL SELECT 'Strike tables', (SELECT max(built_at) FROM live_data.strike_tables), 10
        UNION ALL SELECT 'Exchange status', (SELECT at FROM live_data.exchange_state WHERE mode = %(mode)s), 30
        UNION ALL SELECT 'Balance', (SELECT seen_at FROM users.balances WHERE mode = %(mode)s), 120
        UNION ALL SELECT 'Reconciliation', (SELECT at FROM users.reconciliations WHERE mode = %(mode)s
                                             ORDER BY reconciliation_id DESC LIMIT 1), 300
        """,
        {"mode": mode},
    )


def database_details(db: Queries) -> Row | None:
    """db_poller's closer look; None before the first."""
    return db.one("SELECT at, statements, tables, sessions FROM system.database_details")
