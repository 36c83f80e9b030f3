"""Kalshi's public REST about the past: candlesticks, fee changes, and the historical twins of the live lists."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from recio.exchange.simulator import render
from recio.exchange.simulator.candles import Bar
from recio.exchange.simulator.core import Exchange
from recio.exchange.simulator.market import SimMarket
from recio.exchange.simulator.web import bad_query, fail, integer, ok, page

__all__ = ["HistoryRest"]

Json = dict[str, Any]
_PERIODS = (1, 60, 1440)
_MAX_ROWS = 10_000
_OHLC = ("open", "low", "high", "close")


class HistoryRest:
    """Handlers without a key. Nothing here is older than the cutoff: the simulator forgets, it does not archive."""

    def __init__(self, exchange: Exchange, prefix: str) -> None:
        """``prefix`` is /trade-api/v2."""
        self._exchange, self._prefix = exchange, prefix

    def routes(self) -> list[web.RouteDef]:
        """What is served."""
        p = self._prefix
        return [
            web.get(f"{p}/markets/candlesticks", self.many),
            web.get(f"{p}/series/{{series}}/markets/{{ticker}}/candlesticks", self.one),
            web.get(f"{p}/series/{{series}}/events/{{event}}/candlesticks", self.event),
            web.get(f"{p}/series/fee_changes", self.series_fee_changes),
            web.get(f"{p}/events/fee_changes", self.event_fee_changes),
            web.get(f"{p}/historical/cutoff", self.cutoff),
            web.get(f"{p}/historical/markets", self.nothing("markets")),
            web.get(f"{p}/historical/markets/{{ticker}}", self.gone),
            web.get(f"{p}/historical/markets/{{ticker}}/candlesticks", self.gone),
            web.get(f"{p}/historical/trades", self.nothing("trades")),
        ]

    # ------------------------------------------------------------------ candlesticks
    async def one(self, request: web.Request) -> web.Response:
        """GET /series/{series}/markets/{ticker}/candlesticks."""
        market = self._exchange.markets.get(request.match_info["ticker"])
        if market is None or market.definition.series_ticker != request.match_info["series"]:
            return fail(404, "not_found", "not found")
        return ok({"ticker": market.ticker, "candlesticks": self._rows(market, *_span(request))})

    async def many(self, request: web.Request) -> web.Response:
        """GET /markets/candlesticks?market_tickers=A,B: at most 100 markets and 10,000 rows in all."""
        tickers = [t for text in request.query.getall("market_tickers", []) for t in text.split(",") if t]
        if not 1 <= len(tickers) <= 100:
            return bad_query("market_tickers must hold between 1 and 100 tickers")
        span = _span(request)
        known = [self._exchange.markets[t] for t in tickers if t in self._exchange.markets]
        rows = [{"market_ticker": m.ticker, "candlesticks": self._rows(m, *span)} for m in known]
        if sum(len(row["candlesticks"]) for row in rows) > _MAX_ROWS:
            return bad_query(f"more than {_MAX_ROWS} candlesticks; ask for fewer markets or a shorter time")
        return ok({"markets": rows})

    async def event(self, request: web.Request) -> web.Response:
        """GET /series/{series}/events/{event}/candlesticks."""
        name = request.match_info["event"]
        markets = [m for m in self._exchange.markets.values() if m.definition.event_ticker == name]
        if not markets or markets[0].definition.series_ticker != request.match_info["series"]:
            return fail(404, "not_found", "not found")
        start_s, end_s, minutes, _ = _span(request)
        return ok(
            {
                "market_tickers": [m.ticker for m in markets],
                "market_candlesticks": [self._rows(m, start_s, end_s, minutes, False) for m in markets],
                "adjusted_end_ts": end_s,
            }
        )

    def _rows(self, market: SimMarket, start_s: int, end_s: int, minutes: int, with_latest: bool) -> list[Json]:
        candles = self._exchange.candles
        rows = [_row(bar) for bar in candles.bars(market.ticker, start_s, end_s, minutes)]
        before = candles.last_before(market.ticker, start_s, minutes) if with_latest else None
        if before is not None:
            # As the exchange makes it: no prices, only the former close, at the first boundary after the start.
            empty = dict.fromkeys(f"{name}_dollars" for name in _OHLC)
            close = before.values[12] if before.values[12] >= 0 else before.values[16]
            row = _row(before) | {"end_period_ts": (start_s // (minutes * 60) + 1) * minutes * 60, "volume_fp": "0.00"}
            rows.insert(0, row | {"price": empty | {"mean_dollars": None, "previous_dollars": _price(close)}})
        return rows

    # ------------------------------------------------------------------ fees and history
    async def series_fee_changes(self, request: web.Request) -> web.Response:
        """GET /series/fee_changes: with show_historical, the schedule in force since 2026-07-07."""
        series, fees = request.query.get("series_ticker"), self._exchange.engine.fees
        is_shown = request.query.get("show_historical") == "true"
        rows = [
            {
                "id": f"{ticker}-20260707",
                "series_ticker": ticker,
                "fee_type": fees.fee_type,
                "fee_multiplier": fees.multiplier_e2 / 100,
                "scheduled_ts": "2026-07-07T04:00:00Z",
            }
            for ticker in (render.SERIES if is_shown else ())
            if series in (None, "", ticker)
        ]
        return ok({"series_fee_change_arr": rows})

    async def event_fee_changes(self, request: web.Request) -> web.Response:
        """GET /events/fee_changes: none."""
        return ok({"event_fee_changes": [], "cursor": ""})

    async def cutoff(self, request: web.Request) -> web.Response:
        """GET /historical/cutoff: what was settled before is forgotten."""
        at = render.iso(self._exchange.memory.cutoff_s())
        names = ("market_settled_ts", "trades_created_ts", "orders_updated_ts", "market_positions_last_updated_ts")
        return ok(dict.fromkeys(names, at))

    def nothing(self, key: str) -> Any:
        """An empty list."""

        async def handler(request: web.Request) -> web.Response:
            return page(request, key, [], lambda row: row)

        return handler

    async def gone(self, request: web.Request) -> web.Response:
        """A historical market: there is none."""
        return fail(404, "not_found", "not found")


def _span(request: web.Request) -> tuple[int, int, int, bool]:
    """start_ts, end_ts, period_interval, include_latest_before_start. HTTPBadRequest in the bare shape."""
    start_s, end_s = integer(request, "start_ts"), integer(request, "end_ts")
    minutes = integer(request, "period_interval")
    text = ""
    if start_s is None or end_s is None or minutes is None:
        text = "start_ts, end_ts and period_interval are required"
    elif minutes not in _PERIODS:
        text = f"period_interval must be one of 1, 60, 1440, not {minutes}"
    elif end_s < start_s:
        text = "end_ts lies before start_ts"
    elif (end_s - start_s) // (minutes * 60) > _MAX_ROWS:
        text = f"more than {_MAX_ROWS} candlesticks"
    if text or start_s is None or end_s is None or minutes is None:
        answer = bad_query(text)
        raise web.HTTPBadRequest(body=answer.body, content_type="application/json")
    return start_s, end_s, minutes, request.query.get("include_latest_before_start") == "true"


def _price(e4: int) -> str | None:
    return render.dollars(e4) if e4 >= 0 else None


def _row(bar: Bar) -> Json:
    """A MarketCandlestick object."""
    v = bar.values
    row: Json = {"end_period_ts": v[0]}
    for name, start in (("yes_bid", 1), ("yes_ask", 5)):
        row[name] = {f"{word}_dollars": render.dollars(v[start + i]) for i, word in enumerate(_OHLC)}
    price: Json = {f"{word}_dollars": _price(v[9 + i]) for i, word in enumerate(_OHLC)}
    price["mean_dollars"] = render.dollars(v[13] // v[14]) if v[14] else None
    price["previous_dollars"] = _price(v[16])
    return row | {"price": price, "volume_fp": render.count(v[14]), "open_interest_fp": render.count(v[15])}
