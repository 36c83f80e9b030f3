"""Trades by HTTP: the ledger read, and the two tickets: open and close. Every ticket carries an idempotency key."""

from __future__ import annotations

import asyncio
import time
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Request
from pydantic import BaseModel, ConfigDict, Field, StrictFloat, StrictInt, StrictStr
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from recio.store import tickets
from recio.store import web_queries as queries
from recio.store.tickets import Submitted
from recio.trading.ticket import count_e2_of, price_e4_of, price_ranges, side_of
from recio.web.api_market import known_market
from recio.web.desk import Desk, desk_of, session_of
from recio.web.errors import ApiError
from recio.web.once import REPLAYED, checked_key
from recio.web.routes import api
from recio.web.sessions import Session
from recio.web.wire import json_response, page_response, wire, wire_all

__all__ = ["DECIDED_WITHIN_S", "Key", "key_of_ticket", "router", "source_of"]

router = APIRouter()
DECIDED_WITHIN_S = 3.0
_LOOK_EVERY_S = 0.05
Key = Annotated[str, Field(min_length=8, max_length=100, pattern=r"^[A-Za-z0-9_.:\-]+$")]
Price = StrictStr | StrictFloat | StrictInt
TradeId = Annotated[int, Path(ge=1, le=2**62)]


class OpenTicket(BaseModel):
    """A request to buy. Prices are dollars of the side bought, best written as strings."""

    model_config = ConfigDict(extra="forbid")
    idempotency_key: Key | None = None
    market_ticker: Annotated[str, Field(max_length=64, pattern=r"^[A-Za-z0-9.\-]+$")]
    side: Annotated[str, Field(max_length=8)]
    count: StrictStr | StrictInt | StrictFloat
    limit_price: Price


class CloseTicket(BaseModel):
    """A request to sell what a trade holds; without a limit the book's price with the exit collar."""

    model_config = ConfigDict(extra="forbid")
    idempotency_key: Key | None = None
    limit_price: Price | None = None


@router.get("/api/trades", **api("Trades", "read", "trade", answer="Trades"))
def list_trades(
    request: Request,
    state: Literal["live", "closed", "all"] = "live",
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
    before: Annotated[int | None, Query(ge=1, le=2**62)] = None,
    series: Annotated[str, Query(max_length=20, pattern=r"^[A-Z0-9]*$")] = "",
) -> Response:
    """Trades newest first; ``next_before`` is the ``before`` of the next page, null on the last one."""
    desk, session = desk_of(request), session_of(request)
    if state == "live" and before is None:
        rows = queries.live_trades(desk.pool, session.user_id, desk.settings.mode)
        rows = [row for row in rows if series in ("", row["series_ticker"])][:limit]
    else:
        wanted = queries.TradeFilter(state, series)
        rows = queries.trades(desk.pool, session.user_id, desk.settings.mode, wanted, limit, before)
    more = rows[-1]["trade_id"] if len(rows) == limit else None
    return page_response(request, {"now_ms": round(desk.clock() * 1000), "trades": wire_all(rows)}, more)


@router.get("/api/trades/{trade_id}", **api("Trades", "read", "trade", answer="TradeDetail"))
def one_trade(request: Request, trade_id: TradeId) -> Response:
    """A trade with its events, orders and fills."""
    desk, session = desk_of(request), session_of(request)
    row = _trade(desk, session, trade_id)
    detail = queries.trade_detail(desk.pool, session.user_id, trade_id)
    return json_response(wire(row) | {name: wire_all(rows) for name, rows in detail.items()})


def _trade(desk: Desk, session: Session, trade_id: int) -> dict[str, Any]:
    row = queries.trade(desk.pool, session.user_id, trade_id)
    if row is None or row["mode"] != desk.settings.mode:
        raise ApiError(404, "no_trade", f"there is no trade {trade_id}", "GET /api/trades lists them")
    return row


@router.post("/api/tickets", **api("Trades", "trade", answer="Ticket", own_keys=True))
async def open_ticket(request: Request, ticket: OpenTicket) -> Response:
    """Ask for a trade; answers when it is accepted or refused, after 3 s with state ``new``: then it is still decided."""
    desk, session, key = desk_of(request), session_of(request), key_of_ticket(request, ticket.idempotency_key)

    def submit() -> Submitted:
        side, count_e2 = side_of(ticket.side), count_e2_of(ticket.count)
        if queries.ticket_id_of(desk.pool, session.user_id, key) is None:
            ranges = price_ranges(known_market(desk, ticket.market_ticker)["price_ranges"])
            limit_e4 = price_e4_of(ticket.limit_price, ranges, side)
        else:  # a repeated call: its market may be gone, its first answer stands
            limit_e4 = price_e4_of(ticket.limit_price, price_ranges([(0, 10_000, 1)]), side)
        return tickets.submit_open(
            desk.pool, user_id=session.user_id, mode=desk.settings.mode, key=key, source=source_of(request),
            market_ticker=ticket.market_ticker, side=side, count_e2=count_e2, limit_price_e4=limit_e4,
        )  # fmt: skip

    return await _decided(desk, session, await run_in_threadpool(submit))


