"""Which events exist when, with which strikes and tickers. Pure: the same moment always gives the same markets."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import msgspec

__all__ = ["Definition", "Ladders", "eastern"]

_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")


class Definition(msgspec.Struct, frozen=True):
    """What a market is, fixed at its creation (the strike of a 15-minute market comes at its opening)."""

    ticker: str
    event_ticker: str
    series_ticker: str
    strike_type: str
    strike_e2: int | None
    created_s: int
    open_s: int
    close_s: int
    price_structure: str = "linear_cent"

    @property
    def market_id(self) -> str:
        """A UUID that stays the same over restarts."""
        return str(uuid.uuid5(uuid.NAMESPACE_URL, f"recio-simulator:{self.ticker}"))


def eastern(at_s: float) -> datetime:
    """New York's wall clock, without a time zone database: summer time from the second Sunday of March to the first
    of November, at 2 o'clock."""
    moment = datetime.fromtimestamp(at_s, UTC)
    begins = _sunday(moment.year, 3, 2) + timedelta(hours=7)  # 2:00 EST
    ends = _sunday(moment.year, 11, 1) + timedelta(hours=6)  # 2:00 EDT
    return moment - timedelta(hours=4 if begins <= moment < ends else 5)


def _sunday(year: int, month: int, which: int) -> datetime:
    first = datetime(year, month, 1, tzinfo=UTC)
    return first + timedelta(days=(6 - first.weekday()) % 7 + 7 * (which - 1))


class Ladders:
    """The schedule of the three series. ``short_every_s`` is how often a KXBTCSIM event closes."""

    def __init__(self, value_e2: Callable[[int], int], mean_e2: Callable[[int], int], short_every_s: int = 30) -> None:
        """``value_e2`` is the index at a second, ``mean_e2`` its settlement mean at a close, both in cents."""
        if not 10 <= short_every_s <= 600:
            raise ValueError(f"short_every_s must lie between 10 and 600, got {short_every_s}")
        self._value_e2, self._mean_e2 = value_e2, mean_e2
        self._short_every_s = short_every_s
        self.short_life_s = 120

    def closes(self, now_s: float) -> Iterator[tuple[str, int]]:
        """(series, close) of every event that exists now: created, and not yet closed."""
        for series, every_s, ahead_s in (
            ("KXBTCD", 3600, 3600 + 600),
            ("KXBTC15M", 900, 900 + 300),
            ("KXBTCSIM", self._short_every_s, self.short_life_s + 5),
        ):
            close_s = (int(now_s) // every_s + 1) * every_s
            while close_s <= now_s + ahead_s:
                yield series, close_s
                close_s += every_s

    def markets(self, series: str, close_s: int) -> list[Definition]:
        """The markets of an event."""
        if series == "KXBTC15M":
            return [self._quarter(close_s)]
        return list(self._hourly(close_s) if series == "KXBTCD" else self._short(close_s))

    def quarter_strike_e2(self, definition: Definition) -> int:
        """The strike of a 15-minute market: the settlement mean of the quarter before, known from its opening on."""
        return self._mean_e2(definition.open_s)

    def _hourly(self, close_s: int) -> Iterator[Definition]:
        """75 strikes 250 dollars apart around the price at creation, each a cent below: "at or above" by "above"."""
        local = eastern(close_s)
        event = f"KXBTCD-{local:%y}{_MONTHS[local.month - 1]}{local:%d%H}"
        created_s = close_s - 3600 - 600
        middle = round(self._value_e2(created_s) / 25_000)
        for step in range(-37, 38):
            strike_e2 = (middle + step) * 25_000 - 1
            yield Definition(
                f"{event}-T{_dollars(strike_e2)}",
                event,
                "KXBTCD",
                "greater",
                strike_e2,
                created_s,
                close_s - 3600,
                close_s,
            )

    def _quarter(self, close_s: int) -> Definition:
        local = eastern(close_s)
        event = f"KXBTC15M-{local:%y}{_MONTHS[local.month - 1]}{local:%d%H%M}"
        return Definition(
            f"{event}-{local:%M}", event, "KXBTC15M", "greater_or_equal", None,
            close_s - 900 - 300, close_s - 900, close_s, "tapered_deci_cent",
        )  # fmt: skip

    def _short(self, close_s: int) -> Iterator[Definition]:
        """15 strikes 25 dollars apart: with two minutes to go the near ones trade between 10c and 90c."""
        local = eastern(close_s)
        event = f"KXBTCSIM-{local:%y}{_MONTHS[local.month - 1]}{local:%d%H%M%S}"
        open_s = close_s - self.short_life_s
        created_s = open_s - 5
        middle = round(self._value_e2(created_s) / 2_500)
        for step in range(-7, 8):
            strike_e2 = (middle + step) * 2_500 - 1
            yield Definition(
                f"{event}-T{_dollars(strike_e2)}", event, "KXBTCSIM", "greater", strike_e2, created_s, open_s, close_s
            )


def _dollars(cents: int) -> str:
    return f"{cents // 100}.{cents % 100:02d}"
