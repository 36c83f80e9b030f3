"""The kill switch, wherever it was thrown: on the page, with `recio kill on`, or by a file. Any of them stops entries."""

from __future__ import annotations

from recio.monitoring.kill_file import kill_file_reason
from recio.store.db import Database
from recio.store.system import setting
from recio.trading.settings import KillSwitch, SettingError, read

__all__ = ["kill_reason"]


def kill_reason(db: Database, user_id: str) -> str | None:
    """Why entries are stopped, by file or by setting; None when the switch is off everywhere."""
    by_file = kill_file_reason()
    if by_file is not None:
        return by_file
    try:
        switch = read(KillSwitch, setting(db, user_id, "kill_switch"))
    except SettingError as broken:
        return f"its setting cannot be read ({broken}), so it counts as on"
    return (switch.why or "no reason given") if switch.on else None
