"""The mode by HTTP and by form: which is in force, what another needs and what is missing now, and asking root to go there."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from recio.contract.settings import SUPPORTED, Mode
from recio.monitoring import modes
from recio.store import mode_queries
from recio.store import requests as queries
from recio.trading import mode_switch
from recio.trading.mode_switch import Facts, Missing
from recio.web import requests
from recio.web.desk import Desk, desk_of, session_of
from recio.web.entrance import address_of, me
from recio.web.errors import ApiError
from recio.web.exchange_keys import known_keys
from recio.web.login import User, check_second
from recio.web.routes import api
from recio.web.second_factor import web_key
from recio.web.sessions import is_recent, require_recent
from recio.web.wire import json_response

__all__ = ["ask_to_switch", "described", "router"]

router = APIRouter()


class Wanted(BaseModel):
    """The mode to go to. Only live asks for a code of the second factor and the word."""

    model_config = ConfigDict(extra="forbid")
    mode: Mode
    code: Annotated[str, Field(max_length=100)] = ""
    word: Annotated[str, Field(max_length=20)] = ""


def described(desk: Desk, user_id: str) -> list[dict[str, Any]]:
    """Every mode in words, with what keeps the desk from going there now; nothing is missing where it may be asked for."""
    known, work = _facts(desk, user_id), {key["mode"]: key["ending"] for key in known_keys(desk)}
    return [
        {
            "name": name, "in_force": name == desk.settings.mode, "can": name in SUPPORTED, "what": about.what,
            "money": about.money, "needs": about.needs, "lacks": about.lacks, "key": work.get(name),
            "missing": [] if name == desk.settings.mode else mode_switch.missing(name, known(name)),
        }
        for name, about in mode_switch.MODES.items()
    ]  # fmt: skip


def _facts(desk: Desk, user_id: str) -> Any:
    """What the page knows of a switch, as a function of the wanted mode; the database is asked once."""
    present = desk.settings.mode
    trades = mode_queries.unfinished(desk.pool, user_id, present)
    orders = mode_queries.in_doubt(desk.pool, user_id, present)
    have = {key["mode"]: key["ending"] is not None for key in known_keys(desk)}
    waiting = [row["kind"] for row in queries.newest(desk.pool, 10) if row["state"] in ("new", "running")]
    at_work = (
        "a deploy" if modes.deploy_under_way() else f"the request {waiting[0].replace('_', ' ')}" if waiting else ""
    )
    return lambda wanted: Facts(present, modes.installed(), have.get(wanted, False), trades, orders, at_work)


def ask_to_switch(request: Request, wanted: Mode, code: str = "", word: str = "") -> int:
    """Ask root to go to a mode; gives the request's number. ApiError: not proven lately who asks, or what is missing."""
    desk, session = desk_of(request), session_of(request)
    require_recent(session)
    if wanted == "live":
        _refuse((mode_switch.live_gate(is_recent(session), _code_taken(request, code), word.strip()),))
    _refuse(mode_switch.missing(wanted, _facts(desk, session.user_id)(wanted)))
    return requests.ask(request, "mode", {"mode": wanted})


def _code_taken(request: Request, code: str) -> bool | None:
    """Whether the second factor's code is right, which uses it up; None where none was given or there is no second factor."""
    desk, session = desk_of(request), session_of(request)
    user = me(desk, session)
    if not code.strip() or user["totp_salt"] is None:
        return None
    asking = User(session.user_id, session.login, bytes(user["totp_salt"]), user["must_change"])
    check_second(desk.pool, asking, code, address_of(request), web_key(desk.settings), desk.clock())
    return True  # a wrong one was refused, and counted


def _refuse(found: tuple[Missing, ...]) -> None:
    if found:
        first = found[0]
        raise ApiError(409, f"mode_{first.code}", f"the mode stays as it is: {mode_switch.said(found)}", first.cure)


@router.get("/api/mode", **api("Settings", "read", answer="ModeNow"))
def get_mode(request: Request) -> Response:
    """The mode in force, who chose it, and of every mode what it is and what keeps the desk from going there now."""
    desk, session = desk_of(request), session_of(request)
    chosen = modes.choice()
    return json_response({
        "mode": desk.settings.mode,
        "chosen_by": chosen.by if chosen else None, "chosen_at_ms": round(chosen.at_s * 1000) if chosen else None,
        "modes": [
            {"mode": one["name"], "in_force": one["in_force"], "can": one["can"], "money": one["money"], "needs": one["needs"],
             "missing": [{"code": m.code, "detail": m.detail, "cure": m.cure} for m in one["missing"]]}
            for one in described(desk, session.user_id)
        ],
    })  # fmt: skip


@router.put("/api/mode", **api("Settings", answer="RequestAsked"))
def put_mode(request: Request, body: Wanted) -> Response:
    """Go to another mode: everything stops, starts in it and proves itself, or comes back as it was. Follow the request."""
    return json_response({"request_id": ask_to_switch(request, body.mode, body.code, body.word)})
