"""A market as it lives: initialized -> active -> closed -> determined -> finalized."""

from __future__ import annotations

import msgspec

from recio.exchange.simulator.index import WINDOW_S, decimals
from recio.exchange.simulator.ladders import Definition

__all__ = ["SHARD", "SimMarket", "grid_step_e4", "price_ranges"]

SHARD = 2  # crypto
_STRUCTURES = {
    "linear_cent": ((0, 10_000, 100),),
    "tapered_deci_cent": ((0, 1_000, 10), (1_000, 9_000, 100), (9_000, 10_000, 10)),
}


def price_ranges(structure: str) -> tuple[tuple[int, int, int], ...]:
    """(start, end, step) in 1/10,000 dollar."""
    return _STRUCTURES[structure]


def grid_step_e4(structure: str, price_e4: int) -> int:
    """The step of the grid at a price; on a border the finer neighbour's."""
    return min(step for start, end, step in _STRUCTURES[structure] if start <= price_e4 <= end)


class SimMarket(msgspec.Struct):
    """State of a market. Times in ms are when things happened, 0 for not yet."""

    definition: Definition
    strike_e2: int | None = None
    status: str = "initialized"
    result: str = ""
    value_e4: int | None = None
    expiration_value: str = ""
    determined_ms: int = 0
    settled_ms: int = 0
    volume_e2: int = 0
    open_interest_e2: int = 0
    last_price_e4: int = 0
    updated_ms: int = 0
    touched: bool = False  # by the user: kept, and journaled

    @property
    def ticker(self) -> str:
        """Its name."""
        return self.definition.ticker

    @property
    def settle_after_s(self) -> tuple[int, int]:
        """Seconds from the close to the result, and from the result to the payment."""
        return (60, 5) if self.definition.series_ticker in ("KXBTCD", "KXBTC") else (3, 1)

    @property
    def floor_e2(self) -> int | None:
        """The strike to be above; None below a cap only, and before it is known."""
        return self.strike_e2

    @property
    def cap_e2(self) -> int | None:
        """The strike not to be above."""
        return self.definition.cap_e2

    @property
    def awaits_strike(self) -> bool:
        """A 15-minute market before its opening."""
        return self.strike_e2 is None and self.cap_e2 is None

    @property
    def middle_e2(self) -> int:
        """Where on the price axis it lies."""
        ends = [end for end in (self.strike_e2, self.cap_e2) if end is not None]
        return sum(ends) // len(ends) if ends else 0

    def is_on_grid(self, price_e4: int) -> bool:
        """Whether an order may have this price."""
        if not 0 < price_e4 < 10_000:
            return False
        return any(
            start <= price_e4 <= end and (price_e4 - start) % step == 0
            for start, end, step in price_ranges(self.definition.price_structure)
        )

    def determine(self, window_sum_e2: int, now_ms: int) -> None:
        """Fix the result from the sum of the window's sixty index values (cents).

        KXBTCD's ``greater`` compares the exact mean, strictly; ``greater_or_equal`` and the bands of KXBTC the mean
        rounded to cents: of the bands and tails of an event exactly one wins.
        """
        if self.awaits_strike:
            raise ValueError(f"{self.ticker} has no strike to compare with")
        rounded_e2 = (2 * window_sum_e2 + WINDOW_S) // (2 * WINDOW_S)
        floor_e2 = self.strike_e2 if self.strike_e2 is not None else -1
        if self.definition.strike_type == "greater" and self.definition.series_ticker != "KXBTC":
            is_yes = window_sum_e2 > WINDOW_S * floor_e2
        elif self.definition.strike_type == "greater":
            is_yes = rounded_e2 > floor_e2
        else:  # greater_or_equal, between, less
            is_yes = floor_e2 <= rounded_e2 and (self.cap_e2 is None or rounded_e2 <= self.cap_e2)
        self.result, self.value_e4 = ("yes", 10_000) if is_yes else ("no", 0)
        self.expiration_value = decimals(window_sum_e2, WINDOW_S, 2)
        self.status, self.determined_ms, self.updated_ms = "determined", now_ms, now_ms
