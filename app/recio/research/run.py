"""Replay and backtest: the same moments, the same desk. Replay looks every second, backtest where something can happen.

Backtest finds those seconds with arrays (research.vector, with a margin), looks at every minute's sample, and at every
second while an order is under way or a stop is not simply watching. That nothing is missed is tested: both give the same
decisions, to the byte.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import msgspec
import numpy as np
from numpy.typing import NDArray

from recio.market.model import ProbabilityModel
from recio.market.momentum import momentum_bp
from recio.market.settlement import Observed, observe, result_of
from recio.market.strike_table import Book, StrikeMarket
from recio.research.crypto15m import Look, RecordedMarket, SpotTape
from recio.research.desk import VirtualDesk
from recio.research.moments import Moment, Settlement
from recio.research.recorded import scored_looks
from recio.research.tape import QUARTER_S, Floats, Ints, PathTape
from recio.research.vector import may_enter, may_stop, model_yes
from recio.trading.entry import SpikePause, spike_pause
from recio.trading.monitor import Monitor
from recio.trading.settings import AutoEntrySettings
from recio.trading.strategies.base import Event
from recio.units import ONE_DOLLAR_E4

__all__ = ["ASSUMED_TOP_E2", "ASSUMED_VOLUME_E2", "Outcome", "backtest_path", "replay_path", "run_recorded"]

ASSUMED_VOLUME_E2 = 500_000  # of a made-up market: 5000 contracts, what a quarter's market at the money sees
ASSUMED_TOP_E2 = (
    10_000  # recorded looks name only the depth of a whole side: at most 100 contracts are taken to be at its best
)
_NEW_YORK = ZoneInfo("America/New_York")
_SAMPLE_S = 60
Progress = Callable[[str], None]


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What a run looked at and how its markets ended; the rest is with the desk."""

    looks: int
    results: dict[str, str]
    from_s: float
    to_s: float


# ------------------------------------------------------------------ recorded markets
def run_recorded(
    desk: VirtualDesk, markets: Sequence[RecordedMarket], tape: SpotTape, progress: Progress = lambda text: None
) -> Outcome:
    """Every look at the markets whose strike and result are known, in the order of time."""
    usable = [market for market in markets if market.strike_e4 is not None and market.result]
    sampled = {(market.market_ticker, look.at_s) for market in usable for look in scored_looks(market)}
    coming: list[tuple[float, int, int, RecordedMarket, Look | None, float]] = []
    for number, market in enumerate(usable):
        first_seen = 0.0
        for seen in market.looks:
            first_seen = seen.at_s if seen.fresh else first_seen
            if market.strike_known_s <= seen.at_s < market.close_s and seen.spot_e4 is not None:
                coming.append((seen.at_s, 0, number, market, seen, first_seen))
        coming.append((market.close_s, 1, number, market, None, 0.0))
    coming.sort(key=lambda row: row[:3])
    pause, looks, rules = SpikePause(), 0, AutoEntrySettings()
    for place, (at_s, _, _, market, look, first_seen) in enumerate(coming):
        if place % 500 == 0:
            progress(f"{place * 100 // len(coming):3d} %  {market.market_ticker}")
        if look is None:
            desk.settle(Settlement(at_s, market.market_ticker, market.result))
            continue
        momentum = momentum_bp(tape.price_at, at_s).total_bp
        pause = spike_pause(pause, momentum, at_s, rules)
        looks += 1
        desk.look(
            _recorded(
                market, look, first_seen, tape, momentum, pause, desk.model, (market.market_ticker, at_s) in sampled
            )
        )
    results = {market.market_ticker: market.result for market in usable}
    ends = (coming[0][0], coming[-1][0]) if coming else (0.0, 0.0)
    return Outcome(looks=looks, results=results, from_s=ends[0], to_s=ends[1])


