"""Replays and backtests by HTTP: what there is to run on, start, progress, cancel, the report. The worker does them, never this process."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import FileResponse, Response

from recio.monitoring.reports import FILES, report_file, wake_research
from recio.store import research_runs as queries
from recio.store.research_queries import stored_history
from recio.trading.wish import MAX_DAYS, MIN_DAYS, WishError, complete, read_wish
from recio.web import monitors
from recio.web.desk import Desk, desk_of, session_of
from recio.web.errors import ApiError
from recio.web.routes import api
from recio.web.sessions import Session
from recio.web.wire import json_response, milliseconds, page_response, wire, wire_all

__all__ = ["RunId", "cancel", "report_answer", "router", "run_row", "start", "wake_forsaken"]

log = logging.getLogger("recio.web")
router = APIRouter()
RunId = Annotated[int, Path(ge=1, le=2**62)]
_SILENT_S = 15.0
Moment = Annotated[str, Field(max_length=25, pattern=r"^[0-9T:+Z. \-]+$")]


class RunWish(BaseModel):
    """What to run. Source simulated takes days, history takes from and to (UTC) of what is stored.

    Settings that are not named are the strategy's defaults.
    """

    model_config = ConfigDict(extra="forbid")
    kind: Literal["backtest", "replay"]
    source: Literal["simulated", "history"] = "simulated"
    strategy: Annotated[str, Field(max_length=40)]
    settings: Annotated[dict[Annotated[str, Field(max_length=60)], Any], Field(max_length=60)] = {}
    days: Annotated[float | None, Field(ge=0, le=366, allow_inf_nan=False)] = None
    from_: Annotated[Moment | None, Field(alias="from")] = None
    to: Moment | None = None
    train_days: Annotated[float, Field(ge=0, le=31, allow_inf_nan=False)] = 0.0
    seed: Annotated[int, Field(ge=1, le=2**31 - 1)] = 1


def _epoch_s(text: str | None, field: str) -> int | None:
    """Epoch seconds of a date or a time, UTC where it says no zone. Raises WishError."""
    if not text:
        return None
    try:
        at = datetime.fromisoformat(text)
        return round((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp())
    except (ValueError, OverflowError):
        raise WishError(field, f"{field} {text!r} is not a time; write 2026-08-01 or 2026-08-01T12:00") from None


def _within(desk: Desk, wish: Mapping[str, Any]) -> None:
    """Refuse a period of which nothing can be stored; holes inside it are the worker's to find."""
    if wish["source"] != "history":
        return
    stored = stored_history(desk.pool)
    if stored["first_at"] is None:
        raise WishError(
            "source", "no minute of history is stored; run `recio history fetch` on the host, or take simulated days"
        )
    first_s, end_s = stored["first_at"].timestamp(), stored["last_at"].timestamp() + 60
    for field, given_s in (("from", wish["from_s"]), ("to", wish["to_s"])):
        if not first_s - 300 <= given_s <= end_s + 300:
            said = f"{datetime.fromtimestamp(given_s, UTC):%Y-%m-%d %H:%M}"
            ends = f"{stored['first_at']:%Y-%m-%d %H:%M} to {stored['last_at']:%Y-%m-%d %H:%M} UTC"
            raise WishError(
                field, f"{field} {said} is outside what is stored: {ends}"
            )  # fmt: skip


def start(desk: Desk, session: Session, raw: Mapping[str, Any]) -> int:
    """Check a wish, write it down, wake the worker; its number. ``raw`` has ``from`` and ``to`` as text. Raises ApiError."""
    given = {name: value for name, value in raw.items() if name not in ("from", "to")}
    try:
        given |= {"from_s": _epoch_s(raw.get("from"), "from"), "to_s": _epoch_s(raw.get("to"), "to")}
        wish = complete(read_wish(given))
        _within(desk, wish)
    except WishError as wrong:
        raise ApiError(
            422, "invalid_run", wrong.message, f"correct {wrong.field} and start again",
            fields=[{"field": wrong.field, "detail": wrong.message}],
        ) from None  # fmt: skip
    run_id = queries.ask_run(desk.pool, session.user_id, wish, session.login)
    if run_id is None:
        raise ApiError(
            409, "research_busy", f"{queries.MAX_OPEN} runs wait or go already", "wait for one to end, or cancel one"
        )
    _wake()
    return run_id


def _wake() -> None:
    try:
        wake_research()
    except OSError as failure:  # the row stays: the next look at the page tries again
        log.warning("the research worker could not be woken: %s", failure)


