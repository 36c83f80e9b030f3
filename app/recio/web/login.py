"""Logging in: the password, the second factor, and a delay that grows with failures, by address and by account.

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
from recio.web.second_factor import Factor, factor_of

__all__ = ["User", "check_login", "check_second", "wait_s"]

_one_at_a_time = threading.Lock()  # parallel guesses must see each other's failures


@dataclass(frozen=True)
class User:
    """Who showed the password."""

    user_id: str
    login: str
    totp_salt: bytes | None = None  # None: no second factor
    must_change: bool = False


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
    """The user, or ApiError 401 (the same for a wrong name and a wrong password) or 429 with the seconds to wait.

    Where there is a second factor a right password is not a success yet: ``check_second`` counts it.
    """
    login = login.strip()[:200]
    with _one_at_a_time:
        user = queries.user_by_login(pool, login)
        # Of a name nobody has only a digest is kept: people type passwords into the wrong field.
        kept = login if user else "unknown:" + hashlib.sha256(login.encode()).hexdigest()[:16]
        _refuse_early(pool, kept, address)
        ok = verify_password(user["password_hash"] if user else None, password)
        if not ok or user is None or user["totp_salt"] is None:
            queries.record_attempt(pool, kept, address, ok)
    if not ok or user is None:
        raise ApiError(
            401, "wrong_login", "login or password is wrong",
            "check both; on the host `recio user ensure --reset` sets a new password",
        )  # fmt: skip
    salt = bytes(user["totp_salt"]) if user["totp_salt"] is not None else None
    return User(user["user_id"], user["login"], salt, user["must_change"])


def check_second(pool: Pool, user: User, code: str, address: str, key: bytes | None, now_s: float) -> Factor:
    """How the user's code was right, or ApiError 401 ``wrong_code``, 429 as for passwords, 503 without the host's key."""
    with _one_at_a_time:
        _refuse_early(pool, user.login, address)
        how = factor_of(pool, user.user_id, user.totp_salt or b"", code, key, now_s)
        queries.record_attempt(pool, user.login, address, how is not None)
    if how is None:
        raise ApiError(
            401, "wrong_code", "the code is wrong, too old or was used before",
            "wait for the next code and check the phone's clock, or use a recovery code;"
            " on the host `recio user ensure --reset` removes the second factor",
        )  # fmt: skip
    return how


def _refuse_early(pool: Pool, login: str, address: str) -> None:
    left = wait_s(queries.attempts(pool, login, address))
    if left > 0:
        seconds = int(left) + 1
        raise ApiError(
            429, "too_many_attempts", f"too many failed attempts; the next one counts in {seconds} s",
            f"wait {seconds} s, then try again", {"Retry-After": str(seconds)},
        )  # fmt: skip
