"""Settings, Security: the password, the second factor, recovery codes, sessions; and the pages that ask who you are."""

from __future__ import annotations

import io
import secrets
from typing import Annotated, Any
from urllib.parse import urlsplit

from fastapi import APIRouter, Form, Query, Request
from starlette.responses import RedirectResponse, Response

from recio.store import web_access
from recio.web import sessions
from recio.web.agent import agent_name
from recio.web.desk import Desk, desk_of, local_place, session_of
from recio.web.entrance import address_of, change_password, confirm, me, show_code
from recio.web.errors import ApiError
from recio.web.login import User, check_second
from recio.web.passwords import MAX_LENGTH, MIN_LENGTH
from recio.web.second_factor import code_hash, new_codes, secret_of, web_key
from recio.web.totp import address, matching_step, shown

__all__ = ["router"]

router = APIRouter(include_in_schema=False)
Text = Annotated[str, Form(max_length=1000)]
Code = Annotated[str, Form(max_length=100)]
After = Annotated[str, Query(alias="next", max_length=200)]
AfterForm = Annotated[str, Form(alias="next", max_length=200)]
_HERE = "/settings/security"


def _went(place: str, token: str | None = None) -> Response:
    response = RedirectResponse(place, status_code=303)
    if token is not None:
        sessions.set_cookie(response, token)
    return response


def _asked(request: Request, name: str, context: dict[str, Any], error: ApiError | None) -> Response:
    """A page with one form; after a refusal the same form with what was wrong."""
    shared = {"who": session_of(request), "error": error, "min_length": MIN_LENGTH, "max_length": MAX_LENGTH}
    page = desk_of(request).page(request, name, shared | context, error.status if error else 200)
    page.headers.update((error.headers if error else None) or {})
    return page


# ------------------------------------------------------------------ the second step of the log-in
@router.get("/login/code")
def code_page(request: Request, after: After = "/") -> Response:
    """The form for the second factor; someone logged in already goes on."""
    if session_of(request).stage != "code":
        return _went(local_place(after))
    return _asked(request, "login_code.html", {"next": local_place(after)}, None)


@router.post("/login/code")
def code_form(request: Request, code: Code = "", after: AfterForm = "/") -> Response:
    """The second factor; a wrong code shows the form again."""
    if session_of(request).stage != "code":
        return _went(local_place(after))
    try:
        token, _ = show_code(request, code)
    except ApiError as error:
        return _asked(request, "login_code.html", {"next": local_place(after)}, error)
    return _went(local_place(after), token)


# ------------------------------------------------------------------ the password
@router.get("/settings/password")
def password_page(request: Request) -> Response:
    """Choose a password: the only page there is while the password is the deploy's."""
    if session_of(request).stage == "full":
        return _went(f"{_HERE}#password")
    return _asked(request, "password.html", {}, None)


@router.post("/settings/password")
def password_form(request: Request, current: Text = "", new: Text = "", repeat: Text = "") -> Response:
    """Change the password; all other sessions end."""
    first = session_of(request).stage != "full"
    try:
        token = change_password(request, current, new, repeat)
    except ApiError as error:
        return _asked(request, "password.html", {}, error) if first else _shown(request, error=error)
    return _went("/" if first else f"{_HERE}?said=password", token)


# ------------------------------------------------------------------ who are you, again
@router.get("/settings/security/confirm")
def confirm_page(request: Request, after: After = _HERE) -> Response:
    """Ask for the password (and the code) before something that could cost much."""
    user = me(desk_of(request), session_of(request))
    return _asked(request, "confirm.html", {"next": local_place(after), "second": user["totp_salt"] is not None}, None)


@router.post("/settings/security/confirm")
def confirm_form(request: Request, password: Text = "", code: Code = "", after: AfterForm = _HERE) -> Response:
    """Shown: back to where it was asked for."""
    try:
        token = confirm(request, password, code)
    except ApiError as error:
        user = me(desk_of(request), session_of(request))
        context = {"next": local_place(after), "second": user["totp_salt"] is not None}
        return _asked(request, "confirm.html", context, error)
    return _went(local_place(after), token)


# ------------------------------------------------------------------ the page
def _picture(text: str) -> dict[str, Any]:
    """A QR code as one SVG path: its size in modules and the path; imported when first needed, it is not small."""
    import segno  # type: ignore[import-untyped,unused-ignore]

    code = segno.make(text, error="m", micro=False)
    out = io.BytesIO()
    code.save(out, kind="svg", border=4, svgclass=None, lineclass=None, omitsize=True, xmldecl=False, svgns=False)
    path = out.getvalue().decode().partition(' d="')[2].partition('"')[0]
    return {"size": code.symbol_size(border=4)[0], "path": path}


def _enrolment(desk: Desk, session: sessions.Session, user: web_access.Row) -> dict[str, Any] | None:
    """What the authenticator app needs, while a second factor is being set up by somebody who just showed who it is."""
    if user["totp_pending"] is None or not sessions.is_recent(session):
        return None
    secret = secret_of(web_key(desk.settings), session.user_id, bytes(user["totp_pending"]))
    uri = address(secret, session.login, urlsplit(desk.settings.url).hostname or "desk")
    return {"secret": shown(secret), "picture": _picture(uri), "uri": uri}


