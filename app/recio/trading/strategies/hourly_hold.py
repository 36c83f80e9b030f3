"""Hourly hold-to-close: late in the hour buy the side BTC is already on, and let it settle.

Made for KXBTCD (a ladder of strikes, one event an hour). The bet is that BTC stays on its side; what is paid for it is
90 to 98 cents, so one loss eats twenty wins: probability and differential are asked for after fees, spread and depth.
"""

from __future__ import annotations

from recio.trading.stop import decide_stop
from recio.trading.strategies.base import (
    EntryDecision,
    EntryState,
    ExitDecision,
    ExitState,
    MonitorSettings,
    Strategy,
)
from recio.trading.strategies.common import judge, offer

__all__ = ["STRATEGY", "Settings", "entry", "exit_"]


class Settings(MonitorSettings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The defaults are the shared ones: probability 95 %, 120 to 900 s to the close, a quarter of a cent after fees."""


def entry(state: EntryState, settings: Settings) -> EntryDecision:
    """Buy the side BTC is on now, if it is likely enough to stay there and cheap enough to be worth it."""
    return judge(state, offer(state, state.row.side, settings), settings)


def exit_(state: ExitState, settings: Settings) -> ExitDecision:
    """Hold to the close; the stop closes what is being lost."""
    return decide_stop(state.trade, state.view, state.memory, settings.stop)


STRATEGY = Strategy(
    name="hourly_hold",
    about="Late in the event buys the side BTC is on and holds it to the close.",
    settings=Settings,
    entry=entry,
    exit=exit_,
)
