"""History: finished trades with filters and totals, one trade's page, and the CSV of what is filtered."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Path, Query, Request
from starlette.responses import Response, StreamingResponse

from recio.store import web_queries as queries
from recio.units import format_fixed
from recio.web.desk import Desk, desk_of, session_of
from recio.web.errors import ApiError
from recio.web.view import iso

__all__ = ["router"]

router = APIRouter(include_in_schema=False)
_PAGE = 50
_NEW_YORK = ZoneInfo("America/New_York")
_COLUMNS = (
    "trade_id", "mode", "source", "market_ticker", "event_ticker", "series_ticker", "strike_e2", "side", "state", "reason",
    "count_e2", "limit_price_e4", "entry_count_e2", "entry_cost_e6", "exit_count_e2", "exit_proceeds_e6", "fees_e6",
    "result", "pnl_e6", "close_time", "created_at", "opened_at", "closed_at",
)  # fmt: skip
_PLACES = {"_e2": 2, "_e4": 4, "_e6": 6}
Word = Annotated[str, Query(max_length=20, pattern=r"^[A-Za-z0-9]*$")]
Day = Annotated[str, Query(max_length=10, pattern=r"^(\d{4}-\d{2}-\d{2})?$")]


def _moment(day: str, plus: int = 0) -> datetime | None:
    """Midnight in New York of a day written YYYY-MM-DD; None for an empty one."""
    if not day:
        return None
    try:
        start = date.fromisoformat(day) + timedelta(days=plus)
    except (ValueError, OverflowError) as error:
        raise ApiError(422, "invalid_day", f"{day!r} is not a day", "write it as 2026-11-23") from error
    return datetime(start.year, start.month, start.day, tzinfo=_NEW_YORK)


def _filter(state: str, series: str, side: str, outcome: str, since: str, until: str) -> queries.TradeFilter:
    known = (
        ("state", state, ("live", "closed", "all")),
        ("side", side, ("", "yes", "no")),
        ("outcome", outcome, ("", "won", "lost")),
    )
    for name, value, allowed in known:
        if value not in allowed:
            raise ApiError(
                422, f"invalid_{name}", f"{name} is {value!r}", f"take one of {', '.join(filter(None, allowed))}"
            )
    return queries.TradeFilter(state, series, side, outcome, _moment(since), _moment(until, plus=1))


@router.get("/history")
def history(
    request: Request, state: Word = "closed", series: Word = "", side: Word = "", outcome: Word = "", since: Day = "",
    until: Day = "", before: Annotated[int | None, Query(ge=1, le=2**62)] = None,
) -> Response:  # fmt: skip
    """Trades and their totals."""
    desk, session = desk_of(request), session_of(request)
    wanted, mode = _filter(state, series, side, outcome, since, until), desk.settings.mode
    rows = queries.trades(desk.pool, session.user_id, mode, wanted, _PAGE + 1, before)
    chosen = {"state": state, "series": series, "side": side, "outcome": outcome, "since": since, "until": until}
    query = urlencode({name: value for name, value in chosen.items() if value})
    return desk.page(request, "history.html", {
        "trades": rows[:_PAGE], "totals": queries.trade_totals(desk.pool, session.user_id, mode, wanted), "chosen": chosen,
        "query": query, "before": before,
        "next": f"{query}&before={rows[_PAGE - 1]['trade_id']}" if len(rows) > _PAGE else "",
    })  # fmt: skip


@router.get("/history.csv")
def history_csv(
    request: Request, state: Word = "closed", series: Word = "", side: Word = "", outcome: Word = "", since: Day = "",
    until: Day = "",
) -> StreamingResponse:  # fmt: skip
    """All trades of the filter, newest first; amounts in dollars, counts in contracts, times in UTC."""
    desk, session = desk_of(request), session_of(request)
    wanted = _filter(state, series, side, outcome, since, until)
    stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
    return StreamingResponse(
        _csv(desk, session.user_id, wanted), media_type="text/csv",
        headers={"Content-Disposition": f'attachment; filename="trades-{stamp}.csv"'},
    )  # fmt: skip


def _csv(desk: Desk, user_id: str, wanted: queries.TradeFilter) -> Iterator[str]:
    yield _line([name[:-3] if name[-3:] in _PLACES else name for name in _COLUMNS])
    before: int | None = None
    while True:
        rows = queries.trades(desk.pool, user_id, desk.settings.mode, wanted, 500, before)
        for row in rows:
            yield _line([_cell(name, row[name]) for name in _COLUMNS])
        if len(rows) < 500:
            return
        before = rows[-1]["trade_id"]


def _cell(name: str, value: Any) -> str:
    if value is None:
        return ""
    if name[-3:] in _PLACES:
        return format_fixed(value, _PLACES[name[-3:]])
    text = iso(value) if isinstance(value, datetime) else str(value)
    return "'" + text if text[:1] in "=+@-\t\r" else text  # a spreadsheet must not take text for a formula


def _line(cells: list[str]) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="\r\n").writerow(cells)
    return out.getvalue()


@router.get("/history/{trade_id}")
def one_trade(request: Request, trade_id: Annotated[int, Path(ge=1, le=2**62)]) -> Response:
    """A trade with its log, orders and fills."""
    desk, session = desk_of(request), session_of(request)
    row = queries.trade(desk.pool, session.user_id, trade_id)
    if row is None or row["mode"] != desk.settings.mode:
        raise ApiError(404, "no_trade", f"there is no trade {trade_id}", "look in the history")
    detail = queries.trade_detail(desk.pool, session.user_id, trade_id)
    return desk.page(request, "trade_detail.html", {"trade": row, **detail})
