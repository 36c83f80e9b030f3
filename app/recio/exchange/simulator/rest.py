"""Kalshi's public REST: exchange, series, events, markets, books, trades."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from aiohttp import web

from recio.exchange.simulator import render
from recio.exchange.simulator.core import Exchange, MarketEvent
from recio.exchange.simulator.limits import COSTS, DEFAULT_COST
from recio.exchange.simulator.market import SimMarket
from recio.exchange.simulator.orders import Event, Traded
from recio.exchange.simulator.shards import DESCRIPTIONS
from recio.exchange.simulator.web import bad_query, fail, integer, ok, page

__all__ = ["PublicRest"]

_FILTERS = {
    "unopened": ("initialized",),
    "open": ("active",),
    "paused": ("inactive",),
    "closed": ("closed", "determined", "disputed", "amended"),
    "settled": ("finalized",),
}
_FITTING: dict[str, tuple[str, ...]] = {
    "created": ("", "unopened", "open"),
    "close": ("", "closed"),
    "settled": ("", "settled"),
    "updated": ("",),
}
_TIMES: tuple[tuple[str, Callable[[SimMarket], float]], ...] = (
    ("created", lambda m: m.definition.created_s),
    ("close", lambda m: m.definition.close_s),
    ("settled", lambda m: m.settled_ms / 1000),
    ("updated", lambda m: m.updated_ms / 1000),
)
_ALWAYS_OPEN = [{"open_time": "00:00", "close_time": "00:00"}]
_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


class PublicRest:
    """Handlers without a key."""

    def __init__(self, exchange: Exchange, prefix: str) -> None:
        """Listen to trades, to list them."""
        self._exchange, self._prefix = exchange, prefix
        self._trades: deque[Traded] = deque(maxlen=5_000)
        exchange.listeners.append(self._hear)

    def _hear(self, event: Event | MarketEvent) -> None:
        if isinstance(event, Traded):
            self._trades.appendleft(event)

    def routes(self) -> list[web.RouteDef]:
        """What is served."""
        p = self._prefix
        return [
            web.get(f"{p}/exchange/status", self.status),
            web.get(f"{p}/exchange/schedule", self.schedule),
            web.get(f"{p}/exchange/user_data_timestamp", self.user_data_timestamp),
            web.get(f"{p}/series", self.series_list),
            web.get(f"{p}/series/{{ticker}}", self.series),
            web.get(f"{p}/events", self.events),
            web.get(f"{p}/events/{{ticker}}", self.event),
            web.get(f"{p}/events/{{ticker}}/metadata", self.event_metadata),
            web.get(f"{p}/markets", self.markets),
            web.get(f"{p}/markets/trades", self.trades),
            web.get(f"{p}/markets/orderbooks", self.orderbooks),
            web.get(f"{p}/markets/{{ticker}}", self.market),
            web.get(f"{p}/markets/{{ticker}}/orderbook", self.orderbook),
            web.get(f"{p}/account/endpoint_costs", self.endpoint_costs),
        ]

    async def status(self, request: web.Request) -> web.Response:
        """GET /exchange/status."""
        exchange = self._exchange
        state = {
            "exchange_active": exchange.exchange_active,
            "trading_active": exchange.trading_active and exchange.exchange_active,
            "intra_exchange_transfers_active": exchange.exchange_active,
        }
        shards = [{"exchange_index": i, "description": text, **state} for i, text in DESCRIPTIONS.items()]
        return ok(state | {"exchange_index_statuses": shards})

    async def schedule(self, request: web.Request) -> web.Response:
        """GET /exchange/schedule: always open; the weekly maintenance is not simulated."""
        week = {"start_time": "2026-01-01T00:00:00Z", "end_time": "2036-01-01T00:00:00Z"}
        hours = week | dict.fromkeys(_DAYS, _ALWAYS_OPEN)
        return ok({"schedule": {"standard_hours": [hours], "maintenance_windows": []}})

    async def user_data_timestamp(self, request: web.Request) -> web.Response:
        """GET /exchange/user_data_timestamp: how far private reads have come."""
        return ok({"as_of_time": render.iso(self._exchange.clock() - self._exchange.view.lag_ms / 1000)})

    async def endpoint_costs(self, request: web.Request) -> web.Response:
        """GET /account/endpoint_costs."""
        rows = [{"method": method, "path": path, "cost": cost} for method, path, cost in COSTS]
        return ok({"default_cost": DEFAULT_COST, "endpoint_costs": rows})

    async def series_list(self, request: web.Request) -> web.Response:
        """GET /series."""
        return ok({"series": [render.series(ticker) for ticker in render.SERIES]})

    async def series(self, request: web.Request) -> web.Response:
        """GET /series/{ticker}."""
        ticker = request.match_info["ticker"]
        if ticker not in render.SERIES:
            return fail(404, "not_found", "not found")
        return ok({"series": render.series(ticker)})

    async def events(self, request: web.Request) -> web.Response:
        """GET /events: pages of up to 200."""
        status = request.query.get("status", "")
        if status and status not in _FILTERS:
            return bad_query(f"invalid status: {status[:40]!r}; expected one of {', '.join(_FILTERS)}")
        grouped: dict[str, list[SimMarket]] = {}
        for market in self._chosen(request):
            grouped.setdefault(market.definition.event_ticker, []).append(market)
        nested = request.query.get("with_nested_markets") == "true"

        def one(markets: list[SimMarket]) -> dict[str, Any]:
            return render.event(markets) | ({"markets": [self._row(m) for m in markets]} if nested else {})

        return page(request, "events", list(grouped.values()), one, most=200, usual=200)

    async def event(self, request: web.Request) -> web.Response:
        """GET /events/{ticker}."""
        ticker = request.match_info["ticker"]
        markets = [m for m in self._exchange.markets.values() if m.definition.event_ticker == ticker]
        if not markets:
            return fail(404, "not_found", "not found")
        return ok({"event": render.event(markets), "markets": [self._row(m) for m in markets]})

    async def event_metadata(self, request: web.Request) -> web.Response:
        """GET /events/{ticker}/metadata: sources; there are no images."""
        ticker = request.match_info["ticker"]
        markets = [m for m in self._exchange.markets.values() if m.definition.event_ticker == ticker]
        if not markets:
            return fail(404, "not_found", "not found")
        details = [{"market_ticker": m.ticker, "image_url": "", "color_code": ""} for m in markets]
        sources = render.event(markets)["settlement_sources"]
        return ok({"image_url": "", "settlement_sources": sources, "market_details": details})

    async def markets(self, request: web.Request) -> web.Response:
        """GET /markets."""
        problem = _unfit_filters(request)
        return bad_query(problem) if problem else page(request, "markets", self._chosen(request), self._row)

    async def market(self, request: web.Request) -> web.Response:
        """GET /markets/{ticker}."""
        found = self._exchange.markets.get(request.match_info["ticker"])
        return ok({"market": self._row(found)}) if found else fail(404, "not_found", "not found")

    async def orderbook(self, request: web.Request) -> web.Response:
        """GET /markets/{ticker}/orderbook."""
        ticker = request.match_info["ticker"]
        if ticker not in self._exchange.markets:
            return fail(404, "not_found", "not found")
        depth = integer(request, "depth", 0) or 0
        if not 0 <= depth <= 100:
            return bad_query("depth must be between 0 and 100")
        return ok({"orderbook_fp": render.orderbook(self._exchange.engine.book(ticker), depth)})

    async def orderbooks(self, request: web.Request) -> web.Response:
        """GET /markets/orderbooks?tickers=A&tickers=B."""
        tickers = [t for text in request.query.getall("tickers", []) for t in text.split(",") if t]
        if not 1 <= len(tickers) <= 100:
            return bad_query("tickers must hold between 1 and 100 tickers")
        known = [t for t in tickers if t in self._exchange.markets]
        return ok(
            {
                "orderbooks": [
                    {"ticker": t, "orderbook_fp": render.orderbook(self._exchange.engine.book(t))} for t in known
                ]
            }
        )

    async def trades(self, request: web.Request) -> web.Response:
        """GET /markets/trades, newest first."""
        ticker = request.query.get("ticker")
        since, until = integer(request, "min_ts"), integer(request, "max_ts")
        rows = [
            t
            for t in self._trades
            if (not ticker or t.ticker == ticker)
            and (since is None or t.at_ms >= since * 1000)
            and (until is None or t.at_ms <= until * 1000)
        ]
        return page(request, "trades", rows, lambda row: render.lean(render.trade(row), self._exchange.compat))

    def _row(self, market: SimMarket) -> dict[str, Any]:
        row = render.market(market, self._exchange.engine.book(market.ticker))
        return render.lean(row, self._exchange.compat)

    def _chosen(self, request: web.Request) -> list[SimMarket]:
        """Markets that pass the query's filters, by close and strike."""
        query = request.query
        statuses = _FILTERS.get(query.get("status", ""))
        tickers = set(query["tickers"].split(",")) if query.get("tickers") else None
        spans = [(at, integer(request, f"min_{name}_ts"), integer(request, f"max_{name}_ts")) for name, at in _TIMES]
        spans = [(at, after, before) for at, after, before in spans if after is not None or before is not None]
        if query.get("mve_filter") == "only":
            return []
        chosen = [
            m
            for m in self._exchange.markets.values()
            if (not query.get("series_ticker") or m.definition.series_ticker == query["series_ticker"])
            and (not query.get("event_ticker") or m.definition.event_ticker == query["event_ticker"])
            and (statuses is None or m.status in statuses)
            and (tickers is None or m.ticker in tickers or m.definition.event_ticker in tickers)
            and all(
                (after is None or at(m) >= after) and (before is None or 0 < at(m) <= before)
                for at, after, before in spans
            )
        ]
        return sorted(chosen, key=lambda m: (m.definition.close_s, m.definition.series_ticker, m.middle_e2, m.ticker))


