"""GET /api/stream: the one event stream of a browser. Topics price, events, table, trades, switches, status, news; a beat every 5 s."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from pydantic import StringConstraints
from starlette.concurrency import run_in_threadpool
from starlette.responses import StreamingResponse

from recio.store import api_access, web_sessions
from recio.store.db import DatabaseGone
from recio.web.bearer import Bearer
from recio.web.desk import Desk, desk_of, session_of
from recio.web.errors import ApiError
from recio.web.hub import Subscriber, TooManyTabs, Want, frame
from recio.web.routes import api
from recio.web.sessions import IDLE_HOURS

__all__ = ["router"]

router = APIRouter()
BEAT_S = 5.0
MOST_TABLES = 16
_SESSION_EVERY_S = 30.0
Name = Annotated[str, StringConstraints(max_length=64, pattern=r"^[A-Z0-9.\-]*$")]
Tables = Annotated[list[Name], Query(max_length=MOST_TABLES)]


@router.get(
    "/api/stream",
    response_class=StreamingResponse,
    **api("Stream", "read", media="text/event-stream", about="Server-sent events until the session ends"),
)
async def stream(
    request: Request,
    event: Tables = [],  # noqa: B006 - FastAPI copies it
    series: Tables = [],  # noqa: B006
    tables: Literal["on", "off"] = "on",
    since: Annotated[int | None, Query(ge=0, le=1 << 53)] = None,
) -> StreamingResponse:
    """Server-sent events. Each ``event`` and ``series`` adds a strike table; a series follows the event that closes next.

    Without any the first series is shown, with ``tables=off`` none. ``since`` (milliseconds), or Last-Event-ID, is the id of
    the last news heard: what came after it is told first.
    """
    desk, session = desk_of(request), session_of(request)
    wants = {Want(event=name) for name in event if name} | {Want(series=name) for name in series if name}
    if not wants and tables == "on":
        wants = {Want(series=desk.settings.series[0])}
    last = request.headers.get("last-event-id", "")
    if last.isascii() and last.isdigit() and len(last) < 16:  # of a reconnection: newer than what the address says
        since = int(last)
    tab = Subscriber(
        frozenset(wants), session.user_id, session.token_hash, asyncio.get_running_loop(), since,
        program=isinstance(session, Bearer),
    )  # fmt: skip
    try:
        desk.hub.subscribe(tab)
    except TooManyTabs as full:
        raise ApiError(503, "too_many_streams", str(full), "close a tab and reload") from full
    return StreamingResponse(_frames(desk, tab), media_type="text/event-stream", headers={"X-Accel-Buffering": "no"})


async def _frames(desk: Desk, tab: Subscriber) -> AsyncIterator[bytes]:
    checked_s = beat_s = time.monotonic()
    try:
        yield b"retry: 1000\n\n" + _beat(desk)
        while not tab.closed:
            left_s = BEAT_S - (time.monotonic() - beat_s)
            if left_s <= 0:
                beat_s = time.monotonic()
                if beat_s - checked_s >= _SESSION_EVERY_S:
                    checked_s = beat_s
                    if not await run_in_threadpool(_still_logged_in, desk, tab):
                        break
                yield _beat(desk)
                continue
            try:
                await asyncio.wait_for(tab.ready.wait(), left_s)
            except TimeoutError:
                continue
            tab.ready.clear()
            data = tab.take()
            if data:
                yield data
        yield frame("bye", {"why": "the session or the server ended"})
    finally:
        desk.hub.unsubscribe(tab)


def _beat(desk: Desk) -> bytes:
    hub = desk.hub
    said = {
        "now_ms": hub.snapshots.now_ms(),
        "ok": hub.connected,
        "why": hub.why,
        "every_s": BEAT_S,
        "streams": hub.tabs,
        "mode": desk.settings.mode,
    }
    return frame("beat", said)


def _still_logged_in(desk: Desk, tab: Subscriber) -> bool:
    """An open tab does not keep a session alive, and does not outlive it. A lost database ends no session."""
    try:
        if tab.program:
            return api_access.token(desk.pool, tab.token_hash) is not None
        return web_sessions.session(desk.pool, tab.token_hash, IDLE_HOURS) is not None
    except DatabaseGone:
        return True
