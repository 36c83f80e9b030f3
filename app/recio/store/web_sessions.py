"""The web page's writes: log-ins, sessions, the password and the user's settings, each with its line in the audit log."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from psycopg2.extras import Json

from recio.store.audit import audit_statement
from recio.store.db import Queries
from recio.store.pool import Pool

__all__ = [
    "attempts", "close_session", "open_session", "record_attempt", "save_setting", "session",
    "settings", "touch_session", "user_by_login",
]  # fmt: skip

Row = dict[str, Any]


# ------------------------------------------------------------------ log-in and sessions
def user_by_login(db: Queries, login: str) -> Row | None:
    """The user with this login name (exact), with the password's hash and the second factor's salt, if any."""
    return db.one(
        "SELECT user_id, login, password_hash, totp_salt, must_change FROM users.users WHERE login = %s", (login,)
    )


def attempts(db: Queries, login: str, address: str) -> Row:
    """Failures since the last success of a day: of the account, of the address, when, and whether it is known here."""
    row = db.one(
        """
        WITH recent AS (SELECT * FROM users.login_attempts WHERE at > now() - interval '1 day'),
             mine AS (SELECT * FROM recent WHERE login = %(login)s),
             here AS (SELECT * FROM recent WHERE remote_addr = %(address)s)
        SELECT (SELECT count(*) FROM mine WHERE NOT ok
                  AND at > coalesce((SELECT max(at) FROM mine WHERE ok), '-infinity')) AS account_failures,
               (SELECT extract(epoch FROM now() - max(at))::float8 FROM mine WHERE NOT ok) AS account_last_s,
               (SELECT count(*) FROM here WHERE NOT ok
                  AND at > coalesce((SELECT max(at) FROM here WHERE ok), '-infinity')) AS address_failures,
               (SELECT extract(epoch FROM now() - max(at))::float8 FROM here WHERE NOT ok) AS address_last_s,
               EXISTS (SELECT FROM users.login_attempts WHERE login = %(login)s AND remote_addr = %(address)s AND ok
                         AND at > now() - interval '30 days') AS known_here
        """,
        {"login": login, "address": address},
    )
    assert row is not None  # noqa: S101 - a SELECT without FROM has one row
    return row


def record_attempt(db: Queries, login: str, address: str, ok: bool) -> None:
    """Keep one attempt to log in."""
    db.run("INSERT INTO users.login_attempts (login, remote_addr, ok) VALUES (%s, %s, %s)", (login, address, ok))


def open_session(
    pool: Pool, user_id: str, token_hash: bytes, csrf_token: str, seconds: int, address: str, agent: str,
    replaces: bytes | None, awaiting_code: bool = False,
) -> None:  # fmt: skip
    """A new session; the one it replaces and all that are past go. With its line in the audit log, or not at all.

    ``awaiting_code``: the password was right, the second factor is still to come; such a session opens nothing.
    """
    pool.batch([
        ("DELETE FROM users.sessions WHERE token_hash = %s OR expires_at < now()", (replaces,)),
        (
            "INSERT INTO users.sessions (token_hash, user_id, csrf_token, expires_at, remote_addr, user_agent, proven_at,"
            " awaiting_code) VALUES (%s, %s, %s, now() + make_interval(secs => %s), %s, %s, now(), %s)",
            (token_hash, user_id, csrf_token, seconds, address, agent[:200], awaiting_code),
        ),
        audit_statement(user_id, "password shown" if awaiting_code else "log in", {}),
    ])  # fmt: skip


def session(db: Queries, token_hash: bytes, idle_hours: int) -> Row | None:
    """The session of a token, when it is neither idle too long nor past its end."""
    return db.hot_one(
        "SELECT s.token_hash, s.user_id, s.csrf_token, u.login, s.expires_at, u.must_change, s.awaiting_code,"
        " extract(epoch FROM now() - s.proven_at)::float8 AS proven_age_s,"
        " extract(epoch FROM now() - s.last_seen_at)::float8 AS idle_s"
        " FROM users.sessions s JOIN users.users u USING (user_id) WHERE s.token_hash = %s"
        " AND s.expires_at > now() AND s.last_seen_at > now() - make_interval(hours => %s)",
        (token_hash, idle_hours),
    )


def touch_session(db: Queries, token_hash: bytes) -> None:
    """The session was used just now."""
    db.run("UPDATE users.sessions SET last_seen_at = now() WHERE token_hash = %s", (token_hash,))


def close_session(pool: Pool, token_hash: bytes, user_id: str) -> None:
    """Log out: the session is gone on the server."""
    pool.batch([
        ("DELETE FROM users.sessions WHERE token_hash = %s", (token_hash,)),
        audit_statement(user_id, "log out", {}),
    ])  # fmt: skip


# ------------------------------------------------------------------ settings
def settings(db: Queries, user_id: str) -> dict[str, Row]:
    """Every stored setting of the user by name: value, version, changed_at, changed_by."""
    rows = db.all(
        "SELECT name, value, version, changed_at, changed_by FROM users.settings WHERE user_id = %s", (user_id,)
    )
    return {row["name"]: row for row in rows}


def save_setting(pool: Pool, user_id: str, name: str, value: Mapping[str, Any], by: str) -> None:
    """Store a setting, tell the services, keep who did it: one transaction."""
    pool.batch([
        (
            "INSERT INTO users.settings (user_id, name, value, changed_by) VALUES (%s, %s, %s, %s)"
            " ON CONFLICT (user_id, name) DO UPDATE SET value = excluded.value, changed_by = excluded.changed_by,"
            " version = settings.version + 1, changed_at = now()",
            (user_id, name, Json(value), by),
        ),
        audit_statement(by, f"set {name}", value),
        ("SELECT pg_notify('setting', %s)", (name,)),
    ])  # fmt: skip
