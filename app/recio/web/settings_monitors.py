"""A monitor's own page: every field with unit, bounds and default, what a save would change, its versions, copy, archive.

the form -> /review (what would change, nothing stored) -> save, refused when somebody changed it meanwhile
"""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Form, Query, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import RedirectResponse, Response

from recio.store import rules
from recio.trading import catalog
from recio.trading.monitor import edited, settings_of, to_builtins
from recio.trading.settings import SettingError
from recio.trading.strategies import STRATEGIES
from recio.web import monitors
from recio.web.api_monitors import Change, MonitorId, store_monitor
from recio.web.desk import desk_of, session_of
from recio.web.errors import ApiError
from recio.web.settings_page import last_values, settings_answer

__all__ = ["router"]

router = APIRouter(include_in_schema=False)
Version = Annotated[int | None, Query(ge=1, le=2**31 - 1)]
Text = Annotated[str, Form(max_length=64)]


def _row(request: Request, monitor_id: str) -> dict[str, Any]:
    row = rules.monitor_row(desk_of(request).pool, session_of(request).user_id, monitor_id)
    if row is None:
        raise ApiError(404, "not_found", f"there is no monitor {monitor_id!r}", "the Settings page lists them")
    return row


def _versions(request: Request, monitor_id: str) -> list[dict[str, Any]]:
    """Newest first, each with what it changed against the one before it."""
    rows = rules.versions(desk_of(request).pool, session_of(request).user_id, "monitor", monitor_id, 21)
    found = []
    for place, row in enumerate(rows[:20]):
        older = rows[place + 1]["value"] if place + 1 < len(rows) else None
        try:
            changes = [] if older is None else _changes(older, row["value"])
        except SettingError as broken:
            changes = [catalog.Change("", "Cannot be read", "", str(broken))]
        found.append(row | {"changes": changes, "first": older is None})
    return found


def _changes(before: dict[str, Any], after: dict[str, Any]) -> list[catalog.Change]:
    said = [
        catalog.Change(key, label, str(before[key]), str(after[key]))
        for key, label in (("strategy", "Strategy"), ("series_ticker", "Series"))
        if before[key] != after[key]
    ]
    if before["enabled"] != after["enabled"]:
        said.append(catalog.Change("enabled", "Switch", *("on" if v["enabled"] else "off" for v in (before, after))))
    complete = [to_builtins(settings_of(v["strategy"], v["settings"])) for v in (before, after)]
    return said + catalog.difference(catalog.MONITOR, complete[0], complete[1])


def _page(
    request: Request, monitor_id: str, *, error: str | None = None, status: int = 200, version: int | None = None,
    said: str = "", typed: dict[str, str] | None = None,
) -> Response:  # fmt: skip
    desk, session, row = desk_of(request), session_of(request), _row(request, monitor_id)
    history = _versions(request, monitor_id)
    shown = row["settings"]
    if version is not None:
        chosen = rules.versions(desk.pool, session.user_id, "monitor", monitor_id, 1, version + 1)
        if not chosen or chosen[0]["version"] != version or chosen[0]["value"]["strategy"] != row["strategy"]:
            raise ApiError(404, "not_found", f"there is no version {version} of this strategy", "its page lists them")
        shown = chosen[0]["value"]["settings"]
    broken = ""
    try:
        values = to_builtins(settings_of(row["strategy"], shown))
    except SettingError as why:
        broken, values = str(why), to_builtins(settings_of(row["strategy"], {}))
    fields = catalog.described(catalog.MONITOR, values, STRATEGIES[row["strategy"]].settings)
    entries = monitors.shown(desk.pool, session.user_id, desk.user_settings(session.user_id))
    return desk.page(request, "settings_monitor.html", {
        "o": next(e for e in entries if e["monitor_id"] == monitor_id), "fields": fields, "typed": typed or {},
        "versions": history, "version": version, "broken": broken, "error": error, "said": said,
        "series": desk.settings.series,
    }, status)  # fmt: skip


@router.get("/settings/monitors/{monitor_id}")
def monitor_page(
    request: Request, monitor_id: MonitorId, version: Version = None, said: Annotated[str, Query(max_length=20)] = ""
) -> Response:
    """The form; with ``version`` filled in with what it was then, to be looked at and saved again."""
    return _page(request, monitor_id, version=version, said=said)


