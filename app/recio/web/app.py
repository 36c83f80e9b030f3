"""The application: every part put together, the gate in front of all of it."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import anyio.to_thread
from fastapi import FastAPI
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from recio import release
from recio.contract import Contract
from recio.contract.settings import Settings
from recio.store.db import dsn_from_environment
from recio.store.pool import Pool
from recio.web import (
    account_page,
    api_access,
    api_account,
    api_cancel,
    api_close_all,
    api_docs,
    api_ledger,
    api_market,
    api_monitors,
    api_research,
    api_trades,
    audit_page,
    errors,
    history,
    logs,
    look,
    metrics,
    pages,
    readiness,
    requests,
    security_page,
    settings_routes,
    static,
    stream,
    system,
    tokens_page,
)
from recio.web.desk import Desk
from recio.web.gate import Gate
from recio.web.hub import Hub
from recio.web.snapshots import Snapshots
from recio.web.status import StatusBoard
from recio.web.view import FILTERS

__all__ = ["create_app"]

_THREADS = 6  # for database calls; the pool has four connections


def create_app(
    settings: Settings, contract: Contract, pool: Pool, clock: Callable[[], float] = time.time, dsn: str | None = None
) -> FastAPI:
    """The desk's page and API. The stream's thread starts and ends with the application."""
    status = StatusBoard(contract, settings.mode)
    hub = Hub(dsn or dsn_from_environment(), Snapshots(settings.user_id, settings.mode, settings.series, status, clock))
    folder = static.templates_folder()
    templates = Environment(
        loader=FileSystemLoader(folder),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.filters.update(FILTERS)
    desk = Desk(settings, contract, pool, hub, status, static.Static(folder / "static"), templates, clock)

    @asynccontextmanager
    async def life(_app: FastAPI) -> AsyncIterator[None]:
        anyio.to_thread.current_default_thread_limiter().total_tokens = _THREADS
        hub.start()
        try:
            yield
        finally:
            hub.stop()
            hub.join()
            pool.close()

    app = FastAPI(
        title="REC.IO desk",
        version=release(),
        openapi_url=None,  # web/api_docs.py answers it
        docs_url=None,
        redoc_url=None,
        lifespan=life,
    )
    app.state.desk = desk
    errors.install(app)
    app.add_middleware(
        Gate,
        pool=pool,
        known=desk.known,
        own_url=settings.url,
        on_error=errors.answer,
        tokens=desk.tokens,
        meter=desk.meter,
    )
    for part in (
        static, look, readiness, api_docs, api_access, security_page, audit_page, api_account, api_ledger, api_market, api_monitors,
        api_cancel, api_research, api_trades, api_close_all, stream, metrics, requests, logs, system, history, account_page, tokens_page,
        settings_routes, pages,
    ):  # fmt: skip
        app.include_router(part.router)

    return app
