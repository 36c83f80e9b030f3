"""One market's book: levels by price, within a level in order of arrival."""

from __future__ import annotations

from collections.abc import Iterator

from recio.exchange.simulator.orders import Order

__all__ = ["Match", "MatchBook"]

Match = tuple[Order, int]


class MatchBook:
    """One market's orders by level; within a level in order of arrival (dicts keep it)."""

    def __init__(self) -> None:
        """Empty."""
        self.bids: dict[int, dict[str, Order]] = {}
        self.asks: dict[int, dict[str, Order]] = {}

    def ladder(self, side: str) -> dict[int, dict[str, Order]]:
        """The levels of a side."""
        return self.bids if side == "bid" else self.asks

    def best_bid(self) -> int | None:
        """The highest bid, None without one."""
        return max(self.bids) if self.bids else None

    def best_ask(self) -> int | None:
        """The lowest ask, None without one."""
        return min(self.asks) if self.asks else None

    def levels(self, side: str) -> list[tuple[int, int]]:
        """(YES price, count) of a side, best first."""
        ladder = self.ladder(side)
        prices = sorted(ladder, reverse=side == "bid")
        return [(price, sum(order.remaining_e2 for order in ladder[price].values())) for price in prices]

    def add(self, order: Order) -> None:
        """Rest an order, behind the others of its level."""
        self.ladder(order.side).setdefault(order.price_e4, {})[order.order_id] = order

    def remove(self, order: Order) -> None:
        """Take an order off."""
        ladder = self.ladder(order.side)
        level = ladder.get(order.price_e4)
        if level is not None and level.pop(order.order_id, None) is not None and not level:
            del ladder[order.price_e4]

    def facing(self, side: str, limit_e4: int) -> Iterator[Order]:
        """Resting orders a taker of ``side`` may hit up to its limit, best price first, then oldest."""
        ladder = self.asks if side == "bid" else self.bids
        for price in sorted(ladder, reverse=side == "ask"):
            if (price > limit_e4) if side == "bid" else (price < limit_e4):
                return
            yield from ladder[price].values()

    def ahead_e2(self, order: Order) -> int:
        """Contracts that must trade before this resting order does: better prices, then older ones of its own."""
        ladder = self.ladder(order.side)
        ahead = 0
        for price, level in ladder.items():
            if (price > order.price_e4) if order.side == "bid" else (price < order.price_e4):
                ahead += sum(other.remaining_e2 for other in level.values())
        for other in ladder.get(order.price_e4, {}).values():
            if other.order_id == order.order_id:
                break
            ahead += other.remaining_e2
        return ahead

    def meet(self, taker: Order) -> tuple[list[Match], list[Order]]:
        """Whom the taker would meet, and which of its owner's own orders stand in the way.

        taker_at_cross stops at the first own order; maker steps over them (they get cancelled).
        """
        matches: list[Match] = []
        own: list[Order] = []
        left = taker.remaining_e2
        for maker in self.facing(taker.side, taker.price_e4):
            if left == 0:
                break
            if maker.owner and maker.owner == taker.owner:
                own.append(maker)
                if taker.self_trade == "taker_at_cross":
                    break
                continue
            count = min(left, maker.remaining_e2)
            matches.append((maker, count))
            left -= count
        return matches, own
