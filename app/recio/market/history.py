"""Minutes of history: out of a recording, and what is missing between two times."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator

from recio.market.recording import MINUTE_S, Recording

__all__ = ["Candle", "holes", "minute_candles"]

Candle = tuple[float, int, int, int, int]  # start_s, open, high, low, close in cents


def minute_candles(recording: Recording) -> Iterator[Candle]:
    """A recording's minutes, oldest first; what was bridged over a gap is left out: a straight line is no history.

    Of ticks only whole minutes with a tick in them are given; a minute opens with its first tick.
    """
    if recording.kind == "candles":
        bridged: set[int] = set()
        for gap in recording.gaps:
            first = int(gap.after_s) // MINUTE_S + 1
            bridged.update(range(first, first + gap.minutes))
        for minute in range(int(recording.start_s) // MINUTE_S, int(recording.end_s) // MINUTE_S + 1):
            if minute not in bridged:
                yield (float(minute * MINUTE_S), *recording.candle(minute * MINUTE_S))
        return
    first = math.ceil(recording.start_s / MINUTE_S)
    last = (int(recording.end_s) + 1) // MINUTE_S
    for minute, prices in recording.ticks_by_minute():
        if first <= minute < last:
            yield (float(minute * MINUTE_S), prices[0], max(prices), min(prices), prices[-1])


def holes(known: Collection[int], first_minute: int, end_minute: int) -> list[tuple[int, int]]:
    """The stretches of epoch minutes in [first_minute, end_minute) that are not in ``known``, as (first, end)."""
    found: list[tuple[int, int]] = []
    start: int | None = None
    for minute in range(first_minute, end_minute):
        if minute in known:
            if start is not None:
                found.append((start, minute))
                start = None
        elif start is None:
            start = minute
    if start is not None:
        found.append((start, end_minute))
    return found
