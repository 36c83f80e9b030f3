"""Queries of the system schema: incidents, samples, the detector's conclusion, settings, retention."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from psycopg2.extras import Json

from recio.store.db import Database, Queries

__all__ = [
    "PRUNE_BATCH",
    "archive_state",
    "close_incident",
    "database_sample",
    "open_incident",
    "open_keys",
    "prune",
    "readings",
    "save_database_details",
    "save_dependency_state",
    "save_host_sample",
    "save_readings",
    "save_service_samples",
    "setting",
    "slow_statements",
]

Row = dict[str, Any]
PRUNE_BATCH = 5000  # rows of a table at once: the services' own statements wait for no more than that


def open_incident(db: Database, key: str, severity: str, cause: str, action: str, seen_by: str) -> bool:
    """Open an incident unless one with this key is open; True when it is new. One cause, one incident."""
    with db.transaction():
        new = db.run(
            "INSERT INTO system.incidents (key, severity, cause, action, seen_by) VALUES (%s, %s, %s, %s, %s)"
            " ON CONFLICT (key) WHERE closed_at IS NULL DO NOTHING",
            (key, severity, cause, action, seen_by),
        )
        if new:
            db.notify("incident", key)
    return bool(new)


def close_incident(db: Database, key: str, unless: str = "") -> bool:
    """Close the open incident with this key, but not one whose cause is ``unless``; True when one was closed."""
    with db.transaction():
        closed = db.run(
            "UPDATE system.incidents SET closed_at = now() WHERE key = %s AND closed_at IS NULL AND cause <> %s",
            (key, unless),
        )
        if closed:
            db.notify("incident", key)
    return bool(closed)


def open_keys(db: Database, seen_by: str) -> set[str]:
    """The keys of what a service had open, which the process after it goes on with."""
    rows = db.all("SELECT key FROM system.incidents WHERE closed_at IS NULL AND seen_by = %s", (seen_by,))
    return {row["key"] for row in rows}


def save_service_samples(db: Database, rows: Sequence[tuple[Any, ...]]) -> None:
    """(service, at, healthy, pss_kb, cpu_percent, restarts, reason) of every service."""
    with db.transaction(durable=False):
        db.run_many(
            "INSERT INTO system.service_samples (service, at, healthy, pss_kb, cpu_percent, restarts, reason) VALUES %s"
            " ON CONFLICT DO NOTHING",
            rows,
        )


def save_host_sample(db: Database, cpu: float, memory: float, disk: float, detail: Row) -> None:
    """The host's CPU, memory and disk in percent, and what else was measured."""
    with db.transaction(durable=False):
        db.run(
            "INSERT INTO system.host_samples (at, cpu_percent, memory_percent, disk_percent, detail)"
            " VALUES (now(), %s, %s, %s, %s)",
            (cpu, memory, disk, Json(detail)),
        )


def save_dependency_state(db: Database, entries_allowed: bool, root_cause: str, affected: Sequence[str]) -> None:
    """The failure detector's conclusion. Executors and managers read it before every entry."""
    with db.transaction(durable=False):
        db.run(
            "INSERT INTO system.dependency_state (at, entries_allowed, root_cause, affected) VALUES (now(), %s, %s, %s)"
            " ON CONFLICT (one) DO UPDATE SET at = excluded.at, entries_allowed = excluded.entries_allowed,"
            " root_cause = excluded.root_cause, affected = excluded.affected",
            (entries_allowed, root_cause, Json(list(affected))),
        )


def database_sample(db: Database, notify_lag_ms: float | None) -> Row:
    """Measure the database, keep the sample, give it back."""
    with db.transaction(durable=False):
        row = db.one(
            """
            INSERT INTO system.database_samples (at, connections, cache_hit, size_mb, longest_tx_s, dead_rows, notify_lag_ms)
            SELECT now(),
              (SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND backend_type = 'client backend'),
              (SELECT blks_hit::float8 / nullif(blks_hit + blks_read, 0) FROM pg_stat_database WHERE datname = current_database()),
              pg_database_size(current_database()) / 1048576.0,
              (SELECT coalesce(max(extract(epoch FROM now() - xact_start)), 0) FROM pg_stat_activity
                WHERE datname = current_database() AND pid <> pg_backend_pid()),
              (SELECT coalesce(sum(n_dead_tup), 0) FROM pg_stat_user_tables),
              %s
            RETURNING *
            """,
            (notify_lag_ms,),
        )
    assert row is not None  # noqa: S101
    return row