@router.post("/api/trades/{trade_id}/close", **api("Trades", "trade", answer="Ticket", own_keys=True))
async def close_trade(request: Request, trade_id: TradeId, ticket: CloseTicket) -> Response:
    """Ask to sell what a trade holds, at ``limit_price`` or better."""
    desk, session, key = desk_of(request), session_of(request), key_of_ticket(request, ticket.idempotency_key)

    def submit() -> Submitted:
        row = _trade(desk, session, trade_id)
        if queries.ticket_id_of(desk.pool, session.user_id, key) is None:
            if row["state"] not in queries.LIVE:
                raise ApiError(
                    409, "trade_finished", f"trade {trade_id} is {row['state']}", "there is nothing to close"
                )
            ranges = price_ranges(known_market(desk, row["market_ticker"])["price_ranges"])
        else:
            ranges = price_ranges([(0, 10_000, 1)])
        limit_e4 = None if ticket.limit_price is None else price_e4_of(ticket.limit_price, ranges, row["side"])
        return tickets.submit_close(
            desk.pool, user_id=session.user_id, mode=desk.settings.mode, key=key, source=source_of(request),
            trade_id=trade_id, limit_price_e4=limit_e4,
        )  # fmt: skip

    return await _decided(desk, session, await run_in_threadpool(submit))


@router.get("/api/tickets/{idempotency_key}", **api("Trades", "read", "trade", answer="Ticket"))
def ticket_state(request: Request, idempotency_key: Annotated[str, Path(max_length=100)]) -> Response:
    """What became of a ticket whose answer got lost."""
    desk, session = desk_of(request), session_of(request)
    ticket_id = queries.ticket_id_of(desk.pool, session.user_id, idempotency_key)
    if ticket_id is None:
        raise ApiError(
            404, "no_ticket", "no ticket has this key: nothing was asked", "it is safe to send the ticket again"
        )
    return json_response(_answer(desk, session, tickets.ticket_by_id(desk.pool, ticket_id), replayed=True))


def key_of_ticket(request: Request, in_body: str | None) -> str:
    """The ticket's key, from the header or the body. Raises ApiError 422 for none, or for two that differ."""
    in_header = checked_key(request.headers)
    if in_header is not None and in_body is not None and in_header != in_body:
        said = f"Idempotency-Key is {in_header!r}, idempotency_key in the body {in_body!r}"
        raise ApiError(422, "invalid_idempotency_key", said, "send one of them, or the same in both")
    key = in_header or in_body
    if key is None:
        raise ApiError(
            422, "invalid_idempotency_key", "idempotency_key: a ticket needs a key of its own, so that repeating it is safe",
            "send the header Idempotency-Key, for example a UUID",
            fields=[{"field": "idempotency_key", "detail": "is missing"}],
        )  # fmt: skip
    return key


def source_of(request: Request) -> str:
    """Browsers say where a request comes from; programs do not."""
    return "web" if "sec-fetch-site" in request.headers else "api"


async def _decided(desk: Desk, session: Session, made: Submitted) -> Response:
    """Wait for trade_manager without holding a thread or a connection while waiting."""
    until_s = time.monotonic() + DECIDED_WITHIN_S
    row = await run_in_threadpool(tickets.ticket_by_id, desk.pool, made.ticket_id)
    while row["state"] == "new" and time.monotonic() < until_s:
        await asyncio.sleep(_LOOK_EVERY_S)
        row = await run_in_threadpool(tickets.ticket_by_id, desk.pool, made.ticket_id)
    headers = {REPLAYED: "true"} if made.replayed else None
    return json_response(await run_in_threadpool(_answer, desk, session, row, made.replayed), headers=headers)


def _answer(desk: Desk, session: Session, row: dict[str, Any], replayed: bool) -> dict[str, Any]:
    trade = queries.trade(desk.pool, session.user_id, row["trade_id"]) if row["trade_id"] else None
    waiting = "not decided yet; trade_manager decides it when it can, and a late one is refused"
    return {
        "ticket_id": row["ticket_id"], "state": row["state"], "replayed": replayed, "trade_id": row["trade_id"],
        "reason": row["reason"] or (waiting if row["state"] == "new" else ""),
        "trade": wire(trade) if trade else None,
    }  # fmt: skip
