"""One shape for every error: ``{"error": {"code", "message", "cure"}}`` with the right status; pages get a page."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from urllib.parse import quote, urlsplit

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse, Response

from recio.store.db import DatabaseGone
from recio.store.tickets import KeyReused
from recio.trading.settings import SettingError
from recio.trading.ticket import TicketError
from recio.web.wire import json_response

__all__ = ["ApiError", "answer", "database_gone", "error_response", "install"]

log = logging.getLogger("recio.web")

_PLAIN = {
    400: ("bad_request", "the request could not be read", "correct the request"),
    404: ("not_found", "there is nothing at this address", "see /api/openapi.json for what there is"),
    405: ("method_not_allowed", "this address does not take this method", "see /api/openapi.json for what it takes"),
}


class ApiError(Exception):
    """An answer that is not a success: status, a code for programs, a sentence and the cure for people."""

    def __init__(
        self, status: int, code: str, message: str, cure: str = "", headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.cure, self.headers = status, code, message, cure, headers


def error_response(error: ApiError) -> Response:
    """The error as JSON."""
    body = {"error": {"code": error.code, "message": error.message, "cure": error.cure}}
    return json_response(body, error.status, error.headers)


def database_gone(failure: BaseException) -> ApiError:
    """503 for a database that does not answer."""
    log.warning("database not reachable: %s", " ".join(str(failure).split())[:200])
    return ApiError(
        503, "database_unavailable", "the database does not answer; nothing was changed by this request as far as is known",
        "wait a few seconds; if it stays, look at `recio status` on the host", {"Retry-After": "2"},
    )  # fmt: skip


def _from(failure: Exception) -> ApiError:
    if isinstance(failure, ApiError):
        return failure
    if isinstance(failure, TicketError):
        return ApiError(422, f"invalid_{failure.field}", str(failure), f"correct {failure.field} and send again")
    if isinstance(failure, SettingError):
        return ApiError(422, "invalid_setting", str(failure), "correct the value and send again")
    if isinstance(failure, KeyReused):
        return ApiError(409, "idempotency_key_reused", str(failure), "take a new idempotency_key for a new order")
    if isinstance(failure, RequestValidationError):
        first = failure.errors()[0] if failure.errors() else {"loc": (), "msg": "not valid"}
        where = ".".join(str(part) for part in first["loc"] if part not in ("body", "query", "path")) or "the body"
        return ApiError(422, "invalid_input", f"{where}: {first['msg']}", "see /api/openapi.json for the fields")
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
    return error_response(error)


def install(app: FastAPI) -> None:
    """Answer every known failure in the one shape; the gate does the same with whatever is left."""
    kinds: tuple[type[Exception], ...] = (
        ApiError, TicketError, SettingError, KeyReused, RequestValidationError, HTTPException, *DatabaseGone,
    )  # fmt: skip
    for kind in kinds:
        app.add_exception_handler(kind, answer)
