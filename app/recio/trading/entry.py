"""The pause after a momentum spike, and how it is known again after a restart. Pure: prices and time are arguments.

moving freely ──|momentum| >= spike_pause_bp──► paused ──spike_resume_after_s within +-spike_resume_bp──► free
                                                 ▲  │
                                                 └──┘ a moment outside, or without data: the calm starts anew
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from recio.market.momentum import momentum_bp
from recio.market.series import PriceSeries
from recio.trading.settings import AutoEntrySettings

__all__ = ["REBUILD_S", "SpikePause", "rebuild_pause", "spike_pause"]

REBUILD_S = 1800  # how far back the pause is worked out anew; the bars must reach 30 minutes further
_HOLE_S = 5  # as old as a price may be to count as seen


class SpikePause(msgspec.Struct, frozen=True):
    """Whether entries pause because BTC moves too fast, and since when it is calm again. Keep it over restarts."""

    paused: bool = False
    calm_since_s: float | None = None


def spike_pause(before: SpikePause, momentum_bp: int | None, now_s: float, settings: AutoEntrySettings) -> SpikePause:
    """The pause after seeing this momentum: starts at +-spike_pause_bp, ends after spike_resume_after_s without a
    moment outside +-spike_resume_bp. While momentum is not known a pause goes on and its calm starts anew."""
    if momentum_bp is not None and abs(momentum_bp) >= settings.spike_pause_bp:
        return SpikePause(paused=True)
    if not before.paused:
        return before
    if momentum_bp is None or abs(momentum_bp) > settings.spike_resume_bp:
        return SpikePause(paused=True)
    since = now_s if before.calm_since_s is None else before.calm_since_s
    if now_s - since >= settings.spike_resume_after_s:
        return SpikePause()
    return SpikePause(paused=True, calm_since_s=since)


def rebuild_pause(bars: Sequence[tuple[float, int]], now_s: float, settings: AutoEntrySettings) -> SpikePause:
    """The pause as it stands now, second by second from the 1-second bars on record: (start_s, close in cents).

    What was before the bars begin is not known and counts as a spike: only bars that prove spike_resume_after_s of calm
    end it. A hole in them breaks the calm like a hole in the feed does. Give bars from REBUILD_S + 30 minutes back.
    """
    series, pause, newest = PriceSeries(), SpikePause(paused=True), float("-inf")
    first = int(now_s) - max(REBUILD_S, int(settings.spike_resume_after_s) + 60)
    coming = iter(sorted(bars))
    bar = next(coming, None)
    for at_s in range(first, int(now_s) + 1):
        while bar is not None and bar[0] <= at_s:
            series.add(*bar)
            newest, bar = bar[0], next(coming, None)
        momentum = momentum_bp(series.price_at, at_s).total_bp if at_s - newest <= _HOLE_S else None
        pause = spike_pause(pause, momentum, float(at_s), settings)
    return pause
