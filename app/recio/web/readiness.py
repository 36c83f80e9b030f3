"""/livez: does this process answer. /readyz: has it what the page needs, the database, the stream and a fresh price."""

from __future__ import annotations

import threading
import time
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from recio.store import web_queries as queries
from recio.store.db import DatabaseGone
from recio.web.desk import Desk, desk_of
from recio.web.routes import api
from recio.web.wire import json_response

__all__ = ["checks", "router"]

router = APIRouter()
_STREAM_MAX_AGE_S, _PRICE_MAX_AGE_S = 15.0, 10.0
_KEEP_S = 1.0
_lock = threading.Lock()


@router.get("/livez", **api("System", answer="Alive"))
async def livez() -> Response:
    """Whether this process answers; open to everybody, says nothing else."""
    return json_response({"alive": True})


def checks(desk: Desk) -> dict[str, dict[str, Any]]:
    """What readiness rests on, by name: ok, why not, and the age of its evidence in seconds (null: none yet)."""
    found: dict[str, dict[str, Any]] = {}
    price: dict[str, Any] | None = None
    try:
        price = queries.price(desk.pool)
        found["database"] = {"ok": True, "why": "", "age_s": 0.0}
    except DatabaseGone as gone:
        found["database"] = {"ok": False, "why": " ".join(str(gone).split())[:200], "age_s": None}
    heard_s = None if desk.hub.last_ok_s is None else round(time.monotonic() - desk.hub.last_ok_s, 1)
    listens = desk.hub.connected and heard_s is not None and heard_s <= _STREAM_MAX_AGE_S
    found["stream"] = {"ok": listens, "why": "" if listens else desk.hub.why or "silent", "age_s": heard_s}
    age_s = None if price is None else round(price["age_s"], 1)
    fresh = age_s is not None and age_s <= _PRICE_MAX_AGE_S
    old = "no price on record" if age_s is None else f"the newest price is {age_s:g} s old"
    found["price"] = {"ok": fresh, "why": "" if fresh else old, "age_s": age_s}
    return found


@router.get("/readyz", **api("System", "read", "metrics", answer="Ready"))
def readyz(request: Request) -> Response:
    """Whether the page has its database, its stream and a price no older than 10 s; 503 names what is missing.

    Open to everybody; the details (``checks``) are for a session or a token. Asked again at most once a second.
    """
    desk = desk_of(request)
    with _lock:
        kept: tuple[float, dict[str, dict[str, Any]]] = getattr(request.app.state, "ready", (float("-inf"), {}))
        if time.monotonic() - kept[0] > _KEEP_S:
            kept = request.app.state.ready = (time.monotonic(), checks(desk))
    missing = [name for name, check in kept[1].items() if not check["ok"]]
    body: dict[str, Any] = {"ready": not missing, "missing": missing}
    if request.scope.get("recio.session") is not None:
        body["checks"] = kept[1]
    return json_response(body, 503 if missing else 200, {"Retry-After": "2"} if missing else None)
