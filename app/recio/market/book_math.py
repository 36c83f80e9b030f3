"""What a book of two bid ladders offers: best prices, depth, and the cost of walking it.

A ladder is a list of bids, best first: [(price_e4, count_e2), ...]. Whoever buys YES takes the NO bids: a NO bid at q
is a YES ask at 1 - q. A missing price is None, never 0 or 1.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from recio.units import ONE_DOLLAR_E4

__all__ = ["Ladder", "Quote", "Walk", "ask_e4", "asks", "bid_e4", "buy", "depth_e2", "is_crossed", "quote", "sell"]

Ladder = Sequence[Sequence[int]]


class Walk(msgspec.Struct, frozen=True):
    """The result of taking from a ladder: how much was there, what it costs, the last price touched."""

    wanted_e2: int
    filled_e2: int
    amount_e6: int  # cost of a purchase, proceeds of a sale; before fees
    worst_e4: int | None
    levels: tuple[tuple[int, int], ...] = ()  # (price_e4, count_e2) of each fill, for the fee per fill

    @property
    def complete(self) -> bool:
        """Whether all that was wanted is there."""
        return self.filled_e2 >= self.wanted_e2

    @property
    def average_e4(self) -> float | None:
        """Average price of what was filled, for display; None when nothing was."""
        return self.amount_e6 / self.filled_e2 if self.filled_e2 else None


class Quote(msgspec.Struct, frozen=True):
    """Best prices of both sides and the contracts waiting there."""

    yes_bid_e4: int | None
    yes_ask_e4: int | None
    no_bid_e4: int | None
    no_ask_e4: int | None
    yes_bid_depth_e2: int
    yes_ask_depth_e2: int
    no_bid_depth_e2: int
    no_ask_depth_e2: int


def bid_e4(bids: Ladder) -> int | None:
    """The best bid, or None for an empty ladder."""
    return bids[0][0] if bids else None


def ask_e4(opposite_bids: Ladder) -> int | None:
    """The best ask of a side: one dollar less the best bid of the other side; None when nobody offers."""
    return ONE_DOLLAR_E4 - opposite_bids[0][0] if opposite_bids else None


def asks(opposite_bids: Ladder) -> list[tuple[int, int]]:
    """The ask ladder of a side, cheapest first, read from the other side's bids."""
    return [(ONE_DOLLAR_E4 - level[0], level[1]) for level in opposite_bids]


def depth_e2(bids: Ladder, worst_e4: int | None = None) -> int:
    """Contracts bid at ``worst_e4`` or better; all of them without a limit."""
    return sum(level[1] for level in bids if worst_e4 is None or level[0] >= worst_e4)


def is_crossed(yes_bids: Ladder, no_bids: Ladder) -> bool:
    """Whether the best bids of both sides add up to a dollar or more: no exchange leaves that, so the book is wrong."""
    return bool(yes_bids) and bool(no_bids) and yes_bids[0][0] + no_bids[0][0] >= ONE_DOLLAR_E4


def _take(levels: Sequence[tuple[int, int]], count_e2: int) -> Walk:
    if count_e2 < 0:
        raise ValueError(f"count_e2 is {count_e2}; one takes 0 or more contracts from a book")
    left, amount, worst, taken = count_e2, 0, None, []
    for price_e4, there_e2 in levels:
        if left <= 0:
            break
        part = min(left, there_e2)
        if part <= 0:
            continue
        left, amount, worst = left - part, amount + part * price_e4, price_e4
        taken.append((price_e4, part))
    return Walk(count_e2, count_e2 - left, amount, worst, tuple(taken))


def buy(opposite_bids: Ladder, count_e2: int, limit_e4: int | None = None) -> Walk:
    """Buy ``count_e2`` of a side against the other side's bids, paying at most ``limit_e4`` each."""
    return _take([level for level in asks(opposite_bids) if limit_e4 is None or level[0] <= limit_e4], count_e2)


def sell(own_bids: Ladder, count_e2: int, limit_e4: int | None = None) -> Walk:
    """Sell ``count_e2`` of a side into its own bids, for at least ``limit_e4`` each."""
    return _take([(p[0], p[1]) for p in own_bids if limit_e4 is None or p[0] >= limit_e4], count_e2)


def quote(yes_bids: Ladder, no_bids: Ladder) -> Quote:
    """Best prices and sizes of both sides."""
    yes_size = yes_bids[0][1] if yes_bids else 0
    no_size = no_bids[0][1] if no_bids else 0
    return Quote(
        bid_e4(yes_bids), ask_e4(no_bids), bid_e4(no_bids), ask_e4(yes_bids), yes_size, no_size, no_size, yes_size
    )
