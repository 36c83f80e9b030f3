"""Settings, first page: the switches for all and the monitors, each with its state and why. From whichever form it comes back."""

from __future__ import annotations

from fastapi import Request
from starlette.datastructures import FormData
from starlette.responses import Response

from recio.trading import catalog
from recio.trading.strategies import STRATEGIES
from recio.web import monitors
from recio.web.desk import desk_of, session_of

__all__ = ["last_values", "settings_answer"]


def settings_answer(request: Request, *, said: str = "", error: str | None = None, status: int = 200) -> Response:
    """The page with every form filled in; ``said`` names what was saved, ``error`` says what was not."""
    desk, session = desk_of(request), session_of(request)
    stored = desk.user_settings(session.user_id)
    found = monitors.shown(desk.pool, session.user_id, stored)
    return desk.page(request, "settings.html", {
        "said": said, "error": error, "series": desk.settings.series, "strategies": list(STRATEGIES.values()),
        "monitors": [row for row in found if row["archived_at"] is None],
        "archived": [row for row in found if row["archived_at"] is not None],
        "entry_fields": catalog.described(catalog.AUTO_ENTRY, stored["auto_entry"]["value"]),
        "stop_fields": catalog.described(catalog.AUTO_STOP, stored["auto_stop"]["value"]),
    }, status)  # fmt: skip


def last_values(form: FormData) -> dict[str, str]:
    """A form's texts by name: of a name given twice (a check box and its hidden "false") the last one counts."""
    return {name: value for name, value in form.multi_items() if isinstance(value, str)}
