"""Taking off the exchange's book what rests there and is not this desk's: one ticket an order, as for trades."""

from __future__ import annotations

import asyncio
import time
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from pydantic import BaseModel, ConfigDict
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from recio.store import cancels, tickets
from recio.store.tickets import Submitted
from recio.trading.cancel import UNDER_WAY
from recio.web.api_trades import DECIDED_WITHIN_S, Key, key_of_ticket, source_of
from recio.web.desk import Desk, desk_of, session_of
from recio.web.once import REPLAYED
from recio.web.routes import api
from recio.web.wire import json_response, wire, wire_all

__all__ = ["router"]

router = APIRouter()
_LOOK_EVERY_S = 0.1
_WAITING = "not decided yet; trade_manager decides it when it can, and a late one is refused"
OrderId = Annotated[str, Path(min_length=1, max_length=100, pattern=r"^[A-Za-z0-9_.:\-]+$")]


class CancelTicket(BaseModel):
    """A request to cancel; the key may also come in the header Idempotency-Key."""

    model_config = ConfigDict(extra="forbid")
    idempotency_key: Key | None = None


@router.get("/api/account/cancels", **api("Account", "read", "trade", answer="Cancels"))
def list_cancels(request: Request, limit: Annotated[int, Query(ge=1, le=500)] = 50) -> Response:
    """The newest cancels of orders that were not this desk's, and what became of each."""
    desk = desk_of(request)
    rows = cancels.newest_cancels(desk.pool, session_of(request).user_id, desk.settings.mode, limit)
    return json_response({"now_ms": round(desk.clock() * 1000), "cancels": wire_all(rows)})


@router.post(
    "/api/account/orders/{exchange_order_id}/cancel", **api("Account", "trade", answer="CancelAsked", own_keys=True)
)
async def cancel_order(request: Request, exchange_order_id: OrderId, ticket: CancelTicket) -> Response:
    """Ask to take a resting order off the book that is not this desk's: ``resting_elsewhere`` of GET /api/account has their ids.

    Answers when the exchange's answer is known, after 3 s with what is known then: no answer is waited for by repeating
    the call with the same key. The kill switch and other stops forbid no cancel.
    """
    desk, session = desk_of(request), session_of(request)
    key = key_of_ticket(request, ticket.idempotency_key)

    def submit() -> Submitted:
        return tickets.submit_cancel(
            desk.pool, user_id=session.user_id, mode=desk.settings.mode, key=key, source=source_of(request),
            order_id=exchange_order_id, actor=session.login,
        )  # fmt: skip

    made = await run_in_threadpool(submit)
    until_s = time.monotonic() + DECIDED_WITHIN_S
    answer = await run_in_threadpool(_answer, desk, made)
    while _open(answer) and time.monotonic() < until_s:
        await asyncio.sleep(_LOOK_EVERY_S)
        answer = await run_in_threadpool(_answer, desk, made)
    return json_response(answer, headers={REPLAYED: "true"} if made.replayed else None)


def _open(answer: dict[str, Any]) -> bool:
    cancel = answer["cancel"]
    return answer["state"] == "new" or (cancel is not None and cancel["state"] in UNDER_WAY)


def _answer(desk: Desk, made: Submitted) -> dict[str, Any]:
    row, cancel = tickets.ticket_by_id(desk.pool, made.ticket_id), None
    if row["state"] == "accepted":
        cancel = cancels.cancel_of_ticket(desk.pool, made.ticket_id)
    return {
        "ticket_id": row["ticket_id"], "state": row["state"], "replayed": made.replayed,
        "reason": row["reason"] or (_WAITING if row["state"] == "new" else ""), "cancel": cancel and wire(cancel),
    }  # fmt: skip
