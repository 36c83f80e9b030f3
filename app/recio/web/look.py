"""The look of the desk: /settings/look for people, /api/look for the page's button. Stored for the user; desk and phone agree."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Body, Query, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import RedirectResponse, Response

from recio.store import web_sessions
from recio.trading.settings import SettingError
from recio.web.desk import desk_of, session_of
from recio.web.look_values import Look, changed, read_look, zones
from recio.web.routes import api
from recio.web.wire import json_response

__all__ = ["router"]

router = APIRouter()
_SWITCHES = ("title", "keys")


@router.get("/api/look", **api("Settings", "read", "settings", answer="Look"))
def look(request: Request) -> Response:
    """How the user's pages look: theme, zone ('' is the browser's), clock, colours, density, title, keys."""
    desk, session = desk_of(request), session_of(request)
    return json_response(msgspec.to_builtins(read_look(web_sessions.settings(desk.pool, session.user_id))))


@router.put("/api/look", **api("Settings", "settings", answer="Look"))
def put_look(request: Request, changes: Annotated[dict[str, Any], Body()]) -> Response:
    """Change some of it; the rest stays."""
    return json_response(msgspec.to_builtins(_store(request, changes)))


@router.get("/settings/look", include_in_schema=False)
def look_page(request: Request, said: Annotated[str, Query(max_length=20)] = "") -> Response:
    """The form."""
    return _page(request, said=said == "saved")


@router.post("/settings/look", include_in_schema=False)
async def look_form(request: Request) -> Response:
    """Store the form."""
    form = await request.form()
    given = {name: str(form.getlist(name)[-1]) for name in Look.__struct_fields__ if name in form}
    changes = {name: value == "true" if name in _SWITCHES else value for name, value in given.items()}
    try:
        await run_in_threadpool(_store, request, changes)
    except SettingError as error:
        return await run_in_threadpool(_page, request, error=str(error), status=422)
    return RedirectResponse("/settings/look?said=saved", status_code=303)


def _store(request: Request, changes: dict[str, Any]) -> Look:
    desk, session = desk_of(request), session_of(request)
    found = changed(read_look(web_sessions.settings(desk.pool, session.user_id)), changes)
    web_sessions.save_setting(desk.pool, session.user_id, "look", msgspec.to_builtins(found), session.login)
    return found


def _page(request: Request, *, said: bool = False, error: str = "", status: int = 200) -> Response:
    regions: dict[str, list[str]] = {}
    for name in zones():
        regions.setdefault(name.partition("/")[0], []).append(name)
    desk = desk_of(request)
    now = datetime.fromtimestamp(desk.clock(), UTC)
    context = {"said": said, "error": error, "regions": regions, "now": now}
    return desk.page(request, "look.html", context, status)
