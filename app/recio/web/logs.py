"""The services' logs: newest lines by service, level, text, trade and time; following, and as a file."""

from __future__ import annotations

import time
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from starlette.responses import Response, StreamingResponse

from recio.monitoring import journal
from recio.store import web_queries as queries
from recio.web.desk import Desk, desk_of, session_of
from recio.web.errors import ApiError
from recio.web.routes import api
from recio.web.wire import json_response

__all__ = ["router"]

router = APIRouter()
Service = Annotated[str, Query(max_length=40, pattern=r"^[a-z_]*$")]
Level = Literal["info", "warning", "error"]
Text = Annotated[str, Query(max_length=100)]
Trade = Annotated[int, Query(ge=0, le=2**53)]
TradeField = Annotated[str, Query(max_length=16, pattern=r"^[0-9]*$")]  # a form's field: may be empty
Minutes = Annotated[int, Query(ge=0, le=60 * 24 * 31)]
After = Annotated[int, Query(ge=0, le=2**62)]
_EXTRA = ("simulator", "requests")
_SHOWN, _DOWNLOAD_MAX = 300, 10 * 1024 * 1024


def _wanted(
    desk: Desk, user_id: str, service: str, level: Level, text: str, trade: int, minutes: int, after: int
) -> journal.Wanted:
    known = (*desk.contract.services, *_EXTRA)
    if service and service not in known:
        raise ApiError(
            422, "invalid_input", f"service: there is no service {service!r}", f"there are: {', '.join(known)}"
        )
    names: tuple[str, ...] = ()
    if trade:
        found = queries.trade(desk.pool, user_id, trade)
        if found is None:
            raise ApiError(404, "not_found", f"there is no trade {trade}", "the History page lists them")
        orders = queries.trade_detail(desk.pool, user_id, trade)["orders"]
        names = journal.names_of(trade, found["ticket_id"], orders)
    since_s = int(time.time()) - 60 * minutes if minutes else 0
    return journal.Wanted((service,) if service else known, level, text, names, since_s, after)


def _newest(wanted: journal.Wanted, limit: int) -> list[journal.Line]:
    try:
        return journal.newest(wanted, limit)
    except journal.JournalGone as gone:
        raise ApiError(503, "no_journal", str(gone), "`recio logs` on the host shows them") from None


@router.get("/system/logs", include_in_schema=False)
def logs_page(
    request: Request, service: Service = "", level: Level = "info", text: Text = "", trade: TradeField = "",
    minutes: Minutes = 60,
) -> Response:  # fmt: skip
    """The newest lines; the filter is a plain form, following needs script."""
    desk, session = desk_of(request), session_of(request)
    lines: list[journal.Line] = []
    why = ""
    try:
        lines = _newest(_wanted(desk, session.user_id, service, level, text, int(trade or 0), minutes, 0), _SHOWN)
    except ApiError as error:
        why = f"{error.message}; {error.cure}"
    return desk.page(request, "system_logs.html", {
        "lines": lines, "why": why, "services": [*desk.contract.services, *_EXTRA], "most": _SHOWN,
        "chosen": {"service": service, "level": level, "text": text, "trade": trade, "minutes": minutes},
    }, 200 if not why else 503 if "journal" in why else 422)  # fmt: skip


@router.get("/api/logs", **api("System", "read", answer="LogLines"))
def logs(
    request: Request, service: Service = "", level: Level = "info", text: Text = "", trade: Trade = 0, minutes: Minutes = 60,
    after: After = 0, limit: Annotated[int, Query(ge=1, le=1000)] = 300,
) -> Response:  # fmt: skip
    """Newest lines first; ``after`` (at_us of the newest line you have) gives only newer ones."""
    desk, session = desk_of(request), session_of(request)
    found = _newest(_wanted(desk, session.user_id, service, level, text, trade, minutes, after), limit)
    return json_response({"lines": found, "now_ms": round(desk.clock() * 1000)})


@router.get("/system/logs/download", include_in_schema=False)
def logs_file(
    request: Request, service: Service = "", level: Level = "info", text: Text = "", trade: TradeField = "",
    minutes: Minutes = 60,
) -> Response:  # fmt: skip
    """The same as a text file of at most 10 MB, sent as it is read."""
    desk, session = desk_of(request), session_of(request)
    wanted = _wanted(desk, session.user_id, service, level, text, int(trade or 0), minutes, 0)
    _newest(wanted, 1)  # a journal that cannot be read is an error page, not half a file
    name = time.strftime(f"recio-logs-{service or 'all'}-%Y%m%d-%H%M%S.txt", time.gmtime())
    return StreamingResponse(
        journal.plain(wanted, _DOWNLOAD_MAX), media_type="text/plain; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )  # fmt: skip
