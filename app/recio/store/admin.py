"""Roles, the database itself and migrations: run at deploy by the OS users postgres and recio, never by a service."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import psycopg2
from psycopg2 import sql

from recio.store.db import Database, connect
from recio.store.rights import BACKUP, OPERATOR, OWNER, SCHEMAS, SERVICE_ROLES, grant_statements

__all__ = ["bootstrap", "migrate"]

# The settings differ by what a stuck statement would cost: a trader waits for nothing, a page a little, a migration long.
_TRADER = {"statement_timeout": "5s", "lock_timeout": "2s", "idle_in_transaction_session_timeout": "10s"}
_WEB = {"statement_timeout": "15s", "lock_timeout": "3s", "idle_in_transaction_session_timeout": "30s"}
_ROLE_SETTINGS: dict[str, dict[str, str]] = {
    "trade_manager": _TRADER | {"max_parallel_workers_per_gather": "0"},
    "trade_executor": _TRADER | {"max_parallel_workers_per_gather": "0"},
    "main_app": _WEB,
    OPERATOR: _WEB,
    OWNER: {"lock_timeout": "5s"},
    BACKUP: {"lock_timeout": "10s", "default_transaction_read_only": "on"},
}
# spec: 5 to 20 connections in all. One for each worker, five for the web page, two for the operator.
_MEMBERSHIPS = (
    ("db_poller", "pg_monitor"),
    (BACKUP, "pg_read_all_data"),
    (OPERATOR, "pg_read_all_settings"),  # `recio contract` compares them
)
_CONNECTION_LIMITS = {"main_app": 5, OPERATOR: 2}


def _ensure_role(cursor: Any, role: str) -> bool:
    cursor.execute("SELECT rolconnlimit, rolconfig FROM pg_roles WHERE rolname = %s", (role,))
    found = cursor.fetchone()
    limit = _CONNECTION_LIMITS.get(role, 2)  # two: the old process's connection may linger while the new one starts
    wanted = sorted(f"{k}={v}" for k, v in _ROLE_SETTINGS.get(role, _TRADER).items())
    if found and found["rolconnlimit"] == limit and sorted(found["rolconfig"] or []) == wanted:
        return False
    name = sql.Identifier(role)
    if not found:
        cursor.execute(sql.SQL("CREATE ROLE {} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE").format(name))
    cursor.execute(sql.SQL("ALTER ROLE {} CONNECTION LIMIT %s").format(name), (limit,))
    cursor.execute(sql.SQL("ALTER ROLE {} RESET ALL").format(name))
    for setting in wanted:
        key, _, value = setting.partition("=")
        cursor.execute(sql.SQL("ALTER ROLE {} SET {} = %s").format(name, sql.Identifier(key)), (value,))
    return True


def bootstrap(dsn: str, database: str) -> bool:
    """Create or correct every role and the database; needs a superuser's ``dsn`` to another database. True: changed."""
    connection = connect("recio db bootstrap", dsn)
    changed = False
    try:
        with connection.cursor() as cursor:
            for role in (OWNER, OPERATOR, BACKUP, *SERVICE_ROLES):
                changed |= _ensure_role(cursor, role)
            for role, group in _MEMBERSHIPS:
                cursor.execute("SELECT pg_has_role(%s, %s, 'member') AS has", (role, group))
                if not cursor.fetchone()["has"]:
                    cursor.execute(sql.SQL("GRANT {} TO {}").format(sql.Identifier(group), sql.Identifier(role)))
                    changed = True
            cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", (database,))
            if not cursor.fetchone():
                name, owner = sql.Identifier(database), sql.Identifier(OWNER)
                cursor.execute(
                    sql.SQL("CREATE DATABASE {} OWNER {} ENCODING 'UTF8' LOCALE 'C' TEMPLATE template0").format(
                        name, owner
                    )
                )
                cursor.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(name))
                roles = sql.SQL(", ").join(sql.Identifier(role) for role in (OPERATOR, *SERVICE_ROLES))
                cursor.execute(sql.SQL("GRANT CONNECT ON DATABASE {} TO {}").format(name, roles))
                changed = True
            # Here, not in the desk's database: no dump carries it, and restoring one needs no superuser.
            cursor.execute(
                "SELECT EXISTS (SELECT FROM pg_available_extensions WHERE name = 'pg_stat_statements'"
                " AND installed_version IS NULL) AS missing"
            )
            if cursor.fetchone()["missing"]:
                cursor.execute("CREATE EXTENSION pg_stat_statements SCHEMA public")
                changed = True
            cursor.execute("SELECT has_database_privilege(%s, %s, 'CONNECT') AS has", (BACKUP, database))
            if not cursor.fetchone()["has"]:  # an older release made the database
                names = sql.Identifier(database), sql.Identifier(BACKUP)
                cursor.execute(sql.SQL("GRANT CONNECT ON DATABASE {} TO {}").format(*names))
                changed = True
    finally:
        connection.close()
    return changed


def migrate(dsn: str) -> bool:
    """Bring schema and rights to this release's, as the database's owner. True when something changed."""
    from alembic import command  # here: no service imports alembic or SQLAlchemy
    from alembic.config import Config

    before = _revision(dsn)
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    parts = psycopg2.extensions.parse_dsn(dsn)
    query = "&".join(f"{key}={value}" for key, value in parts.items() if key in ("host", "port", "user"))
    config.set_main_option("sqlalchemy.url", f"postgresql+psycopg2:///{parts['dbname']}?{query}".replace("%", "%%"))
    command.upgrade(config, "head")
    granted = _apply_rights(dsn)
    return granted or _revision(dsn) != before


def _apply_rights(dsn: str) -> bool:
    """Bring every role's rights to exactly recio.store.rights, in one transaction; a no-op when they were applied."""
    statements = list(grant_statements())
    mark = f"rights {hashlib.sha256(';'.join(statements).encode()).hexdigest()[:16]}"
    db = Database("recio db migrate", dsn)
    try:
        row = db.one("SELECT obj_description('system'::regnamespace, 'pg_namespace') AS mark")
        if row and row["mark"] == mark:
            return False
        with db.transaction():
            for role in (OPERATOR, *SERVICE_ROLES):
                for schema in SCHEMAS:
                    db.run(f'REVOKE ALL ON ALL TABLES IN SCHEMA {schema} FROM "{role}"')
                    db.run(f'REVOKE ALL ON SCHEMA {schema} FROM "{role}"')
            for statement in statements:
                db.run(statement)
            db.run(f"COMMENT ON SCHEMA system IS '{mark}'")
    finally:
        db.close()
    return True


def _revision(dsn: str) -> str | None:
    connection = connect("recio db migrate", dsn)
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT to_regclass('public.schema_version') IS NOT NULL AS there")
            if not cursor.fetchone()["there"]:
                return None
            cursor.execute("SELECT version_num FROM public.schema_version")
            row = cursor.fetchone()
            return str(row["version_num"]) if row else None
    finally:
        connection.close()
