"""The System page: the machine against its contract, what went wrong, what can be done about it."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import FileResponse, Response

from recio.monitoring.bundles import bundle_path
from recio.monitoring.growth import database_growth
from recio.monitoring.releases import kept, refusal
from recio.store import requests
from recio.store import system_queries as queries
from recio.store.growth import size_history
from recio.store.schema import expected_revision
from recio.web import system_view as view
from recio.web.desk import desk_of, session_of
from recio.web.errors import ApiError
from recio.web.sessions import is_recent

__all__ = ["router"]

router = APIRouter()


@router.get("/system", include_in_schema=False)
def system_page(request: Request, asked: Annotated[int, Query(ge=0, le=2**62)] = 0) -> Response:
    """The verdict, the twelve against their contract, the host, database, backups, releases, incidents."""
    desk = desk_of(request)
    pool, contract, now_s = desk.pool, desk.contract, desk.clock()
    status, machine = desk.status.get(), queries.machine(pool, desk.settings.mode)
    open_incidents, past = queries.open_incidents(pool), queries.past_incidents(pool)
    readings, releases = queries.readings(pool), kept()
    schema = expected_revision()
    return desk.page(request, "system.html", {
        "status": status, "contract": contract, "machine": machine, "asked": asked,
        "verdict": view.verdict(status, open_incidents, machine, now_s),
        "tiers": view.tiers(status, contract), "beats": view.beats(queries.beats(pool), list(contract.services)),
        "gauges": view.gauges(machine, contract, queries.host_history(pool)), "feeds": queries.feeds(pool, desk.settings.mode),
        "open_incidents": open_incidents, "past_incidents": past, "readings": readings,
        "directories": view.directories(readings, contract), "bandwidth": view.bandwidth(readings, contract),
        "out": view.out_of_contract(readings), "details": queries.database_details(pool),
        "growth": database_growth(size_history(pool), contract), "upkeep": view.upkeep(machine, contract, now_s),
        "backups": view.backups(contract, now_s), "requests": requests.newest(pool, 8),
        "releases": [(release, refusal(releases, release.name, schema)) for release in releases], "schema": schema,
        "recent": is_recent(session_of(request)),
        "started": view.started(list(contract.services), now_s),
    })  # fmt: skip


@router.get("/system/diagnostics/{name}", include_in_schema=False)
def diagnostics_file(name: str) -> Response:
    """A diagnostics archive made by the request of that kind."""
    path = bundle_path(name)
    if path is None:
        raise ApiError(
            404, "not_found", "there is no such archive (the last three are kept)", "make a new one on the System page"
        )
    return FileResponse(path, media_type="application/gzip", filename=name)
