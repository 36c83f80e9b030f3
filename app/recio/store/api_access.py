"""What programs come with: API tokens, and the first answers that stand for an idempotency key."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from psycopg2.extras import Json

from recio.store.db import Queries
from recio.store.pool import Pool

__all__ = [
    "claim_key", "create_token", "drop_key", "keep_answer", "revoke_token", "token", "tokens", "touch_token",
]  # fmt: skip

Row = dict[str, Any]
_COLUMNS = "token_id, name, hint, scopes, created_at, expires_at, last_used_at, last_used_from, revoked_at"


# ------------------------------------------------------------------ tokens
def token(db: Queries, token_hash: bytes) -> Row | None:
    """A token that is neither revoked nor past its end, with its user's login and ``idle_s`` since it was last noted."""
    return db.one(
        "SELECT t.token_id, t.token_hash, t.user_id, t.name, t.scopes, u.login,"
        " extract(epoch FROM now() - t.last_used_at)::float8 AS idle_s"
        " FROM users.api_tokens t JOIN users.users u USING (user_id)"
        " WHERE t.token_hash = %s AND t.revoked_at IS NULL AND t.expires_at > now()",
        (token_hash,),
    )


def tokens(db: Queries, user_id: str) -> list[Row]:
    """Every token of the user without its hash, the newest 100, ``state`` active, expired or revoked."""
    return db.all(
        f"SELECT {_COLUMNS}, CASE WHEN revoked_at IS NOT NULL THEN 'revoked' WHEN expires_at <= now() THEN 'expired'"  # noqa: S608
        " ELSE 'active' END AS state FROM users.api_tokens WHERE user_id = %s ORDER BY token_id DESC LIMIT 100",
        (user_id,),
    )


def create_token(
    pool: Pool, user_id: str, by: str, name: str, token_hash: bytes, hint: str, scopes: Sequence[str], days: int
) -> None:
    """A new token, with its line in the audit log, or neither."""
    pool.batch([
        (
            "INSERT INTO users.api_tokens (user_id, name, token_hash, hint, scopes, expires_at)"
            " VALUES (%s, %s, %s, %s, %s, now() + make_interval(days => %s))",
            (user_id, name, token_hash, hint, list(scopes), days),
        ),
        _audit(by, "create API token", {"name": name, "hint": hint, "scopes": list(scopes), "days": days}),
    ])  # fmt: skip


def revoke_token(pool: Pool, user_id: str, by: str, token_id: int) -> Row | None:
    """End a token now; gives its row, or None when there was no such token in force. Its audit line comes with it."""
    return pool.one(
        "WITH gone AS (UPDATE users.api_tokens SET revoked_at = now() WHERE user_id = %s AND token_id = %s"
        "   AND revoked_at IS NULL RETURNING token_id, name, hint, token_hash),"
        " said AS (INSERT INTO users.audit_log (actor, action, detail)"
        "   SELECT %s, 'revoke API token', jsonb_build_object('name', name, 'hint', hint) FROM gone)"
        " SELECT * FROM gone",
        (user_id, token_id, by),
    )


def touch_token(db: Queries, token_id: int, address: str) -> None:
    """The token was used just now, from this address."""
    db.run(
        "UPDATE users.api_tokens SET last_used_at = now(), last_used_from = %s WHERE token_id = %s", (address, token_id)
    )


def _audit(actor: str, action: str, detail: Row) -> tuple[str, tuple[Any, ...]]:
    return "INSERT INTO users.audit_log (actor, action, detail) VALUES (%s, %s, %s)", (actor, action, Json(detail))


# ------------------------------------------------------------------ first answers
def claim_key(db: Queries, user_id: str, key: str, request_hash: bytes) -> Row | None:
    """Take a key for this request: None when it was free, else the row that has it. Answers older than a day go."""
    db.run("DELETE FROM users.api_answers WHERE at < now() - interval '1 day'")
    made = db.run(
        "INSERT INTO users.api_answers (user_id, key, request_hash) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING",
        (user_id, key, request_hash),
    )
    if made:
        return None
    return db.one(
        "SELECT request_hash, status, media_type, body FROM users.api_answers WHERE user_id = %s AND key = %s",
        (user_id, key),
    ) or {"request_hash": request_hash, "status": None, "media_type": "", "body": None}


def keep_answer(db: Queries, user_id: str, key: str, status: int, media_type: str, body: bytes) -> None:
    """The first answer, for whoever asks again with the same key."""
    db.run(
        "UPDATE users.api_answers SET status = %s, media_type = %s, body = %s WHERE user_id = %s AND key = %s",
        (status, media_type, body, user_id, key),
    )


def drop_key(db: Queries, user_id: str, key: str) -> None:
    """The request came to nothing: its key is free again."""
    db.run("DELETE FROM users.api_answers WHERE user_id = %s AND key = %s AND status IS NULL", (user_id, key))
