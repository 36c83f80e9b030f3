"""Coming in and proving it: log-in in one step or two, log-out, proof of identity, a new password."""

from __future__ import annotations

from fastapi import Request

from recio.store import web_access
from recio.web import sessions
from recio.web.desk import Desk, desk_of, session_of
from recio.web.errors import ApiError
from recio.web.login import User, check_login, check_second
from recio.web.passwords import hash_password
from recio.web.second_factor import web_key
from recio.web.weak import refuse_weak

__all__ = ["address_of", "change_password", "confirm", "log_in", "log_out", "me", "own_words", "show_code"]


def address_of(request: Request) -> str:
    """Where a request comes from, as the proxy on this machine says; '' when nobody does."""
    return request.client.host if request.client else ""


def me(desk: Desk, session: sessions.Session) -> web_access.Row:
    """The session's user as stored; ApiError 401 when the user is gone."""
    found = web_access.user(desk.pool, session.user_id)
    if found is None:
        raise ApiError(401, "not_logged_in", "this session's user is gone", "log in again")
    return found


def _opened(request: Request, user: User, *, awaiting_code: bool = False) -> tuple[str, sessions.Session]:
    desk = desk_of(request)
    old = sessions.cookie_token(request.headers.get("cookie", ""))
    agent = request.headers.get("user-agent", "")
    opened = sessions.open_session(
        desk.pool, user, address_of(request), agent, old, awaiting_code=awaiting_code
    )  # fmt: skip
    if old is not None:
        desk.sessions_ended(user.user_id, only=sessions.token_hash(old))
    return opened


def log_in(
    request: Request, login: str, password: str, code: str | None = None, *, in_two_steps: bool = False
) -> tuple[str, sessions.Session]:
    """Check the password (and the code), open a new session in place of the old one; gives the cookie's value.

    Where a second factor is due and no code is given: a session that can only show it when ``in_two_steps``, else
    ApiError 401 ``code_required``.
    """
    desk = desk_of(request)
    user = check_login(desk.pool, login, password, address_of(request))
    if user.totp_salt is None:
        return _opened(request, user)
    if code:
        check_second(desk.pool, user, code, address_of(request), web_key(desk.settings), desk.clock())
        return _opened(request, user)
    if in_two_steps:
        return _opened(request, user, awaiting_code=True)
    raise ApiError(401, "code_required", "this login has a second factor", 'send its code too, as "code"')


def show_code(request: Request, code: str) -> tuple[str, sessions.Session]:
    """The second step of a log-in: the code, then a full session in place of the half one."""
    desk, half = desk_of(request), session_of(request)
    row = me(desk, half)
    user = User(row["user_id"], row["login"], bytes(row["totp_salt"] or b""), row["must_change"])
    check_second(desk.pool, user, code, address_of(request), web_key(desk.settings), desk.clock())
    return _opened(request, user)


def log_out(request: Request) -> None:
    """End the session and its streams."""
    desk, session = desk_of(request), session_of(request)
    sessions.close(desk.pool, session)
    desk.sessions_ended(session.user_id, only=session.token_hash)


def confirm(request: Request, password: str, code: str = "") -> str:
    """The session shows again who it is; gives the new cookie's value. Raises ApiError as the log-in does."""
    desk, session = desk_of(request), session_of(request)
    user = check_login(desk.pool, session.login, password, address_of(request))
    if user.totp_salt is not None:
        if not code:
            raise ApiError(401, "code_required", "this login has a second factor", "give its code too")
        check_second(desk.pool, user, code, address_of(request), web_key(desk.settings), desk.clock())
    token, renamed = sessions.new_token()
    web_access.prove(desk.pool, session.user_id, session.token_hash, renamed)
    desk.sessions_ended(session.user_id, only=session.token_hash)
    return token


def own_words(desk: Desk, login: str) -> tuple[str, ...]:
    """Words that anybody who knows this desk would try first."""
    host = desk.settings.url.partition("//")[2].partition(":")[0]
    return (login, *host.split("."))


def change_password(request: Request, current: str, new: str, repeat: str | None = None) -> str:
    """A password of the user's own: everything but this session ends; gives this session's new cookie value.

    Raises ApiError 401/429 for a wrong current one, 422 ``weak_password`` naming what is wrong with the new one.
    """
    desk, session = desk_of(request), session_of(request)
    user = check_login(desk.pool, session.login, current, address_of(request))
    try:
        if repeat is not None and new != repeat:
            raise ValueError("the two new passwords differ")
        if new == current:
            raise ValueError("the new password is the old one")
        refuse_weak(new, own_words(desk, session.login))
        hashed = hash_password(new)
    except ValueError as error:
        raise ApiError(422, "weak_password", str(error), "choose another one") from error
    token, renamed = sessions.new_token()
    web_access.change_password(desk.pool, user.user_id, hashed, session.token_hash, renamed)
    desk.sessions_ended(session.user_id)
    return token
