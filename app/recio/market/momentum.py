"""Momentum: the weighted mean of the price's change against 1 to 30 minutes ago, in basis points."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

__all__ = ["WEIGHTS", "Momentum", "change_bp", "momentum_bp"]

WEIGHTS: dict[int, float] = {1: 0.30, 2: 0.25, 3: 0.20, 4: 0.15, 15: 0.05, 30: 0.05}  # minutes ago -> weight


class Momentum(msgspec.Struct, frozen=True):
    """``total_bp`` over the windows that have data, and each window by itself; None where the past is not known."""

    total_bp: int | None
    windows: dict[int, int | None]


def change_bp(now_e2: int | None, then_e2: int | None) -> float | None:
    """Change from ``then_e2`` to ``now_e2`` in basis points; None when either is missing or not positive."""
    if now_e2 is None or then_e2 is None or now_e2 <= 0 or then_e2 <= 0:
        return None
    return (now_e2 / then_e2 - 1.0) * 10_000.0


def momentum_bp(price_at: Callable[[float], int | None], now_s: float) -> Momentum:
    """Momentum at ``now_s``. ``price_at(at_s)`` gives the price in cents, or None where there is no bar.

    The weights are renormalised over the windows that have data; with none of them the total is None, never 0.
    """
    now_e2 = price_at(now_s)
    changes = {minutes: change_bp(now_e2, price_at(now_s - 60.0 * minutes)) for minutes in WEIGHTS}
    known = [(WEIGHTS[minutes], change) for minutes, change in changes.items() if change is not None]
    total = sum(weight for weight, _ in known)
    return Momentum(
        total_bp=round(sum(weight * change for weight, change in known) / total) if known else None,
        windows={minutes: None if change is None else round(change) for minutes, change in changes.items()},
    )
