"""The pages: rendered here, kept alive by the stream. Forms work without script; orders need it and say so."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Form, Query, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import RedirectResponse, Response

from recio.store import desk_queries
from recio.store import web_queries as queries
from recio.trading import catalog
from recio.trading.settings import SettingError
from recio.web import automation, risk_view, sessions, table_view
from recio.web.api_account import SettingName, store_setting
from recio.web.desk import desk_of, local_place, session_of
from recio.web.entrance import log_in, log_out
from recio.web.errors import ApiError
from recio.web.settings_page import last_values, settings_answer

__all__ = ["router"]

router = APIRouter(include_in_schema=False)
Ticker = Annotated[str, Query(max_length=64, pattern=r"^[A-Z0-9.\-]*$")]
Text = Annotated[str, Form(max_length=1000)]

# Form fields of each setting.
_FIELDS: dict[str, tuple[catalog.Field, ...]] = {
    "kill_switch": (catalog.Field("on", "On", "", kind="check"),),
    "auto_entry": (catalog.Field("enabled", "On", "", kind="check"), *catalog.AUTO_ENTRY),
    "auto_stop": (catalog.Field("enabled", "On", "", kind="check"), *catalog.AUTO_STOP),
}


@router.get("/login")
def login_page(request: Request, after: Annotated[str, Query(alias="next", max_length=200)] = "/") -> Response:
    """The form; someone logged in already goes on."""
    if request.scope.get("recio.session") is not None:
        return RedirectResponse(local_place(after), status_code=303)
    return desk_of(request).page(request, "login.html", {"next": local_place(after), "error": None, "login": ""})


@router.post("/login")
def login_form(
    request: Request,
    login: Text = "",
    password: Text = "",
    after: Annotated[str, Form(alias="next", max_length=200)] = "/",
) -> Response:
    """Log in; a wrong try shows the form again."""
    try:
        token, session = log_in(request, login, password, in_two_steps=True)
    except ApiError as error:
        context = {"next": local_place(after), "error": error, "login": login}
        page = desk_of(request).page(request, "login.html", context, error.status)
        page.headers.update(error.headers or {})
        return page
    place = local_place(after)
    if session.stage == "code":
        place = f"/login/code?next={quote(place)}"
    response = RedirectResponse(place, status_code=303)
    sessions.set_cookie(response, token)
    return response


@router.post("/logout")
def logout_form(request: Request) -> Response:
    """Log out and show the log-in form."""
    log_out(request)
    response = RedirectResponse("/login", status_code=303)
    sessions.unset_cookie(response)
    return response


@router.get("/")
def trade_page(
    request: Request, event: Ticker = "", series: Ticker = "", strikes: Annotated[str, Query(max_length=5)] = ""
) -> Response:
    """The strike table (``strikes=all``: every strike), the ticket, active trades, limits, automation."""
    desk, session = desk_of(request), session_of(request)
    mode = desk.settings.mode
    events = queries.events(desk.pool, mode, desk.settings.series)
    series = series if series in desk.settings.series else ""
    if not event and not series:
        series = next((row["series_ticker"] for row in events), desk.settings.series[0])
        series = (
            desk.settings.series[0] if any(r["series_ticker"] == desk.settings.series[0] for r in events) else series
        )
    shown = event or next((row["event_ticker"] for row in events if row["series_ticker"] == series), "")
    table = queries.strike_table(desk.pool, shown) if shown else None
    price = queries.price(desk.pool)
    live, now_s = queries.live_trades(desk.pool, session.user_id, mode), desk.clock()
    limits = risk_view.limits(desk.pool, session.user_id, mode, now_s)
    found = desk.shown_settings(session.user_id)
    every = None
    if strikes == "all" and table:
        markets = desk_queries.all_strikes(desk.pool, mode, shown)
        every = table_view.everything(markets, price, table, now_s)
    if table:
        table = table_view.shown(desk.pool, session.user_id, mode, table)
    return desk.page(request, "trade.html", {
        "limits": limits, "every": every,
        "auto": automation.automation(desk.pool, session.user_id, found, limits["blocks"], live, now_s),
        "events": events, "series": series, "event": event, "shown": shown, "table": table, "price": price,
        "live": live,
        "done": queries.trades(desk.pool, session.user_id, mode, queries.TradeFilter("closed"), 5, None),
        "today": queries.today(desk.pool, session.user_id, mode), "wide": True,
    })  # fmt: skip


@router.get("/settings")
def settings_page(request: Request, said: Annotated[str, Query(max_length=20)] = "") -> Response:
    """The switches' settings and the monitors."""
    return settings_answer(request, said=said)


@router.post("/settings/{name}")
async def settings_form(request: Request, name: SettingName) -> Response:
    """Store a setting's form; the switches of every page are such forms too."""
    desk, session = desk_of(request), session_of(request)
    form = await request.form()
    try:
        changes = catalog.read_form(_FIELDS[name], last_values(form))
        if name == "kill_switch":
            changes["why"] = "switched by hand" if changes.get("on") else ""
        await run_in_threadpool(store_setting, desk, session, name, changes)
    except (SettingError, ValueError) as error:
        return await run_in_threadpool(settings_answer, request, error=f"Not saved: {error}", status=422)
    back = local_place(str(form.get("back", "")) or f"/settings?said={name}")
    return RedirectResponse(back, status_code=303)
