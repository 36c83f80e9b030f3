"""Idempotency-Key on any POST of the API: the same key and request gets the first answer again, another one is refused.

    key unknown                          the request is carried out, its answer kept for a day
    key known, same request, answered    that answer, with Idempotent-Replayed: true; nothing is carried out
    key known, same request, unanswered  409 still_running: the first one has not come to an end
    key known, other request             409 idempotency_key_reused
    the first came to 5xx or broke       the key is free again

Tickets do not come here: their keys are part of the ledger itself (store/tickets.py), for ever.
"""

from __future__ import annotations

import hashlib
import re

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from recio.store import api_access
from recio.store.pool import Pool
from recio.web.errors import ApiError
from recio.web.routes import Rule

__all__ = ["HEADER", "KEY", "REPLAYED", "checked_key", "key_of", "run_once"]

HEADER, REPLAYED = "idempotency-key", "Idempotent-Replayed"
KEY = r"^[A-Za-z0-9_.:\-]{8,100}$"
_MOST = 256 * 1024  # a longer answer is not kept; repeating it would carry the request out again, so it is refused


def key_of(scope: Scope, rule: Rule | None) -> str | None:
    """The key of a request that is to be carried out once: a POST of the API but logging in, where no route keeps its own."""
    path = scope["path"]
    if scope["method"] != "POST" or not path.startswith("/api/") or path == "/api/session" or (rule and rule.own_keys):
        return None
    return checked_key(Headers(scope=scope))


def checked_key(headers: Headers) -> str | None:
    """The key of the header, or None. Raises ApiError 422 for one that cannot be used."""
    key = headers.get(HEADER)
    if key is None:
        return None
    key = key.strip().strip('"')  # a structured field's string comes in quotes
    if not re.match(KEY, key):
        raise ApiError(
            422, "invalid_idempotency_key", "Idempotency-Key: 8 to 100 letters, digits and _ . : - are needed",
            "take a UUID", fields=[{"field": "Idempotency-Key", "detail": f"must match {KEY}"}],
        )  # fmt: skip
    return key


async def run_once(
    app: ASGIApp, pool: Pool, user_id: str, key: str, body: bytes, scope: Scope, receive: Receive, send: Send
) -> None:
    """Carry the request out, unless its key says that it was."""
    asked = hashlib.sha256(b"\n".join((scope["method"].encode(), scope["path"].encode(), scope["query_string"], body)))
    earlier = await run_in_threadpool(api_access.claim_key, pool, user_id, key, asked.digest())
    if earlier is not None:
        await _replayed(key, asked.digest(), earlier)(scope, receive, send)
        return
    status, media_type, parts = 500, "", []

    async def keeping(message: Message) -> None:
        nonlocal status, media_type
        if message["type"] == "http.response.start":
            status, media_type = message["status"], Headers(raw=message.get("headers", [])).get("content-type", "")
        elif message["type"] == "http.response.body":
            parts.append(message.get("body", b""))
            if not message.get("more_body"):
                await run_in_threadpool(_settle, pool, user_id, key, status, media_type, b"".join(parts))
        await send(message)

    try:
        await app(scope, receive, keeping)
    except BaseException:
        await run_in_threadpool(api_access.drop_key, pool, user_id, key)
        raise


def _settle(pool: Pool, user_id: str, key: str, status: int, media_type: str, body: bytes) -> None:
    if status >= 500 or len(body) > _MOST:
        api_access.drop_key(pool, user_id, key)
    else:
        api_access.keep_answer(pool, user_id, key, status, media_type, body)


def _replayed(key: str, asked: bytes, earlier: api_access.Row) -> Response:
    if bytes(earlier["request_hash"]) != asked:
        raise ApiError(
            409, "idempotency_key_reused", f"idempotency key {key!r} already stands for another request",
            "take a new key for a new request",
        )  # fmt: skip
    if earlier["status"] is None:
        raise ApiError(
            409, "still_running", f"the first request with the key {key!r} has not been answered yet",
            "ask again in a moment with the same key", {"Retry-After": "1"},
        )  # fmt: skip
    headers = {REPLAYED: "true", "Content-Type": earlier["media_type"]}
    return Response(bytes(earlier["body"]), earlier["status"], headers)
