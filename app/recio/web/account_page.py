"""The Account page, its lists with their CSV, and the form that accepts a balance; all of it works without script."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Annotated, Any, Literal
from urllib.parse import urlencode

from fastapi import APIRouter, Form, Query, Request
from starlette.responses import RedirectResponse, Response, StreamingResponse

from recio.store import account_pages
from recio.store.account_pages import Listed, Mark
from recio.trading.balance import refusals
from recio.trading.reconcile_words import Told, explain
from recio.web import csv_lines, sessions
from recio.web.account_view import (
    LONGEST_WHY,
    Cursor,
    Market,
    Why,
    accept,
    cursor_of,
    facts_of,
    mark_of,
    picture,
    words_of,
)
from recio.web.desk import desk_of, session_of
from recio.web.errors import ApiError

__all__ = ["router"]

router = APIRouter(include_in_schema=False)
_NEWEST, _PAGE, _BATCH = 8, 50, 1000
Kind = Literal["fills", "settlements"]
Word = Annotated[str, Form(max_length=1000)]
_COLUMNS: dict[str, tuple[str, ...]] = {
    "fills": (
        "fill_id", "exchange_order_id", "market_ticker", "book_side", "count_e2", "yes_price_e4", "fee_e6", "is_taker",
        "filled_at", "recorded_at", "trade_id", "purpose",
    ),
    "settlements": ("market_ticker", "result", "settlement_value_e4", "revenue_e6", "settled_at", "recorded_at"),
}  # fmt: skip


@router.get("/account")
def account_page(request: Request, said: Annotated[str, Query(max_length=20)] = "") -> Response:
    """Balance, positions, orders, fills, settlements, reconciliation, money from outside."""
    desk, session = desk_of(request), session_of(request)
    pool, mode = desk.pool, desk.settings.mode
    found = picture(desk, session.user_id)
    runs, _ = account_pages.reconciliations(pool, mode, _NEWEST)
    anchors = account_pages.anchors(pool, mode, 21)
    return desk.page(request, "account.html", {
        "acct": found, "said": said,
        "cancels": [one | {"words": words_of(one)} for one in found["cancels"][:5]], "runs": runs,
        "anchors": anchors[:20], "more_anchors": len(anchors) > 20,
        "detail": {row["market_ticker"]: row for row in found["positions"]},
        "strangers": _unrecorded(found["told"], found["reconciliation"]),
        "fills": account_pages.fills(pool, session.user_id, mode, _NEWEST).rows,
        "settlements": account_pages.settlements(pool, mode, _NEWEST).rows,
    })  # fmt: skip


def _unrecorded(told: list[Told], run: dict[str, Any] | None) -> list[Told]:
    """What rests, is not this desk's, and came without the record of the order that cancelling takes."""
    kept = {one.get("key") for one in run["differences"] if isinstance(one, dict) and "order" in one} if run else set()
    return [
        one for one in told
        if one.about == "order" and one.ledger == "none" and one.exchange.startswith(("resting", "partially"))
        and one.title.removeprefix("Order ") not in kept
    ]  # fmt: skip


# ------------------------------------------------------------------ the long lists
def _listed(request: Request, kind: Kind) -> Callable[[int, Mark | None, str], Listed]:
    desk, user_id = desk_of(request), session_of(request).user_id
    if kind == "settlements":
        return lambda limit, before, market: account_pages.settlements(
            desk.pool, desk.settings.mode, limit, before, market
        )
    return lambda limit, before, market: account_pages.fills(
        desk.pool, user_id, desk.settings.mode, limit, before, market
    )


def _list_page(request: Request, kind: Kind, before: str, market: str) -> Response:
    market = market.upper()
    found = _listed(request, kind)(_PAGE, mark_of(before), market)
    chosen = {"market": market} if market else {}
    more = cursor_of(found.more)
    return desk_of(request).page(request, "account_list.html", {
        "kind": kind, "rows": found.rows, "before": before, "market": market, "query": urlencode(chosen),
        "more": urlencode(chosen | {"before": more}) if more else "",
        "looked_to": found.more[0] if found.searching and found.more else None,
    })  # fmt: skip