def _recorded(
    market: RecordedMarket,
    look: Look,
    first_seen: float,
    tape: SpotTape,
    momentum: int | None,
    pause: SpikePause,
    model: ProbabilityModel,
    sampled: bool,
) -> Moment:
    yes = ((look.yes_bid_e4, min(look.yes_depth_e2, ASSUMED_TOP_E2)),) if look.yes_bid_e4 and look.yes_depth_e2 else ()
    no = (
        ((ONE_DOLLAR_E4 - look.yes_ask_e4, min(look.no_depth_e2, ASSUMED_TOP_E2)),)
        if look.yes_ask_e4 and look.no_depth_e2
        else ()
    )
    spot = look.spot_e4 or 0
    return Moment(
        at_s=look.at_s,
        event=Event(
            event_ticker=market.market_ticker.rpartition("-")[0],
            series_ticker=market.series_ticker,
            close_time_s=market.close_s,
            model_version=model.version,
        ),
        market=StrikeMarket(
            market_ticker=market.market_ticker,
            strike_type="greater_or_equal",
            floor_strike_e2=market.strike_e4,
            volume_e2=look.yes_depth_e2 + look.no_depth_e2,  # the recording has no volume: what waits stands in for it
        ),
        price=spot,
        price_age_s=0.0,
        vol_per_sqrt_s=tape.volatility(look.at_s),
        momentum_bp=momentum,
        observed=observe(tape.price_at, market.close_s, look.at_s),
        book=Book(yes, no, first_seen),
        pause=pause,
        basis=max(market.strike_sd_e4, model.basis_bp * 1e-4 * spot),
        sampled=sampled,
    )


# ------------------------------------------------------------------ a path by the second
class _Path:
    """Moments of a tape's quarters."""

    def __init__(self, tape: PathTape, series: str, model: ProbabilityModel) -> None:
        self.tape, self.series, self.model = tape, series, model
        self._pauses = list(_pauses(tape.momentum.tolist(), tape.start_s))
        self._pause_at = [at for at, _ in self._pauses]

    def quarter(self, number: int) -> tuple[int, int, Event, StrikeMarket]:
        """(index of its opening, of its close, its event, its market)."""
        opened = self.tape.first + number * QUARTER_S
        close_s = self.tape.start_s + opened + QUARTER_S
        ends = datetime.fromtimestamp(close_s, UTC).astimezone(_NEW_YORK)
        name = f"{self.series}-{ends.strftime('%y%b%d%H%M').upper()}"
        event = Event(
            event_ticker=name, series_ticker=self.series, close_time_s=float(close_s), model_version=self.model.version
        )
        market = StrikeMarket(
            market_ticker=f"{name}-{ends:%M}",
            strike_type="greater_or_equal",
            floor_strike_e2=int(self.tape.strikes[number]),
            volume_e2=ASSUMED_VOLUME_E2,
        )
        return opened, opened + QUARTER_S, event, market

    def moment(self, at: int, close: int, event: Event, market: StrikeMarket) -> Moment:
        """The market at one index."""
        tape, at_s = self.tape, float(self.tape.start_s + at)
        known = max(0, 60 - (close - at))
        seen = Observed(known, float(tape.total[at + 1] - tape.total[at + 1 - known]) / known) if known else Observed()
        yes, no = tape.ladders(at)
        vol = float(tape.vol[at])
        return Moment(
            at_s=at_s,
            event=event,
            market=market,
            price=int(tape.price[at]),
            price_age_s=0.0,
            vol_per_sqrt_s=vol if vol == vol else None,
            momentum_bp=int(tape.momentum[at]),
            observed=seen,
            book=Book(yes, no, at_s),
            pause=self._pauses[bisect_right(self._pause_at, at) - 1][1],
            sampled=(close - at) % _SAMPLE_S == 0,
        )

    def result(self, number: int) -> str:
        """How a quarter ended, by its market's rule."""
        return result_of(float(self.tape.means_e2[number]), "greater_or_equal", int(self.tape.strikes[number]))


