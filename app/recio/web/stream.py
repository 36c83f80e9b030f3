"""GET /api/stream: the one event stream of a tab. Topics price, events, table, trades, switches, status; a beat every 5 s."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Query, Request
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
_SESSION_EVERY_S = 30.0
Name = Annotated[str, Query(max_length=64, pattern=r"^[A-Z0-9.\-]*$")]


@router.get(
    "/api/stream",
    response_class=StreamingResponse,
    **api("Stream", "read", media="text/event-stream", about="Server-sent events until the session ends"),
)
async def stream(request: Request, event: Name = "", series: Name = "") -> StreamingResponse:
    """Server-sent events. ``event`` or ``series`` chooses the strike table; a series follows the event that closes next."""
    desk, session = desk_of(request), session_of(request)
    want = Want(event, "" if event else series or desk.settings.series[0])
    tab = Subscriber(
        want, session.user_id, session.token_hash, asyncio.get_running_loop(), program=isinstance(session, Bearer)
    )
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
    return frame("beat", {"now_ms": hub.snapshots.now_ms(), "ok": hub.connected, "why": hub.why, "every_s": BEAT_S})


def _still_logged_in(desk: Desk, tab: Subscriber) -> bool:
    """An open tab does not keep a session alive, and does not outlive it. A lost database ends no session."""
    try:
        if tab.program:
            return api_access.token(desk.pool, tab.token_hash) is not None
        return web_sessions.session(desk.pool, tab.token_hash, IDLE_HOURS) is not None
    except DatabaseGone:
        return True
