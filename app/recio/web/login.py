"""Logging in: the password, and a delay that grows with failures, by address and by account.

    failures since the last success   by address (from 6 on)      by account (from 11 on)
    the next try must wait            2, 4, 8 … up to 900 s       2, 4, 8 … up to 60 s
An address from which the account was used in the last 30 days does not wait for other people's failures:
guessing strangers cannot lock the owner out.
"""

from __future__ import annotations

import hashlib
import threading
from dataclasses import dataclass
from typing import Any

from recio.store import web_sessions as queries
from recio.store.pool import Pool
from recio.web.errors import ApiError
from recio.web.passwords import verify_password

__all__ = ["User", "check_login", "wait_s"]

_one_at_a_time = threading.Lock()  # parallel guesses must see each other's failures


@dataclass(frozen=True)
class User:
    """Who logged in."""

    user_id: str
    login: str


def _delay(failures: int, free: int, longest_s: float) -> float:
    return 0.0 if failures < free else float(min(longest_s, 2 ** min(failures - free + 1, 20)))


def wait_s(row: dict[str, Any]) -> float:
    """Seconds until the next try is looked at; 0: now. ``row`` as web_sessions.attempts gives it."""
    left = 0.0
    if row["address_last_s"] is not None:
        left = _delay(row["address_failures"], 5, 900.0) - row["address_last_s"]
    if row["account_last_s"] is not None and not row["known_here"]:
        left = max(left, _delay(row["account_failures"], 10, 60.0) - row["account_last_s"])
    return max(0.0, left)


def check_login(pool: Pool, login: str, password: str, address: str) -> User:
    """The user, or ApiError 401 (the same for a wrong name and a wrong password) or 429 with the seconds to wait."""
    login = login.strip()[:200]
    with _one_at_a_time:
        user = queries.user_by_login(pool, login)
        # Of a name nobody has only a digest is kept: people type passwords into the wrong field.
        kept = login if user else "unknown:" + hashlib.sha256(login.encode()).hexdigest()[:16]
        left = wait_s(queries.attempts(pool, kept, address))
        if left > 0:
            seconds = int(left) + 1
            raise ApiError(
                429, "too_many_attempts", f"too many failed attempts; the next one counts in {seconds} s",
                f"wait {seconds} s, then try again", {"Retry-After": str(seconds)},
            )  # fmt: skip
        ok = verify_password(user["password_hash"] if user else None, password)
        queries.record_attempt(pool, kept, address, ok)
    if not ok or user is None:
        raise ApiError(
            401, "wrong_login", "login or password is wrong",
            "check both; on the host `recio user ensure --reset` sets a new password",
        )  # fmt: skip
    return User(user["user_id"], user["login"])
