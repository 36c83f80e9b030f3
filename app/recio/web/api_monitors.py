"""Monitors by HTTP and by the page's forms: list, change, switch; every change is validated, versioned and audited."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from pydantic import BaseModel, ConfigDict, Field, StrictBool
from starlette.responses import Response

from recio.store import rules
from recio.trading.monitor import edited
from recio.trading.settings import SettingError
from recio.web import monitors
from recio.web.desk import Desk, desk_of, session_of
from recio.web.errors import ApiError
from recio.web.routes import api
from recio.web.sessions import Session
from recio.web.wire import json_response, page_response, wire, wire_all

__all__ = ["Change", "MonitorId", "router", "store_monitor"]

router = APIRouter()
MonitorId = Annotated[str, Path(pattern=r"^[a-z0-9][a-z0-9_-]{0,39}$", max_length=40)]
Name = Annotated[str, Field(max_length=40)]


class Change(BaseModel):
    """What to change; keys of ``settings`` that are not named keep their value. A new monitor needs strategy and series."""

    model_config = ConfigDict(extra="forbid")
    strategy: Name | None = None
    series_ticker: Name | None = None
    enabled: StrictBool | None = None
    settings: dict[str, Any] | None = None


@router.get("/api/monitors", **api("Monitors", "read", "settings", answer="Monitors"))
def list_monitors(request: Request) -> Response:
    """Every monitor with its settings and why it waits; and the strategies there are, with their defaults."""
    desk, session = desk_of(request), session_of(request)
    found = monitors.shown(desk.pool, session.user_id, desk.user_settings(session.user_id))
    return json_response({"monitors": wire_all(found), "strategies": monitors.strategies()})


@router.put("/api/monitors/{monitor_id}", **api("Monitors", "settings", answer="MonitorRow"))
def put_monitor(request: Request, monitor_id: MonitorId, change: Change) -> Response:
    """Change a monitor, or make a new one; the same call again changes nothing and makes no version."""
    desk, session = desk_of(request), session_of(request)
    return json_response(wire(store_monitor(desk, session, monitor_id, change)))


@router.get("/api/monitors/{monitor_id}/versions", **api("Monitors", "read", "settings", answer="MonitorVersions"))
def monitor_versions(
    request: Request, monitor_id: MonitorId, limit: Annotated[int, Query(ge=1, le=200)] = 20,
    before: Annotated[int | None, Query(ge=1, le=2**31 - 1)] = None,
) -> Response:  # fmt: skip
    """Its versions, newest first: what it was, when and by whom."""
    desk, session = desk_of(request), session_of(request)
    rows = rules.versions(desk.pool, session.user_id, "monitor", monitor_id, limit, before)
    more = rows[-1]["version"] if len(rows) == limit else None
    return page_response(request, {"versions": wire_all(rows)}, more)


def store_monitor(
    desk: Desk, session: Session, monitor_id: str, change: Change, seen: int | None = None
) -> dict[str, Any]:
    """Check, store, version, audit and tell. ``seen`` is the version the change was made from: another one is a 409."""
    before = rules.monitor_row(desk.pool, session.user_id, monitor_id)
    if not change.model_fields_set:
        raise ApiError(422, "invalid_setting", "nothing to change was given", "its keys are in GET /api/monitors")
    if seen is not None and before is not None and before["version"] != seen:
        said = f"{monitor_id} was changed to version {before['version']} meanwhile, by {before['changed_by']}"
        raise ApiError(409, "changed_meanwhile", said, "look at what it is now, then change it again")
    if before is not None and before["archived_at"] is not None and change.enabled:
        raise SettingError(f"monitor {monitor_id} is archived; bring it back before switching it on")
    after = edited(before, monitor_id, desk.settings.series, **change.model_dump())
    if before is None or any(before[name] != value for name, value in after.items()):
        desk.pool.batch(rules.monitor_statements(session.user_id, after, session.login, "set"))
    return rules.monitor_row(desk.pool, session.user_id, monitor_id) or after
