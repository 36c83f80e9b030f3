"""Proof of identity, the password, sessions and the audit log by HTTP."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from recio.store import audit, web_access
from recio.web import sessions
from recio.web.agent import agent_name
from recio.web.desk import desk_of, session_of
from recio.web.entrance import change_password, confirm
from recio.web.errors import ApiError
from recio.web.routes import api
from recio.web.wire import json_response, wire, wire_all

__all__ = ["router"]

router = APIRouter()
Secret = Annotated[str, Field(min_length=1, max_length=1000)]


class Proof(BaseModel):
    """The password again, and the second factor's code where there is one."""

    model_config = ConfigDict(extra="forbid")
    password: Secret
    code: Annotated[str, Field(max_length=100)] = ""


class NewPassword(BaseModel):
    """The password that holds and the one that shall."""

    model_config = ConfigDict(extra="forbid")
    current: Secret
    new: Secret


def _renewed(token: str, body: dict[str, object]) -> Response:
    response = json_response(body)
    sessions.set_cookie(response, token)
    return response


@router.post("/api/session/confirm", **api("Log in", answer="Confirmed"))
async def confirm_session(request: Request, body: Proof) -> Response:
    """Show again who you are: what answered 403 `reauth_required` is allowed for ten minutes. The cookie changes, the token stays."""
    token = await run_in_threadpool(confirm, request, body.password, body.code)
    return _renewed(token, {"confirmed": True, "minutes": sessions.RECENT_MINUTES})


@router.put("/api/password", **api("Log in", answer="Changed"))
async def put_password(request: Request, body: NewPassword) -> Response:
    """Choose a new password: every other session ends, this one's cookie changes and its token stays."""
    token = await run_in_threadpool(change_password, request, body.current, body.new)
    return _renewed(token, {"changed": True})


@router.get("/api/sessions", **api("Log in", answer="Sessions"))
def list_sessions(request: Request) -> Response:
    """Your sessions: since when, last seen, from where, with what; `this` is the one that asks."""
    desk, session = desk_of(request), session_of(request)
    rows = web_access.sessions(desk.pool, session.user_id, sessions.IDLE_HOURS, session.token_hash)
    return json_response({"sessions": [wire(row) | {"agent": agent_name(row["user_agent"])} for row in rows]})


@router.delete("/api/sessions/{session_id}", **api("Log in", answer="Ended"))
def end_session(request: Request, session_id: Annotated[str, Path(pattern=r"^[0-9a-f]{16}$")]) -> Response:
    """End one of your sessions; wants the password of the last ten minutes."""
    desk, session = desk_of(request), session_of(request)
    sessions.require_recent(session)
    ended = web_access.end_session(desk.pool, session.user_id, session_id)
    if ended is None:
        raise ApiError(404, "not_found", f"there is no session {session_id}", "see GET /api/sessions")
    desk.sessions_ended(session.user_id, only=ended)
    return json_response({"ended": True})


@router.get("/api/audit", **api("Account", "read", answer="Audit"))
def audit_log(
    request: Request,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
    before: Annotated[int | None, Query(ge=1, le=2**62)] = None,
    action: Annotated[str, Query(max_length=100, pattern=r"^[^\x00]*$")] = "",
) -> Response:
    """Who changed what, newest first; the next page is `before` = `next_before`."""
    rows = audit.audit_lines(desk_of(request).pool, limit + 1, before, action)
    more = rows[limit - 1]["audit_id"] if len(rows) > limit else None
    return json_response({"lines": wire_all(rows[:limit]), "next_before": more})
