"""Coinbase's order book as level2_batch shows it: absolute sizes by price, a picture first, then changes."""

from __future__ import annotations

import random

__all__ = ["Depth"]

_LEVELS, _STEP_E2 = 50, 100
Ladder = dict[tuple[str, int], str]  # (buy or sell, price in cents) -> size
Change = list[str]


class Depth:
    """Levels a dollar apart on both sides of the price; what moves away disappears."""

    def __init__(self, price_e2: int) -> None:
        """A book around ``price_e2``."""
        self._ladder: Ladder = {key: "0.50000000" for key in _around(price_e2)}

    def picture(self) -> dict[str, list[Change]]:
        """``bids`` and ``asks``, best first."""
        bids = sorted((p for side, p in self._ladder if side == "buy"), reverse=True)
        asks = sorted(p for side, p in self._ladder if side == "sell")
        return {
            "bids": [[_text(p), self._ladder["buy", p]] for p in bids],
            "asks": [[_text(p), self._ladder["sell", p]] for p in asks],
        }

    def move(self, price_e2: int, chance: random.Random) -> list[Change]:
        """Follow the price and let some sizes change: the new sizes, "0" for a level that is gone."""
        wanted = _around(price_e2)
        fresh: Ladder = {}
        for key in wanted:
            known = self._ladder.get(key)
            fresh[key] = known if known and chance.random() > 0.05 else f"{chance.lognormvariate(-1.5, 1.0):.8f}"
        gone = [[side, _text(p), "0"] for side, p in self._ladder if (side, p) not in fresh]
        changed = [[side, _text(p), size] for (side, p), size in fresh.items() if self._ladder.get((side, p)) != size]
        self._ladder = fresh
        return gone + changed


def _around(price_e2: int) -> list[tuple[str, int]]:
    below = price_e2 - price_e2 % _STEP_E2
    return [("buy", below - i * _STEP_E2) for i in range(_LEVELS)] + [
        ("sell", below + (i + 1) * _STEP_E2) for i in range(_LEVELS)
    ]


def _text(cents: int) -> str:
    return f"{cents // 100}.{cents % 100:02d}"
