"""Candlesticks of markets: one-minute bars of the best bid and ask and of trades, folded into hours and days.

Books are looked at when they changed, twice a second. A minute without a change has no bar of its own.
"""

from __future__ import annotations

from array import array
from collections import deque
from collections.abc import Callable, Iterable

from recio.exchange.simulator.matchbook import MatchBook
from recio.exchange.simulator.orders import BookChanged, Event, Traded
from recio.units import ONE_DOLLAR_E4

__all__ = ["Bar", "Candles"]

_KEEP_MINUTES, _KEEP_HOURS = 120, 48
_NONE = -1


class Bar:
    """One period. Bid and ask always have values, the trade price only when there was one. Prices are YES, in e4."""

    __slots__ = ("values",)

    # end, bid open/low/high/close, ask open/low/high/close, price open/low/high/close, sum of price x count, volume,
    # open interest, last price before
    def __init__(self, end_s: int, bid: int, ask: int, previous: int, interest_e2: int) -> None:
        """Begin with the quotes of now."""
        none = [_NONE] * 4
        self.values = array("q", [end_s, *[bid] * 4, *[ask] * 4, *none, 0, 0, interest_e2, previous])

    @property
    def end_s(self) -> int:
        """The period's last second."""
        return self.values[0]

    def quote(self, bid: int, ask: int) -> None:
        """The best prices are now these."""
        for start, value in ((1, bid), (5, ask)):
            self._close(start, value, value, value)

    def trade(self, price: int, count_e2: int, interest_e2: int) -> None:
        """A trade happened."""
        self._add_prices(price, price, price, price)
        self.values[13] += price * count_e2
        self.values[14] += count_e2
        self.values[15] = interest_e2

    def add(self, later: Bar) -> None:
        """Take in a bar that follows, of a finer grain."""
        v = later.values
        self._close(1, v[2], v[3], v[4])
        self._close(5, v[6], v[7], v[8])
        if v[9] != _NONE:
            self._add_prices(v[9], v[10], v[11], v[12])
        self.values[13] += v[13]
        self.values[14] += v[14]
        self.values[15] = v[15]

    def _add_prices(self, opening: int, low: int, high: int, close: int) -> None:
        if self.values[9] == _NONE:
            self.values[9], self.values[10], self.values[11] = opening, low, high
        self._close(9, low, high, close)

    def _close(self, start: int, low: int, high: int, close: int) -> None:
        v = self.values
        v[start + 1], v[start + 2], v[start + 3] = min(v[start + 1], low), max(v[start + 2], high), close

    def widened(self, end_s: int) -> Bar:
        """A copy that begins a coarser period."""
        copy = Bar.__new__(Bar)
        copy.values = self.values[:]
        copy.values[0] = end_s
        return copy


class _History:
    """One market's bars."""

    __slots__ = ("hours", "last_price", "minutes")

    def __init__(self) -> None:
        self.minutes: deque[Bar] = deque(maxlen=_KEEP_MINUTES)
        self.hours: deque[Bar] = deque(maxlen=_KEEP_HOURS)
        self.last_price = _NONE


class Candles:
    """Bars of every market that was looked at."""

    def __init__(self, book_of: Callable[[str], MatchBook], interest_of: Callable[[str], int]) -> None:
        """``interest_of`` gives a market's open interest (e2)."""
        self._book_of, self._interest_of = book_of, interest_of
        self._histories: dict[str, _History] = {}
        self._dirty: set[str] = set()

    def hear(self, event: Event, now_s: float) -> None:
        """Note what changed."""
        if isinstance(event, BookChanged):
            self._dirty.add(event.ticker)
        elif isinstance(event, Traded):
            history = self._history(event.ticker)
            bar = self._bar(event.ticker, history, now_s)
            bar.trade(event.yes_price_e4, event.count_e2, self._interest_of(event.ticker))
            history.last_price = event.yes_price_e4

    def sample(self, now_s: float) -> None:
        """Look at the books that changed."""
        for ticker in self._dirty:
            bid, ask = self._top(ticker)
            self._bar(ticker, self._history(ticker), now_s).quote(bid, ask)
        self._dirty.clear()

    def forget(self, ticker: str) -> None:
        """The market is gone."""
        self._histories.pop(ticker, None)
        self._dirty.discard(ticker)

    def bars(self, ticker: str, start_s: int, end_s: int, minutes: int) -> list[Bar]:
        """Bars of 1, 60 or 1440 minutes that end in [start, end], oldest first."""
        return [bar for bar in self._folded(ticker, minutes) if start_s <= bar.end_s <= end_s]

    def last_before(self, ticker: str, start_s: int, minutes: int) -> Bar | None:
        """The newest bar that ends before ``start_s``."""
        return next((bar for bar in reversed(self._folded(ticker, minutes)) if bar.end_s < start_s), None)

    def _folded(self, ticker: str, minutes: int) -> list[Bar]:
        history = self._histories.get(ticker)
        if history is None:
            return []
        if minutes == 1:
            return list(history.minutes)
        running = list(history.minutes)[-1:]  # the hours hold every minute but the one that still runs
        return fold([*history.hours, *running], minutes)

    def _history(self, ticker: str) -> _History:
        history = self._histories.get(ticker)
        if history is None:
            history = self._histories[ticker] = _History()
        return history

    def _top(self, ticker: str) -> tuple[int, int]:
        book = self._book_of(ticker)
        bid, ask = book.best_bid(), book.best_ask()
        return bid or 0, ONE_DOLLAR_E4 if ask is None else ask

    def _bar(self, ticker: str, history: _History, now_s: float) -> Bar:
        """The minute's bar. A minute that is over goes into its hour."""
        end_s = (int(now_s) // 60 + 1) * 60
        minutes = history.minutes
        if not minutes or minutes[-1].end_s != end_s:
            if minutes:
                _into(history.hours, minutes[-1], 3600)
            minutes.append(Bar(end_s, *self._top(ticker), history.last_price, self._interest_of(ticker)))
        return minutes[-1]


def _into(bars: deque[Bar], finer: Bar, seconds: int) -> None:
    end_s = -(-finer.end_s // seconds) * seconds
    if bars and bars[-1].end_s == end_s:
        bars[-1].add(finer)
    else:
        bars.append(finer.widened(end_s))


def fold(bars: Iterable[Bar], minutes: int) -> list[Bar]:
    """Bars of a coarser grain."""
    coarse: deque[Bar] = deque()
    for bar in bars:
        _into(coarse, bar.widened(bar.end_s), minutes * 60)
    return list(coarse)
