"""What the matching engine works on: orders, fills, and what it tells the world."""

from __future__ import annotations

import msgspec

from recio.units import ONE_DOLLAR_E4

__all__ = ["BookChanged", "Event", "Fill", "GroupChanged", "Order", "OrderChanged", "Rejected", "Traded"]


class Order(msgspec.Struct):
    """An order and its life. ``price_e4`` is the YES price; ``owner`` is 'user' or '' (the crowd)."""

    order_id: str
    client_order_id: str
    ticker: str
    side: str  # bid | ask
    price_e4: int
    initial_e2: int
    remaining_e2: int
    time_in_force: str
    created_ms: int
    updated_ms: int
    owner: str = "user"
    status: str = "resting"  # resting | executed | canceled
    filled_e2: int = 0
    taker_cost_e6: int = 0
    maker_cost_e6: int = 0
    taker_fees_e6: int = 0
    maker_fees_e6: int = 0
    self_trade: str = "taker_at_cross"
    expires_s: int | None = None
    reason: str = ""
    post_only: bool = False
    cancel_on_pause: bool = False
    group_id: str = ""
    overpaid_e6: int = 0  # by rounding, not yet paid back
    priority: int = 0  # of those that rest: who came later has more; a restart needs it

    def own_price_e4(self, yes_price_e4: int) -> int:
        """What one contract of what this order buys costs: YES for a bid, NO for an ask."""
        return yes_price_e4 if self.side == "bid" else ONE_DOLLAR_E4 - yes_price_e4


class Fill(msgspec.Struct, frozen=True):
    """One side of a trade, of the user's."""

    trade_id: str
    order_id: str
    client_order_id: str
    ticker: str
    side: str
    count_e2: int
    yes_price_e4: int
    fee_e6: int
    is_taker: bool
    at_ms: int
    post_position_e2: int


class BookChanged(msgspec.Struct, frozen=True):
    """A level of the book changed by ``delta_e2``; ``side`` yes/no is the ladder, ``yes_price_e4`` its YES price."""

    ticker: str
    side: str
    yes_price_e4: int
    delta_e2: int
    client_order_id: str = ""


class Traded(msgspec.Struct, frozen=True):
    """A public trade."""

    trade_id: str
    ticker: str
    yes_price_e4: int
    count_e2: int
    taker_side: str  # bid | ask
    at_ms: int


class OrderChanged(msgspec.Struct, frozen=True):
    """An order of the user's is now like this (a copy)."""

    order: Order


class GroupChanged(msgspec.Struct, frozen=True):
    """An order group was created, triggered, reset, deleted or limit_updated."""

    kind: str
    group_id: str
    limit_e2: int
    at_ms: int


Event = BookChanged | Traded | OrderChanged | Fill


class Rejected(Exception):
    """The exchange says no: HTTP status, code, message, details."""

    def __init__(self, status: int, code: str, message: str = "", details: str = "") -> None:
        """As it goes on the wire."""
        self.status, self.code, self.message, self.details = status, code, message or code, details
        super().__init__(f"{status} {code} {message} {details}")
