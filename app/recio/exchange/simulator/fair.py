"""What a market maker believes: the chance that the settlement mean ends above the strike (a driftless normal)."""

from __future__ import annotations

import math

__all__ = ["fair_yes"]

WINDOW_S = 60


def fair_yes(
    price_e2: float, strike_e2: float, seconds_left: float, volatility: float, known_sum_e2: int = 0, known: int = 0
) -> float:
    """Probability that the mean of the last 60 values is above the strike.

    ``volatility`` is of one-second log returns; ``known_sum_e2`` and ``known`` are the values of the window that are
    already printed. The mean of an arithmetic walk over a window of W seconds that begins in A seconds has variance
    s^2 x (A + W/3).
    """
    unknown = WINDOW_S - known
    if unknown <= 0:
        return 1.0 if known_sum_e2 > known * strike_e2 else 0.0
    mean = (known_sum_e2 + unknown * price_e2) / WINDOW_S
    ahead_s = max(seconds_left - WINDOW_S, 0.0)
    spread = price_e2 * volatility * math.sqrt(ahead_s + unknown / 3.0) * unknown / WINDOW_S
    if spread <= 0:
        return 1.0 if mean > strike_e2 else 0.0
    return 0.5 * math.erfc((strike_e2 - mean) / (spread * math.sqrt(2.0)))
