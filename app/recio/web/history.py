"""History: trades with filters and figures, calibration against the market, one trade's page, and the exports."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from starlette.responses import Response, StreamingResponse

from recio.market.calibration import Forecast, calibrate
from recio.store import history_queries as past
from recio.store import web_queries as queries
from recio.trading.gate import verdict
from recio.trading.performance import per_contract_e6, ratio, wilson
from recio.web.desk import desk_of, session_of
from recio.web.errors import ApiError
from recio.web.history_export import as_csv, as_json
from recio.web.history_filter import Chosen, Exported, Filtering
from recio.web.history_story import bill_of, book_of, story

__all__ = ["router"]

router = APIRouter(include_in_schema=False)
_PAGE = 50
_HOURS = {hour: f"{hour:02d}:00" for hour in range(24)}
_DAYS = dict(enumerate(("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"), 1))
_SCORED = 1_000  # trades; a bootstrap over more takes seconds
_RESAMPLES = 200
_BUFFERS_E2 = (
    0,
    2_500,
    5_000,
    10_000,
    20_000,
    40_000,
    80_000,
)  # dollars x 100: lower ends of the strike-distance groups


def shown_sums(row: dict[str, Any]) -> dict[str, Any]:
    """Sums with what follows from them; None where there is nothing to divide by."""
    decided = row["won"] + row["lost"]
    return row | {
        "decided": decided,
        "share": ratio(row["won"], decided),
        "interval": wilson(row["won"], decided),
        "return": ratio(row["pnl_e6"], row["finished_cost_e6"]),
        "mean_win_e6": row["gain_e6"] // row["won"] if row["won"] else None,
        "mean_loss_e6": -(-row["loss_e6"] // row["lost"]) if row["lost"] else None,
        "factor": ratio(row["gain_e6"], -row["loss_e6"]),
        "expectancy_e6": per_contract_e6(row["pnl_e6"], row["finished_count_e2"]),
    }


@router.get("/history")
def history(request: Request, chosen: Chosen, before: Annotated[int | None, Query(ge=1, le=2**62)] = None) -> Response:
    """Trades, their figures, the equity curve."""
    desk, session = desk_of(request), session_of(request)
    mode, wanted = desk.settings.mode, chosen.wanted
    rows = queries.trades(desk.pool, session.user_id, mode, wanted, _PAGE + 1, before)
    found = past.figures(desk.pool, session.user_id, mode, wanted, tuple(past.GROUPS))
    last = rows[_PAGE - 1]["trade_id"] if len(rows) > _PAGE else None
    return desk.page(request, "history.html", {
        "trades": rows[:_PAGE], "totals": shown_sums(found[""][0]), "chosen": chosen.shown, "query": chosen.query,
        "exported": chosen.exported, "most": past.CURVE_TRADES, "filtered": len(chosen.given), "before": before,
        "groups": {name: [shown_sums(row) for row in found[name]] for name in past.GROUPS},
        "curve": past.curve(desk.pool, session.user_id, mode, wanted),
        "values": past.filter_values(desk.pool, session.user_id), "from_": wanted.since, "until": wanted.until,
        "hours": _HOURS, "days": _DAYS,
        "next": "&".join(filter(None, (chosen.query, f"before={last}"))) if last else "",
    })  # fmt: skip


@router.get("/history.csv")
def history_csv(request: Request, chosen: Exported) -> StreamingResponse:
    """All trades of the filter, newest first; amounts in dollars, counts in contracts, times in UTC."""
    return _download(request, as_csv, chosen, "csv", "text/csv; charset=utf-8")


@router.get("/history.json")
def history_json(request: Request, chosen: Exported) -> StreamingResponse:
    """All trades of the filter, newest first, in the ledger's integers."""
    return _download(request, as_json, chosen, "json", "application/json")


def _download(request: Request, writer: Any, chosen: Filtering, kind: str, media_type: str) -> StreamingResponse:
    desk, session = desk_of(request), session_of(request)
    stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
    return StreamingResponse(
        writer(desk.pool, session.user_id, desk.settings.mode, chosen.wanted), media_type=media_type,
        headers={"Content-Disposition": f'attachment; filename="trades-{stamp}.{kind}"'},
    )  # fmt: skip


