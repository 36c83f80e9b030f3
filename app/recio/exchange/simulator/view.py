"""What reads show: the present, or with a lag what was true some milliseconds ago, as on the exchange."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import TYPE_CHECKING

import msgspec

from recio.exchange.simulator.account import Position
from recio.exchange.simulator.orders import Event, Fill, Order, OrderChanged

if TYPE_CHECKING:
    from recio.exchange.simulator.core import Exchange

__all__ = ["View"]


class _Step(msgspec.Struct):
    """What an operation changed."""

    at_ms: int
    orders: list[Order]
    fill_count: int
    positions: list[Position]
    free_e6: int


class View:
    """Orders, fills, positions and free cash for GET requests. Market data never lags."""

    def __init__(self, exchange: Exchange) -> None:
        """Without a lag."""
        self._exchange = exchange
        self.lag_ms = 0
        self._steps: deque[_Step] = deque()
        self._orders: dict[str, Order] = {}
        self._positions: dict[str, Position] = {}
        self._fill_count = self._free_e6 = 0

    def set_lag(self, lag_ms: int) -> None:
        """Show from now on what was true ``lag_ms`` ago; 0 shows the present."""
        engine = self._exchange.engine
        self.lag_ms = lag_ms
        self._steps.clear()
        if lag_ms:
            self._orders = {name: msgspec.structs.replace(order) for name, order in engine.orders.items()}
            self._positions = {t: msgspec.structs.replace(held) for t, held in engine.account.positions.items()}
            self._fill_count, self._free_e6 = len(engine.fills), engine.account.cash_e6 - engine.locked_e6()

    def follow(self, events: Iterable[Event], settled: Iterable[str]) -> None:
        """Note what an operation changed, to show it later."""
        if not self.lag_ms:
            return
        engine = self._exchange.engine
        orders = [event.order for event in events if isinstance(event, OrderChanged)]
        tickers = {event.ticker for event in events if isinstance(event, Fill)} | set(settled)
        positions = engine.account.positions
        held = [msgspec.structs.replace(positions[ticker]) for ticker in tickers if ticker in positions]
        free_e6 = engine.account.cash_e6 - engine.locked_e6()
        last_e6 = self._steps[-1].free_e6 if self._steps else self._free_e6
        if orders or held or free_e6 != last_e6:
            self._steps.append(_Step(self._exchange.now_ms(), orders, len(engine.fills), held, free_e6))

    def _catch_up(self) -> None:
        until_ms = self._exchange.now_ms() - self.lag_ms
        while self._steps and self._steps[0].at_ms <= until_ms:
            step = self._steps.popleft()
            self._orders.update({order.order_id: order for order in step.orders})
            self._positions.update({held.ticker: held for held in step.positions})
            self._fill_count, self._free_e6 = step.fill_count, step.free_e6

    def orders(self) -> dict[str, Order]:
        """Orders by id, oldest first."""
        if not self.lag_ms:
            return self._exchange.engine.orders
        self._catch_up()
        return self._orders

    def fills(self) -> list[Fill]:
        """Fills, oldest first."""
        fills = self._exchange.engine.fills
        if not self.lag_ms:
            return fills
        self._catch_up()
        return fills[: self._fill_count]

    def positions(self) -> dict[str, Position]:
        """Holdings by market."""
        if not self.lag_ms:
            return self._exchange.engine.account.positions
        self._catch_up()
        return self._positions

    def free_e6(self) -> int:
        """Cash on the crypto shard that no order holds."""
        if not self.lag_ms:
            return self._exchange.engine.account.cash_e6 - self._exchange.engine.locked_e6()
        self._catch_up()
        return self._free_e6
