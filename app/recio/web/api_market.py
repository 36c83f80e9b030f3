"""The market by HTTP: price, bars, events, strike tables, and what a ticket would cost now."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from recio.market.book_math import buy
from recio.market.fees import order_fee_e6, taker_fee_e6
from recio.store import web_queries as queries
from recio.trading.ticket import count_e2_of, price_e4_of, price_ranges, side_of
from recio.units import ONE_DOLLAR_E4
from recio.web.desk import Desk, desk_of
from recio.web.errors import ApiError
from recio.web.routes import api
from recio.web.wire import json_response, wire, wire_all

__all__ = ["known_market", "router"]

router = APIRouter()
Ticker = Annotated[str, Query(max_length=64, pattern=r"^[A-Za-z0-9.\-]+$")]


@router.get("/api/price", **api("Market", "read", answer="Price"))
def price(request: Request) -> Response:
    """The newest BTC price with its age, momentum and volatility."""
    row = queries.price(desk_of(request).pool)
    if row is None:
        raise ApiError(503, "no_price", "no BTC price has arrived yet", "see btc_price_watchdog in GET /api/status")
    return json_response(wire(row))


@router.get("/api/bars", **api("Market", "read", answer="Bars"))
def bars(request: Request, seconds: Annotated[int, Query(ge=10, le=86_400)] = 900) -> Response:
    """Closing prices of the last ``seconds``: every second up to two hours, every minute above."""
    rows = queries.bars(desk_of(request).pool, seconds)
    return json_response({"t_s": [row["t_s"] for row in rows], "close_e2": [row["close_e2"] for row in rows]})


@router.get("/api/events", **api("Market", "read", answer="Events"))
def events(request: Request) -> Response:
    """Open events, by series and in one list, soonest close first."""
    desk = desk_of(request)
    rows = wire_all(queries.events(desk.pool, desk.settings.mode, desk.settings.series))
    by_series = {name: [row for row in rows if row["series_ticker"] == name] for name in desk.settings.series}
    return json_response({"now_ms": round(desk.clock() * 1000), "events": rows, "series": by_series})


@router.get("/api/strikes", **api("Market", "read", answer="StrikeTable"))
def strikes(request: Request, event: Ticker) -> Response:
    """The strike table of one event, as the coordinator last built it."""
    desk = desk_of(request)
    row = queries.strike_table(desk.pool, event)
    if row is None:
        raise ApiError(
            404, "no_strike_table", f"there is no strike table of event {event}", "take one of GET /api/events"
        )
    return json_response(wire(row) | {"now_ms": round(desk.clock() * 1000)})


def known_market(desk: Desk, ticker: str) -> dict[str, Any]:
    """The market's row, or ApiError 404."""
    row = queries.market(desk.pool, desk.settings.mode, ticker)
    if row is None:
        raise ApiError(404, "no_market", f"there is no market {ticker}", "take a market_ticker of GET /api/strikes")
    return row


@router.get("/api/quote", **api("Market", "read", "trade", answer="Quote"))
def quote(
    request: Request,
    market_ticker: Ticker,
    side: Annotated[str, Query(max_length=8)],
    count: Annotated[str, Query(max_length=20)],
    limit_price: Annotated[str, Query(max_length=20)],
) -> Response:
    """What buying would cost now from the book on record: average, fee, the most one can lose, payout, breakeven.

    ``worst`` is the whole count at the limit price, fee included; ``now`` what would fill at once. Fees are estimates.
    """
    desk = desk_of(request)
    market = known_market(desk, market_ticker)
    side, count_e2 = side_of(side), count_e2_of(count)
    limit_e4 = price_e4_of(limit_price, price_ranges(market["price_ranges"]), side)
    book = queries.books_of(desk.pool, market_ticker)
    usable = book is not None and book["valid"]
    against = (book["no_bids"] if side == "yes" else book["yes_bids"]) if book is not None and usable else []
    walk = buy(against, count_e2, limit_e4)
    fee_e6 = order_fee_e6((level, part) for level, part in walk.levels)
    worst_fee_e6 = taker_fee_e6(count_e2, limit_e4)
    paid_e6 = walk.amount_e6 + fee_e6
    return json_response({
        "market_ticker": market_ticker, "side": side, "count_e2": count_e2, "limit_price_e4": limit_e4,
        "book_age_s": book["age_s"] if book is not None else None, "book_valid": usable,
        "now": {
            "count_e2": walk.filled_e2, "complete": walk.complete, "average_e4": walk.average_e4,
            "worst_e4": walk.worst_e4, "cost_e6": walk.amount_e6, "fee_e6": fee_e6, "max_loss_e6": paid_e6,
            "payout_e6": walk.filled_e2 * ONE_DOLLAR_E4,
            "profit_e6": walk.filled_e2 * ONE_DOLLAR_E4 - paid_e6,
            "breakeven_e4": paid_e6 / walk.filled_e2 if walk.filled_e2 else None,
        },
        "worst": {
            "cost_e6": count_e2 * limit_e4, "fee_e6": worst_fee_e6, "max_loss_e6": count_e2 * limit_e4 + worst_fee_e6,
            "payout_e6": count_e2 * ONE_DOLLAR_E4,
            "breakeven_e4": (count_e2 * limit_e4 + worst_fee_e6) / count_e2,
        },
    })  # fmt: skip
