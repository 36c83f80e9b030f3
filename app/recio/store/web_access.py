"""The second factor, recovery codes, proofs and the list of sessions: what the security page reads and writes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from recio.store.audit import audit_statement
from recio.store.db import Queries
from recio.store.pool import Pool

__all__ = [
    "begin_totp", "change_password", "end_other_sessions", "end_session", "new_recovery_codes", "prove", "sessions",
    "turn_off_totp", "turn_on_totp", "use_recovery_code", "use_totp_step", "user",
]  # fmt: skip

Row = dict[str, Any]
_ID = "left(encode(token_hash, 'hex'), 16)"  # names a session on the page: part of a hash, opens nothing


def user(db: Queries, user_id: str) -> Row | None:
    """The user: password_hash, must_change, totp_salt, totp_since, totp_pending, and how many codes_left there are."""
    return db.one(
        "SELECT user_id, login, password_hash, must_change, changed_at, totp_salt, totp_since, totp_last_step, totp_pending,"
        " (SELECT count(*) FROM users.recovery_codes c WHERE c.user_id = u.user_id AND c.used_at IS NULL) AS codes_left"
        " FROM users.users u WHERE user_id = %s",
        (user_id,),
    )


# ------------------------------------------------------------------ second factor
def begin_totp(db: Queries, user_id: str, salt: bytes) -> None:
    """Keep the salt of the secret being shown, until a code made with it confirms it. Replaces an earlier one."""
    db.run("UPDATE users.users SET totp_pending = %s WHERE user_id = %s", (salt, user_id))


def turn_on_totp(pool: Pool, user_id: str, step: int, code_hashes: Sequence[bytes]) -> None:
    """The pending secret holds from now on, ``step`` is used; new recovery codes replace the old."""
    pool.batch([
        (
            "UPDATE users.users SET totp_salt = totp_pending, totp_pending = NULL, totp_since = now(), totp_last_step = %s"
            " WHERE user_id = %s AND totp_pending IS NOT NULL",
            (step, user_id),
        ),
        *_codes(user_id, code_hashes),
        audit_statement(user_id, "turn on second factor", {}),
    ])  # fmt: skip


def turn_off_totp(pool: Pool, user_id: str) -> None:
    """No second factor any more; its recovery codes go."""
    pool.batch([
        (
            "UPDATE users.users SET totp_salt = NULL, totp_pending = NULL, totp_since = NULL, totp_last_step = NULL"
            " WHERE user_id = %s",
            (user_id,),
        ),
        *_codes(user_id, []),
        audit_statement(user_id, "turn off second factor", {}),
    ])  # fmt: skip


def use_totp_step(db: Queries, user_id: str, step: int) -> bool:
    """Use a 30-second step up; False when it or a later one was used before: a code is good once."""
    sql = "UPDATE users.users SET totp_last_step = %s WHERE user_id = %s AND coalesce(totp_last_step, -1) < %s"
    return db.run(sql, (step, user_id, step)) == 1


def use_recovery_code(db: Queries, user_id: str, code_hash: bytes) -> bool:
    """Use a recovery code up; False when there is none such or it was used before."""
    sql = "UPDATE users.recovery_codes SET used_at = now() WHERE user_id = %s AND code_hash = %s AND used_at IS NULL"
    return db.run(sql, (user_id, code_hash)) == 1


def new_recovery_codes(pool: Pool, user_id: str, code_hashes: Sequence[bytes]) -> None:
    """New codes in place of all old ones."""
    pool.batch([*_codes(user_id, code_hashes), audit_statement(user_id, "new recovery codes", {})])


def _codes(user_id: str, code_hashes: Sequence[bytes]) -> list[tuple[str, tuple[Any, ...]]]:
    return [
        ("DELETE FROM users.recovery_codes WHERE user_id = %s", (user_id,)),
        *(
            ("INSERT INTO users.recovery_codes (user_id, code_hash) VALUES (%s, %s)", (user_id, one))
            for one in code_hashes
        ),
    ]


# ------------------------------------------------------------------ password, proofs, sessions
def change_password(pool: Pool, user_id: str, password_hash: str, keep: bytes, renamed: bytes) -> None:
    """A password the user chose; every other session ends, this one (``keep``) goes on under the hash ``renamed``."""
    pool.batch([
        (
            "UPDATE users.users SET password_hash = %s, must_change = false, changed_at = now() WHERE user_id = %s",
            (password_hash, user_id),
        ),
        ("DELETE FROM users.sessions WHERE user_id = %s AND token_hash <> %s", (user_id, keep)),
        ("UPDATE users.sessions SET token_hash = %s, proven_at = now() WHERE token_hash = %s", (renamed, keep)),
        audit_statement(user_id, "change password", {}),
    ])  # fmt: skip


def prove(pool: Pool, user_id: str, token_hash: bytes, renamed: bytes) -> None:
    """The session showed the password (and the code) just now; it goes on under a new token."""
    pool.batch([
        (
            "UPDATE users.sessions SET token_hash = %s, proven_at = now(), last_seen_at = now() WHERE token_hash = %s",
            (renamed, token_hash),
        ),
        audit_statement(user_id, "confirm identity", {}),
    ])  # fmt: skip


def sessions(db: Queries, user_id: str, idle_hours: int, this: bytes) -> list[Row]:
    """The user's sessions that have not ended, newest use first; ``this`` marks the one that asks."""
    return db.all(
        f"SELECT {_ID} AS session_id, created_at, last_seen_at, expires_at, remote_addr, user_agent,"  # noqa: S608 - a constant
        " token_hash = %s AS this FROM users.sessions WHERE user_id = %s AND NOT awaiting_code"
        " AND expires_at > now() AND last_seen_at > now() - make_interval(hours => %s) ORDER BY this DESC, last_seen_at DESC",
        (this, user_id, idle_hours),
    )  # fmt: skip


def end_session(pool: Pool, user_id: str, session_id: str) -> bytes | None:
    """End one session of the user; gives its token's hash, None when there is no such session (any more)."""
    sql = f"SELECT token_hash FROM users.sessions WHERE user_id = %s AND {_ID} = %s"  # noqa: S608 - a constant
    row = pool.one(sql, (user_id, session_id))
    if row is None:
        return None
    pool.batch([
        ("DELETE FROM users.sessions WHERE token_hash = %s", (row["token_hash"],)),
        audit_statement(user_id, "end session", {"session": session_id}),
    ])  # fmt: skip
    return bytes(row["token_hash"])


def end_other_sessions(pool: Pool, user_id: str, keep: bytes) -> None:
    """End every session of the user but one."""
    pool.batch([
        ("DELETE FROM users.sessions WHERE user_id = %s AND token_hash <> %s", (user_id, keep)),
        audit_statement(user_id, "end other sessions", {}),
    ])  # fmt: skip
