"""Small things every handler of the simulator shares: JSON out, errors in the exchange's shapes, paging."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import msgspec
from aiohttp import web

from recio.exchange.simulator.orders import Rejected

__all__ = ["bad_query", "fail", "integer", "ok", "page", "rejected", "too_many"]

Row = TypeVar("Row")
_MAX_PAGE = 1_000


def ok(body: Any, status: int = 200) -> web.Response:
    """A JSON answer."""
    return web.Response(body=msgspec.json.encode(body), status=status, content_type="application/json")


def fail(status: int, code: str, message: str = "", details: str = "") -> web.Response:
    """The nested error shape, which most errors have."""
    error = {"code": code, "message": message or code} | ({"details": details} if details else {})
    return ok({"error": error}, status)


def rejected(problem: Rejected) -> web.Response:
    """A Rejected on the wire. What concerns decoding of the body comes in the flat shape."""
    if problem.code in ("bad_request", "invalid_content_type"):
        return ok({"code": problem.code, "message": problem.message, "details": problem.details}, problem.status)
    return fail(problem.status, problem.code, problem.message, problem.details)


def too_many() -> web.Response:
    """429 has an error that is a string, and no Retry-After."""
    return ok({"error": "too many requests"}, 429)


def bad_query(text: str) -> web.Response:
    """The bare shape, used for query parameters."""
    return ok({"msg": text}, 400)


def integer(request: web.Request, name: str, default: int | None = None) -> int | None:
    """A whole number of the query. ``web.HTTPBadRequest`` in the bare shape for anything else."""
    text = request.query.get(name)
    if text is None or text == "":
        return default
    try:
        return int(text)
    except ValueError:
        raise web.HTTPBadRequest(
            body=msgspec.json.encode({"msg": f"invalid {name}: {text[:40]!r}"}), content_type="application/json"
        ) from None


def page(
    request: web.Request,
    key: str,
    rows: Sequence[Row],
    render: Callable[[Row], Any],
    most: int = _MAX_PAGE,
    usual: int = 100,
    **more: Any,
) -> web.Response:
    """One page of rows and the cursor of the next. A garbage cursor reads as the first page, as on the exchange.

    ``usual`` is the page size without a limit, ``most`` the largest.
    """
    limit = integer(request, "limit", usual) or usual
    if not 1 <= limit <= most:
        return bad_query(f"limit must be between 1 and {most}")
    start = _offset(request.query.get("cursor", ""))
    end = start + limit
    cursor = base64.urlsafe_b64encode(f"o{end}".encode()).decode() if end < len(rows) else ""
    return ok({key: [render(row) for row in rows[start:end]], "cursor": cursor, **more})


def _offset(cursor: str) -> int:
    try:
        text = base64.urlsafe_b64decode(cursor).decode()
        return int(text[1:]) if text.startswith("o") else 0
    except (binascii.Error, UnicodeDecodeError, ValueError):
        return 0