def _unfit_filters(request: web.Request) -> str:
    """What is wrong with the filters of GET /markets; empty when nothing is.

    Only one group of time filters may be given, and each only with some statuses.
    """
    query = request.query
    statuses = query.getall("status", [])
    status = statuses[0] if statuses else ""
    if len(statuses) > 1 or (status and status not in _FILTERS):
        return f"invalid status: {','.join(statuses)[:40]!r}; expected one of {', '.join(_FILTERS)}"
    if query.get("mve_filter") not in (None, "", "only", "exclude"):
        return f"invalid mve_filter: {query['mve_filter'][:40]!r}"
    given = [name for name in _FITTING if query.get(f"min_{name}_ts") or query.get(f"max_{name}_ts")]
    if len(given) > 1:
        return f"timestamp filters exclude each other: {', '.join(given)}"
    if given and status not in _FITTING[given[0]]:
        return f"{given[0]} timestamp filters do not go with status {status}"
    if given == ["updated"]:
        others = {name for name in query if query[name]} - {"min_updated_ts", "max_updated_ts", "limit", "cursor"}
        if others - {"mve_filter", "series_ticker"} or ("series_ticker" in others and "mve_filter" not in others):
            return "updated timestamp filters go only with mve_filter=exclude, and then with series_ticker"
    return ""
