"""The market by HTTP: price, bars, events, strike tables, and what a ticket would cost now."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from recio.market.claim import claim
from recio.store import web_queries as queries
from recio.store.desk_queries import all_strikes, newest_calibration
from recio.trading.ticket import price_e4_of, price_ranges, side_of
from recio.web import risk_view, table_view
from recio.web.desk import Desk, desk_of, session_of
from recio.web.errors import ApiError
from recio.web.quote import model_view, quote_of, size_e2
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
    return json_response(
        wire(table_view.shown(desk.pool, session_of(request).user_id, desk.settings.mode, row))
        | {"now_ms": round(desk.clock() * 1000)}
    )


def known_market(desk: Desk, ticker: str) -> dict[str, Any]:
    """The market's row, or ApiError 404."""
    row = queries.market(desk.pool, desk.settings.mode, ticker)
    if row is None:
        raise ApiError(404, "no_market", f"there is no market {ticker}", "take a market_ticker of GET /api/strikes")
    return row


@router.get("/api/strikes/all", **api("Market", "read", answer="AllStrikes"))
def every_strike(request: Request, event: Ticker) -> Response:
    """Every strike of an event with the best of its book; probabilities are made for the strikes around the price only."""
    desk, user_id = desk_of(request), session_of(request).user_id
    rows = all_strikes(desk.pool, desk.settings.mode, event)
    if not rows:
        raise ApiError(404, "no_strike_table", f"there is no event {event}", "take one of GET /api/events")
    price, table = queries.price(desk.pool), queries.strike_table(desk.pool, event)
    calibration = newest_calibration(desk.pool, user_id, desk.settings.mode, rows[0]["series_ticker"])
    made = table_view.everything(rows, price, table, desk.clock(), calibration)
    return json_response({"now_ms": round(desk.clock() * 1000), "event_ticker": event} | made)


@router.get("/api/limits", **api("Market", "read", "trade", answer="Limits"))
def limits(request: Request) -> Response:
    """Each risk limit with what is used of it, and why no entry is possible now: by the facts and rules that refuse one."""
    desk, session = desk_of(request), session_of(request)
    found = risk_view.limits(desk.pool, session.user_id, desk.settings.mode, desk.clock())
    return json_response(found | {"now_ms": round(desk.clock() * 1000)})


@router.get("/api/quote", **api("Market", "read", "trade", answer="Quote"))
def quote(
    request: Request,
    market_ticker: Ticker,
    side: Annotated[str, Query(max_length=8)],
    limit_price: Annotated[str, Query(max_length=20)],
    count: Annotated[str, Query(max_length=20)] = "",
    dollars: Annotated[str, Query(max_length=20)] = "",
) -> Response:
    """What buying would cost now from the book on record: average, fee, the most one can lose, payout, breakeven.

    Give ``count``, or ``dollars``: what may be lost at most, fee included, as whole contracts at the limit. ``worst`` is
    the whole count at the limit price, ``now`` what would fill at once, level by level. Fees are estimates. ``refusals``
    is why the risk gate would refuse this very order now.
    """
    desk, session = desk_of(request), session_of(request)
    market = known_market(desk, market_ticker)
    side = side_of(side)
    limit_e4 = price_e4_of(limit_price, price_ranges(market["price_ranges"]), side)
    count_e2 = size_e2(count, dollars, limit_e4)
    table = queries.strike_table(desk.pool, market["event_ticker"])
    row = next((r for r in table["rows"] if r["market_ticker"] == market_ticker), None) if table else None
    book = queries.books_of(desk.pool, market_ticker)
    made = quote_of(market_ticker, side, count_e2, limit_e4, book)
    made["claim"] = claim(market["strike_type"], market["floor_strike_e2"], market["cap_strike_e2"], side)
    series = market["series_ticker"]
    calibration = newest_calibration(desk.pool, session.user_id, desk.settings.mode, series)
    made["model"] = model_view(side, made, row, table, calibration, series)
    made["refusals"] = risk_view.refusals(
        desk.pool, session.user_id, desk.settings.mode, market_ticker, side, count_e2, limit_e4, desk.clock()
    )
    return json_response(made | {"now_ms": round(desk.clock() * 1000)})
