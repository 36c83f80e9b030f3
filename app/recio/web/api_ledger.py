"""The account by HTTP: what the exchange says beside the ledger, fills, results and reconciliations page by page, and
accepting a balance."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, Field, StrictInt
from starlette.responses import Response

from recio.store import account_pages
from recio.trading.reconcile_words import explain
from recio.web import sessions
from recio.web.account_view import Cursor, Market, Why, accept, cursor_of, mark_of, picture
from recio.web.desk import Desk, desk_of, session_of
from recio.web.errors import ApiError
from recio.web.routes import api
from recio.web.wire import json_response, milliseconds, page_response, wire, wire_all

__all__ = ["router"]

router = APIRouter()
Limit = Annotated[int, Query(ge=1, le=500)]
Money = Annotated[StrictInt, Field(ge=-(2**62), le=2**62)]


class Accepted(BaseModel):
    """Both figures as GET /api/account gave them, and what moved the money."""

    model_config = ConfigDict(extra="forbid")
    why: Annotated[str, Field(max_length=1000)]
    balance_e6: Money
    cash_e6: Money


def _now(desk: Desk) -> int:
    return round(desk.clock() * 1000)


@router.get("/api/account", **api("Account", "read", answer="Account"))
def account(request: Request) -> Response:
    """Balance and positions as exchange and ledger have them, unfinished orders, and whether both agree."""
    desk = desk_of(request)
    found = picture(desk, session_of(request).user_id)
    facts, run, since = found["facts"], found["reconciliation"], found["since"]["since"]
    plain: dict[str, Any] = {
        name: wire(found[name]) if found[name] else found[name] for name in ("today", "balance")
    } | {name: wire_all(found[name]) for name in ("positions", "resting_orders", "fills", "settlements")}
    plain["resting_elsewhere"] = [
        wire(one) | {"cancel": one["cancel"] and wire(one["cancel"])} for one in found["elsewhere"]
    ]
    plain["reconciliation"] = run and wire(run) | {
        "state": found["state"], "since_ms": since and milliseconds(since), "limit_s": found["limits"]["max_reconcile_age_s"],
        "told": msgspec.to_builtins(found["told"]),
    }  # fmt: skip
    plain["ledger"] = {
        "cash_e6": facts.cash_e6, "cash_known": facts.cash_known, "expected_e6": facts.expected_e6,
        "differs_e6": facts.differs_e6, "agrees": facts.agrees,
        "accepted_at_ms": found["anchor_at"] and milliseconds(found["anchor_at"]), "reserved_e6": found["reserved_e6"],
        "refusals": msgspec.to_builtins(found["against"]),
    }  # fmt: skip
    plain["compared"] = msgspec.to_builtins(found["sides"])
    return json_response(plain | {"mode": desk.settings.mode, "now_ms": _now(desk)})


@router.get("/api/account/fills", **api("Account", "read", answer="Fills"))
def list_fills(request: Request, limit: Limit = 50, before: Cursor = "", market: Market = "") -> Response:
    """Every fill, newest first; ``market``: only of tickers that begin so. An empty page with a ``next_before`` means the
    market's rows are still being looked for: go on."""
    desk = desk_of(request)
    listed = account_pages.fills(
        desk.pool, session_of(request).user_id, desk.settings.mode, limit, mark_of(before), market.upper()
    )
    return page_response(request, {"now_ms": _now(desk), "fills": wire_all(listed.rows)}, cursor_of(listed.more))


@router.get("/api/account/settlements", **api("Account", "read", answer="Settlements"))
def list_settlements(request: Request, limit: Limit = 50, before: Cursor = "", market: Market = "") -> Response:
    """Every result of a market, newest first; ``market`` as for fills."""
    desk = desk_of(request)
    listed = account_pages.settlements(desk.pool, desk.settings.mode, limit, mark_of(before), market.upper())
    return page_response(request, {"now_ms": _now(desk), "settlements": wire_all(listed.rows)}, cursor_of(listed.more))


@router.get("/api/account/reconciliations", **api("Account", "read", answer="Reconciliations"))
def list_reconciliations(
    request: Request,
    limit: Limit = 50,
    before: Annotated[int | None, Query(ge=1, le=2**62)] = None,
    differing: bool = False,
) -> Response:
    """Outcomes of the last seven days, newest first; ``differing``: only those that differed."""
    desk = desk_of(request)
    rows, more = account_pages.reconciliations(desk.pool, desk.settings.mode, limit, before, differing)
    told = [wire(row) | {"told": [msgspec.to_builtins(explain(one)) for one in row["differences"]]} for row in rows]
    return page_response(request, {"now_ms": _now(desk), "reconciliations": told}, more)


@router.post("/api/account/accept-balance", **api("Account", answer="BalanceAccepted"))
def accept_balance(request: Request, body: Accepted) -> Response:
    """Take the present balance as right after a deposit, a withdrawal or a payment from outside; wants the password of the
    last ten minutes. 409 says what is in the way, and nothing was changed."""
    session = session_of(request)
    sessions.require_recent(session)
    try:
        accept(desk_of(request), session.login, body.why, body.balance_e6, body.cash_e6)
    except Why as wrong:
        fields = [{"field": "why", "detail": str(wrong)}]
        raise ApiError(422, "invalid_why", f"why: {wrong}", "correct why and send again", fields=fields) from None
    return json_response({"accepted": True, "balance_e6": body.balance_e6})
