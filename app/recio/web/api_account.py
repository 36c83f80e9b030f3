"""Log-in, status and settings by HTTP."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Body, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from recio.monitoring.kill_file import kill_file_reason
from recio.store import web_sessions
from recio.web import sessions
from recio.web.desk import Desk, desk_of, session_of
from recio.web.entrance import log_in, log_out
from recio.web.errors import ApiError
from recio.web.routes import api
from recio.web.switches import checked
from recio.web.wire import json_response, wire

__all__ = ["SettingName", "log_in", "log_out", "router", "store_setting"]

router = APIRouter()
SettingName = Literal["kill_switch", "auto_entry", "auto_stop"]


class Login(BaseModel):
    """Name and password, and the second factor's code where there is one."""

    model_config = ConfigDict(extra="forbid")
    login: Annotated[str, Field(min_length=1, max_length=200)]
    password: Annotated[str, Field(min_length=1, max_length=1000)]
    code: Annotated[str, Field(max_length=100)] = ""


@router.post("/api/session", **api("Log in", answer="LoggedIn"))
async def open_session(request: Request, body: Login) -> Response:
    """Log in; the session is a cookie, the csrf_token goes into X-CSRF-Token of every state-changing call."""
    token, session = await run_in_threadpool(log_in, request, body.login, body.password, body.code)
    response = json_response({
        "login": session.login, "csrf_token": session.csrf_token, "must_change_password": session.stage == "password",
    })  # fmt: skip
    sessions.set_cookie(response, token)
    return response


@router.delete("/api/session", **api("Log in", answer="LoggedOut"))
def close_session(request: Request) -> Response:
    """Log out."""
    log_out(request)
    response = json_response({"logged_out": True})
    sessions.unset_cookie(response)
    return response


@router.get("/api/status", **api("System", "read", answer="Status"))
def status(request: Request) -> Response:
    """The services, as `recio status --json` tells it on the host."""
    return json_response(desk_of(request).status.as_dict())


@router.get("/api/settings/{name}", **api("Settings", "read", "settings", answer="Setting"))
def setting(request: Request, name: SettingName) -> Response:
    """A setting with its defaults filled in."""
    desk, session = desk_of(request), session_of(request)
    return json_response({"name": name} | wire(desk.shown_settings(session.user_id)[name]))


@router.put("/api/settings/{name}", **api("Settings", "settings", answer="Setting"))
def put_setting(request: Request, name: SettingName, changes: Annotated[dict[str, Any], Body()]) -> Response:
    """Change a setting: keys not named keep their value, the whole is checked."""
    desk, session = desk_of(request), session_of(request)
    store_setting(desk, session, name, changes)
    return json_response({"name": name} | wire(desk.shown_settings(session.user_id)[name]))


def store_setting(desk: Desk, session: sessions.Session, name: str, changes: dict[str, Any]) -> None:
    """Merge, validate, store, notify and audit. Raises SettingError, or ApiError for nothing to change."""
    if not changes:
        raise ApiError(
            422, "invalid_setting", f"no key of {name} was given", f"its keys are in GET /api/settings/{name}"
        )
    value = checked(name, desk.user_settings(session.user_id)[name]["value"] | changes)
    web_sessions.save_setting(desk.pool, session.user_id, name, value, session.login)
    by_file = kill_file_reason() if name == "kill_switch" and not value["on"] else None
    if by_file is not None:
        said = f"the setting is off, but entries stay stopped: {by_file}"
        raise ApiError(409, "kill_file", said, "remove the file on the host to arm again")
