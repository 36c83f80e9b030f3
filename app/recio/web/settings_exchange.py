"""Exchange and mode: which exchange this desk trades on, whether its signature counts there, its keys, what each mode asks for."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Query, Request
from starlette.responses import RedirectResponse, Response

from recio.contract.settings import Mode
from recio.monitoring import modes
from recio.monitoring.requests import OWN_PAGE
from recio.store import mode_queries, requests
from recio.web.desk import desk_of, session_of
from recio.web.errors import ApiError
from recio.web.exchange_keys import ask_to_remove, ask_to_set, known_keys, open_now
from recio.web.mode import ask_to_switch, described
from recio.web.sessions import is_recent

__all__ = ["WORD", "router"]

WORD = "REMOVE"

router = APIRouter(include_in_schema=False)


@router.get("/settings/exchange")
def exchange_page(request: Request, asked: Annotated[int | None, Query(ge=1, le=2**62)] = None) -> Response:
    """The mode, the keys, the last signed call, and what keeps either from being changed; ``asked`` is a request to look at."""
    return _page(request, asked=asked)


def _page(
    request: Request, *, asked: int | None = None, error: ApiError | None = None, key_id: str = "", mode: str = ""
) -> Response:
    desk, session = desk_of(request), session_of(request)
    used = desk.settings.mode
    rows = [row for row in requests.newest(desk.pool, 40) if row["kind"] in OWN_PAGE][:3]
    return desk.page(request, "settings_exchange.html", {
        "modes": described(desk, session.user_id), "choice": modes.choice(),
        "keys": known_keys(desk), "signed": mode_queries.signed(desk.pool, used), "asked": asked, "requests": rows,
        "open": mode_queries.unfinished(desk.pool, session.user_id, used), "why_not": open_now(desk, session.user_id),
        "recent": is_recent(session), "error": error, "key_id": key_id, "chosen": mode or used,
    }, error.status if error else 200)  # fmt: skip


@router.post("/settings/exchange/key")
def set_key(
    request: Request, mode: Annotated[str, Form(max_length=20)] = "", key_id: Annotated[str, Form(max_length=200)] = "",
    private_key: Annotated[str, Form(max_length=20_000)] = "",
) -> Response:  # fmt: skip
    """Give a key by the form; a refusal shows the form again, without the private part."""
    try:
        number = ask_to_set(request, mode, key_id, private_key)
    except ApiError as error:
        if error.code == "reauth_required":
            raise
        return _page(request, error=error, key_id=key_id, mode=mode)
    return RedirectResponse(f"/settings/exchange?asked={number}#asked", status_code=303)


@router.post("/settings/exchange/key/remove")
def remove_key(
    request: Request, mode: Annotated[str, Form(max_length=20)] = "", word: Annotated[str, Form(max_length=20)] = ""
) -> Response:
    """Remove a key by the form, behind the typed word."""
    try:
        if word.strip() != WORD:
            raise ApiError(
                422, "invalid_word", f"nothing was removed: the word {WORD} was not typed", "type it to remove the key"
            )
        number = ask_to_remove(request, mode)
    except ApiError as error:
        if error.code == "reauth_required":
            raise
        return _page(request, error=error)
    return RedirectResponse(f"/settings/exchange?asked={number}#asked", status_code=303)


@router.post("/settings/exchange/mode")
def switch_mode(
    request: Request, mode: Annotated[Mode, Form()], code: Annotated[str, Form(max_length=100)] = "",
    word: Annotated[str, Form(max_length=20)] = "",
) -> Response:  # fmt: skip
    """Go to another mode by the form; a refusal shows the page again with what is missing."""
    try:
        number = ask_to_switch(request, mode, code, word)
    except ApiError as error:
        if error.code == "reauth_required":
            raise
        return _page(request, error=error)
    return RedirectResponse(f"/settings/exchange?asked={number}#asked", status_code=303)
