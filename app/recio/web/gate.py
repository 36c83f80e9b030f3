"""The gate before every route: deny first, whatever the route. A session, the same origin, the token, and the headers.

request                                 session   same origin   CSRF token
GET /login /livez /readyz /static/*     -         -             -
POST /login, POST /api/session          -         yes           -          (there is no session yet)
GET, HEAD of anything else              yes       -             -
POST, PUT, PATCH, DELETE                yes       yes           yes

A session whose second factor is still due opens /login/code alone; one whose password came from the deploy, what
_CHOOSING lists.

A program's ``Authorization: Bearer recio_...`` takes the place of session, origin and CSRF token, on /api/* and /metrics
only, and only where the route names a scope that the token has (web/bearer.py, web/routes.py). Then every request counts
against its rate limit (web/limits.py).
"""

from __future__ import annotations

import hmac
import logging
import time
from collections.abc import Callable, MutableMapping
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from recio.store.audit import REMOTE
from recio.store.db import DatabaseGone
from recio.store.pool import Pool
from recio.web import bearer, once, sessions
from recio.web.errors import ApiError, database_gone
from recio.web.limits import Buckets, Taken, limit_for
from recio.web.meter import Meter
from recio.web.routes import Rule, Rules

__all__ = ["CSRF_HEADER", "Gate", "admitted", "is_public"]

