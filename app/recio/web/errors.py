"""One shape for every error, RFC 9457's problem+json with our ``code`` and ``cure``; a browser's page gets a page.

{"type": "/api/docs#problem-no_trade", "title": "No such trade", "status": 404, "detail": "there is no trade 9",
 "instance": "/api/trades/9", "code": "no_trade", "cure": "GET /api/trades lists them"}
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote, urlsplit

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse, Response

from recio.store.db import DatabaseGone
from recio.store.tickets import KeyReused
from recio.trading.settings import SettingError
from recio.trading.ticket import TicketError
from recio.web.problems import title_of, type_of
from recio.web.wire import encode

__all__ = ["PROBLEM_JSON", "ApiError", "answer", "database_gone", "error_response", "install", "problem"]

log = logging.getLogger("recio.web")
PROBLEM_JSON = "application/problem+json"
Fields = Sequence[Mapping[str, str]]

_PLAIN = {
    400: ("bad_request", "the request could not be read", "correct the request"),
    404: ("not_found", "there is nothing at this address", "see /api/docs for what there is"),
    405: ("method_not_allowed", "this address does not take this method", "see /api/docs for what it takes"),
}


class ApiError(Exception):
    """An answer that is not a success: status, a code for programs, a sentence and the cure for people.

    ``fields`` lists every bad field of a request as {"field", "detail"}; the answer carries it as ``errors``.
    """

    def __init__(
        self, status: int, code: str, message: str, cure: str = "", headers: Mapping[str, str] | None = None,
        fields: Fields = (),
    ) -> None:  # fmt: skip
        super().__init__(message)
        self.status, self.code, self.message, self.cure, self.headers = status, code, message, cure, headers
        self.fields = fields


def problem(error: ApiError, instance: str) -> dict[str, Any]:
    """The error as RFC 9457's object; ``instance`` is the path that was asked for, without its query."""
    body: dict[str, Any] = {
        "type": type_of(error.code), "title": title_of(error.code, error.status), "status": error.status,
        "detail": error.message, "instance": quote(instance), "code": error.code, "cure": error.cure,
    }  # fmt: skip
    return body | {"errors": list(error.fields)} if error.fields else body


def error_response(error: ApiError, instance: str) -> Response:
    """The error as a program gets it."""
    return Response(encode(problem(error, instance)), error.status, error.headers, media_type=PROBLEM_JSON)


def database_gone(failure: BaseException) -> ApiError:
    """503 for a database that does not answer."""
    log.warning("database not reachable: %s", " ".join(str(failure).split())[:200])
    return ApiError(
        503, "database_unavailable", "the database does not answer; nothing was changed by this request as far as is known",
        "wait a few seconds; if it stays, look at `recio status` on the host", {"Retry-After": "2"},
    )  # fmt: skip


def _invalid(found: Sequence[Mapping[str, Any]]) -> ApiError:
    """422 for what the framework found: every bad field once; what was sent is not repeated, it may be a password."""
    fields: dict[str, str] = {}
    for one in found:
        where = ".".join(str(part) for part in one["loc"][1:] if not str(part).startswith("function-"))
        fields.setdefault(where or "the body", str(one["msg"]))
    said = "; ".join(f"{field}: {detail}" for field, detail in fields.items()) or "the request is not valid"
    return ApiError(
        422, "invalid_input", said, "see /api/docs for the fields",
        fields=[{"field": field, "detail": detail} for field, detail in fields.items()],
    )  # fmt: skip


def _from(failure: Exception) -> ApiError:
    if isinstance(failure, ApiError):
        return failure
    if isinstance(failure, TicketError):
        return ApiError(
            422, f"invalid_{failure.field}", str(failure), f"correct {failure.field} and send again",
            fields=[{"field": failure.field, "detail": failure.message}],
        )  # fmt: skip
    if isinstance(failure, SettingError):
        return ApiError(422, "invalid_setting", str(failure), "correct the value and send again")
    if isinstance(failure, KeyReused):
        return ApiError(409, "idempotency_key_reused", str(failure), "take a new idempotency_key for a new order")
    if isinstance(failure, RequestValidationError):
        return _invalid(failure.errors())
    if isinstance(failure, HTTPException):
        code, message, cure = _PLAIN.get(failure.status_code, ("error", str(failure.detail), ""))
        return ApiError(failure.status_code, code, message, cure, failure.headers)
    if isinstance(failure, DatabaseGone):
        return database_gone(failure)
    log.error("request failed", exc_info=failure)
    return ApiError(
        500, "internal", "something went wrong here and has been written to the log",
        "`recio logs main_app` on the host shows what",
    )  # fmt: skip


def answer(request: Request, failure: Exception) -> Response:
    """The answer to a failure: JSON, or the error page where a browser asked for a page."""
    error = _from(failure)
    if not request.url.path.startswith("/api/") and "text/html" in request.headers.get("accept", ""):
        if error.code == "reauth_required":
            back = urlsplit(request.headers.get("referer", "")).path if request.method == "POST" else request.url.path
            return RedirectResponse(f"/settings/security/confirm?next={quote(back or '/settings')}", status_code=303)
        page: Response = request.app.state.desk.page(request, "error.html", {"error": error}, error.status)
        return page
    return error_response(error, request.url.path)


def install(app: FastAPI) -> None:
    """Answer every known failure in the one shape; the gate does the same with whatever is left."""
    kinds: tuple[type[Exception], ...] = (
        ApiError, TicketError, SettingError, KeyReused, RequestValidationError, HTTPException, *DatabaseGone,
    )  # fmt: skip
    for kind in kinds:
        app.add_exception_handler(kind, answer)
