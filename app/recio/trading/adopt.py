"""Orders the exchange has and the ledger lost: which trade each belongs to, worked out from the exchange's own record.

After the database's disk was lost the archive brings the ledger back but for its last seconds; what was ordered in them
the exchange knows. The same serves an order placed by hand elsewhere on the account.

the order                                       becomes
bought a side nobody here holds the other of    a trade of its own, held and protected like any other
took from what exactly one live trade holds     that trade's exit
took from what several live trades hold         refused: a person must say which
still rests                                     refused: it could fill any moment
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from recio.trading.states import OrderState, TradeState, order_state_of_answer
from recio.units import ONE_DOLLAR_E4

__all__ = ["AdoptError", "ForeignOrder", "Holding", "Place", "place", "read_foreign"]


class AdoptError(ValueError):
    """The order cannot be adopted; the message says why and what would help."""


class ForeignOrder(msgspec.Struct, frozen=True, kw_only=True):
    """An order as the exchange lists it, with its market: enough to make the ledger's rows of it. Times in epoch seconds."""

    client_order_id: str
    exchange_order_id: str
    market_ticker: str
    event_ticker: str
    series_ticker: str
    strike_e2: int | None
    close_s: float
    book_side: str  # bid: it bought YES (or sold NO); ask: the other way round
    yes_price_e4: int
    count_e2: int
    filled_e2: int
    status: str  # resting | executed | canceled
    created_s: float


class Holding(msgspec.Struct, frozen=True):
    """What one live trade holds on the order's market, by its fills, in contracts x 100."""

    trade_id: int
    side: str
    held_e2: int
    state: str = "open"  # of the trade


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Where the order belongs. ``trade_id`` None: a trade of its own. ``limit_price_e4`` in terms of ``side``."""

    purpose: str
    side: str
    trade_id: int | None
    limit_price_e4: int
    state: OrderState
    closes: bool = False  # an exit of an open trade: it is closing now. In every other state the fold says what follows


def read_foreign(detail: Mapping[str, Any]) -> ForeignOrder:
    """From plain data, as it lies in a reconciliation's difference. Raises AdoptError naming what is wrong."""
    try:
        return msgspec.convert(dict(detail), ForeignOrder)
    except msgspec.ValidationError as wrong:
        raise AdoptError(
            f"the record of the order is not complete: {wrong}; wait for the next reconciliation"
        ) from wrong


def place(order: ForeignOrder, live: Sequence[Holding], trade_id: int | None = None) -> Place:
    """Where an order belongs, given the live trades on its market; ``trade_id`` is a person's word on which one it closed.

    Raises AdoptError when it still rests, when several trades could be meant, or when the named one cannot be.
    """
    state = order_state_of_answer(order.status, order.count_e2, order.filled_e2)
    if state not in (OrderState.FILLED, OrderState.CANCELLED):
        raise AdoptError(
            f"order {order.client_order_id} still rests on the exchange with {order.filled_e2 / 100:g} of"
            f" {order.count_e2 / 100:g} filled; cancel it on the Account page, then adopt it"
        )
    bought, sold = ("yes", "no") if order.book_side == "bid" else ("no", "yes")
    could = [h for h in live if h.side == sold and h.held_e2 >= order.filled_e2 > 0]
    if trade_id is not None:
        could = [h for h in could if h.trade_id == trade_id]
        if not could:
            raise AdoptError(
                f"trade {trade_id} does not hold {order.filled_e2 / 100:g} {sold.upper()} of {order.market_ticker},"
                f" which order {order.client_order_id} would have sold"
            )
    if len(could) > 1:
        ids = ", ".join(str(h.trade_id) for h in could)
        raise AdoptError(
            f"order {order.client_order_id} may have closed any of the trades {ids}; say which with --trade"
        )
    side = could[0].side if could else bought
    price = order.yes_price_e4 if side == "yes" else ONE_DOLLAR_E4 - order.yes_price_e4
    return Place(
        purpose="exit" if could else "entry",
        side=side,
        trade_id=could[0].trade_id if could else None,
        limit_price_e4=min(ONE_DOLLAR_E4 - 1, max(1, price)),
        state=state,
        closes=bool(could) and could[0].state == TradeState.OPEN,
    )