def _given(form: dict[str, str]) -> dict[str, Any]:
    """Arguments of Change, from a form in the page's units. SettingError names what is no value."""
    given: dict[str, Any] = {"settings": catalog.read_form(catalog.MONITOR, form)}
    if "enabled" in form:
        given["enabled"] = form["enabled"] == "true"
    if form.get("series_ticker"):
        given["series_ticker"] = form["series_ticker"][:40]
    return given


@router.post("/settings/monitors/{monitor_id}/review")
async def review(request: Request, monitor_id: MonitorId) -> Response:
    """What saving would change; nothing is stored."""
    return await run_in_threadpool(_review, request, monitor_id, last_values(await request.form()))


def _review(request: Request, monitor_id: str, form: dict[str, str]) -> Response:
    row = _row(request, monitor_id)
    try:
        given = _given(form)
        after = edited(row, monitor_id, desk_of(request).settings.series, **given)
        changes = _changes(row, after)
    except SettingError as wrong:
        return _page(request, monitor_id, error=f"Not saved: {wrong}", status=422, typed=form)
    kept = {f.key for f in catalog.MONITOR} | {"enabled", "series_ticker"}
    return desk_of(request).page(request, "settings_review.html", {
        "title": f"Monitor {monitor_id}", "changes": changes, "action": f"/settings/monitors/{monitor_id}",
        "back": f"/settings/monitors/{monitor_id}", "values": {k: v for k, v in form.items() if k in kept},
        "version": row["version"], "loosened": [], "word": "", "error": None,
        "note": "The services take it over at once." if row["enabled"] or given.get("enabled") else "It is off; nothing is entered by it.",
    })  # fmt: skip


@router.post("/settings/monitors/{monitor_id}")
async def save(request: Request, monitor_id: MonitorId) -> Response:
    """Store a monitor's form, or its switch alone; ``version`` is the one it was made from."""
    form = last_values(await request.form())

    def work() -> Response:
        _row(request, monitor_id)
        desk, session = desk_of(request), session_of(request)
        seen = form.get("version", "")
        try:
            store_monitor(desk, session, monitor_id, Change(**_given(form)), int(seen) if seen.isdigit() else None)
        except SettingError as wrong:
            return _page(request, monitor_id, error=f"Not saved: {wrong}", status=422, typed=form)
        except ApiError as wrong:
            if wrong.status != 409:
                raise
            return _page(request, monitor_id, error=f"Not saved: {wrong.message}; {wrong.cure}.", status=409)
        back = (
            "/settings?said=monitor#monitors"
            if form.get("from") == "list"
            else f"/settings/monitors/{monitor_id}?said=monitor"
        )
        return RedirectResponse(back, status_code=303)

    return await run_in_threadpool(work)


@router.post("/settings/monitors")
def create(
    request: Request, monitor_id: Text = "", strategy: Text = "", series_ticker: Text = "", copy_of: Text = ""
) -> Response:
    """A new monitor, off: with its strategy's defaults, or with another's settings."""
    desk, session = desk_of(request), session_of(request)
    try:
        if rules.monitor_row(desk.pool, session.user_id, monitor_id) is not None:
            raise SettingError(f"there is a monitor {monitor_id!r} already; take another name")
        given: dict[str, Any] = {"strategy": strategy or None, "series_ticker": series_ticker or None, "enabled": False}
        if copy_of:
            source = _row(request, copy_of)
            given |= {"strategy": source["strategy"], "settings": source["settings"]}
            given["series_ticker"] = series_ticker or source["series_ticker"]
        store_monitor(desk, session, monitor_id, Change(**given))
    except SettingError as wrong:
        return settings_answer(request, error=f"Not made: {wrong}", status=422)
    return RedirectResponse(f"/settings/monitors/{monitor_id}?said=made", status_code=303)


@router.post("/settings/monitors/{monitor_id}/archive")
def archive(request: Request, monitor_id: MonitorId, archived: Text = "true") -> Response:
    """Put it aside, or bring it back; off either way."""
    desk, session = desk_of(request), session_of(request)
    _row(request, monitor_id)
    desk.pool.batch(rules.archive_statements(session.user_id, monitor_id, archived == "true", session.login))
    said = "archived" if archived == "true" else "back"
    return RedirectResponse(f"/settings?said={said}#monitors", status_code=303)