@router.get("/account/fills")
def fills_page(request: Request, before: Cursor = "", market: Market = "") -> Response:
    """Every fill, newest first."""
    return _list_page(request, "fills", before, market)


@router.get("/account/settlements")
def settlements_page(request: Request, before: Cursor = "", market: Market = "") -> Response:
    """Every result, newest first."""
    return _list_page(request, "settlements", before, market)


@router.get("/account/fills.csv")
def fills_csv(request: Request, market: Market = "") -> Response:
    """All of them; amounts in dollars, counts in contracts, times in UTC."""
    return _csv(request, "fills", market)


@router.get("/account/settlements.csv")
def settlements_csv(request: Request, market: Market = "") -> Response:
    """All of them; amounts in dollars, times in UTC."""
    return _csv(request, "settlements", market)


def _csv(request: Request, kind: Kind, market: str) -> Response:
    stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
    headers = {"Content-Disposition": f'attachment; filename="{kind}-{stamp}.csv"'}
    lines = _lines(_listed(request, kind), _COLUMNS[kind], market.upper())
    return StreamingResponse(lines, media_type="text/csv; charset=utf-8", headers=headers)


def _lines(listed: Callable[[int, Mark | None, str], Listed], names: tuple[str, ...], market: str) -> Iterator[str]:
    yield csv_lines.heading(names)
    before: Mark | None = None
    while True:
        found = listed(_BATCH, before, market)
        yield csv_lines.lines(found.rows, names)
        if found.more is None:
            return
        before = found.more


@router.get("/account/reconciliations")
def reconciliations_page(
    request: Request,
    before: Annotated[int | None, Query(ge=1, le=2**62)] = None,
    differing: Annotated[str, Query(max_length=4)] = "",
) -> Response:
    """Outcomes of the last seven days, newest first."""
    desk = desk_of(request)
    rows, more = account_pages.reconciliations(desk.pool, desk.settings.mode, _PAGE, before, bool(differing))
    return desk.page(request, "account_runs.html", {
        "rows": [row | {"told": [explain(one) for one in row["differences"]]} for row in rows], "before": before, "more": more,
        "differing": bool(differing),
    })  # fmt: skip


# ------------------------------------------------------------------ accepting a balance
def _form(request: Request, *, error: str = "", why: str = "", status: int = 200) -> Response:
    desk = desk_of(request)
    facts, row = facts_of(desk)
    context = {
        "facts": facts, "age_s": row["balance_age_s"], "against": refusals(facts), "why": why, "error": error,
        "longest": LONGEST_WHY,
    }  # fmt: skip
    return desk.page(request, "account_accept.html", context, status)


@router.get("/account/accept-balance")
def look_before_accepting(request: Request) -> Response:
    """Both figures and the form; the password is asked for first when it was given too long ago."""
    sessions.require_recent(session_of(request))
    return _form(request)


@router.post("/account/accept-balance")
def accept_balance(
    request: Request, why: Word = "", sure: Word = "", balance_e6: Word = "", cash_e6: Word = ""
) -> Response:
    """Take the figures that were looked at as agreeing, with the reason; the audit log keeps who did."""
    desk, session = desk_of(request), session_of(request)
    sessions.require_recent(session)
    shown = why[:LONGEST_WHY]
    try:
        seen = int(balance_e6), int(cash_e6)
    except ValueError:
        error = "Not accepted: the form came without the figures you looked at. These are the present ones."
        return _form(request, error=error, why=shown, status=422)
    if sure != "yes":
        return _form(request, error="Not accepted: tick that you know who moved this money.", why=shown, status=422)
    try:
        accept(desk, session.login, why, *seen)
    except Why as wrong:
        return _form(request, error=f"Not accepted: {wrong}.", why=shown, status=422)
    except ApiError as error:
        return _form(request, error=f"Not accepted: {error.message}.", why=shown, status=error.status)
    return RedirectResponse("/account?said=accepted", status_code=303)