def _pauses(momentum: Sequence[int], start_s: int) -> Iterator[tuple[int, SpikePause]]:
    """(index, pause from there on), from spike_pause looked at every second; only the changes."""
    rules, pause = AutoEntrySettings(), SpikePause()
    yield 0, pause
    for at, value in enumerate(momentum):
        if not pause.paused and -rules.spike_pause_bp < value < rules.spike_pause_bp:
            continue
        after = spike_pause(pause, value, float(start_s + at), rules)
        if after != pause:
            pause = after
            yield at, pause


def replay_path(desk: VirtualDesk, tape: PathTape, series: str, progress: Progress = lambda text: None) -> Outcome:
    """Every second of every quarter."""
    return _drive(desk, _Path(tape, series, desk.model), progress, None)


def backtest_path(desk: VirtualDesk, tape: PathTape, series: str, progress: Progress = lambda text: None) -> Outcome:
    """The same decisions from the seconds that can matter."""
    progress("looking for the seconds that matter")
    return _drive(desk, _Path(tape, series, desk.model), progress, _Seconds(desk, tape))


class _Seconds:
    """The indices worth a look: entries and samples always, stops while something is held."""

    def __init__(self, desk: VirtualDesk, tape: PathTape) -> None:
        on = [monitor for monitor in desk.monitors if monitor.enabled]
        closes = tape.first + QUARTER_S * (1 + np.arange(tape.quarters, dtype=np.int64))
        most = min(QUARTER_S - 1, int(max((m.settings.max_time_to_close_s for m in on), default=0)))
        left = np.arange(most, 0, -1, dtype=np.int64)
        at = (closes[:, None] - left[None, :]).ravel()
        yes = model_yes(desk.model, tape, at)
        to_close = np.tile(left, tape.quarters)
        wanted = np.zeros(len(at), dtype=bool)
        stops = np.zeros(len(at), dtype=bool)
        for monitor in on:
            wanted |= _entries(monitor, tape, at, yes, to_close)
            stop = monitor.settings.stop
            stops |= may_stop(
                tape, at, yes, low=stop.stop_probability_percent / 100,
                momentum_bp=stop.momentum_stop_bp if stop.momentum_stop else None, always=stop.take_profit_e4 is not None,
            )  # fmt: skip
        self._wanted: list[int] = at[wanted].tolist()
        self._stops: list[int] = at[stops].tolist()

    def after(self, at: int, holding: bool) -> int:
        """The next index after ``at`` that is worth a look."""
        found = [line[place] for line in ((self._wanted, self._stops) if holding else (self._wanted,))
                 if (place := bisect_left(line, at + 1)) < len(line)]  # fmt: skip
        return min(found, default=1 << 62)


def _entries(monitor: Monitor, tape: PathTape, at: Ints, yes: Floats, left: Ints) -> NDArray[np.bool_]:
    settings = monitor.settings
    within = (left >= settings.min_time_to_close_s) & (left <= settings.max_time_to_close_s)
    fit = may_enter(
        tape, at, yes, weight=settings.model_weight, min_probability=settings.min_probability_percent / 100,
        min_differential_e4=settings.min_differential_e4, max_ask_e4=settings.max_ask_e4,
    )  # fmt: skip
    return np.asarray(within & (fit | (left % _SAMPLE_S == 0)))


def _drive(desk: VirtualDesk, path: _Path, progress: Progress, seconds: _Seconds | None) -> Outcome:
    results: dict[str, str] = {}
    looks, quarters = 0, path.tape.quarters
    for number in range(quarters):
        if number % 20 == 0:
            progress(f"{number * 100 // quarters:3d} %  {len(desk.trades)} trades")
        opened, close, event, market = path.quarter(number)
        ticker, at = market.market_ticker, opened
        while True:
            if seconds is None or desk.waiting(ticker):
                at += 1
            else:
                at = seconds.after(at, desk.holding(ticker))
            if at >= close:
                break
            looks += 1
            desk.look(path.moment(at, close, event, market))
        results[ticker] = path.result(number)
        desk.settle(Settlement(event.close_time_s, ticker, results[ticker]))
    first = path.tape.start_s + path.tape.first
    return Outcome(looks=looks, results=results, from_s=float(first), to_s=float(first + quarters * QUARTER_S))
