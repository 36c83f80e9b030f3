"""Who may do what in the database: one table, deny first. Roles carry the services' names; peer authentication."""

from __future__ import annotations

from collections.abc import Iterator

__all__ = ["BACKUP", "OPERATOR", "OWNER", "RIGHTS", "SCHEMAS", "SERVICE_ROLES", "grant_statements"]

OWNER = "recio"
OPERATOR = "recio_operator"
BACKUP = "recio_backup"  # reads everything, changes nothing: pg_read_all_data, every transaction read only

_READ_LIVE = tuple(
    f"live_data.{t}"
    for t in ("btc_bars_1s", "btc_price", "markets", "books", "strike_tables", "exchange_state", "entry_status")
)
_READ_LEDGER = tuple(
    f"users.{t}"
    for t in (
        "tickets", "trades", "trade_events", "orders", "fills", "settlements", "positions", "balances",
        "reconciliations", "live_trades", "settings", "order_groups", "cash_anchors",
        "cash_checkpoints", "cancels",
    )
)  # fmt: skip
_READ_RULES = ("users.monitors", "users.settings_versions", "users.decisions")
_READ_SYSTEM = tuple(
    f"system.{t}"
    for t in (
        "incidents", "service_samples", "host_samples", "database_samples", "dependency_state", "retention_runs", "spans",
        "requests", "database_details", "readings",
    )
)  # fmt: skip
_READ_PAST = (
    "historical_data.btc_candles_1m",
    "analytics.trade_results",
    "analytics.daily_pnl",
    "analytics.models",
    "analytics.calibrations",
    "analytics.market_results",
    "analytics.research_runs",
)
_INCIDENTS = {"system.incidents": "SELECT, INSERT, UPDATE"}
_SPANS = {"system.spans": "SELECT, INSERT"}


def _read(*groups: tuple[str, ...]) -> dict[str, str]:
    return {table: "SELECT" for group in groups for table in group}


