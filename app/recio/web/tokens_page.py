"""Settings, API tokens: make one, see when each was used last, revoke one. A token's value is shown once, here."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Path, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import RedirectResponse, Response

from recio.store import api_access
from recio.web.bearer import new_token
from recio.web.desk import desk_of, session_of
from recio.web.errors import ApiError
from recio.web.login import check_login
from recio.web.routes import SCOPES
from recio.web.sessions import require_recent, token_hash

__all__ = ["chosen", "router"]

router = APIRouter(include_in_schema=False)
_DAYS = (7, 30, 90, 365)
_MOST = 50  # active ones
Text = Annotated[str, Form(max_length=1000)]


def chosen(name: str, scopes: list[str], days: str) -> tuple[str, list[str], int]:
    """What a form asks for, checked: name, scopes in their order, days. Raises ValueError with what to correct."""
    name = " ".join(name.split())
    if not 1 <= len(name) <= 60 or not name.isprintable():
        raise ValueError("the name needs 1 to 60 characters; write what the token is for")
    wrong = [scope for scope in scopes if scope not in SCOPES]
    if wrong or not scopes:
        raise ValueError(f"choose at least one of the scopes {', '.join(SCOPES)}")
    if days not in {str(day) for day in _DAYS}:
        raise ValueError(f"the days are {days!r}; take one of {', '.join(map(str, _DAYS))}")
    return name, [scope for scope in SCOPES if scope in scopes], int(days)


def _answer(request: Request, *, made: str = "", said: str = "", error: str = "", status: int = 200) -> Response:
    desk, session = desk_of(request), session_of(request)
    return desk.page(request, "tokens.html", {
        "tokens": api_access.tokens(desk.pool, session.user_id), "scopes": SCOPES, "days": _DAYS,
        "made": made, "said": said, "error": error, "url": desk.settings.url.rstrip("/"),
    }, status)  # fmt: skip


@router.get("/settings/tokens")
def tokens_page(request: Request, said: str = "") -> Response:
    """The tokens there are, and the form for another."""
    return _answer(request, said="The token is revoked: it opens nothing any more." if said == "revoked" else "")


@router.post("/settings/tokens")
async def create_token(request: Request) -> Response:
    """Make a token after the password was given; the answer is the only place where it is ever shown."""
    form = await request.form()
    fields = {name: str(form.get(name, ""))[:1000] for name in ("name", "days", "password")}
    scopes = [str(scope)[:20] for scope in form.getlist("scope")][:20]
    return await run_in_threadpool(_create, request, fields, scopes)


def _create(request: Request, fields: dict[str, str], scopes: list[str]) -> Response:
    desk, session = desk_of(request), session_of(request)
    require_recent(session)  # the second factor too, where there is one; the password below is asked every time
    address = request.client.host if request.client else ""
    try:
        name, scopes, days = chosen(fields["name"], scopes, fields["days"])
        if sum(row["state"] == "active" for row in api_access.tokens(desk.pool, session.user_id)) >= _MOST:
            raise ValueError(f"{_MOST} tokens are in force; revoke one first")
        check_login(desk.pool, session.login, fields["password"], address)
    except ValueError as error:
        return _answer(request, error=f"Not made: {error}.", status=422)
    except ApiError as error:
        why = "the password is wrong" if error.status == 401 else error.message
        return _answer(request, error=f"Not made: {why}.", status=error.status if error.status == 429 else 422)
    token = new_token()
    api_access.create_token(
        desk.pool, session.user_id, session.login, name, token_hash(token), token[-4:], scopes, days
    )
    return _answer(request, made=token)


@router.post("/settings/tokens/{token_id}/revoke")
def revoke_token(request: Request, token_id: Annotated[int, Path(ge=1, le=2**62)]) -> Response:
    """End a token at once; its streams end too."""
    desk, session = desk_of(request), session_of(request)
    gone = api_access.revoke_token(desk.pool, session.user_id, session.login, token_id)
    if gone is None:
        raise ApiError(
            404, "no_token", f"there is no token {token_id} in force", "reload the page: it may be revoked already"
        )
    desk.tokens.forget()
    desk.sessions_ended(session.user_id, only=bytes(gone["token_hash"]))
    return RedirectResponse("/settings/tokens?said=revoked", status_code=303)
