"""What the page asks of root, by HTTP and by forms: checked against the closed list, written down, the worker woken."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Form, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import RedirectResponse, Response

from recio.monitoring.releases import kept, refusal
from recio.monitoring.requests import NEEDS_PASSWORD, OWN_PAGE, BadRequest, parse, touch_trigger
from recio.store import requests as queries
from recio.store.schema import expected_revision
from recio.web.desk import desk_of, session_of
from recio.web.errors import ApiError
from recio.web.routes import api
from recio.web.sessions import require_recent
from recio.web.wire import json_response, wire, wire_all

__all__ = ["ask", "router"]

log = logging.getLogger("recio.web")
router = APIRouter()
Word = Annotated[str, Form(max_length=64)]


class Asked(BaseModel):
    """A kind of recio.monitoring.requests and its arguments."""

    model_config = ConfigDict(extra="forbid")
    kind: Annotated[str, Field(max_length=40)]
    args: Annotated[
        dict[Annotated[str, Field(max_length=40)], Annotated[str, Field(max_length=64)]], Field(max_length=4)
    ] = {}


def ask(request: Request, kind: str, args: Mapping[str, Any]) -> int:
    """Write a request down and wake the worker; gives its number. Raises ApiError with what is wrong and the cure."""
    desk, session = desk_of(request), session_of(request)
    try:
        parse(kind, args)
    except BadRequest as bad:
        raise ApiError(422, "invalid_request", str(bad), "see docs/api.md for the kinds and their arguments") from None
    if kind == "restart_service" and args["service"] not in desk.contract.services:
        names = ", ".join(desk.contract.services)
        raise ApiError(422, "invalid_request", f"there is no service {args['service']!r}", f"there are: {names}")
    if kind == "rollback" and (why := refusal(kept(), args["release"], expected_revision())):
        raise ApiError(409, "no_rollback", f"nothing was switched: {why}", "choose another release on the System page")
    if kind in NEEDS_PASSWORD:
        require_recent(session)
    request_id = queries.ask(desk.pool, kind, args, session.login)
    if request_id is None:
        raise ApiError(
            409, "request_open", f"another {kind.replace('_', ' ')} is still under way, or three requests wait",
            "wait until it has ended; the System page shows it",
        )  # fmt: skip
    try:
        touch_trigger()
    except OSError as failure:  # the row stays: the worker finds it when it is woken, or it expires and says so
        log.warning("request %s: the worker could not be woken: %s", request_id, failure)
    return request_id


def _refuse_own(kind: str) -> None:
    if kind in OWN_PAGE:
        raise ApiError(
            422, "invalid_request", f"{kind} is not asked for here",
            "use /api/exchange/keys/{mode}, /api/mode or the page Settings, Exchange and mode",
        )  # fmt: skip


@router.post("/api/requests", **api("System", answer="RequestAsked"))
def post_request(request: Request, body: Asked) -> Response:
    """Ask root for something of a closed list: restart_service, backup_now, restore_test, diagnostics, rollback."""
    _refuse_own(body.kind)
    return json_response({"request_id": ask(request, body.kind, body.args)})


@router.get("/api/requests", **api("System", "read", answer="HostRequests"))
def get_requests(request: Request) -> Response:
    """The newest twenty requests with their state, what they do now and what became of them."""
    return json_response({"requests": wire_all(queries.newest(desk_of(request).pool, 20))})


@router.get("/api/requests/{request_id}", **api("System", "read", answer="HostRequest"))
def get_request(request: Request, request_id: int) -> Response:
    """One request."""
    row = queries.request(desk_of(request).pool, request_id) if 0 < request_id < 2**62 else None
    if row is None:
        raise ApiError(404, "not_found", f"there is no request {request_id}", "GET /api/requests lists them")
    return json_response(wire(row))


@router.post("/system/requests", include_in_schema=False)
def request_form(request: Request, kind: Word, service: Word = "", release: Word = "") -> Response:
    """The same from a page without script; back to the page, which shows it."""
    _refuse_own(kind)
    given = {"service": service, "release": release}
    args = {name: value for name, value in given.items() if value}
    return RedirectResponse(f"/system?asked={ask(request, kind, args)}#requests", status_code=303)