# ------------------------------------------------------------------ calibration
def forecast_of(row: dict[str, Any]) -> Forecast:
    """A trade's decision as a forecast of YES."""
    yes = row["side"] == "yes"
    model, market, blend = (
        chance if yes else 1.0 - chance
        for chance in (
            row["probability_model"],
            row["probability_market"],
            row["probability"] if row["probability"] is not None else row["probability_model"],
        )
    )
    return Forecast(
        event=row["event_ticker"], strategy="all", at_s=row["at"].timestamp(), won=row["result"] == "yes", model=model,
        market=market, blend=blend, yes_ask_e4=row["yes_ask_e4"], no_ask_e4=row["no_ask_e4"],
        model_version=row["model_version"], entered_side=row["side"],
        paid_e4=round(row["entry_cost_e6"] / row["entry_count_e2"]),
    )  # fmt: skip


def by_buffer(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Trades by BTC's distance to the strike at entry: won, interval, PnL; what has no distance recorded last."""
    found: dict[int, dict[str, Any]] = {}
    for row in rows:
        e2 = row["buffer_e2"]
        low = -1 if e2 is None else max(edge for edge in _BUFFERS_E2 if edge <= max(0, e2))
        group = found.setdefault(low, {"low_e2": low, "trades": 0, "won": 0, "pnl_e6": 0})
        group["trades"] += 1
        group["won"] += row["result"] == row["side"]
        group["pnl_e6"] += row["pnl_e6"] or 0
    highs = dict(zip(_BUFFERS_E2, (*_BUFFERS_E2[1:], None), strict=True))
    order = sorted(found, key=lambda low: (low < 0, low))
    return [
        found[low] | {"high_e2": highs.get(low), "interval": wilson(found[low]["won"], found[low]["trades"])}
        for low in order
    ]


@router.get("/history/calibration")
def calibration(request: Request, chosen: Chosen) -> Response:
    """What the model said at entry against what the market said, and how it came out."""
    desk, session = desk_of(request), session_of(request)
    rows = past.entries(desk.pool, session.user_id, desk.settings.mode, chosen.wanted, _SCORED)
    report = calibrate([forecast_of(row) for row in rows], resamples=_RESAMPLES) if rows else None
    bins = {}
    if report is not None:
        for who in ("model", "market"):
            bins[who] = [(b, wilson(round(b.came_true * b.rows), b.rows)) for b in report.scores[who].reliability]
    return desk.page(request, "calibration.html", {
        "report": report, "verdict": verdict(report), "bins": bins, "buffers": by_buffer(rows), "query": chosen.query,
        "limit": _SCORED, "filtered": len(chosen.given), "full": len(rows) == _SCORED,
        "strategies": sorted({row["strategy"] for row in rows}), "sold": sum(row["exit_count_e2"] > 0 for row in rows),
        "earned_e6": sum(row["pnl_e6"] for row in rows),
    })  # fmt: skip


# ------------------------------------------------------------------ one trade
@router.get("/history/{trade_id}")
def one_trade(request: Request, trade_id: Annotated[int, Path(ge=1, le=2**62)]) -> Response:
    """A trade's whole story: log, orders, fills, what was seen at entry, the arithmetic."""
    desk, session = desk_of(request), session_of(request)
    row = queries.trade(desk.pool, session.user_id, trade_id)
    if row is None or row["mode"] != desk.settings.mode:
        raise ApiError(404, "no_trade", f"there is no trade {trade_id}", "look in the history")
    detail = queries.trade_detail(desk.pool, session.user_id, trade_id)
    entry = past.at_entry(desk.pool, row["ticket_id"])
    return desk.page(request, "trade_detail.html", {
        "trade": row, **detail, "entry": entry, "book": book_of(entry), "steps": story(detail["events"]),
        "bill": bill_of(row, detail["fills"]),
        "beside": past.neighbours(desk.pool, session.user_id, row["mode"], trade_id),
        "trace": past.trace(desk.pool, row["ticket_id"], [o["order_id"] for o in detail["orders"]]),
    })  # fmt: skip
