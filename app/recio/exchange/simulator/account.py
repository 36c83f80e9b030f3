"""Cash, positions and what they lock. All integers; no margin: cash never goes below zero."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from recio.exchange.simulator.orders import Order
from recio.units import ONE_DOLLAR_E4

__all__ = ["Account", "Position", "Settlement"]


class Position(msgspec.Struct):
    """A holding in one market: + YES, - NO. ``cost_e6`` is what the present holding cost, without fees."""

    ticker: str
    position_e2: int = 0
    cost_e6: int = 0
    realized_e6: int = 0
    fees_e6: int = 0
    traded_e6: int = 0
    updated_ms: int = 0
    settled: bool = False
    traded_e2: int = 0


class Settlement(msgspec.Struct, frozen=True):
    """What a market paid."""

    ticker: str
    event_ticker: str
    result: str
    value_e4: int
    position_e2: int
    cost_e6: int
    revenue_e6: int
    fees_e6: int
    at_ms: int


class Account:
    """One member's money and holdings."""

    def __init__(self, cash_e6: int) -> None:
        """Start with cash and nothing else."""
        self.cash_e6 = cash_e6
        self.positions: dict[str, Position] = {}

    def position(self, ticker: str) -> Position:
        """The holding, made at its first use."""
        held = self.positions.get(ticker)
        if held is None:
            held = self.positions[ticker] = Position(ticker)
        return held

    def position_e2(self, ticker: str) -> int:
        """The signed count held."""
        held = self.positions.get(ticker)
        return held.position_e2 if held else 0

    def apply_fill(self, order: Order, count_e2: int, yes_price_e4: int, fee_e6: int, at_ms: int) -> None:
        """Pay for contracts; opposite holdings net: a YES and a NO together pay back one dollar."""
        own_e4 = order.own_price_e4(yes_price_e4)
        held = self.position(order.ticker)
        before = held.position_e2
        opposite = max(0, -before if order.side == "bid" else before)
        closed = min(count_e2, opposite)
        self.cash_e6 += ONE_DOLLAR_E4 * closed - own_e4 * count_e2 - fee_e6
        if closed:
            released_e6 = held.cost_e6 * closed // opposite
            held.cost_e6 -= released_e6
            held.realized_e6 += ONE_DOLLAR_E4 * closed - own_e4 * closed - released_e6
        held.cost_e6 += own_e4 * (count_e2 - closed)
        held.position_e2 += count_e2 if order.side == "bid" else -count_e2
        held.fees_e6 += fee_e6
        held.traded_e6 += own_e4 * count_e2
        held.traded_e2 += count_e2
        held.updated_ms = at_ms

    def locked_e6(self, orders: Iterable[Order]) -> int:
        """Cash that resting orders could still cost in the worst case, per market and side.

        When all of one side's orders fill, the first contracts net against an opposite holding and pay back a dollar
        each; every other contract costs its price. That sum is the worst any subset can do.
        """
        cost: dict[tuple[str, str], int] = {}
        count: dict[tuple[str, str], int] = {}
        for order in orders:
            key = (order.ticker, order.side)
            cost[key] = cost.get(key, 0) + order.own_price_e4(order.price_e4) * order.remaining_e2
            count[key] = count.get(key, 0) + order.remaining_e2
        total = 0
        for (ticker, side), its_cost in cost.items():
            held = self.position_e2(ticker)
            opposite = max(0, -held if side == "bid" else held)
            total += max(0, its_cost - ONE_DOLLAR_E4 * min(opposite, count[ticker, side]))
        return total

    def settle(self, ticker: str, event_ticker: str, result: str, value_e4: int, at_ms: int) -> Settlement | None:
        """Pay out a market: YES gets the value, NO the rest of a dollar. None when nothing was ever held there."""
        held = self.positions.get(ticker)
        if held is None or held.settled:
            return None
        count = held.position_e2
        revenue_e6 = value_e4 * count if count >= 0 else (ONE_DOLLAR_E4 - value_e4) * -count
        row = Settlement(ticker, event_ticker, result, value_e4, count, held.cost_e6, revenue_e6, held.fees_e6, at_ms)
        self.cash_e6 += revenue_e6
        held.realized_e6 += revenue_e6 - held.cost_e6
        held.position_e2, held.cost_e6, held.settled, held.updated_ms = 0, 0, True, at_ms
        return row
