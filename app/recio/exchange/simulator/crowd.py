"""Everybody else: market makers who quote around a fair value with an error of their own, and takers who hit them.

A book is neither a gift nor a wall: quotes lag the price by up to two seconds, lean by about a cent, and cost a spread.
Books change only when a quote moves by a tick or two, so that the streams stay calm.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterable

import msgspec

from recio.exchange.simulator.engine import Engine
from recio.exchange.simulator.fair import fair_yes
from recio.exchange.simulator.index import Index
from recio.exchange.simulator.market import SimMarket, grid_step_e4
from recio.exchange.simulator.orders import Order

__all__ = ["Crowd"]

_SERIES = {  # seconds between looks, move that makes a maker requote (e4), trades per second at the money
    "KXBTCD": (2.0, 100, 0.06),
    "KXBTC": (4.0, 100, 0.02),
    "KXBTC15M": (1.0, 100, 0.4),
    "KXBTCSIM": (2.0, 200, 0.09),
}
_LEVELS = 5


class _Maker(msgspec.Struct):
    """One market's maker: its lean, half its spread, and what it has in the book."""

    bias_e4: float
    half_e4: int
    next_s: float
    fair_e4: float = 5_000.0
    top: tuple[int, int] = (0, 0)
    quotes: dict[tuple[str, int], Order] = msgspec.field(default_factory=dict)
    sizes: dict[tuple[str, int], int] = msgspec.field(default_factory=dict)


class Crowd:
    """Quotes and trades in all active markets. The same seed and clock make the same crowd."""

    def __init__(self, engine: Engine, index: Index, seed: int) -> None:
        """Nobody has quoted yet."""
        self._engine, self._index = engine, index
        self._random = random.Random(seed)  # noqa: S311 - a market, not a secret
        self._makers: dict[str, _Maker] = {}

    def opening_volume_e2(self, strike_e2: int, price_e2: int, spacing_e2: int) -> int:
        """Contracts traded before the opening: thousands near the money, few far away."""
        distance = abs(strike_e2 - price_e2) / spacing_e2
        return 100 * int(self._random.uniform(1_100, 4_500) * math.exp(-((distance / 6.0) ** 2)))

    def forget(self, ticker: str) -> None:
        """The market closed."""
        self._makers.pop(ticker, None)

    def act(self, markets: Iterable[SimMarket], now_s: float, elapsed_s: float) -> None:
        """Let makers look (each in its own rhythm) and takers trade."""
        volatility = self._index.volatility(int(now_s))
        price_e2 = self._index.now_e2(now_s)
        for market in markets:
            if market.status != "active" or market.awaits_strike:
                continue
            maker = self._makers.get(market.ticker)
            if maker is None:
                maker = self._makers[market.ticker] = _Maker(
                    self._random.gauss(0, 100), self._random.choice((60, 80, 100, 150)), now_s
                )
            if now_s >= maker.next_s:
                self._look(market, maker, now_s, price_e2, volatility)
            self._maybe_take(market, maker, elapsed_s)

    # ------------------------------------------------------------------ makers
    def _look(self, market: SimMarket, maker: _Maker, now_s: float, price_e2: int, volatility: float) -> None:
        every_s, move_e4, _ = _SERIES[market.definition.series_ticker]
        maker.bias_e4 = 0.98 * maker.bias_e4 + self._random.gauss(0, 20)
        known_sum, known = self._index.window_sum_e2(market.definition.close_s, int(now_s))
        left_s = market.definition.close_s - now_s
        chances = [
            (1.0 if is_floor else 0.0)
            if strike_e2 is None
            else fair_yes(price_e2, strike_e2, left_s, volatility, known_sum, known)
            for strike_e2, is_floor in ((market.floor_e2, True), (market.cap_e2, False))
        ]
        fair = max(0.0, chances[0] - chances[1])  # above the floor, and not above the cap
        # The lean vanishes towards the ends: nobody errs by a cent at 99.8.
        maker.fair_e4 = 10_000 * fair + maker.bias_e4 * 4 * fair * (1 - fair)
        is_near = 0.02 < fair < 0.98
        maker.next_s = now_s + every_s * self._random.uniform(0.7, 1.3) * (1.0 if is_near else 5.0)
        top = self._top(market, maker)
        moved = max(abs(top[0] - maker.top[0]), abs(top[1] - maker.top[1]))
        depleted = [key for key, order in maker.quotes.items() if order.remaining_e2 * 3 < maker.sizes[key]]
        if moved >= move_e4 or (depleted and self._random.random() < 0.4) or not maker.quotes:
            self._requote(market, maker, top, _LEVELS if is_near else 2, set(depleted))

    def _top(self, market: SimMarket, maker: _Maker) -> tuple[int, int]:
        """Best bid and best ask to show, on the grid; 0 and 10,000 mean none."""
        structure = market.definition.price_structure
        low, high = maker.fair_e4 - maker.half_e4, maker.fair_e4 + maker.half_e4
        step_low = grid_step_e4(structure, min(max(int(low), 0), 10_000))
        step_high = grid_step_e4(structure, min(max(int(high), 0), 10_000))
        bid = max(0, math.floor(low / step_low) * step_low)
        ask = min(10_000, math.ceil(high / step_high) * step_high)
        return min(bid, 10_000 - step_low), max(ask, step_high)

    def _requote(
        self, market: SimMarket, maker: _Maker, top: tuple[int, int], levels: int, depleted: set[tuple[str, int]]
    ) -> None:
        structure = market.definition.price_structure
        wanted: list[tuple[str, int]] = []
        for side, price, direction in (("bid", top[0], -1), ("ask", top[1], 1)):
            at = price
            for _ in range(levels):
                if not 0 < at < 10_000:
                    break
                wanted.append((side, at))
                at += direction * max(grid_step_e4(structure, at), 100 if 1_000 <= at <= 9_000 else 0)
        keep = set(wanted) - depleted
        for key, order in list(maker.quotes.items()):
            if key not in keep or order.remaining_e2 == 0:
                self._engine.crowd_cancel(order)
                del maker.quotes[key]
        for key in wanted:
            if key not in maker.quotes:
                size = self._size(levels)
                quoted = self._engine.crowd_quote(market.ticker, key[0], key[1], size)
                if quoted is not None:
                    maker.quotes[key], maker.sizes[key] = quoted, size
        maker.top = top

    def _size(self, levels: int) -> int:
        """Tens to hundreds of contracts; thin where few levels are shown."""
        return 100 * max(5, int(self._random.lognormvariate(4.2 if levels == _LEVELS else 3.2, 0.8)))

    # ------------------------------------------------------------------ takers
    def _maybe_take(self, market: SimMarket, maker: _Maker, elapsed_s: float) -> None:
        share = maker.fair_e4 / 10_000
        rate = _SERIES[market.definition.series_ticker][2] * 4 * share * (1 - share)
        if self._random.random() >= rate * elapsed_s:
            return
        book = self._engine.book(market.ticker)
        bid, ask = book.best_bid(), book.best_ask()
        middle = ((bid or 0) + (ask or 10_000)) / 2
        lean = max(-0.3, min(0.3, (maker.fair_e4 - middle) / 400))
        side = "bid" if self._random.random() < 0.5 + lean else "ask"
        best = ask if side == "bid" else bid
        if best is not None:
            count_e2 = 100 * max(1, int(self._random.lognormvariate(3.0, 0.9)))
            self._engine.crowd_take(market.ticker, side, best, count_e2)
