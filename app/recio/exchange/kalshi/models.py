"""What the exchange tells, in our units: _e4 price, _e2 count or cents, _e6 micro-dollars, _s epoch seconds."""

from __future__ import annotations

from typing import Literal

import msgspec

__all__ = [
    "Balance",
    "BookSide",
    "CancelAck",
    "ExchangeStatus",
    "FillView",
    "Market",
    "NewOrder",
    "OrderAck",
    "OrderView",
    "PositionView",
    "PriceRange",
    "SettlementView",
    "TimeInForce",
]

BookSide = Literal["bid", "ask"]  # bid buys YES, ask sells YES (which is buying NO at 1 - price)
TimeInForce = Literal["good_till_canceled", "immediate_or_cancel", "fill_or_kill"]


class PriceRange(msgspec.Struct, frozen=True):
    """Prices from start to end are valid in steps."""

    start_e4: int
    end_e4: int
    step_e4: int


class Market(msgspec.Struct, frozen=True):
    """A market. yes_bid_e4 0 and yes_ask_e4 10000 mean "no quote". Strikes are cents of the BTC price."""

    ticker: str
    event_ticker: str
    series_ticker: str
    title: str
    strike_type: str
    floor_strike_e2: int | None
    cap_strike_e2: int | None
    open_time_s: float
    close_time_s: float
    status: str  # initialized | inactive | active | closed | determined | disputed | amended | finalized
    result: str  # '' until determined, then yes | no | scalar
    settlement_value_e4: int | None
    expiration_value: str
    volume_e2: int
    yes_bid_e4: int
    yes_ask_e4: int
    price_ranges: tuple[PriceRange, ...]
    exchange_index: int = 0

    @property
    def is_open(self) -> bool:
        """Orders are taken (the close time has to be looked at too)."""
        return self.status == "active"

    @property
    def is_settled(self) -> bool:
        """The result is final and paid."""
        return self.status == "finalized"


class NewOrder(msgspec.Struct, frozen=True):
    """A limit order to send. ``yes_price_e4`` is the YES price for both sides."""

    ticker: str
    book_side: BookSide
    count_e2: int
    yes_price_e4: int
    client_order_id: str
    time_in_force: TimeInForce = "immediate_or_cancel"
    post_only: bool = False
    reduce_only: bool = False
    self_trade_prevention: Literal["taker_at_cross", "maker"] = "taker_at_cross"
    expiration_time_s: int | None = None
    order_group_id: str | None = None


class OrderAck(msgspec.Struct, frozen=True):
    """The exchange has the order. The averages are of this order's fills; None without a fill."""

    order_id: str
    client_order_id: str
    fill_count_e2: int
    remaining_count_e2: int
    average_fill_price_e4: int | None
    average_fee_e4: int | None = None  # per contract, as the exchange rounds it; the fills hold the exact fee
    ts_s: float = 0.0


class CancelAck(msgspec.Struct, frozen=True):
    """What a cancel took off the book."""

    order_id: str
    reduced_by_e2: int


class OrderView(msgspec.Struct, frozen=True):
    """An order as the exchange shows it."""

    order_id: str
    client_order_id: str
    ticker: str
    book_side: str
    status: str  # resting | executed | canceled
    yes_price_e4: int
    initial_count_e2: int
    fill_count_e2: int
    remaining_count_e2: int
    taker_fill_cost_e6: int
    maker_fill_cost_e6: int
    fees_e6: int
    created_time_s: float | None
    last_update_time_s: float | None
    exchange_index: int = 0


class FillView(msgspec.Struct, frozen=True):
    """One fill of ours. ``fill_id`` is the trade id: the key to count it once. ``book_side`` is our side."""

    fill_id: str
    order_id: str
    market_ticker: str
    book_side: str
    count_e2: int
    yes_price_e4: int
    fee_e6: int
    is_taker: bool
    ts_s: float
    client_order_id: str = ""  # only the WebSocket tells it
    post_position_e2: int | None = None  # only the WebSocket tells it


class PositionView(msgspec.Struct, frozen=True):
    """A position: + YES, - NO."""

    market_ticker: str
    position_e2: int
    exposure_e6: int
    realized_pnl_e6: int
    fees_e6: int
    exchange_index: int = 0


class SettlementView(msgspec.Struct, frozen=True):
    """A settled holding. ``revenue_e6`` is what was paid out; win or loss comes from ``result`` alone. One odd row must
    not make the list unreadable: a result other than yes or no may come without its value, which is then None."""

    market_ticker: str
    result: str
    settlement_value_e4: int | None
    revenue_e6: int
    settled_time_s: float
    yes_count_e2: int = 0
    no_count_e2: int = 0
    fee_e6: int = 0


class Balance(msgspec.Struct, frozen=True):
    """Free cash and the value of positions. ``by_shard_e6`` is (exchange_index, cash)."""

    balance_e6: int
    portfolio_value_e6: int
    by_shard_e6: tuple[tuple[int, int], ...] = ()


class ExchangeStatus(msgspec.Struct, frozen=True):
    """Whether the exchange runs and whether the crypto shard trades."""

    exchange_active: bool
    trading_active: bool