def wake_forsaken(desk: Desk) -> None:
    """Wake the worker when a run waits or goes that nobody has been heard of: it does it, or fails it with the reason."""
    if queries.forsaken(desk.pool, _SILENT_S):
        _wake()


def cancel(desk: Desk, session: Session, run_id: int) -> None:
    """Ask for a run's end. Raises ApiError when there is no such run, or it has ended."""
    if queries.cancel_run(desk.pool, session.user_id, run_id, session.login):
        _wake()  # one that waits is ended by a worker that comes
        return
    row = run_row(desk, session, run_id)
    if row["state"] not in ("new", "running"):
        raise ApiError(409, "run_ended", f"run {run_id} has ended already: {row['state']}", "its report is on its page")


def run_row(desk: Desk, session: Session, run_id: int) -> dict[str, Any]:
    """One run with its whole summary. Raises ApiError 404."""
    row = queries.run_of(desk.pool, session.user_id, run_id)
    if row is None:
        raise ApiError(404, "not_found", f"there is no run {run_id}", "GET /api/research/runs lists them")
    return row


def report_answer(desk: Desk, session: Session, run_id: int, file: str, as_page: bool = False) -> Response:
    """A file of a run's report. ``as_page``: the HTML page, which may do nothing at all but be looked at."""
    row = run_row(desk, session, run_id)
    path = report_file(row["report"] or "", file)
    if path is None:
        gone = row["report"] is not None
        why = "the oldest reports are dropped when space is short" if gone else "it is not done"
        raise ApiError(
            404, "no_report", f"run {run_id} has no {file}: {why}",
            "its figures are on its page; run it again for the files" if gone else "look at its state",
        )  # fmt: skip
    name = f"recio-{row['wish']['kind']}-{run_id}-{file}"
    if as_page:
        policy = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'; sandbox"
        return FileResponse(path, media_type=FILES[file], headers={"Content-Security-Policy": policy})
    return FileResponse(path, media_type=FILES[file], filename=name)


@router.get("/api/research", **api("Research", "read", "research", answer="ResearchData"))
def research_data(request: Request) -> Response:
    """What there is to run on: the stored history, the strategies with their defaults, the bounds of a run."""
    stored = stored_history(desk_of(request).pool)
    return json_response({
        "history_first_ms": milliseconds(stored["first_at"]) if stored["first_at"] else None,
        "history_last_ms": milliseconds(stored["last_at"]) if stored["last_at"] else None,
        "min_days": MIN_DAYS, "max_days": MAX_DAYS, "strategies": monitors.strategies(),
    })  # fmt: skip


@router.get("/api/research/runs", **api("Research", "read", "research", answer="ResearchRuns"))
def list_runs(
    request: Request, limit: Annotated[int, Query(ge=1, le=200)] = 20,
    before: Annotated[int | None, Query(ge=1, le=2**62)] = None,
) -> Response:  # fmt: skip
    """Runs, newest first, with their progress or their figures."""
    desk, session = desk_of(request), session_of(request)
    wake_forsaken(desk)
    rows = queries.runs(desk.pool, session.user_id, limit, before)
    return page_response(request, {"runs": wire_all(rows)}, rows[-1]["run_id"] if len(rows) == limit else None)


@router.post("/api/research/runs", **api("Research", "research", answer="RunAsked"))
def post_run(request: Request, body: RunWish) -> Response:
    """Start a replay or backtest. It waits until the one before it has ended; it never trades."""
    raw = body.model_dump(by_alias=True)
    return json_response({"run_id": start(desk_of(request), session_of(request), raw)})


@router.get("/api/research/runs/{run_id}", **api("Research", "read", "research", answer="ResearchRun"))
def get_run(request: Request, run_id: RunId) -> Response:
    """One run: its wish, its progress, and once it is done its figures with the equity curve."""
    desk = desk_of(request)
    wake_forsaken(desk)
    return json_response(wire(run_row(desk, session_of(request), run_id)))


@router.post("/api/research/runs/{run_id}/cancel", **api("Research", "research", answer="ResearchRun"))
def post_cancel(request: Request, run_id: RunId) -> Response:
    """End a run that waits or goes; within two seconds it is cancelled."""
    desk, session = desk_of(request), session_of(request)
    cancel(desk, session, run_id)
    return json_response(wire(run_row(desk, session, run_id)))


@router.get("/api/research/runs/{run_id}/report", **api("Research", "read", "research", answer="ResearchReport"))
def get_report(request: Request, run_id: RunId) -> Response:
    """The whole report: every trade, every decision, the whole equity curve. As `recio backtest --json` writes it."""
    return report_answer(desk_of(request), session_of(request), run_id, "report.json")
