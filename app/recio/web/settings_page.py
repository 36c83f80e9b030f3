"""The Settings page's answer, from whichever form it comes back."""

from __future__ import annotations

from fastapi import Request
from starlette.responses import Response

from recio.web import monitors
from recio.web.desk import desk_of, session_of

__all__ = ["settings_answer", "unshown"]


def settings_answer(request: Request, *, said: str = "", error: str | None = None, status: int = 200) -> Response:
    """The page with every form filled in; ``said`` names what was saved, ``error`` says what was not."""
    desk, session = desk_of(request), session_of(request)
    found = monitors.shown(desk.pool, session.user_id, desk.user_settings(session.user_id))
    context = {"said": said, "error": error, "monitors": found, "fields": monitors.FIELDS}
    return desk.page(request, "settings.html", context, status)


def unshown(shown: str, factor: int) -> int | float:
    """A form's number in the stored unit; ValueError names what is no number."""
    try:
        number = float(shown) * factor
    except ValueError as error:
        raise ValueError(f"{shown!r} is not a number") from error
    rounded = round(number)
    return rounded if abs(number - rounded) < 1e-9 else number
