"""What every route shares: the installation, the database, the stream's hub, the templates."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from fastapi import Request
from jinja2 import Environment
from starlette.responses import HTMLResponse

from recio import release
from recio.contract import Contract
from recio.contract.settings import Settings
from recio.store import web_sessions
from recio.store.db import DatabaseGone
from recio.store.pool import Pool
from recio.web.hub import Hub
from recio.web.look_values import Look, looking, read_look
from recio.web.meter import Meter
from recio.web.sessions import Known, Session
from recio.web.static import Static
from recio.web.status import StatusBoard
from recio.web.switches import complete, in_force

__all__ = ["Desk", "desk_of", "local_place", "session_of"]


@dataclass
class Desk:
    """One running page."""

    settings: Settings
    contract: Contract
    pool: Pool
    hub: Hub
    status: StatusBoard
    static: Static
    templates: Environment
    clock: Callable[[], float] = time.time
    known: Known = field(default_factory=Known)
    tokens: Known = field(default_factory=Known)  # apart: a token sent as a cookie must find nothing
    meter: Meter = field(default_factory=Meter)

    def sessions_ended(self, user_id: str, *, only: bytes | None = None, but: bytes | None = None) -> None:
        """Sessions were deleted: of ``only`` this token, or all of the user's ``but`` one. Their streams end too."""
        self.known.forget()
        self.hub.end_sessions(user_id, only=only, but=but)

    def user_settings(self, user_id: str) -> dict[str, dict[str, Any]]:
        """Every setting as it is stored, its defaults filled in."""
        return complete(web_sessions.settings(self.pool, user_id))

    def shown_settings(self, user_id: str) -> dict[str, dict[str, Any]]:
        """Every setting as it holds now: a kill file overrules the stored switch."""
        return in_force(self.user_settings(user_id))

    def page(
        self, request: Request, name: str, context: Mapping[str, Any] | None = None, status: int = 200
    ) -> HTMLResponse:
        """A page of the desk; without a session, or without the database, the bare frame of it."""
        session: Session | None = request.scope.get("recio.session")
        if session is not None and session.stage != "full":
            session = None  # it may not do more than somebody without: no navigation, no stream
        shared: dict[str, Any] = {
            "session": session, "settings": self.settings, "release": release(), "path": request.url.path,
            "static": self.static.url, "now_ms": round(self.clock() * 1000), "switches": None, "wide": False,
            "look": Look(),
        }  # fmt: skip
        if session is not None:
            try:
                stored = web_sessions.settings(self.pool, session.user_id)
                shared["switches"], shared["look"] = in_force(complete(stored)), read_look(stored)
            except DatabaseGone:
                if name != "error.html":
                    raise
        with looking(shared["look"]):
            text = self.templates.get_template(f"pages/{name}").render(shared | dict(context or {}))
        return HTMLResponse(text, status)


def desk_of(request: Request) -> Desk:
    """The desk of a request."""
    return cast(Desk, request.app.state.desk)


def session_of(request: Request) -> Session:
    """The session the gate found; the gate lets nothing through to these routes without one."""
    session = request.scope.get("recio.session")
    if session is None:
        raise RuntimeError(f"{request.url.path} was reached without a session: the gate is not in front of it")
    return cast(Session, session)


def local_place(place: str) -> str:
    """A path of this desk to go to; anything else is the trade page."""
    return place if place.startswith("/") and not place.startswith(("//", "/\\")) and "\n" not in place else "/"
