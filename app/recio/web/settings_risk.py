"""Risk limits: each with its meaning, what is used of it now, its bounds and its versions.

lower a limit    stored at once
raise one        shown first, then the password again (not long ago) and the word RAISE typed
"""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import RedirectResponse, Response

from recio.store import rules
from recio.store.risk_use import risk_use
from recio.trading import catalog
from recio.trading.settings import SettingError
from recio.web import sessions
from recio.web.api_account import store_setting
from recio.web.desk import desk_of, session_of
from recio.web.errors import ApiError
from recio.web.settings_page import last_values
from recio.web.switches import checked

__all__ = ["WORD", "router"]

router = APIRouter(include_in_schema=False)
WORD = "RAISE"

# limit -> the fact of risk_use it holds, and whether the fact is a loss (a negative PnL)
_USED = {
    "max_exposure_e6": "exposure_e6", "max_open_trades": "open_trades", "max_unknown_orders": "unknown_orders",
    "max_price_age_s": "price_age_s", "max_book_age_s": "book_age_s", "max_balance_age_s": "balance_age_s",
    "max_exchange_age_s": "exchange_age_s", "max_clock_skew_s": "clock_skew_s", "max_reconcile_age_s": "reconcile_age_s",
}  # fmt: skip


def used(facts: dict[str, Any], limits: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """By limit: what is used of it (``text``, in the shown unit, "–" when not known) and the ``share`` of 1, or None."""
    values = {limit: facts[fact] for limit, fact in _USED.items()}
    values["max_daily_loss_e6"] = max(0, -facts["daily_pnl_e6"])
    fields = {f.key: f for f in catalog.RISK}
    found = {}
    for limit, value in values.items():
        field, most = fields[limit], limits[limit]
        told = round(value, 1) if isinstance(value, float) else value
        text = "–" if value is None else f"{catalog.to_shown(field, told)} {field.unit}".strip()
        share = None if value is None or not most else value / most
        found[limit] = {"text": text, "share": share, "over": value is not None and value > most}
    return found


def _page(
    request: Request, *, said: str = "", error: str | None = None, status: int = 200, version: int | None = None,
    typed: dict[str, str] | None = None,
) -> Response:  # fmt: skip
    desk, session = desk_of(request), session_of(request)
    now = desk.user_settings(session.user_id)["risk"]
    rows = rules.versions(desk.pool, session.user_id, "setting", "risk", 21)
    history = [
        row | {"first": place + 1 == len(rows), "changes": catalog.difference(
            catalog.RISK, checked("risk", rows[place + 1]["value"] if place + 1 < len(rows) else None), checked("risk", row["value"])
        )} for place, row in enumerate(rows)
    ][:20]  # fmt: skip
    shown = now["value"]
    if version is not None:
        chosen = [row for row in rows if row["version"] == version]
        if not chosen:
            raise ApiError(404, "not_found", f"there is no version {version} of the risk limits", "the page lists them")
        shown = checked("risk", chosen[0]["value"])
    facts = risk_use(desk.pool, session.user_id, desk.settings.mode)
    return desk.page(request, "settings_risk.html", {
        "fields": catalog.described(catalog.RISK, shown), "now": now, "used": used(facts, now["value"]), "said": said,
        "error": error, "versions": history, "version": version, "typed": typed or {},
    }, status)  # fmt: skip


@router.get("/settings/risk")
def risk_page(
    request: Request,
    said: Annotated[str, Query(max_length=20)] = "",
    version: Annotated[int | None, Query(ge=1, le=2**31 - 1)] = None,
) -> Response:
    """The limits; with ``version`` filled in with what they were then."""
    return _page(request, said=said, version=version)


@router.post("/settings/risk")
async def save(request: Request) -> Response:
    """Lower at once; raise only with the typed word, and the password given not long ago."""
    return await run_in_threadpool(_save, request, last_values(await request.form()))


def _save(request: Request, form: dict[str, str]) -> Response:
    desk, session = desk_of(request), session_of(request)
    before = desk.user_settings(session.user_id)["risk"]
    try:
        changes = catalog.read_form(catalog.RISK, form)
        after = checked("risk", before["value"] | changes)
    except SettingError as wrong:
        return _page(request, error=f"Not saved: {wrong}", status=422, typed=form)
    differ = catalog.difference(catalog.RISK, before["value"], after)
    if not differ:
        return RedirectResponse("/settings/risk?said=same", status_code=303)
    wider, error = catalog.loosened(before["value"], after), None
    if wider and "version" in form:  # it was looked at; is it confirmed?
        sessions.require_recent(session)
        if form["version"] != str(before["version"]):
            return _page(request, error="Not saved: the limits were changed meanwhile; look at them again.", status=409)
        if form.get("word", "").strip() != WORD:
            error = f"Not saved: type {WORD} to widen what this desk may lose."
    if wider and ("version" not in form or error):
        return desk.page(request, "settings_review.html", {
            "title": "Risk limits", "changes": differ, "action": "/settings/risk", "back": "/settings/risk",
            "values": {f.key: form[f.key] for f in catalog.RISK if f.key in form}, "version": before["version"],
            "loosened": wider, "word": WORD, "error": error,
            "note": "Every entry from the next one on is checked against these limits, here and again before it is sent.",
        }, 422 if error else 200)  # fmt: skip
    store_setting(desk, session, "risk", changes)
    return RedirectResponse("/settings/risk?said=saved", status_code=303)
