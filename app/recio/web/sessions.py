"""Sessions: a random cookie whose hash alone is stored, ended by idleness, by age and by logging out, on the server."""

from __future__ import annotations

import hashlib
import math
import secrets
import time
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from typing import Literal

from starlette.responses import Response

from recio.store import web_sessions as queries
from recio.store.pool import Pool
from recio.web.errors import ApiError
from recio.web.login import User

__all__ = [
    "COOKIE",
    "Known",
    "Session",
    "Stage",
    "close",
    "cookie_token",
    "find",
    "is_recent",
    "new_token",
    "open_session",
    "require_recent",
    "set_cookie",
    "token_hash",
    "unset_cookie",
]

COOKIE = "__Host-recio_session"
IDLE_HOURS = 12
ABSOLUTE_HOURS = 7 * 24
CODE_SECONDS = 300
RECENT_MINUTES = 10.0
_TOUCH_AFTER_S = 60.0
_MOST_KNOWN = 100


Stage = Literal["full", "password", "code"]
"""What a session may do: everything; only choose a new password; only show its second factor."""


@dataclass(frozen=True)
class Session:
    """Who is asking, and the token their state-changing calls must carry."""

    token_hash: bytes
    user_id: str
    login: str
    csrf_token: str
    stage: Stage = "full"
    proven_s: float = (
        -math.inf
    )  # on this process's monotonic clock: when the password was last shown; a token never did


def token_hash(token: str) -> bytes:
    """What is stored of a token."""
    return hashlib.sha256(token.encode()).digest()


def cookie_token(header: str) -> str | None:
    """The session token in a Cookie header, if any."""
    if COOKIE not in header:
        return None
    try:
        morsel = SimpleCookie(header).get(COOKIE)
    except CookieError:
        return None
    return morsel.value if morsel is not None and morsel.value else None


class Known:
    """Sessions seen within the last second: a page's burst of requests asks the database once."""

    def __init__(self, keep_s: float = 1.0) -> None:
        self._keep_s = keep_s
        self._seen: dict[bytes, tuple[float, Session]] = {}

    def get(self, token: str) -> Session | None:
        """The session, when it was found in the database a moment ago."""
        found = self._seen.get(token_hash(token))
        return found[1] if found is not None and time.monotonic() - found[0] < self._keep_s else None

    def keep(self, session: Session) -> None:
        """It was found just now."""
        if len(self._seen) >= _MOST_KNOWN:
            self._seen.clear()
        self._seen[session.token_hash] = (time.monotonic(), session)

    def forget(self) -> None:
        """Sessions have ended: ask again for every one."""
        self._seen.clear()


def find(pool: Pool, token: str) -> Session | None:
    """The session of a token, or None when there is none or it has ended; it counts as used."""
    row = queries.session(pool, token_hash(token), IDLE_HOURS)
    if row is None:
        return None
    if row["idle_s"] > _TOUCH_AFTER_S:
        queries.touch_session(pool, bytes(row["token_hash"]))
    stage: Stage = "code" if row["awaiting_code"] else "password" if row["must_change"] else "full"
    proven_s = -math.inf if row["proven_age_s"] is None else time.monotonic() - row["proven_age_s"]
    return Session(bytes(row["token_hash"]), row["user_id"], row["login"], row["csrf_token"], stage, proven_s)


def open_session(
    pool: Pool, user: User, address: str, agent: str, old: str | None, *, awaiting_code: bool = False
) -> tuple[str, Session]:
    """A new session in place of the ``old`` cookie's; gives the cookie's value and the session.

    ``awaiting_code``: five minutes to show the second factor, and nothing else.
    """
    token = secrets.token_urlsafe(32)
    stage: Stage = "code" if awaiting_code else "password" if user.must_change else "full"
    session = Session(
        token_hash(token), user.user_id, user.login, secrets.token_urlsafe(32), stage, time.monotonic()
    )  # fmt: skip
    seconds = CODE_SECONDS if awaiting_code else ABSOLUTE_HOURS * 3600
    queries.open_session(
        pool, user.user_id, session.token_hash, session.csrf_token, seconds, address, agent,
        token_hash(old) if old else None, awaiting_code,
    )  # fmt: skip
    return token, session


def new_token() -> tuple[str, bytes]:
    """A cookie's value and its hash, for a session that goes on under a new one."""
    token = secrets.token_urlsafe(32)
    return token, token_hash(token)


def is_recent(session: Session, minutes: float = RECENT_MINUTES) -> bool:
    """Whether the session showed the password (and the code, where there is one) within the last ``minutes``."""
    return time.monotonic() - session.proven_s <= minutes * 60


def require_recent(session: Session, minutes: float = RECENT_MINUTES) -> None:
    """Raise ApiError 403 ``reauth_required`` unless the session showed who it is within the last ``minutes``.

    For what could cost the most in a stolen session: passwords, the second factor, tokens, keys, the mode, wider limits.
    A page's form is sent to /settings/security/confirm and back; a program calls POST /api/session/confirm first.
    """
    if not is_recent(session, minutes):
        raise ApiError(
            403, "reauth_required", "this needs your password again; it was last given too long ago for a change like this",
            f"confirm at /settings/security/confirm (or POST /api/session/confirm), then do it again within {minutes:g} minutes",
        )  # fmt: skip


def close(pool: Pool, session: Session) -> None:
    """End a session."""
    queries.close_session(pool, session.token_hash, session.user_id)


def set_cookie(response: Response, token: str) -> None:
    """Give the browser its token."""
    response.set_cookie(
        COOKIE, token, max_age=ABSOLUTE_HOURS * 3600, path="/", secure=True, httponly=True, samesite="strict"
    )


def unset_cookie(response: Response) -> None:
    """Take the browser's token back."""
    response.delete_cookie(COOKIE, path="/", secure=True, httponly=True, samesite="strict")
