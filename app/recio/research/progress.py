"""How far a run is as one number, from what its parts say of themselves. Pure."""

from __future__ import annotations

import re

__all__ = ["overall"]

_SHARE = re.compile(r"\s*(\d{1,3}) %\s*(.*)")
# (from, to) of the whole by part, as measured: making a simulated path takes half of a backtest, a third of a replay.
_PATH = {"backtest": (0, 45), "replay": (0, 30)}
_READY = {"backtest": 50, "replay": 35}
_STEPS = {
    "building the model": 5, "interpolating to seconds": 20, "volatility and momentum": 46, "quotes": 48,
    "looking for the seconds that matter": 49, "calibration": 92, "writing the report": 97,
}  # fmt: skip


def overall(kind: str, said: str, before: int) -> int:
    """Percent of the whole run, 0 to 99, never less than ``before``; what says nothing leaves it."""
    match = _SHARE.fullmatch(said)
    if match:
        low, high = _PATH[kind] if match[2] == "of the path" else (_READY[kind], 92)
        found = low + (high - low) * min(100, int(match[1])) // 100
    else:
        found = _STEPS.get(said.strip(), before)
        found = min(found, _READY[kind]) if found < 90 else found
    return max(before, min(99, found))
