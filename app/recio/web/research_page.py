"""Research: start a replay or backtest, watch it, open its report, lay runs side by side. The worker runs them, never this process.

the form (from a strategy's defaults, a monitor's settings, or a run that was) -> a run that waits -> its page -> compared
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import RedirectResponse, Response

from recio.monitoring.reports import FILES
from recio.store import research_runs as queries
from recio.store import rules
from recio.store.research_queries import stored_history, verdicts
from recio.trading import catalog
from recio.trading.monitor import changed, settings_of, to_builtins
from recio.trading.settings import SettingError
from recio.trading.strategies import STRATEGIES
from recio.trading.wish import MAX_DAYS, MIN_DAYS
from recio.web import research_view as view
from recio.web.api_research import RunId, cancel, report_answer, run_row, start, wake_forsaken
from recio.web.desk import Desk, desk_of, session_of
from recio.web.errors import ApiError
from recio.web.settings_page import last_values

__all__ = ["router"]

router = APIRouter(include_in_schema=False)
_SHOWN = 20
_PLAIN = ("kind", "source", "days", "from", "to", "train_days", "seed")
Before = Annotated[int | None, Query(ge=1, le=2**62)]
From = Annotated[str, Query(max_length=60, pattern=r"^((strategy|monitor|run):[a-z0-9_-]{1,40})?$")]
File = Literal["report.html", "report.json", "trades.csv", "decisions.csv", "hours.csv", "equity.csv"]


def _runs(request: Request, before: int | None = None) -> dict[str, Any]:
    desk, session = desk_of(request), session_of(request)
    wake_forsaken(desk)
    rows = [view.shown_run(row) for row in queries.runs(desk.pool, session.user_id, _SHOWN, before)]
    return {"runs": rows, "open": any(row["open"] for row in rows), "before": before,
            "next": rows[-1]["run_id"] if len(rows) == _SHOWN else None}  # fmt: skip


def _source(desk: Desk, user_id: str, name: str) -> tuple[str, dict[str, Any], dict[str, str]]:
    """Strategy, settings and the plain fields that a form starts from. Raises ApiError 404."""
    kind, _, key = name.partition(":")
    if kind == "run" and key.isdigit():
        row = queries.run_of(desk.pool, user_id, min(int(key), 2**62))
        if row is not None and row["wish"]["strategy"] in STRATEGIES:
            return row["wish"]["strategy"], row["wish"]["settings"], _plain(row["wish"])
    if kind == "monitor":
        row = rules.monitor_row(desk.pool, user_id, key)
        if row is not None and row["strategy"] in STRATEGIES:
            return row["strategy"], row["settings"], {}
    if kind == "strategy" and key in STRATEGIES:
        return key, {}, {}
    if name:
        raise ApiError(404, "not_found", f"there is no {name!r} to start from", "the Research page lists what there is")
    return "quarter_hour", {}, {}


def _plain(wish: dict[str, Any]) -> dict[str, str]:
    found = {
        "kind": wish["kind"],
        "source": wish["source"],
        "seed": str(wish["seed"]),
        "train_days": f"{wish['train_days']:g}",
    }
    if wish["days"] is not None:
        found["days"] = f"{wish['days']:g}"
    for field, key in (("from", "from_s"), ("to", "to_s")):
        if wish[key] is not None:
            found[field] = view.minute(wish[key])
    return found


def _page(
    request: Request, *, from_: str = "", typed: dict[str, str] | None = None, error: str | None = None, status: int = 200,
    asked: int = 0, before: int | None = None,
) -> Response:  # fmt: skip
    desk, session = desk_of(request), session_of(request)
    strategy, settings, plain = _source(desk, session.user_id, from_)
    try:
        values = to_builtins(settings_of(strategy, changed(settings_of(strategy, None), settings)))
    except SettingError as broken:
        values, error = to_builtins(settings_of(strategy, None)), error or f"{from_} cannot be read: {broken}"
    history = stored_history(desk.pool)
    found = verdicts(desk.pool, desk.settings.mode, list(STRATEGIES))
    defaults = {
        "kind": "backtest",
        "source": "simulated",
        "days": "7",
        "train_days": "0",
        "seed": "1",
        "from": "",
        "to": "",
    }
    if history["last_at"] is not None:
        end_s = history["last_at"].timestamp()
        first_s = max(history["first_at"].timestamp(), end_s - 7 * 86_400)
        defaults |= {"from": view.minute(first_s + 59), "to": view.minute(end_s)}
    monitors = [row for row in rules.monitor_rows(desk.pool, session.user_id) if row["strategy"] in STRATEGIES]
    return desk.page(request, "research.html", _runs(request, before) | {
        "history": history, "verdicts": [row | {"about": STRATEGIES[row["strategy"]].about} for row in found],
        "strategies": list(STRATEGIES), "monitors": monitors, "strategy": strategy, "chosen": from_ or f"strategy:{strategy}",
        "fields": catalog.described(catalog.MONITOR, values, STRATEGIES[strategy].settings), "typed": typed or {},
        "plain": defaults | plain | {k: v for k, v in (typed or {}).items() if k in _PLAIN}, "error": error, "asked": asked,
        "min_days": MIN_DAYS, "max_days": MAX_DAYS, "most": queries.MAX_OPEN,
    }, status)  # fmt: skip


@router.get("/research")
def research_page(
    request: Request, start_from: From = "", asked: Annotated[int, Query(ge=0, le=2**62)] = 0, before: Before = None
) -> Response:
    """What there is to run on, a form to start from, the runs with their progress, and whether an edge has been shown."""
    return _page(request, from_=start_from, asked=asked, before=before)


@router.get("/research/runs")
def runs_part(request: Request) -> Response:
    """The list of runs alone, for the page that refreshes it while one goes."""
    return desk_of(request).page(request, "research_runs.html", _runs(request) | {"asked": 0})


@router.post("/research/runs")
async def start_form(request: Request) -> Response:
    """Start a run from the form; back to the page, which shows its progress."""
    form = last_values(await request.form())

    def work() -> Response:
        desk, session = desk_of(request), session_of(request)
        strategy = form.get("strategy", "")
        try:
            raw = _wish(form, strategy)
            run_id = start(desk, session, raw)
        except (SettingError, ValueError) as wrong:
            return _page(request, from_=_known(strategy), typed=form, error=f"Not started: {wrong}.", status=422)
        except ApiError as wrong:
            if wrong.status not in (409, 422):
                raise
            said = f"Not started: {wrong.message}; {wrong.cure}."
            return _page(request, from_=_known(strategy), typed=form, error=said, status=wrong.status)
        return RedirectResponse(f"/research?asked={run_id}#runs", status_code=303)

    return await run_in_threadpool(work)


def _known(strategy: str) -> str:
    return f"strategy:{strategy}" if strategy in STRATEGIES else ""


def _wish(form: dict[str, str], strategy: str) -> dict[str, Any]:
    """The form as a wish: what belongs to the other source is left away. SettingError or ValueError says what is wrong."""
    raw: dict[str, Any] = {"kind": form.get("kind", ""), "source": form.get("source", ""), "strategy": strategy}
    raw["settings"] = catalog.read_form(catalog.MONITOR, form)
    raw["seed"] = _number(form, "seed", whole=True)
    if raw["source"] == "history":
        return raw | {"from": form.get("from"), "to": form.get("to"), "train_days": _number(form, "train_days")}
    return raw | {"days": _number(form, "days")}


def _number(form: dict[str, str], field: str, whole: bool = False) -> float | int:
    text = form.get(field, "").strip()
    try:
        return int(text) if whole else float(text)
    except ValueError:
        raise ValueError(
            f"{field.replace('_', ' ')} {text[:40]!r} is not a {'whole ' if whole else ''}number"
        ) from None


@router.get("/research/runs/{run_id}")
def run_page(request: Request, run_id: RunId) -> Response:
    """One run: what was asked for, how far it is, what it gave."""
    desk, session = desk_of(request), session_of(request)
    wake_forsaken(desk)
    row = view.shown_run(run_row(desk, session, run_id))
    summary = row["summary"]
    return desk.page(request, "research_run.html", {
        "r": row, "figures": view.figures(summary) if summary else None, "sampled": view.sampled(summary) if summary else [],
        "changed": view.differing(row["wish"]), "files": list(FILES), "known": row["wish"].get("strategy") in STRATEGIES,
    })  # fmt: skip


@router.post("/research/runs/{run_id}/cancel")
def cancel_form(request: Request, run_id: RunId) -> Response:
    """End it; back to the list."""
    cancel(desk_of(request), session_of(request), run_id)
    return RedirectResponse(f"/research?asked={run_id}#runs", status_code=303)


@router.get("/research/runs/{run_id}/download/{file}")
def run_file(request: Request, run_id: RunId, file: File) -> Response:
    """A file of its report: the page to look at, the rest to keep."""
    return report_answer(desk_of(request), session_of(request), run_id, file, as_page=file == "report.html")


@router.get("/research/compare")
def compare_page(request: Request, run: Annotated[list[int], Query(max_length=8)] = []) -> Response:  # noqa: B006 - FastAPI copies it
    """Two to four finished runs side by side: figures, what was set differently, their curves."""
    desk, session = desk_of(request), session_of(request)
    wanted = list(dict.fromkeys(n for n in run if 1 <= n <= 2**62))
    if not 2 <= len(wanted) <= len(view.LETTERS):
        said = f"{len(wanted)} runs were chosen; two to {len(view.LETTERS)} can be laid side by side"
        return _page(request, error=f"Nothing to compare: {said}.", status=422)
    rows = [view.shown_run(run_row(desk, session, n)) for n in wanted]
    unfinished = [row["run_id"] for row in rows if row["summary"] is None]
    if unfinished:
        said = (
            f"run {unfinished[0]} has no result: {next(r['state_words'] for r in rows if r['run_id'] == unfinished[0])}"
        )
        return _page(request, error=f"Nothing to compare: {said}.", status=422)
    return desk.page(request, "research_compare.html", {
        "rows": list(zip(view.LETTERS, rows, strict=False)), "compared": view.compared(rows),
        "sampled": [view.sampled(row["summary"]) for row in rows],
    })  # fmt: skip
