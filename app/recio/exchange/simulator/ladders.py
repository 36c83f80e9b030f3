"""Which events exist when, with which strikes and tickers. Pure: the same moment always gives the same markets.

Tickers name the close by New York's clock. In autumn one o'clock comes twice; the second one is written as hour 25 here
(what the exchange does is not known), so that tickers stay unique: ``close_time`` is what counts, never the ticker.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import msgspec

__all__ = ["Definition", "Ladders", "eastern"]

DAILY_HOUR = 17  # the big event of the day closes at 5 pm in New York
_DAILY_AHEAD_S = 25 * 3600 + 600
_BAND_E2, _WIDE_E2 = 25_000, 50_000
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
    cap_e2: int | None = None

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


def ticker_time(series: str, close_s: int) -> str:
    """The part of a ticker that names the close: day and hour, and as much more as the series needs."""
    local = eastern(close_s)
    is_repeated = eastern(close_s - 3600).hour == local.hour
    hour = local.hour + (24 if is_repeated else 0)
    rest = {"KXBTC15M": "%M", "KXBTCSIM": "%M%S"}.get(series, "")
    return f"{local:%y}{_MONTHS[local.month - 1]}{local:%d}{hour:02d}{local.strftime(rest) if rest else ''}"


def _sunday(year: int, month: int, which: int) -> datetime:
    first = datetime(year, month, 1, tzinfo=UTC)
    return first + timedelta(days=(6 - first.weekday()) % 7 + 7 * (which - 1))


class Ladders:
    """The schedule of the four series. ``short_every_s`` is how often a KXBTCSIM event closes."""

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
            ("KXBTC", 3600, 3600 + 600),
            ("KXBTC15M", 900, 900 + 300),
            ("KXBTCSIM", self._short_every_s, self.short_life_s + 5),
        ):
            close_s = (int(now_s) // every_s + 1) * every_s
            while close_s <= now_s + ahead_s:
                yield series, close_s
                close_s += every_s
        close_s = (int(now_s) // 3600 + 1) * 3600
        while close_s <= now_s + _DAILY_AHEAD_S:
            if eastern(close_s).hour == DAILY_HOUR:
                yield "KXBTCD", close_s
                yield "KXBTC", close_s
            close_s += 3600

    def markets(self, series: str, close_s: int) -> list[Definition]:
        """The markets of an event."""
        if series == "KXBTC15M":
            return [self._quarter(close_s)]
        ladder = {"KXBTCD": self._above, "KXBTC": self._bands, "KXBTCSIM": self._short}[series]
        return list(ladder(close_s))

    def quarter_strike_e2(self, definition: Definition) -> int:
        """The strike of a 15-minute market: the settlement mean of the quarter before, known from its opening on."""
        return self._mean_e2(definition.open_s)

    def _above(self, close_s: int) -> Iterator[Definition]:
        """Strikes around the price at creation, each a cent below: "at or above" by "above".

        75 of them 250 dollars apart every hour; at 5 pm 27, 500 dollars apart, a day ahead.
        """
        event = f"KXBTCD-{ticker_time('KXBTCD', close_s)}"
        is_daily = eastern(close_s).hour == DAILY_HOUR
        spacing_e2, each_way = (_WIDE_E2, 13) if is_daily else (_BAND_E2, 37)
        created_s, open_s = _created_and_open(close_s, is_daily)
        middle = round(self._value_e2(created_s) / spacing_e2)
        for step in range(-each_way, each_way + 1):
            strike_e2 = (middle + step) * spacing_e2 - 1
            ticker = f"{event}-T{_dollars(strike_e2)}"
            yield Definition(ticker, event, "KXBTCD", "greater", strike_e2, created_s, open_s, close_s)

    def _bands(self, close_s: int) -> Iterator[Definition]:
        """Bands of 250 dollars and a tail on either side: 40 every hour, 78 at 5 pm. Exactly one of them wins."""
        event = f"KXBTC-{ticker_time('KXBTC', close_s)}"
        is_daily = eastern(close_s).hour == DAILY_HOUR
        each_way = 39 if is_daily else 20
        created_s, open_s = _created_and_open(close_s, is_daily)
        middle = round(self._value_e2(created_s) / _BAND_E2)
        low_e2, high_e2 = (middle - each_way) * _BAND_E2, (middle + each_way) * _BAND_E2
        times = (created_s, open_s, close_s, "linear_cent")
        yield Definition(f"{event}-T{_dollars(low_e2 - 1)}", event, "KXBTC", "less", None, *times, low_e2 - 1)
        for floor_e2 in range(low_e2, high_e2, _BAND_E2):
            ticker = f"{event}-B{(floor_e2 + _BAND_E2 // 2) // 100}"
            yield Definition(ticker, event, "KXBTC", "between", floor_e2, *times, floor_e2 + _BAND_E2 - 1)
        yield Definition(f"{event}-T{_dollars(high_e2 - 1)}", event, "KXBTC", "greater", high_e2 - 1, *times)

    def _quarter(self, close_s: int) -> Definition:
        event = f"KXBTC15M-{ticker_time('KXBTC15M', close_s)}"
        return Definition(
            f"{event}-{eastern(close_s):%M}", event, "KXBTC15M", "greater_or_equal", None,
            close_s - 900 - 300, close_s - 900, close_s, "tapered_deci_cent",
        )  # fmt: skip

    def _short(self, close_s: int) -> Iterator[Definition]:
        """15 strikes 25 dollars apart: with two minutes to go the near ones trade between 10c and 90c."""
        event = f"KXBTCSIM-{ticker_time('KXBTCSIM', close_s)}"
        open_s = close_s - self.short_life_s
        created_s = open_s - 5
        middle = round(self._value_e2(created_s) / 2_500)
        for step in range(-7, 8):
            strike_e2 = (middle + step) * 2_500 - 1
            yield Definition(
                f"{event}-T{_dollars(strike_e2)}", event, "KXBTCSIM", "greater", strike_e2, created_s, open_s, close_s
            )


def _created_and_open(close_s: int, is_daily: bool) -> tuple[int, int]:
    """Open an hour, or for the 5 pm event 25 hours, before the close; created ten minutes earlier."""
    open_s = close_s - (25 * 3600 if is_daily else 3600)
    return open_s - 600, open_s


def _dollars(cents: int) -> str:
    return f"{cents // 100}.{cents % 100:02d}"
