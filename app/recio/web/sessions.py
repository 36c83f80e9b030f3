"""Sessions: a random cookie whose hash alone is stored, ended by idleness, by age and by logging out, on the server."""

from __future__ import annotations

import hashlib
import secrets
import time
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie

from starlette.responses import Response

from recio.store import web_sessions as queries
from recio.store.pool import Pool

__all__ = [
    "COOKIE",
    "Known",
    "Session",
    "close",
    "cookie_token",
    "find",
    "open_session",
    "set_cookie",
    "token_hash",
    "unset_cookie",
]

COOKIE = "__Host-recio_session"
IDLE_HOURS = 12
ABSOLUTE_HOURS = 7 * 24
_TOUCH_AFTER_S = 60.0
_MOST_KNOWN = 100


@dataclass(frozen=True)
class Session:
    """Who is asking, and the token their state-changing calls must carry."""

    token_hash: bytes
    user_id: str
    login: str
    csrf_token: str


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
    return Session(bytes(row["token_hash"]), row["user_id"], row["login"], row["csrf_token"])


def open_session(
    pool: Pool, user_id: str, login: str, address: str, agent: str, old: str | None
) -> tuple[str, Session]:
    """A new session in place of the ``old`` cookie's; gives the cookie's value and the session."""
    token = secrets.token_urlsafe(32)
    session = Session(token_hash(token), user_id, login, secrets.token_urlsafe(32))
    replaces = token_hash(old) if old else None
    queries.open_session(
        pool, user_id, session.token_hash, session.csrf_token, ABSOLUTE_HOURS, address, agent, replaces
    )
    return token, session


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