# role -> table -> privileges. The ledger and the audit log have no DELETE anywhere.
RIGHTS: dict[str, dict[str, str]] = {
    "main_app": _read(_READ_LIVE, _READ_LEDGER, _READ_RULES, _READ_SYSTEM, _READ_PAST)
    | {
        "users.monitors": "SELECT, INSERT, UPDATE",
        "users.trade_sums": "SELECT",
        # The address holds secrets: it may be written and emptied, never read.
        "users.notify_targets": "SELECT (target_id, user_id, name, kind, hint, events, quiet_from, quiet_to, zone, enabled,"
        " created_at, removed_at), INSERT, UPDATE (removed_at, enabled, address)",
        "users.notifications": "SELECT, INSERT",
        "users.users": "SELECT, UPDATE (password_hash, changed_at, must_change, totp_salt, totp_since, totp_last_step, totp_pending)",
        "users.recovery_codes": "SELECT, INSERT, UPDATE (used_at), DELETE",
        "users.sessions": "SELECT, INSERT, UPDATE, DELETE",
        "users.login_attempts": "SELECT, INSERT",
        "users.settings": "SELECT, INSERT, UPDATE",
        "users.tickets": "SELECT, INSERT",
        "users.audit_log": "SELECT, INSERT",
        "users.cash_anchors": "SELECT, INSERT (mode, balance_e6, cash_e6, why)",
        "system.requests": "SELECT, INSERT (kind, args, asked_by)",  # state and times are the worker's
        "users.api_tokens": "SELECT, INSERT, UPDATE (last_used_at, last_used_from, revoked_at)",
        "analytics.research_runs": "SELECT, INSERT (user_id, wish, asked_by), UPDATE (cancel_at, cancel_by)",
        "users.api_answers": "SELECT, INSERT, UPDATE (status, media_type, body), DELETE",
    },
    "trade_manager": _read(_READ_LIVE, _READ_LEDGER, _READ_SYSTEM)
    | {
        "users.tickets": "SELECT, UPDATE (state, reason, decided_at, trade_id)",
        "users.trades": "SELECT, INSERT, UPDATE",
        "users.trade_events": "SELECT, INSERT",
        "users.orders": "SELECT, INSERT",
        "users.cancels": "SELECT, INSERT",
    }
    | _INCIDENTS
    | _SPANS,
    "trade_executor": _read(_READ_LIVE, _READ_LEDGER, _READ_SYSTEM)
    | {
        "users.orders": "SELECT, UPDATE (state, reason, exchange_order_id, acked_count_e2, lookups, sent_at, done_at)",
        "users.trade_events": "SELECT, INSERT",
        "users.order_groups": "SELECT, INSERT, UPDATE (state, why, limit_e2, changed_at)",
        "users.cancels": "SELECT, UPDATE (state, reason, reduced_e2, not_found, lookups, sent_at, done_at)",
    }
    | _INCIDENTS
    | _SPANS,
    "active_trade_supervisor": _read(_READ_LIVE, _READ_LEDGER, _READ_RULES, _READ_SYSTEM)
    | {
        "users.live_trades": "SELECT, INSERT, UPDATE, DELETE",
        "users.tickets": "SELECT, INSERT",
        "analytics.models": "SELECT",
    }
    | _INCIDENTS,
    "auto_entry_supervisor": _read(_READ_LIVE, _READ_LEDGER, _READ_RULES, _READ_SYSTEM)
    | {
        "live_data.entry_status": "SELECT, INSERT, UPDATE, DELETE",
        "users.tickets": "SELECT, INSERT",
        "users.decisions": "SELECT, INSERT",
        "analytics.calibrations": "SELECT",
    }
    | _INCIDENTS
    | _SPANS,
    "btc_price_watchdog": {
        "live_data.btc_bars_1s": "SELECT, INSERT, UPDATE",
        "live_data.btc_price": "SELECT, INSERT, UPDATE",
        "historical_data.btc_candles_1m": "SELECT, INSERT",
    },
    "kalshi_account_sync": _read(_READ_LEDGER, ("live_data.markets",))
    | {
        "users.fills": "SELECT, INSERT",
        "users.settlements": "SELECT, INSERT",
        "users.positions": "SELECT, INSERT, UPDATE, DELETE",
        "users.balances": "SELECT, INSERT, UPDATE",
        "users.reconciliations": "SELECT, INSERT",
        "users.cash_anchors": "SELECT, INSERT",
        "users.cash_checkpoints": "SELECT, INSERT",
    }
    | _INCIDENTS,
    "kalshi_api_watchdog": {
        "live_data.markets": "SELECT, INSERT, UPDATE",
        "live_data.books": "SELECT, INSERT, UPDATE, DELETE",
        "live_data.exchange_state": "SELECT, INSERT, UPDATE",
        "live_data.btc_price": "SELECT",
        "users.trades": "SELECT",
    }
    | _INCIDENTS,
    "unified_production_coordinator": _read(_READ_LIVE, _READ_SYSTEM)
    | {
        "live_data.strike_tables": "SELECT, INSERT, UPDATE, DELETE",
        "live_data.btc_bars_1s": "SELECT, DELETE",
        "live_data.markets": "SELECT, DELETE",
        "live_data.books": "SELECT, DELETE",
        "historical_data.btc_candles_1m": "SELECT, INSERT, UPDATE",
        "analytics.models": "SELECT",
        "analytics.market_results": "SELECT, INSERT",
        "system.service_samples": "SELECT, DELETE",
        "system.host_samples": "SELECT, DELETE",
        "system.database_samples": "SELECT, DELETE",
        "system.retention_runs": "SELECT, INSERT",
        "system.spans": "SELECT, DELETE",
        "users.reconciliations": "SELECT, DELETE",
        "users.decisions": "SELECT, DELETE",
        "users.login_attempts": "SELECT, DELETE",
        "users.notifications": "SELECT, DELETE",
        "system.requests": "SELECT, DELETE",
        "users.trades": "SELECT",
    },
    "system_monitor": _read(_READ_SYSTEM)
    | {"system.service_samples": "SELECT, INSERT", "system.host_samples": "SELECT, INSERT"}
    | _INCIDENTS,
    "cascading_failure_detector": _read(_READ_SYSTEM)
    | {"system.dependency_state": "SELECT, INSERT, UPDATE"}
    | _INCIDENTS,
    "db_poller": _read(_READ_SYSTEM)
    | {"system.database_samples": "SELECT, INSERT", "system.database_details": "SELECT, INSERT, UPDATE"}
    | _INCIDENTS,
    "recio_notify": _read(
        ("users.trades", "users.orders", "system.incidents", "system.service_samples", "users.notify_targets")
    )
    | {"users.notifications": "SELECT, INSERT, UPDATE (state, tries, answer, next_try_at, sent_at)"},
    "recio_research": {
        "historical_data.btc_candles_1m": "SELECT",
        "analytics.research_runs": "SELECT, UPDATE (state, percent, words, started_at, beat_at, finished_at, summary, report,"
        " report_bytes, report_gone_at, error, cure)",
    },
    OPERATOR: _read(_READ_LIVE, _READ_LEDGER, _READ_RULES, _READ_SYSTEM, _READ_PAST)
    | {
        "users.monitors": "SELECT, INSERT, UPDATE",
        "users.users": "SELECT, INSERT, UPDATE",
        "users.recovery_codes": "SELECT, DELETE",
        "users.api_tokens": "SELECT, UPDATE (revoked_at)",
        "users.sessions": "SELECT, DELETE",
        "users.settings": "SELECT, INSERT, UPDATE",
        "users.tickets": "SELECT, INSERT",
        "users.audit_log": "SELECT, INSERT",
        "historical_data.btc_candles_1m": "SELECT, INSERT",
        "analytics.models": "SELECT, INSERT, UPDATE (active, content)",
        "analytics.calibrations": "SELECT, INSERT",
        "users.cash_anchors": "SELECT, INSERT",
        "system.requests": "SELECT, UPDATE (state, started_at, finished_at, progress, result)",
        "system.readings": "SELECT, INSERT, UPDATE",
        # For doctor: whether signs of life arrive. No address, no message.
        "users.notify_targets": "SELECT (target_id, user_id, name, kind, hint, events, quiet_from, quiet_to, zone, enabled,"
        " created_at, removed_at)",
        "users.notifications": "SELECT (target_id, key, state, answer, sent_at)",
    },
}
SERVICE_ROLES: tuple[str, ...] = tuple(role for role in RIGHTS if role != OPERATOR)


SCHEMAS = ("users", "live_data", "historical_data", "analytics", "system")


def grant_statements() -> Iterator[str]:
    """The GRANTs that bring a freshly migrated database from nothing allowed to exactly RIGHTS."""
    for role, tables in RIGHTS.items():
        schemas = sorted({table.partition(".")[0] for table in tables})
        yield f"GRANT USAGE ON SCHEMA {', '.join(schemas)} TO {role}"
        yield f"GRANT SELECT ON public.schema_version TO {role}"
        for table, privileges in sorted(tables.items()):
            yield f"GRANT {privileges} ON {table} TO {role}"
