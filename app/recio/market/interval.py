"""How sure a probability is, by what became of forecasts like it: the calibration's bucket with a 95 % interval. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

__all__ = ["Certainty", "certainty", "wilson"]

_Z = 1.959964  # two-sided 95 %


class Certainty(msgspec.Struct, frozen=True):
    """Of forecasts between ``said_from`` and ``said_to`` the share ``came_true`` did; the truth lies in ``low`` to
    ``high`` 19 times of 20. ``events`` is how many independent ones that rests on: rows of one event settle together."""

    said_from: float
    said_to: float
    came_true: float
    low: float
    high: float
    events: float


def wilson(share: float, n: float, z: float = _Z) -> tuple[float, float]:
    """The Wilson score interval of a share seen in ``n`` independent trials (0 gives 0 to 1: nothing is known)."""
    if n <= 0:
        return 0.0, 1.0
    share = min(1.0, max(0.0, share))
    bottom = 1.0 + z * z / n
    middle = (share + z * z / (2.0 * n)) / bottom
    half = z / bottom * math.sqrt(share * (1.0 - share) / n + z * z / (4.0 * n * n))
    return max(0.0, middle - half), min(1.0, middle + half)


def certainty(
    bins: Sequence[Mapping[str, Any]], rows: int, events: int, probability_yes: float | None, side: str
) -> Certainty | None:
    """What a calibration's reliability ``bins`` (of YES: low, high, rows, came_true) say of this probability, as the
    chance of ``side``; None for an unknown probability or a bucket no forecast fell into.

    A market is looked at many times and settles once, so a bucket counts as rows x (events / all rows) trials."""
    if probability_yes is None or rows <= 0 or events <= 0:
        return None
    for found in bins:
        last = found["high"] >= 1.0 and probability_yes >= 1.0
        if not (found["low"] <= probability_yes < found["high"] or last) or not found["rows"]:
            continue
        n = found["rows"] * min(1.0, events / rows)
        low, high = wilson(found["came_true"], n)
        if side == "yes":
            return Certainty(found["low"], found["high"], found["came_true"], low, high, n)
        return Certainty(1 - found["high"], 1 - found["low"], 1 - found["came_true"], 1 - high, 1 - low, n)
    return None
