"""The history's filter: as it stands in the address, checked, and as the ledger is asked.

The page shows 30 days when nothing is said; an export without a word of dates is of all there is, as docs/api.md says.
The page's own links to its exports say the period, so that a file always holds what the page shows.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Annotated, Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from fastapi import Depends, Query, Request

from recio.store.history_queries import EXITS, HistoryFilter
from recio.web.errors import ApiError

__all__ = ["PERIODS", "WEEKDAYS", "Chosen", "Exported", "Filtering", "moment"]

_NEW_YORK = ZoneInfo("America/New_York")
PERIODS = {"7d": 7, "30d": 30, "90d": 90, "365d": 365}
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
Word = Annotated[str, Query(max_length=20, pattern=r"^[A-Za-z0-9_]*$")]
Name = Annotated[str, Query(max_length=40, pattern=r"^[a-z0-9_-]*$")]
Day = Annotated[str, Query(max_length=10, pattern=r"^(\d{4}-\d{2}-\d{2})?$")]
Hour = Annotated[str, Query(max_length=2, pattern=r"^([01]?\d|2[0-3])?$")]


def moment(day: str, plus: int = 0) -> datetime | None:
    """Midnight in New York of a day written YYYY-MM-DD; None for an empty one."""
    if not day:
        return None
    try:
        start = date.fromisoformat(day) + timedelta(days=plus)
    except (ValueError, OverflowError) as error:
        raise ApiError(422, "invalid_day", f"{day!r} is not a day", "write it as 2026-11-23") from error
    return datetime(start.year, start.month, start.day, tzinfo=_NEW_YORK)


@dataclass(frozen=True)
class Filtering:
    """A checked filter: ``given`` by name (only what is not the default), and the question to the ledger."""

    shown: dict[str, str]
    wanted: HistoryFilter

    @property
    def query(self) -> str:
        """For an address; empty for the default."""
        return urlencode(self.given)

    @property
    def given(self) -> dict[str, str]:
        """What was chosen."""
        return {name: value for name, value in self.shown.items() if value and (name, value) not in _DEFAULTS}

    @property
    def exported(self) -> str:
        """For an export's address: the same trades as on the page."""
        return urlencode({"period": self.shown["period"]} | self.given)


_DEFAULTS = {("state", "closed"), ("period", "30d")}


def _filtering(
    state: Word = "closed", period: Word = "", series: Word = "", side: Word = "", outcome: Word = "", since: Day = "",
    until: Day = "", weekday: Word = "", hour: Hour = "", monitor: Name = "", strategy: Name = "", source: Name = "",
    exit: Name = "",  # noqa: A002 - the name in the address
) -> Filtering:  # fmt: skip
    period = period or "30d"
    shown = {
        "state": state, "period": period, "series": series, "side": side, "outcome": outcome, "since": since, "until": until,
        "weekday": weekday, "hour": str(int(hour)) if hour else "", "monitor": monitor, "strategy": strategy,
        "source": source, "exit": exit,
    }  # fmt: skip
    for name, allowed in (
        ("state", ("live", "closed", "all")), ("period", (*PERIODS, "all")), ("side", ("", "yes", "no")),
        ("outcome", ("", "won", "lost")), ("weekday", ("", *WEEKDAYS)), ("exit", ("", *EXITS)),
    ):  # fmt: skip
        if shown[name] not in allowed:
            listed = ", ".join(filter(None, allowed))
            raise ApiError(422, f"invalid_{name}", f"{name} is {shown[name]!r}", f"take one of {listed}")
    first = moment(since)
    if first is None and not until and period in PERIODS:  # dates given overrule the period
        today = datetime.now(_NEW_YORK).date()
        first = moment((today - timedelta(days=PERIODS[period] - 1)).isoformat())
    wanted = HistoryFilter(
        state, series, side, outcome, first, moment(until, plus=1),
        weekday=WEEKDAYS.index(weekday) + 1 if weekday else None, hour=int(hour) if hour else None, monitor=monitor,
        strategy=strategy, source=source, exit=exit,
    )  # fmt: skip
    return Filtering(shown, wanted)


def _exporting(request: Request, chosen: Annotated[Filtering, Depends(_filtering)]) -> Filtering:
    if request.query_params.get("period") or chosen.shown["since"] or chosen.shown["until"]:
        return chosen
    return replace(chosen, wanted=replace(chosen.wanted, since=None))


Chosen: Any = Annotated[Filtering, Depends(_filtering)]
Exported: Any = Annotated[Filtering, Depends(_exporting)]