def archive_state(db: Database) -> Row | None:
    """Of the WAL's archive: ``silent_s`` since a segment was archived or the server started, whichever came last; ``timeout_s``, the
    setting archive_timeout; ``failing``, the segment whose archiving failed last and has not succeeded since, or None.
    None: nothing is archived here."""
    return db.one(
        "SELECT extract(epoch FROM now() - greatest(last_archived_time, pg_postmaster_start_time()))::float8 AS silent_s,"
        " (SELECT setting::float8 FROM pg_settings WHERE name = 'archive_timeout') AS timeout_s,"
        " CASE WHEN last_failed_time > greatest(last_archived_time, pg_postmaster_start_time())"
        "  THEN last_failed_wal END AS failing"
        " FROM pg_stat_archiver WHERE current_setting('archive_mode') <> 'off'"
    )


def database_facts(db: Database, mode: str, settings: Sequence[str]) -> Row:
    """What the database says of itself: name, schemas, tables, these settings, connections, the exchange's latency."""
    row = db.one(
        """
        SELECT current_database() AS name,
          (SELECT array_agg(nspname::text) FROM pg_namespace) AS schemas,
          (SELECT array_agg(schemaname || '.' || tablename) FROM pg_tables) AS tables,
          (SELECT jsonb_object_agg(name, current_setting(name, true)) FROM unnest(%s) AS name) AS settings,
          (SELECT numbackends - 1 FROM pg_stat_database WHERE datname = current_database()) AS connections,
          (SELECT latency_ms FROM live_data.exchange_state WHERE mode = %s) AS latency_ms
        """,
        (list(settings), mode),
    )
    assert row is not None  # noqa: S101
    return row


def setting(db: Database, user_id: str, name: str) -> Row | None:
    """A setting's value, or None when the user never set it."""
    rows = db.hot("SELECT value FROM users.settings WHERE user_id = %s AND name = %s", (user_id, name))
    return dict(rows[0]["value"]) if rows else None


# What the coordinator may remove and when; nothing of the ledger is here, nor ever will be.
_RETENTION = {
    "live_data.btc_bars_1s": "at < now() - interval '2 days'",
    "live_data.strike_tables": "close_time < now() - interval '10 minutes'",
    "live_data.books": "market_ticker NOT IN (SELECT market_ticker FROM live_data.markets WHERE close_time > now())",
    "live_data.markets": "close_time < now() - interval '1 day' AND market_ticker NOT IN"
    " (SELECT market_ticker FROM users.trades WHERE state IN ('pending', 'open', 'closing', 'expired'))",
    "users.decisions": "kind <> 'enter' AND at < now() - make_interval(secs => %(decisions_s)s)",
    # The newest agreement stays for ever: from there on everything is compared.
    "users.reconciliations": "ok AND at < now() - interval '7 days' AND reconciliation_id < (SELECT max(r.reconciliation_id)"
    " FROM users.reconciliations r WHERE r.ok AND r.mode = reconciliations.mode)",
    "users.login_attempts": "at < now() - interval '90 days'",
    "users.notifications": "state <> 'new' AND created_at < now() - interval '90 days'",
    "system.requests": "state IN ('done', 'failed') AND asked_at < now() - interval '90 days'",
    "system.service_samples": "at < now() - interval '1 day'",
    "system.spans": "at < now() - interval '1 day'",
    "system.host_samples": "at < now() - interval '7 days'",
    "system.database_samples": "at < now() - interval '7 days'",
}


def prune(db: Database, decisions_kept_days: float) -> dict[str, int]:
    """Remove what has outlived its use, at most PRUNE_BATCH rows a table; gives the counts, zeros included, and keeps them.

    ``decisions_kept_days``: of decisions that were no entry (`recio.monitoring.growth`); all else has its fixed time.
    A count of PRUNE_BATCH means that there may be more. The table uses the room again; only a rewrite would give it to the file system.
    """
    removed = {}
    for table, condition in _RETENTION.items():
        removed[table] = db.run(
            f"DELETE FROM {table} WHERE ctid = ANY(ARRAY(SELECT ctid FROM {table} WHERE {condition} LIMIT {PRUNE_BATCH}))",  # noqa: S608
            {"decisions_s": decisions_kept_days * 86400},
        )
    db.run("INSERT INTO system.retention_runs (removed) VALUES (%s)", (Json(removed),))
    return removed


