"""Close everything that is open: one close ticket a trade, so that each has its own answer, and a repeat closes nothing twice."""

from __future__ import annotations

import asyncio
import time
from typing import Annotated, Any

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from recio.store import tickets
from recio.store import web_queries as queries
from recio.store.audit import audit_statement
from recio.web.api_trades import DECIDED_WITHIN_S, source_of
from recio.web.desk import Desk, desk_of, session_of
from recio.web.errors import ApiError
from recio.web.once import checked_key
from recio.web.routes import api
from recio.web.sessions import Session
from recio.web.wire import json_response

__all__ = ["router"]

router = APIRouter()
_LOOK_EVERY_S = 0.1
_LONGEST_KEY = 70  # each trade's own key is this one with its number, and a ticket's key has at most 100 characters
_WAITING = "not decided yet; trade_manager decides it when it can, and a late one is refused"


class CloseAll(BaseModel):
    """Which trades: those named, as they were shown before the confirm; without names every open one."""

    model_config = ConfigDict(extra="forbid")
    trade_ids: Annotated[list[Annotated[int, Field(ge=1, le=2**62)]], Field(max_length=1000)] | None = None


@router.post("/api/trades/close-all", **api("Trades", "trade", answer="ClosedAll"))
async def close_all(request: Request, wanted: CloseAll) -> Response:
    """Ask to sell what every open trade holds, at the book's price with the exit collar. Needs an Idempotency-Key.

    Each trade has its own answer: ``accepted``, ``refused`` with the reason, ``new`` when nobody decided within 3 s, or
    ``skipped`` with what it is instead of open. The same key again closes nothing twice.
    """
    desk, session = desk_of(request), session_of(request)
    key = checked_key(request.headers)
    if key is None or len(key) > _LONGEST_KEY:
        said = "is missing" if key is None else f"has {len(key)} characters; at most {_LONGEST_KEY} are possible here"
        raise ApiError(
            422, "invalid_idempotency_key", f"Idempotency-Key {said}", "send the header Idempotency-Key, for example a UUID",
            fields=[{"field": "Idempotency-Key", "detail": said}],
        )  # fmt: skip
    made = await run_in_threadpool(_submit, desk, session, key, source_of(request), wanted.trade_ids)
    until_s = time.monotonic() + DECIDED_WITHIN_S
    ids = [row["ticket_id"] for row in made if row["ticket_id"] is not None]
    found = await run_in_threadpool(tickets.tickets_by_id, desk.pool, ids)
    while any(row["state"] == "new" for row in found.values()) and time.monotonic() < until_s:
        await asyncio.sleep(_LOOK_EVERY_S)
        found = await run_in_threadpool(tickets.tickets_by_id, desk.pool, ids)
    return json_response({"trades": [row | _decided(found.get(row["ticket_id"])) for row in made]})


def _submit(desk: Desk, session: Session, key: str, source: str, trade_ids: list[int] | None) -> list[dict[str, Any]]:
    live = {row["trade_id"]: row for row in queries.live_trades(desk.pool, session.user_id, desk.settings.mode)}
    wanted = list(dict.fromkeys(live if trade_ids is None else trade_ids))
    made = []
    for trade_id in wanted:
        own, row = f"all-{key}-{trade_id}", live.get(trade_id)
        asked = queries.ticket_id_of(desk.pool, session.user_id, own)  # of a call that broke half-way
        state = row["state"] if row else "not live"
        answer: dict[str, Any] = {"trade_id": trade_id, "ticket_id": asked, "state": "skipped", "reason": ""}
        if asked is None and state == "open":
            answer["ticket_id"] = tickets.submit_close(
                desk.pool, user_id=session.user_id, mode=desk.settings.mode, key=own, source=source, trade_id=trade_id,
            ).ticket_id  # fmt: skip
        elif asked is None:
            answer["reason"] = f"it is {state}, not open"
        made.append(answer)
    told = {"trade_ids": [row["trade_id"] for row in made if row["ticket_id"] is not None], "key": key}
    desk.pool.batch([audit_statement(session.login, "close all trades", told)])
    return made


def _decided(ticket: dict[str, Any] | None) -> dict[str, Any]:
    """What became of a trade's ticket; nothing for a trade that was skipped."""
    if ticket is None:
        return {}
    state = ticket["state"]
    return {"state": state, "reason": ticket["reason"] or (_WAITING if state == "new" else "")}
