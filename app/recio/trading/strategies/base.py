"""What a strategy is: one file with a frozen Settings type and two pure functions, entry and exit.

A strategy sees one market at one moment (EntryState) or one held trade (ExitState), and answers with a decision. It has
no clock, no database and no memory of its own: the same state gives the same decision, live, in replay and in backtest.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Annotated, Any, Literal, TypeAlias

import msgspec
from msgspec import Meta

from recio.market.blend import MODEL_WEIGHT
from recio.market.book_math import Ladder
from recio.market.strike_table import StrikeRow
from recio.trading.entry import SpikePause
from recio.trading.settings import AutoStopSettings, CountE2, DollarsE6, Percent, PriceE4, Seconds, StepE4
from recio.trading.sizing import Sizing
from recio.trading.stop import HeldTrade, StopDecision, StopMemory, StopView

__all__ = [
    "BOOK_LEVELS",
    "DifferentialE4",
    "EntryContext",
    "EntryDecision",
    "EntryState",
    "Event",
    "ExitDecision",
    "ExitState",
    "MonitorSettings",
    "Strategy",
    "VolumeE2",
]

BOOK_LEVELS = 20  # of each side are looked at: what lies deeper is no price for an entry
Weight = Annotated[float, Meta(ge=0, le=1)]
DifferentialE4 = Annotated[int, Meta(ge=-10_000, le=10_000)]
VolumeE2 = Annotated[int, Meta(ge=0, le=10**12)]
ExitDecision: TypeAlias = StopDecision


class MonitorSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What every strategy can be told. Its own file gives the defaults that suit it, and may add keys."""

    min_probability_percent: Percent = 95.0  # of the blended probability
    min_differential_e4: DifferentialE4 = 25  # 1/100 cent: after fees, spread and depth
    model_weight: Weight = MODEL_WEIGHT  # 0: only the market's own price, 1: only the model
    min_volume_e2: VolumeE2 = 100_000  # 1000 contracts
    max_ask_e4: PriceE4 = 9_800
    watch_probability_margin_percent: Percent = 5.0
    watch_differential_margin_e4: StepE4 = 300
    min_time_to_close_s: Seconds = 120.0
    max_time_to_close_s: Seconds = 900.0
    cooldown_s: Seconds = 60.0  # after an accepted order of this monitor, not after a signal
    allow_reentry: bool = False
    collar_e4: StepE4 = 100  # pay at most this over the ask that was seen
    max_price_age_s: Seconds = 5.0
    max_book_age_s: Seconds = 15.0
    sizing: Literal["fixed", "kelly"] = "fixed"
    base_count_e2: CountE2 = 100
    multiplier: Annotated[int, Meta(ge=1, le=3)] = 1
    kelly_fraction_percent: Percent = 25.0
    max_cost_e6: DollarsE6 = 25_000_000  # the hard ceiling of one entry, fee included: 25 dollars
    stop: AutoStopSettings = msgspec.field(default_factory=AutoStopSettings)

    def __post_init__(self) -> None:
        if self.min_time_to_close_s >= self.max_time_to_close_s:
            raise ValueError(
                f"min_time_to_close_s {self.min_time_to_close_s:g} must be less than max_time_to_close_s "
                f"{self.max_time_to_close_s:g}, or no moment is right"
            )

    def size(self) -> Sizing:
        """The keys that say how much."""
        return Sizing(
            self.sizing, self.base_count_e2, self.multiplier, self.kelly_fraction_percent, self.max_cost_e6
        )  # fmt: skip


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """The event a market belongs to, and which model gave its probabilities."""

    event_ticker: str
    series_ticker: str
    close_time_s: float
    model_version: str = "normal-1"


class EntryContext(msgspec.Struct, frozen=True, kw_only=True):
    """What is known beside the market itself. None is "not known" and never enters."""

    now_s: float
    price_age_s: float | None
    momentum_bp: int | None
    pause: SpikePause
    resume_after_s: float = 900.0  # of the pause, to say what is left
    last_order_s: float | None  # this monitor's last accepted order; signals and refused tickets do not count
    live: Collection[tuple[str, str]] | None  # (market, side) of the event with a live trade or an undecided ticket
    entered: Collection[tuple[str, str]] | None  # (market, side) of the event ever entered
    refused: Collection[tuple[str, str, float, str]] = ()  # (market, side, when, why) of a ticket refused lately
    bankroll_e6: int | None = None  # the account's cash, for Kelly
    off: str = ""  # why nothing is entered though everything is judged: the switches
    blocked: str = ""  # kill switch, dependency state: why no entry is possible at all
    edge: str = "no edge shown"  # the calibration's verdict, said beside every entry


class EntryState(msgspec.Struct, frozen=True, kw_only=True):
    """One market at one moment. With both ladders (bids, best first, BOOK_LEVELS deep) prices and depth come from them;
    without, from the row: then nothing deeper than its best level is known."""

    event: Event
    context: EntryContext
    row: StrikeRow
    yes_bids: Ladder | None = None
    no_bids: Ladder | None = None
    book_age_s: float | None = None


class EntryDecision(msgspec.Struct, frozen=True, kw_only=True):
    """``action`` is enter, watch (nearly right, or right and held back), or wait. Probabilities are 0 to 1, of ``side``;
    prices and differentials in 1/10,000 dollar of ``side``; None is not known (or not looked at)."""

    market_ticker: str
    action: str
    reason: str  # one word that stays the same while the numbers in ``why`` move
    why: str
    side: str
    count_e2: int = 0
    limit_price_e4: int = 0  # snap it to the market's grid downwards before sending
    probability_model: float | None = None
    probability_market: float | None = None  # the middle of the book
    probability: float | None = None  # the blend of both: what the rules saw
    ask_e4: int | None = None
    differential_e4: int | None = None  # after fees, at the average fill of the wanted count in the book as it is
    raw_differential_e4: int | None = None  # probability less best ask


class ExitState(msgspec.Struct, frozen=True, kw_only=True):
    """One held trade, what is seen of its market, and what the rule remembers of it."""

    trade: HeldTrade
    view: StopView
    memory: StopMemory


class Strategy(msgspec.Struct, frozen=True, kw_only=True):
    """A plug-in: its name, a sentence for the user, its settings and its two functions."""

    name: str
    about: str
    settings: type[MonitorSettings]
    entry: Callable[[EntryState, Any], EntryDecision]
    exit: Callable[[ExitState, Any], ExitDecision]