def _shown(
    request: Request, *, said: str = "", error: ApiError | None = None, codes: list[str] | None = None, enrol: bool = False
) -> Response:  # fmt: skip
    desk, session = desk_of(request), session_of(request)
    user = me(desk, session)
    found = web_access.sessions(desk.pool, session.user_id, sessions.IDLE_HOURS, session.token_hash)
    context = {
        "user": user, "said": said, "error": error, "codes": codes, "enrol": _enrolment(desk, session, user) if enrol else None,
        "sessions": [row | {"agent": agent_name(row["user_agent"])} for row in found], "has_key": web_key(desk.settings) is not None,
        "recent": sessions.is_recent(session), "min_length": MIN_LENGTH, "max_length": MAX_LENGTH,
        "idle_hours": sessions.IDLE_HOURS, "absolute_days": sessions.ABSOLUTE_HOURS // 24,
    }  # fmt: skip
    page = desk.page(request, "security.html", context, error.status if error else 200)
    page.headers.update((error.headers if error else None) or {})
    return page


@router.get("/settings/security")
def security_page(
    request: Request, said: Annotated[str, Query(max_length=20)] = "", enrol: Annotated[str, Query(max_length=4)] = ""
) -> Response:  # fmt: skip
    """Password, second factor, recovery codes, sessions."""
    return _shown(request, said=said, enrol=bool(enrol))


@router.post("/settings/security/totp")
def begin_totp(request: Request) -> Response:
    """Make a secret to be shown; it holds once a code made with it comes back."""
    desk, session = desk_of(request), session_of(request)
    user = me(desk, session)
    sessions.require_recent(session)
    if user["totp_salt"] is not None:
        raise ApiError(409, "totp_on", "there is a second factor already", "turn it off first to set up another one")
    salt = secrets.token_bytes(16)
    secret_of(web_key(desk.settings), session.user_id, salt)
    web_access.begin_totp(desk.pool, session.user_id, salt)
    return _went(f"{_HERE}?enrol=1#second-factor")


@router.post("/settings/security/totp/confirm")
def turn_on_totp(request: Request, code: Code = "") -> Response:
    """The first code proves that the app has the secret; the recovery codes are shown, once."""
    desk, session = desk_of(request), session_of(request)
    sessions.require_recent(session)
    user = me(desk, session)
    if user["totp_pending"] is None or user["totp_salt"] is not None:
        raise ApiError(409, "no_enrolment", "no second factor is being set up", "begin at /settings/security")
    step = _pending_step(desk, session.user_id, bytes(user["totp_pending"]), code)
    if step is None:
        wrong = ApiError(
            422, "wrong_code", "that code does not belong to this secret and time",
            "check that the phone's clock is right and give the code it shows now",
        )  # fmt: skip
        return _shown(request, error=wrong, enrol=True)
    codes = new_codes()
    web_access.turn_on_totp(desk.pool, session.user_id, step, [code_hash(one) for one in codes])
    web_access.end_other_sessions(desk.pool, session.user_id, session.token_hash)
    desk.sessions_ended(session.user_id, but=session.token_hash)
    return _shown(request, said="totp_on", codes=codes)


def _pending_step(desk: Desk, user_id: str, salt: bytes, code: str) -> int | None:
    secret = secret_of(web_key(desk.settings), user_id, salt)
    return matching_step(secret, "".join(code.split()), desk.clock())


@router.post("/settings/security/totp/off")
def turn_off_totp(request: Request, password: Text = "", code: Code = "") -> Response:
    """No second factor any more: needs the password and a code, whatever was shown before."""
    desk, session = desk_of(request), session_of(request)
    if me(desk, session)["totp_salt"] is None:
        return _went(_HERE)
    try:
        token = confirm(request, password, code)
    except ApiError as error:
        return _shown(request, error=error)
    web_access.turn_off_totp(desk.pool, session.user_id)
    return _went(f"{_HERE}?said=totp_off", token)


@router.post("/settings/security/codes")
def recovery_codes(request: Request, code: Code = "") -> Response:
    """New recovery codes in place of the old, shown once: needs recent proof and a code."""
    desk, session = desk_of(request), session_of(request)
    sessions.require_recent(session)
    row = me(desk, session)
    if row["totp_salt"] is None:
        return _went(_HERE)
    try:
        user = User(row["user_id"], row["login"], bytes(row["totp_salt"]), row["must_change"])
        check_second(desk.pool, user, code, address_of(request), web_key(desk.settings), desk.clock())
    except ApiError as error:
        return _shown(request, error=error)
    codes = new_codes()
    web_access.new_recovery_codes(desk.pool, session.user_id, [code_hash(one) for one in codes])
    return _shown(request, said="codes", codes=codes)


# ------------------------------------------------------------------ sessions
@router.post("/settings/security/sessions")
def end_one(request: Request, session_id: Annotated[str, Form(pattern=r"^[0-9a-f]{16}$")]) -> Response:
    """End one session; one's own is a log-out."""
    desk, session = desk_of(request), session_of(request)
    if not session.token_hash.hex().startswith(session_id):
        sessions.require_recent(session)
    ended = web_access.end_session(desk.pool, session.user_id, session_id)
    if ended is not None:
        desk.sessions_ended(session.user_id, only=ended)
    return _went("/login" if ended == session.token_hash else f"{_HERE}?said=ended#sessions")


@router.post("/settings/security/sessions/others")
def end_others(request: Request) -> Response:
    """End every session but this one."""
    desk, session = desk_of(request), session_of(request)
    sessions.require_recent(session)
    web_access.end_other_sessions(desk.pool, session.user_id, session.token_hash)
    desk.sessions_ended(session.user_id, but=session.token_hash)
    return _went(f"{_HERE}?said=ended_all#sessions")
