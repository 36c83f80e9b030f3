"""The gate before every route: deny first, whatever the route. A session, the same origin, the token, and the headers.

request                                 session   same origin   CSRF token
GET /login /livez /static/*             -         -             -
POST /login, POST /api/session          -         yes           -          (there is no session yet)
GET, HEAD of anything else              yes       -             -
POST, PUT, PATCH, DELETE                yes       yes           yes

A session whose second factor is still due opens /login/code alone; one whose password came from the deploy, what
_CHOOSING lists.
"""

from __future__ import annotations

import hmac
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
from recio.web import sessions
from recio.web.errors import ApiError, database_gone, error_response

__all__ = ["CSRF_HEADER", "Gate", "admitted", "is_public"]

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
    (b"strict-transport-security", b"max-age=31536000"),
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
        return path in ("/login", "/livez") or path.startswith("/static/")
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
    ) -> None:
        self.app, self.pool, self.known, self.on_error = app, pool, known, on_error
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

        started = False

        async def with_headers(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                mine: list[tuple[bytes, bytes]] = list(message.get("headers", []))
                names = {name for name, _ in mine}
                mine += [pair for pair in _HEADERS if pair[0] not in names]
                if b"cache-control" not in names:
                    mine.append((b"cache-control", b"no-store"))
                message["headers"] = mine
            await send(message)

        try:
            receive = await self._admit(scope, receive)
        except ApiError as error:
            await self._refusal(scope, error)(scope, receive, with_headers)
            return
        try:
            await self.app(scope, receive, with_headers)
        except Exception as failure:
            if started:
                raise  # half an answer is out: the server breaks the connection and logs it
            await self.on_error(Request(scope), failure)(scope, receive, with_headers)

    def _refusal(self, scope: Scope, error: ApiError) -> Response:
        wants_page = "text/html" in Headers(scope=scope).get("accept", "") and not scope["path"].startswith("/api/")
        if error.code == "password_change_required" and wants_page and scope["method"] in _SAFE:
            return RedirectResponse("/settings/password", status_code=303)
        if error.status == 401 and wants_page:
            there = scope["path"] if scope["method"] in _SAFE else "/"
            return RedirectResponse(f"/login?next={quote(there)}" if there != "/" else "/login", status_code=303)
        return error_response(error)

    async def _session(self, token: str) -> sessions.Session | None:
        found = self.known.get(token)
        if found is None:
            found = await run_in_threadpool(sessions.find, self.pool, token)
            if found is not None:
                self.known.keep(found)
        return found

    async def _admit(self, scope: MutableMapping[str, Any], receive: Receive) -> Receive:
        method, path, headers = scope["method"], scope["path"], Headers(scope=scope)
        scope["recio.session"] = None
        REMOTE.set((scope.get("client") or ("",))[0])
        token = sessions.cookie_token(headers.get("cookie", ""))
        if token is not None and not path.startswith("/static/") and path != "/livez":
            try:
                scope["recio.session"] = await self._session(token)
            except DatabaseGone as gone:
                raise database_gone(gone) from gone
        session = admitted(scope["recio.session"], method, path)
        scope["recio.session"] = session
        if session is None and not is_public(method, path):
            raise ApiError(401, "not_logged_in", "this needs a session", "log in at /login or POST /api/session")
        if method in _SAFE:
            return receive
        if not _same_origin(headers, self.own_origin):
            raise ApiError(403, "other_origin", "the request came from another site's page", "use the desk's own page")
        body = await _body(receive)
        if not is_public(method, path) and session is not None:
            given = headers.get(CSRF_HEADER) or _form_token(headers, body)
            if not hmac.compare_digest(given.encode(), session.csrf_token.encode()):
                raise ApiError(
                    403, "csrf", "the request does not carry this session's token",
                    "send the csrf_token given at log-in as X-CSRF-Token; in a page: reload it",
                )  # fmt: skip
        return _replay(body, receive)


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