log = logging.getLogger("recio.web")
CSRF_HEADER = "x-csrf-token"
MAX_BODY = 64 * 1024
_SAFE = ("GET", "HEAD", "OPTIONS")
_FORM = "application/x-www-form-urlencoded"
_HEADERS = [
    (
        b"content-security-policy",
        b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; connect-src 'self';"
        b" manifest-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    ),
    (b"strict-transport-security", b"max-age=31536000; includeSubDomains"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
]


_CHOOSING = {
    ("GET", "/settings/password"), ("POST", "/settings/password"), ("PUT", "/api/password"), ("POST", "/logout"),
    ("DELETE", "/api/session"),
}  # fmt: skip


def admitted(session: sessions.Session | None, method: str, path: str) -> sessions.Session | None:
    """The session as it counts for this request: None for a half one elsewhere than at its next step.

    Raises ApiError 403 ``password_change_required`` while the password is still the deploy's.
    """
    method = "GET" if method == "HEAD" else method
    if session is None or session.stage == "full":
        return session
    if session.stage == "code":
        return session if path == "/login/code" else None
    if (method, path) in _CHOOSING or is_public(method, path):
        return session
    raise ApiError(
        403, "password_change_required", "the password came from the deploy and is good for one thing: choosing your own",
        "choose one at /settings/password, or PUT /api/password with current and new",
    )  # fmt: skip


def is_public(method: str, path: str) -> bool:
    """Whether a request needs no session: a list, everything else does."""
    if method in ("GET", "HEAD"):
        return path in ("/login", "/livez", "/readyz") or path.startswith("/static/")
    return method == "POST" and path in ("/login", "/api/session")


def _same_origin(headers: Headers, own: str) -> bool:
    """Whether a browser would have sent this from our own page; programs send neither header."""
    site = headers.get("sec-fetch-site")
    if site is not None and site != "same-origin":
        return False
    origin = headers.get("origin")
    if origin is None:
        return True
    return origin == own or urlsplit(origin).netloc == headers.get("host", "")


class Gate:
    """ASGI middleware; the outermost but for the server's own."""

    def __init__(
        self,
        app: ASGIApp,
        pool: Pool,
        known: sessions.Known,
        own_url: str,
        on_error: Callable[[Request, Exception], Response],
        tokens: sessions.Known,
        meter: Meter,
    ) -> None:
        self.app, self.pool, self.known, self.on_error = app, pool, known, on_error
        self.tokens, self.meter = tokens, meter
        self.wrong, self.buckets = bearer.Wrong(), Buckets()
        self._rules: Rules | None = None
        parts = urlsplit(own_url)
        self.own_origin = f"{parts.scheme}://{parts.netloc}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or answer it."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        if scope["type"] != "http":
            await send(
                {"type": "websocket.close", "code": 1008, "reason": "there is no WebSocket here: GET /api/stream"}
            )
            return

        started, began_s = False, time.perf_counter()
        rule = self._rule(scope)

        async def with_headers(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                took_s = time.perf_counter() - began_s
                self.meter.count(scope["method"], rule.template if rule else "(none)", message["status"], took_s)
                mine: list[tuple[bytes, bytes]] = list(message.get("headers", []))
                names = {name for name, _ in mine}
                taken: Taken | None = scope.get("recio.taken")
                mine += [pair for pair in (*_HEADERS, *(taken.headers if taken else ())) if pair[0] not in names]
                if b"cache-control" not in names:
                    mine.append((b"cache-control", b"no-store"))
                message["headers"] = mine
            await send(message)

        try:
            receive, body = await self._admit(scope, receive, rule)
            key, session = once.key_of(scope, rule), scope["recio.session"]
            if key is not None and session is not None:
                await once.run_once(self.app, self.pool, session.user_id, key, body, scope, receive, with_headers)
            else:
                await self.app(scope, receive, with_headers)
        except Exception as failure:
            if started:
                raise  # half an answer is out: the server breaks the connection and logs it
            await self._refusal(scope, failure)(scope, receive, with_headers)

    def _rule(self, scope: Scope) -> Rule | None:
        if self._rules is None:
            self._rules = Rules(scope["app"].router.routes)
        return self._rules.find(scope["method"], scope["path"])

    def _refusal(self, scope: Scope, failure: Exception) -> Response:
        wants_page = "text/html" in Headers(scope=scope).get("accept", "") and not scope["path"].startswith("/api/")
        code = failure.code if isinstance(failure, ApiError) else ""
        if isinstance(failure, ApiError) and failure.status == 403:
            address = (scope.get("client") or ("",))[0]
            log.warning("refused %s %r from %s: %s", scope["method"], scope["path"][:200], address or "nowhere", code)
        if code == "password_change_required" and wants_page and scope["method"] in _SAFE:
            return RedirectResponse("/settings/password", status_code=303)
        if isinstance(failure, ApiError) and failure.status == 401 and wants_page:
            there = scope["path"] if scope["method"] in _SAFE else "/"
            return RedirectResponse(f"/login?next={quote(there)}" if there != "/" else "/login", status_code=303)
        return self.on_error(Request(scope), failure)

    async def _session(self, token: str) -> sessions.Session | None:
        found = self.known.get(token)
        if found is None:
            found = await run_in_threadpool(sessions.find, self.pool, token)
            if found is not None:
                self.known.keep(found)
        return found

    async def _admit(
        self, scope: MutableMapping[str, Any], receive: Receive, rule: Rule | None
    ) -> tuple[Receive, bytes]:
        method, path, headers = scope["method"], scope["path"], Headers(scope=scope)
        REMOTE.set((scope.get("client") or ("",))[0])
        who = await self._who(scope, headers)
        self._count(scope, who)
        session = scope["recio.session"] = admitted(who, method, path)
        if session is None and not is_public(method, path):
            raise ApiError(
                401, "not_logged_in", "this needs a session", "log in at /login or POST /api/session",
                {"WWW-Authenticate": 'Bearer realm="recio"'},
            )  # fmt: skip
        if isinstance(session, bearer.Bearer) and not is_public(method, path):
            if not path.startswith("/api/") and path != "/metrics":
                raise ApiError(
                    403, "no_tokens", "a token opens /api/ and /metrics only", "log in at /login for the pages"
                )
            bearer.check_scope(session, rule)
        if method in _SAFE:
            return receive, b""
        if not isinstance(session, bearer.Bearer) and not _same_origin(headers, self.own_origin):
            raise ApiError(403, "other_origin", "the request came from another site's page", "use the desk's own page")
        body = await _body(receive)
        if not is_public(method, path) and session is not None and not isinstance(session, bearer.Bearer):
            given = headers.get(CSRF_HEADER) or _form_token(headers, body)
            if not session.csrf_token or not hmac.compare_digest(given.encode(), session.csrf_token.encode()):
                raise ApiError(
                    403, "csrf", "the request does not carry this session's token",
                    "send the csrf_token given at log-in as X-CSRF-Token; in a page: reload it",
                )  # fmt: skip
        return _replay(body, receive), body

    async def _who(self, scope: MutableMapping[str, Any], headers: Headers) -> sessions.Session | None:
        """Whose request it is. With a token the cookie does not count."""
        path = scope["path"]
        if path.startswith("/static/") or path == "/livez":
            return None
        try:
            program = bearer.given(headers.get("authorization"))
            if program is not None:
                address = scope["client"][0] if scope.get("client") else ""
                return await run_in_threadpool(bearer.find, self.pool, self.tokens, self.wrong, program, address)
            token = sessions.cookie_token(headers.get("cookie", ""))
            return await self._session(token) if token is not None else None
        except DatabaseGone as gone:
            raise database_gone(gone) from gone

    def _count(self, scope: MutableMapping[str, Any], session: sessions.Session | None) -> None:
        """Count the request against its limit. Raises ApiError 429 when it is used up."""
        limit = limit_for(scope["method"], scope["path"], session is not None)
        if limit is None:
            return
        address = (scope["client"][0] if scope.get("client") else "").encode()
        by_address = session is None or limit.name == "login"
        taken = self.buckets.take(limit, address if by_address or session is None else session.token_hash)
        scope["recio.taken"] = taken
        if not taken.allowed:
            self.meter.refuse(limit.name)
            raise ApiError(
                429, "rate_limited", f"more than {limit.burst} at once, refilled with {limit.per_s:g} a second: {limit.about}",
                f"wait {taken.wait_s:.1f} s; RateLimit tells how many are left",
                {"Retry-After": str(int(taken.wait_s) + 1)},
            )  # fmt: skip


async def _body(receive: Receive) -> bytes:
    parts, size = [], 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ApiError(
                400, "bad_request", "the connection ended before the whole request had come", "send it again"
            )
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > MAX_BODY:
            raise ApiError(413, "too_large", f"the body is larger than {MAX_BODY} bytes", "send less")
        if not message.get("more_body"):
            return b"".join(parts)


def _form_token(headers: Headers, body: bytes) -> str:
    if headers.get("content-type", "").partition(";")[0].strip().lower() != _FORM:
        return ""
    try:
        return parse_qs(body.decode(), max_num_fields=50).get("csrf_token", [""])[0]
    except ValueError:
        return ""


def _replay(body: bytes, rest: Receive) -> Receive:
    sent = False

    async def receive() -> Message:
        nonlocal sent
        if sent:
            return await rest()
        sent = True
        return {"type": "http.request", "body": body, "more_body": False}

    return receive
