"""API tokens at the gate: ``Authorization: Bearer recio_...`` in place of a session, for programs.

A token is 256 random bits, so guessing is hopeless; the wait after wrong ones only keeps a broken script from asking the
database in a loop. It is by address, and a token found in the last second passes it.
"""

from __future__ import annotations

import logging
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from recio.store import api_access
from recio.store.pool import Pool
from recio.web.errors import ApiError
from recio.web.routes import Rule
from recio.web.sessions import Known, Session, token_hash

__all__ = ["PREFIX", "Bearer", "Wrong", "check_scope", "find", "given", "new_token"]

log = logging.getLogger("recio.web")
PREFIX = "recio_"
_TOUCH_AFTER_S = 60.0
_FREE, _LONGEST_S, _MOST = 5, 900.0, 1000


@dataclass(frozen=True, kw_only=True)
class Bearer(Session):
    """A program, by its token; ``login`` names both, so that logs and records say which token did it."""

    token_id: int
    scopes: frozenset[str]


def new_token() -> str:
    """A fresh token, as it is shown once."""
    return PREFIX + secrets.token_urlsafe(32)


def given(authorization: str | None) -> str | None:
    """The token in an Authorization header; None without one, or for another scheme. Raises ApiError 401 for no token."""
    kind, _, token = (authorization or "").partition(" ")
    if kind.lower() != "bearer":
        return None
    if not token.strip().startswith(PREFIX):
        raise _refused("the Authorization header is not a token of this desk")
    return token.strip()


def _refused(why: str) -> ApiError:
    return ApiError(
        401, "wrong_token", why, "send Authorization: Bearer recio_… as made under Settings, API tokens",
        {"WWW-Authenticate": 'Bearer realm="recio"'},
    )  # fmt: skip


class Wrong:
    """Wrong tokens by address: from the sixth on, the next one must wait 2, 4, 8 … 900 s."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._seen: OrderedDict[str, tuple[int, float]] = OrderedDict()

    def wait_s(self, address: str) -> float:
        """Seconds until a token from this address is looked at again; 0: now."""
        count, at_s = self._seen.get(address, (0, 0.0))
        if count <= _FREE:
            return 0.0
        return max(0.0, at_s + min(_LONGEST_S, 2.0 ** min(count - _FREE, 20)) - self._clock())

    def failed(self, address: str) -> None:
        """A token that is none came from here."""
        with self._lock:
            count = self._seen.get(address, (0, 0.0))[0] + 1
            self._seen[address] = (count, self._clock())
            self._seen.move_to_end(address)
            while len(self._seen) > _MOST:
                self._seen.popitem(last=False)
        if count == _FREE + 1:
            log.warning("wrong API tokens keep coming from %s; it waits from now on", address or "nowhere")

    def worked(self, address: str) -> None:
        """A token in force came from here."""
        with self._lock:
            self._seen.pop(address, None)


def find(pool: Pool, known: Known, wrong: Wrong, token: str, address: str) -> Bearer:
    """Who a token is. Raises ApiError 401 for one that is unknown, revoked or past its end, 429 while the address waits."""
    seen = known.get(token)
    if isinstance(seen, Bearer):
        return seen
    left_s = wrong.wait_s(address)
    if left_s > 0:
        seconds = int(left_s) + 1
        raise ApiError(
            429, "too_many_attempts", f"too many wrong tokens from this address; the next one counts in {seconds} s",
            f"wait {seconds} s, then send a token that is in force", {"Retry-After": str(seconds)},
        )  # fmt: skip
    row = api_access.token(pool, token_hash(token)) if len(token) <= 100 else None
    if row is None:
        wrong.failed(address)
        raise _refused("the token is unknown, revoked or past its end")
    wrong.worked(address)
    if row["idle_s"] is None or row["idle_s"] > _TOUCH_AFTER_S:
        api_access.touch_token(pool, row["token_id"], address)
    found = Bearer(
        token_hash=bytes(row["token_hash"]), user_id=row["user_id"], login=f"{row['login']} (token {row['name']})",
        csrf_token="", token_id=row["token_id"], scopes=frozenset(row["scopes"]),
    )  # fmt: skip
    known.keep(found)
    return found


def check_scope(bearer: Bearer, rule: Rule | None) -> None:
    """Raises ApiError 403 unless the route takes tokens and this one has a scope for it; no route: 404 comes later."""
    if rule is None or rule.scopes & bearer.scopes:
        return
    if not rule.scopes:
        raise ApiError(403, "no_tokens", "no token may do this", "log in at /login and do it there")
    raise ApiError(
        403, "scope", f"this token has the scope {', '.join(sorted(bearer.scopes))}; {' or '.join(sorted(rule.scopes))} is needed",
        "make a token with that scope under Settings, API tokens",
    )  # fmt: skip
