"""What a user can be told about, and when nobody wants to be woken. Pure."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

__all__ = ["EVENTS", "MAX_TRIES", "URGENT", "backoff_s", "is_quiet"]

# event -> what it is, for the page
EVENTS: dict[str, str] = {
    "entry": "an entry was filled",
    "exit": "a trade ended: closed, stopped or settled, with its result",
    "refused": "a trade that could not be made, with the reason",
    "unknown": "an order whose outcome is not known",
    "incident_critical": "an incident that stops trading, and its end",
    "incident_warning": "a lesser incident, and its end",
    "backup": "a backup or a restore test that failed, and its end",
    "summary": "the day's result, after midnight in New York",
}
URGENT = ("unknown", "incident_critical", "backup", "test")
MAX_TRIES = 8


def backoff_s(tries: int) -> float:
    """Seconds until the next try after ``tries`` failures: 30, 60, 120 … at most an hour."""
    return float(min(3600, 30 * 2 ** max(0, tries - 1)))


def is_quiet(now: datetime, quiet_from: int | None, quiet_to: int | None, zone: str) -> bool:
    """Whether ``now`` (aware) lies in the quiet hours, in minutes of the day of ``zone``; over midnight too."""
    if quiet_from is None or quiet_to is None:
        return False
    there = now.astimezone(ZoneInfo(zone))
    minute = there.hour * 60 + there.minute
    if quiet_from <= quiet_to:
        return quiet_from <= minute < quiet_to
    return minute >= quiet_from or minute < quiet_to
