"""The kinds of problem an answer can name: a code for programs, a title for people; /api/docs lists them all."""

from __future__ import annotations

from http import HTTPStatus

__all__ = ["PROBLEMS", "title_of", "type_of"]

# code -> title. Other codes are answered too, as RFC 9457's about:blank with the status' own phrase.
PROBLEMS: dict[str, str] = {
    "balance_not_accepted": "The balance cannot be taken as right now",
    "bad_request": "The request could not be read",
    "code_required": "The second factor's code is missing",
    "csrf": "The session's token is missing or wrong",
    "database_unavailable": "The database does not answer",
    "idempotency_key_reused": "The key stands for another request",
    "internal": "Something went wrong here",
    "invalid_input": "A value cannot be used",
    "kill_file": "A kill file holds entries stopped",
    "method_not_allowed": "Not with this method",
    "no_market": "No such market",
    "no_price": "No price yet",
    "no_report": "No such report",
    "no_strike_table": "No such strike table",
    "no_ticket": "No such ticket",
    "no_trade": "No such trade",
    "no_web_key": "This host has no key for second factors",
    "not_found": "Nothing here",
    "not_logged_in": "Not logged in",
    "other_origin": "From another site's page",
    "password_change_required": "The deploy's password must be changed first",
    "reauth_required": "The password is needed again",
    "research_busy": "Enough runs wait already",
    "run_ended": "The run has ended",
    "too_large": "The body is too large",
    "too_many_attempts": "Too many failed attempts",
    "too_many_streams": "Too many streams",
    "trade_finished": "The trade is finished",
    "weak_password": "The password is too easy to guess",
    "wrong_code": "The second factor's code is wrong",
    "wrong_login": "Login or password is wrong",
}


def _listed(code: str) -> str:
    """The code under which a problem is listed: ``invalid_count`` and its like are all ``invalid_input``."""
    return "invalid_input" if code.startswith("invalid_") else code


def type_of(code: str) -> str:
    """RFC 9457's ``type``: where the problem is explained, or about:blank."""
    listed = _listed(code)
    return f"/api/docs#problem-{listed}" if listed in PROBLEMS else "about:blank"


def title_of(code: str, status: int) -> str:
    """RFC 9457's ``title``: the same for every problem of a kind."""
    listed = _listed(code)
    return PROBLEMS.get(listed) or HTTPStatus(status).phrase
