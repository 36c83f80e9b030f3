"""Research: what there is to run on, what the calibrations say of each strategy, and how a replay or backtest is started."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from recio.store.research_queries import stored_history, verdicts
from recio.trading.strategies import STRATEGIES
from recio.web.desk import desk_of

__all__ = ["router"]

router = APIRouter(include_in_schema=False)


@router.get("/research")
def research_page(request: Request) -> Response:
    """Read only: runs are started with the operator's command, in a process of their own."""
    desk = desk_of(request)
    found = verdicts(desk.pool, desk.settings.mode, list(STRATEGIES))
    rows = [row | {"about": STRATEGIES[row["strategy"]].about} for row in found]
    return desk.page(request, "research.html", {"history": stored_history(desk.pool), "verdicts": rows})
