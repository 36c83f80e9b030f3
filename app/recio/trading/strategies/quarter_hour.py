"""Quarter-hour: one up/down market per event, whichever side the price makes worth it.

Made for KXBTC15M: one strike (the price at the event's start), so both sides are near 50 cents for long and the side BTC
is on says little. Both sides are judged, and the better one after fees is taken, in the last minutes, with a shorter
stop: there is no time for the hour's patience.
"""

from __future__ import annotations

import msgspec

from recio.trading.settings import AutoStopSettings, Percent, PriceE4, Seconds
from recio.trading.stop import decide_stop
from recio.trading.strategies.base import (
    DifferentialE4,
    EntryDecision,
    EntryState,
    ExitDecision,
    ExitState,
    MonitorSettings,
    Strategy,
    VolumeE2,
)
from recio.trading.strategies.common import judge, offer

__all__ = ["STRATEGY", "Settings", "entry", "exit_"]

_STOP = AutoStopSettings(
    stop_probability_percent=35.0, confirm_after_s=5.0, min_time_to_close_s=30.0, momentum_stop=False
)


class Settings(MonitorSettings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Nearer to the close and less sure than the hourly one, and asking for more after costs in return."""

    min_probability_percent: Percent = 85.0
    min_differential_e4: DifferentialE4 = 100  # one cent
    min_volume_e2: VolumeE2 = 10_000
    max_ask_e4: PriceE4 = 9_700
    min_time_to_close_s: Seconds = 45.0
    max_time_to_close_s: Seconds = 420.0
    stop: AutoStopSettings = msgspec.field(default_factory=lambda: _STOP)


def entry(state: EntryState, settings: Settings) -> EntryDecision:
    """Judge both sides; the better one of those that may be entered, else the better one of those that may not."""
    return max(
        (judge(state, offer(state, side, settings), settings) for side in (state.row.side, _other(state.row.side))),
        key=lambda decision: (
            decision.action == "enter",
            decision.action == "watch",
            decision.differential_e4 if decision.differential_e4 is not None else -20_000,
        ),
    )


def _other(side: str) -> str:
    return "no" if side == "yes" else "yes"


def exit_(state: ExitState, settings: Settings) -> ExitDecision:
    """Hold to the close; the stop closes what is being lost."""
    return decide_stop(state.trade, state.view, state.memory, settings.stop)


STRATEGY = Strategy(
    name="quarter_hour",
    about="In the last minutes buys either side of an up/down market, whichever is worth more than it costs.",
    settings=Settings,
    entry=entry,
    exit=exit_,
)
