"""Kalshi's private REST that reads: orders, account, holdings; and cash between shards. Everything needs a signature."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from aiohttp import web

from recio.exchange.simulator import render
from recio.exchange.simulator.account import Position
from recio.exchange.simulator.bodies import read_object, wrong
from recio.exchange.simulator.core import Exchange
from recio.exchange.simulator.limits import Limiter
from recio.exchange.simulator.market import SHARD
from recio.exchange.simulator.orders import Fill, Order, Rejected
from recio.exchange.simulator.shards import DESCRIPTIONS
from recio.exchange.simulator.web import bad_query, fail, integer, ok, page
from recio.units import ONE_DOLLAR_E4

__all__ = ["PortfolioRest"]

Json = dict[str, Any]


class PortfolioRest:
    """Handlers behind the signature check."""

    def __init__(self, exchange: Exchange, prefix: str, limiter: Limiter) -> None:
        """``prefix`` is /trade-api/v2; ``limiter`` is what /account/limits tells about."""
        self._exchange, self._prefix, self._limiter = exchange, prefix, limiter

    def routes(self) -> list[web.RouteDef]:
        """What is served."""
        p = f"{self._prefix}/portfolio"
        move = f"{p}/intra_exchange_instance_transfer"
        return [
            web.get(f"{p}/orders", self.orders),
            web.get(f"{p}/orders/queue_positions", self.queue_positions),
            web.get(f"{p}/orders/{{order_id}}", self.order),
            web.get(f"{p}/orders/{{order_id}}/queue_position", self.queue_position),
            web.get(f"{p}/balance", self.balance),
            web.get(f"{p}/positions", self.positions),
            web.get(f"{p}/fills", self.fills),
            web.get(f"{p}/settlements", self.settlements),
            web.get(f"{p}/deposits", self.deposits),
            web.get(f"{p}/withdrawals", self.withdrawals),
            web.get(f"{p}/summary/total_resting_order_value", self.resting_value),
            web.post(move, self.transfer),
            web.get(f"{move}s", self.transfers),
            web.get(f"{move}s/{{transfer_id}}", self.one_transfer),
            web.get(f"{p}/target_balance_allocation", self.allocation),
            web.post(f"{p}/target_balance_allocation", self.allocate),
            web.get(f"{self._prefix}/account/limits", self.limits),
        ]

    # ------------------------------------------------------------------ orders
    async def orders(self, request: web.Request) -> web.Response:
        """GET /portfolio/orders, newest first."""
        status = request.query.get("status")
        if status and status not in ("resting", "canceled", "executed"):
            return bad_query(f"invalid status: {status[:40]!r}")
        rows = [o for o in reversed(self._exchange.view.orders().values()) if not status or o.status == status]
        return page(request, "orders", self._filtered(request, rows, lambda o: o.created_ms), self._order)

    async def order(self, request: web.Request) -> web.Response:
        """GET /portfolio/orders/{id}."""
        found = self._exchange.view.orders().get(request.match_info["order_id"])
        return ok({"order": self._order(found)}) if found else fail(404, "not_found", "not found")

    async def queue_position(self, request: web.Request) -> web.Response:
        """GET /portfolio/orders/{id}/queue_position."""
        order = self._exchange.engine.orders.get(request.match_info["order_id"])
        if order is None or order.status != "resting":
            return fail(404, "not_found", "not found")
        ahead = self._exchange.engine.book(order.ticker).ahead_e2(order)
        return ok({"queue_position_fp": render.count(ahead)})

    async def queue_positions(self, request: web.Request) -> web.Response:
        """GET /portfolio/orders/queue_positions of given markets or an event."""
        tickers = {t for text in request.query.getall("market_tickers", []) for t in text.split(",") if t}
        event = request.query.get("event_ticker")
        if not tickers and not event:
            return bad_query("market_tickers or event_ticker is required")
        engine = self._exchange.engine
        rows = [
            {
                "order_id": order.order_id,
                "market_ticker": order.ticker,
                "queue_position_fp": render.count(engine.book(order.ticker).ahead_e2(order)),
            }
            for order in engine.resting()
            if order.ticker in tickers or order.ticker.rpartition("-")[0] == event
        ]
        return ok({"queue_positions": rows})

    # ------------------------------------------------------------------ account
    async def balance(self, request: web.Request) -> web.Response:
        """GET /portfolio/balance: what is free to trade with, and what the holdings would bring at the best bid."""
        exchange, shard = self._exchange, integer(request, "exchange_index")
        free = {i: exchange.view.free_e6() if i == SHARD else exchange.shards.free_e6(i) for i in DESCRIPTIONS}
        if shard is not None and shard not in free:
            return bad_query(f"invalid exchange_index: {shard}")
        total_e6 = sum(free.values()) if shard is None else free[shard]
        value_e6 = 0
        for held in exchange.view.positions().values() if shard in (None, SHARD) else ():
            if held.position_e2:
                bid, _, ask, _ = render.top_of_book(exchange.engine.book(held.ticker))
                value_e6 += (
                    bid * held.position_e2 if held.position_e2 > 0 else (ONE_DOLLAR_E4 - ask) * -held.position_e2
                )
        shown = {i: e6 for i, e6 in free.items() if i in exchange.shards.funded or i == 0}
        return ok(
            {
                "balance": total_e6 // 10_000,
                "balance_dollars": render.money(total_e6),
                "portfolio_value": value_e6 // 10_000,
                "updated_ts": int(exchange.clock()),
                "balance_breakdown": [{"exchange_index": i, "balance": render.money(e6)} for i, e6 in shown.items()],
            }
        )

    async def positions(self, request: web.Request) -> web.Response:
        """GET /portfolio/positions: markets not yet settled, unless asked for others."""
        wanted = request.query.get("settlement_status", "unsettled")
        if wanted not in ("unsettled", "settled", "all"):
            return bad_query(f"invalid settlement_status: {wanted[:40]!r}")
        rows = [
            held
            for held in self._exchange.view.positions().values()
            if wanted == "all" or held.settled == (wanted == "settled")
        ]
        filters = [name for name in request.query.get("count_filter", "").split(",") if name]
        if "position" in filters:
            rows = [held for held in rows if held.position_e2]
        if "total_traded" in filters:
            rows = [held for held in rows if held.traded_e6]
        rows = self._filtered(request, rows, lambda held: held.updated_ms)
        events = _event_positions(rows)
        return page(request, "market_positions", rows, render.position, event_positions=events)

    async def fills(self, request: web.Request) -> web.Response:
        """GET /portfolio/fills, newest first."""
        order_id = request.query.get("order_id")
        rows = [f for f in reversed(self._exchange.view.fills()) if not order_id or f.order_id == order_id]
        return page(request, "fills", self._filtered(request, rows, lambda f: f.at_ms), self._fill)

    async def settlements(self, request: web.Request) -> web.Response:
        """GET /portfolio/settlements, newest first."""
        rows = list(reversed(self._exchange.settlements))
        return page(request, "settlements", self._filtered(request, rows, lambda s: s.at_ms), render.settlement)

    async def deposits(self, request: web.Request) -> web.Response:
        """GET /portfolio/deposits: none, the account starts with its cash."""
        return ok({"deposits": [], "cursor": ""})

    async def withdrawals(self, request: web.Request) -> web.Response:
        """GET /portfolio/withdrawals: none."""
        return ok({"withdrawals": [], "cursor": ""})

    async def resting_value(self, request: web.Request) -> web.Response:
        """GET /portfolio/summary/total_resting_order_value, in cents and by shard."""
        locked_e6 = self._exchange.engine.locked_e6()
        by_shard = [{"exchange_index": SHARD, "balance": render.money(locked_e6)}]
        return ok({"total_resting_order_value": locked_e6 // 10_000, "resting_order_value_breakdown": by_shard})

    async def limits(self, request: web.Request) -> web.Response:
        """GET /account/limits."""
        read, write = (
            {"refill_rate": rate, "bucket_capacity": capacity}
            for rate, capacity in map(self._limiter.rate_and_capacity, ("read", "write"))
        )
        return ok({"usage_tier": self._limiter.tier or "prestige", "read": read, "write": write, "grants": []})

    # ------------------------------------------------------------------ cash between shards
    async def transfer(self, request: web.Request) -> web.Response:
        """POST /portfolio/intra_exchange_instance_transfer. The amount is in 1/10,000 dollar."""
        body = read_object(await request.read(), request.content_type)
        for name in ("source", "destination"):
            if body.get(name) not in ("event_contract", "margined"):
                raise wrong(f"{name} must be one of event_contract, margined")
            if body[name] == "margined":
                raise Rejected(403, "forbidden", "forbidden", "there is no margined exchange here")
        numbers = [body.get(name, 0) for name in ("amount", "source_exchange_shard", "destination_exchange_shard")]
        if any(type(number) is not int for number in numbers):
            raise wrong("json: amount and exchange shards are of type int")
        amount, source, destination = numbers
        client_id = str(body.get("client_transfer_id") or "")
        done = self._exchange.desk.transfer(source, destination, amount * 100, client_id)
        return ok({"transfer_id": done.transfer_id})

    async def transfers(self, request: web.Request) -> web.Response:
        """GET /portfolio/intra_exchange_instance_transfers, newest first."""
        rows = list(reversed(self._exchange.shards.transfers))
        return page(request, "transfers", rows, render.transfer, most=500)

    async def one_transfer(self, request: web.Request) -> web.Response:
        """GET /portfolio/intra_exchange_instance_transfers/{id}."""
        wanted = request.match_info["transfer_id"]
        found = next((t for t in self._exchange.shards.transfers if t.transfer_id == wanted), None)
        return ok({"transfer": render.transfer(found)}) if found else fail(404, "not_found", "not found")

    async def allocation(self, request: web.Request) -> web.Response:
        """GET /portfolio/target_balance_allocation."""
        rows = [{"exchange_index": i, "percent": share} for i, share in self._exchange.shards.allocation.items()]
        return ok({"allocations": rows, "resting_margin_reservation": "sum"})

    async def allocate(self, request: web.Request) -> web.Response:
        """POST /portfolio/target_balance_allocation: what resting orders lock always stays (reservation ``sum``)."""
        rows = read_object(await request.read(), request.content_type).get("allocations")
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise wrong("allocations is required")
        pairs = [(row.get("exchange_index"), row.get("percent")) for row in rows]
        if any(type(i) is not int or type(share) is not int or not 0 <= share <= 100 for i, share in pairs):
            raise wrong("every allocation needs an exchange_index and a percent between 0 and 100")
        self._exchange.desk.allocate({int(i): int(share) for i, share in pairs})
        return ok({})

    # ------------------------------------------------------------------ reading a request
    def _order(self, order: Order) -> Json:
        return render.lean(render.order(order), self._exchange.compat)

    def _fill(self, fill: Fill) -> Json:
        return render.lean(render.fill(fill), self._exchange.compat)

    def _filtered(self, request: web.Request, rows: Iterable[Any], at_ms: Callable[[Any], int]) -> list[Any]:
        """The filters that all lists share: ticker, event_ticker, min_ts, max_ts, subaccount, exchange_index."""
        ticker, event = request.query.get("ticker"), request.query.get("event_ticker")
        since, until = integer(request, "min_ts"), integer(request, "max_ts")
        if integer(request, "subaccount") or integer(request, "exchange_index") not in (None, SHARD):
            return []
        return [
            row
            for row in rows
            if (not ticker or row.ticker == ticker)
            and (not event or row.ticker.rpartition("-")[0] == event)
            and (since is None or at_ms(row) >= since * 1000)
            and (until is None or at_ms(row) <= until * 1000)
        ]


def _event_positions(rows: Iterable[Position]) -> list[Json]:
    """Holdings summed by event."""
    grouped: dict[str, list[Position]] = {}
    for held in rows:
        grouped.setdefault(held.ticker.rpartition("-")[0], []).append(held)
    return [
        {
            "event_ticker": event,
            "total_cost_dollars": render.money(sum(held.traded_e6 for held in group)),
            "total_cost_shares_fp": render.count(sum(held.traded_e2 for held in group)),
            "event_exposure_dollars": render.money(sum(held.cost_e6 for held in group)),
            "realized_pnl_dollars": render.money(sum(held.realized_e6 for held in group)),
            "fees_paid_dollars": render.money(sum(held.fees_e6 for held in group)),
        }
        for event, group in grouped.items()
    ]
