"""Notifications: where the user is told, what of, when not; a test whose real answer is shown. Addresses are never shown again."""

from __future__ import annotations

import logging
import os
import secrets
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from fastapi import APIRouter, Form, Query, Request
from starlette.responses import RedirectResponse, Response

from recio.notify.address import AddressError, parse
from recio.notify.events import EVENTS
from recio.store import notify_queries as queries
from recio.web.desk import desk_of, session_of

__all__ = ["router"]

log = logging.getLogger("recio.web")
router = APIRouter(include_in_schema=False)
TargetId = Annotated[int, Form(ge=1, le=2**62)]
Time = Annotated[str, Form(max_length=5, pattern=r"^$|^([01]\d|2[0-3]):[0-5]\d$")]


def _page(request: Request, *, said: str = "", error: str | None = None, status: int = 200) -> Response:
    desk, session = desk_of(request), session_of(request)
    return desk.page(request, "settings_notifications.html", {
        "targets": queries.targets(desk.pool, session.user_id), "outbox": queries.outbox(desk.pool, session.user_id),
        "events": EVENTS, "said": said, "error": error,
    }, status)  # fmt: skip


@router.get("/settings/notifications")
def notifications_page(request: Request, said: Annotated[str, Query(max_length=20)] = "") -> Response:
    """Targets and the newest messages with what became of them."""
    return _page(request, said=said)


@router.post("/settings/notifications")
def add(
    request: Request, name: Annotated[str, Form(max_length=60)] = "", address: Annotated[str, Form(max_length=1000)] = "",
    events: Annotated[list[str] | None, Form(max_length=20)] = None, quiet_from: Time = "", quiet_to: Time = "",
    zone: Annotated[str, Form(max_length=64)] = "UTC",
) -> Response:  # fmt: skip
    """A new target; its address is checked, stored, and not shown again."""
    desk, session = desk_of(request), session_of(request)
    wrong = ""
    chosen = [event for event in EVENTS if event in (events or ())]
    to = None
    try:
        to = parse(address)
        ZoneInfo(zone)
    except AddressError as error:
        wrong = str(error)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        wrong = f"there is no time zone {zone!r}; write it as Europe/Berlin or America/New_York"
    if to is not None and to.kind == "heartbeat":  # a sign of life, at any hour, and nothing else
        chosen, quiet_from, quiet_to = [queries.ALIVE], "", ""
    if not name.strip():
        wrong = "give it a name, so that you can tell targets apart"
    elif not chosen:
        wrong = "choose at least one thing to be told about"
    elif bool(quiet_from) != bool(quiet_to):
        wrong = "quiet hours need both times, or none"
    if wrong or to is None:
        return _page(request, error=f"Not added: {wrong}.", status=422)
    # To the table a heartbeat is a web address; its event says what it gets.
    kind = "webhook" if to.kind == "heartbeat" else to.kind
    minutes = [int(t[:2]) * 60 + int(t[3:]) if t else None for t in (quiet_from, quiet_to)]
    queries.add_target(desk.pool, session.user_id, session.login, {
        "name": name.strip(), "kind": kind, "address": address.strip(), "hint": to.hint, "events": chosen,
        "quiet_from": minutes[0], "quiet_to": minutes[1], "zone": zone,
    })  # fmt: skip
    return RedirectResponse("/settings/notifications?said=added", status_code=303)


@router.post("/settings/notifications/remove")
def remove(request: Request, target_id: TargetId) -> Response:
    """Take a target away; its address is forgotten."""
    desk, session = desk_of(request), session_of(request)
    queries.remove_target(desk.pool, session.user_id, session.login, target_id)
    return RedirectResponse("/settings/notifications?said=removed", status_code=303)


@router.post("/settings/notifications/test")
def test(request: Request, target_id: TargetId) -> Response:
    """Send a test now; the page shows what the other side answered."""
    desk, session = desk_of(request), session_of(request)
    queries.ask_test(desk.pool, session.user_id, session.login, target_id, f"test {secrets.token_hex(6)}")
    _wake()
    return RedirectResponse("/settings/notifications?said=test#outbox", status_code=303)


def _wake() -> None:
    """Have the deliverer started now; where that fails its timer comes within half a minute."""
    folder = os.environ.get("RUNTIME_DIRECTORY", "")
    if not folder:
        return
    try:
        (Path(folder.partition(":")[0]) / "notify.trigger").touch()
    except OSError as failure:
        log.warning("the deliverer of notifications could not be woken: %s", failure)