def readings(db: Queries) -> Row | None:
    """The newest reading of the contract's figures, with the counters the next one starts from; None before the first."""
    return db.one(
        "SELECT at, figures, traffic, counters, extract(epoch FROM now() - at)::float8 AS age_s FROM system.readings"
    )


def save_readings(db: Database, figures: Row, traffic: Row, counters: Row) -> None:
    """Keep a reading in place of the one before."""
    db.run(
        "INSERT INTO system.readings (at, figures, traffic, counters) VALUES (now(), %s, %s, %s) ON CONFLICT (one)"
        " DO UPDATE SET at = excluded.at, figures = excluded.figures, traffic = excluded.traffic, counters = excluded.counters",
        (Json(figures), Json(traffic), Json(counters)),
    )


def slow_statements(db: Database, database: str, most: int = 10, length: int = 300) -> list[Row] | None:
    """The statements of ``database`` that took most time, normalised (no values in them) and cut to ``length`` characters; None where
    nobody counts them.

    ``db`` is a connection to the maintenance database: the extension lives there, so that no backup carries it.
    """
    has = db.one(
        "SELECT current_setting('shared_preload_libraries') LIKE '%pg_stat_statements%'"
        " AND to_regclass('public.pg_stat_statements') IS NOT NULL AS there"
    )
    if not has or not has["there"]:
        return None
    return db.all(
        "SELECT queryid::text AS query_id, left(regexp_replace(query, '\\s+', ' ', 'g'), %s) AS query, calls,"
        " pg_get_userbyid(userid)::text AS role,"
        " round(mean_exec_time::numeric, 2)::float8 AS mean_ms, round(max_exec_time::numeric, 1)::float8 AS max_ms,"
        " round(total_exec_time::numeric, 0)::float8 AS total_ms FROM public.pg_stat_statements"
        " WHERE dbid = (SELECT oid FROM pg_database WHERE datname = %s) AND query !~* 'password|secret|token'"
        " ORDER BY total_exec_time DESC LIMIT %s",
        (length, database, most),
    )


def save_database_details(db: Database, statements: list[Row] | None) -> None:
    """db_poller's closer look once a minute: the slowest statements, dead rows, sessions; one row, the newest."""
    with db.transaction(durable=False):
        db.run(
            """
            INSERT INTO system.database_details (at, statements, tables, sessions)
            SELECT now(), %s,
              (SELECT coalesce(jsonb_agg(t), '[]') FROM (
                SELECT schemaname || '.' || relname AS name, n_live_tup AS live, n_dead_tup AS dead,
                  round(bytes / 1048576.0, 1)::float8 AS size_mb,
                  extract(epoch FROM now() - greatest(last_vacuum, last_autovacuum))::bigint AS vacuumed_ago_s
                FROM (SELECT *, pg_total_relation_size(relid) AS bytes, row_number() OVER (ORDER BY n_dead_tup DESC) AS by_dead,
                        row_number() OVER (ORDER BY pg_total_relation_size(relid) DESC) AS by_size FROM pg_stat_user_tables) s
                WHERE by_dead <= 7 OR by_size <= 7 ORDER BY bytes DESC) t),
              (SELECT coalesce(jsonb_agg(c), '[]') FROM (
                SELECT usename AS role, count(*) AS connections, count(*) FILTER (WHERE state = 'active') AS active,
                  count(*) FILTER (WHERE wait_event_type = 'Lock') AS waiting FROM pg_stat_activity
                WHERE datname = current_database() AND backend_type = 'client backend' GROUP BY usename ORDER BY 2 DESC, 1) c)
            ON CONFLICT (one) DO UPDATE SET at = excluded.at, statements = excluded.statements, tables = excluded.tables,
              sessions = excluded.sessions
            """,
            (Json(statements),),
        )
