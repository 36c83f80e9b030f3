"""Kalshi's private REST: orders (V2), account, holdings. Everything here needs a signature."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import msgspec
from aiohttp import web

from recio.exchange.simulator import render
from recio.exchange.simulator.core import Exchange
from recio.exchange.simulator.market import SHARD
from recio.exchange.simulator.orders import Order, Rejected
from recio.exchange.simulator.web import bad_query, fail, integer, ok, page
from recio.units import ONE_DOLLAR_E4, parse_fixed

__all__ = ["PrivateRest"]

Json = dict[str, Any]
_TYPES: dict[str, tuple[type, str]] = (
    dict.fromkeys(
        ("ticker", "client_order_id", "side", "count", "price", "time_in_force", "self_trade_prevention_type"),
        (str, "string"),
    )
    | dict.fromkeys(("post_only", "reduce_only", "cancel_order_on_pause"), (bool, "bool"))
    | dict.fromkeys(("expiration_time", "exchange_index", "subaccount"), (int, "int"))
)
_REQUIRED = ("ticker", "side", "count", "price", "time_in_force", "self_trade_prevention_type")
_LONGEST_S = 5 * 366 * 86_400  # how far ahead an order may expire
_CHOICES = {
    "side": ("bid", "ask"),
    "time_in_force": ("good_till_canceled", "immediate_or_cancel", "fill_or_kill"),
    "self_trade_prevention_type": ("taker_at_cross", "maker"),
}


class PrivateRest:
    """Handlers behind the signature check."""

    def __init__(self, exchange: Exchange, prefix: str) -> None:
        """``prefix`` is /trade-api/v2."""
        self._exchange, self._prefix = exchange, prefix

    def routes(self) -> list[web.RouteDef]:
        """What is served."""
        p = f"{self._prefix}/portfolio"
        return [
            web.post(f"{p}/events/orders", self.create_order),
            web.delete(f"{p}/events/orders", self.cancel_all),
            web.delete(f"{p}/events/orders/{{order_id}}", self.cancel_order),
            web.post(f"{p}/orders", self.version_1),
            web.delete(f"{p}/orders/{{order_id}}", self.version_1),
            web.get(f"{p}/orders", self.orders),
            web.get(f"{p}/orders/{{order_id}}", self.order),
            web.get(f"{p}/balance", self.balance),
            web.get(f"{p}/positions", self.positions),
            web.get(f"{p}/fills", self.fills),
            web.get(f"{p}/settlements", self.settlements),
            web.get(f"{self._prefix}/account/limits", self.limits),
        ]

    # ------------------------------------------------------------------ orders
    async def create_order(self, request: web.Request) -> web.Response:
        """POST /portfolio/events/orders."""
        body = _body(await request.read(), request.content_type)
        order, post_only, reduce_only = self._order(body)
        done = self._exchange.place(order, post_only, reduce_only)
        answer: Json = {
            "order_id": done.order_id,
            "client_order_id": done.client_order_id,
            "fill_count": render.count(done.filled_e2),
            "remaining_count": render.count(done.remaining_e2),
            "ts_ms": done.updated_ms,
        }
        if done.filled_e2:
            own_e4 = (done.taker_cost_e6 + done.maker_cost_e6) // done.filled_e2
            answer["average_fill_price"] = render.dollars(own_e4 if done.side == "bid" else ONE_DOLLAR_E4 - own_e4)
            answer["average_fee_paid"] = render.dollars(done.taker_fees_e6 // done.filled_e2)
        return ok(answer, 201)

    async def cancel_order(self, request: web.Request) -> web.Response:
        """DELETE /portfolio/events/orders/{id}. Without a market ticker (or shard) it asks shard 0: a false 404."""
        ticker, shard = request.query.get("market_ticker"), integer(request, "exchange_index")
        known = self._exchange.engine.orders.get(request.match_info["order_id"])
        if known is None or not (ticker == known.ticker or (ticker is None and shard == SHARD)):
            return fail(404, "not_found", "not found")
        order, reduced_e2 = self._exchange.cancel(known.order_id)
        return ok(
            {
                "order_id": order.order_id,
                "client_order_id": order.client_order_id,
                "reduced_by": render.count(reduced_e2),
                "ts_ms": order.updated_ms,
            }
        )

    async def cancel_all(self, request: web.Request) -> web.Response:
        """DELETE /portfolio/events/orders: everything that rests."""
        for order in self._exchange.engine.resting():
            self._exchange.cancel(order.order_id)
        return web.Response(status=204)

    async def version_1(self, request: web.Request) -> web.Response:
        """The order paths of before June 2026."""
        return fail(400, "bad_request", "Please switch to the V2 endpoints")

    async def orders(self, request: web.Request) -> web.Response:
        """GET /portfolio/orders, newest first."""
        status = request.query.get("status")
        if status and status not in ("resting", "canceled", "executed"):
            return bad_query(f"invalid status: {status[:40]!r}")
        engine = self._exchange.engine
        rows = [o for o in reversed(engine.orders.values()) if not status or o.status == status]
        return page(request, "orders", self._filtered(request, rows, lambda o: o.created_ms), render.order)

    async def order(self, request: web.Request) -> web.Response:
        """GET /portfolio/orders/{id}."""
        found = self._exchange.engine.orders.get(request.match_info["order_id"])
        return ok({"order": render.order(found)}) if found else fail(404, "not_found", "not found")

    # ------------------------------------------------------------------ account
    async def balance(self, request: web.Request) -> web.Response:
        """GET /portfolio/balance: what is free to trade with, and what the holdings would bring at the best bid."""
        engine = self._exchange.engine
        free_e6 = engine.account.cash_e6 - engine.locked_e6()
        value_e6 = 0
        for held in engine.account.positions.values():
            if held.position_e2:
                book = engine.book(held.ticker)
                bid, _, ask, _ = render.top_of_book(book)
                value_e6 += (
                    bid * held.position_e2 if held.position_e2 > 0 else (ONE_DOLLAR_E4 - ask) * -held.position_e2
                )
        return ok(
            {
                "balance": free_e6 // 10_000,
                "balance_dollars": render.money(free_e6),
                "portfolio_value": value_e6 // 10_000,
                "updated_ts": int(self._exchange.clock()),
                "balance_breakdown": [
                    {"exchange_index": 0, "balance": "0.000000"},
                    {"exchange_index": SHARD, "balance": render.money(free_e6)},
                ],
            }
        )

    async def positions(self, request: web.Request) -> web.Response:
        """GET /portfolio/positions: markets not yet settled, unless asked for others."""
        wanted = request.query.get("settlement_status", "unsettled")
        rows = [
            held
            for held in self._exchange.engine.account.positions.values()
            if wanted == "all" or held.settled == (wanted == "settled")
        ]
        if "position" in request.query.get("count_filter", "").split(","):
            rows = [held for held in rows if held.position_e2]
        rows = self._filtered(request, rows, lambda held: held.updated_ms)
        return page(request, "market_positions", rows, render.position, event_positions=[])

    async def fills(self, request: web.Request) -> web.Response:
        """GET /portfolio/fills, newest first."""
        order_id = request.query.get("order_id")
        rows = [f for f in reversed(self._exchange.engine.fills) if not order_id or f.order_id == order_id]
        return page(request, "fills", self._filtered(request, rows, lambda f: f.at_ms), render.fill)

    async def settlements(self, request: web.Request) -> web.Response:
        """GET /portfolio/settlements, newest first."""
        rows = list(reversed(self._exchange.settlements))
        return page(request, "settlements", self._filtered(request, rows, lambda s: s.at_ms), render.settlement)

    async def limits(self, request: web.Request) -> web.Response:
        """GET /account/limits: told, not yet enforced."""
        read, write = ({"refill_rate": rate, "bucket_capacity": rate} for rate in (200, 100))
        return ok({"usage_tier": "basic", "read": read, "write": write, "grants": []})

    # ------------------------------------------------------------------ reading a request
    def _filtered(self, request: web.Request, rows: list[Any], at_ms: Callable[[Any], int]) -> list[Any]:
        """The filters that all lists share: ticker, event_ticker, min_ts, max_ts."""
        ticker, event = request.query.get("ticker"), request.query.get("event_ticker")
        since, until = integer(request, "min_ts"), integer(request, "max_ts")
        return [
            row
            for row in rows
            if (not ticker or row.ticker == ticker)
            and (not event or row.ticker.rpartition("-")[0] == event)
            and (since is None or at_ms(row) >= since * 1000)
            and (until is None or at_ms(row) <= until * 1000)
        ]

    def _order(self, body: Json) -> tuple[Order, bool, bool]:
        """An order as the body describes it. Rejected with the exchange's codes."""
        shard = body.get("exchange_index")
        if shard not in (None, -1, SHARD):
            raise Rejected(404, "user_not_found", "user not found", f"no funds on exchange index {shard}")
        try:
            count_e2 = parse_fixed(body["count"], 2)
        except ValueError as problem:
            raise Rejected(400, "invalid_order_size", "invalid order size", str(problem)) from problem
        if count_e2 <= 0:
            raise Rejected(400, "invalid_order_size", "invalid order size", f"count {body['count']}")
        try:
            price_e4 = parse_fixed(body["price"], 4)
        except ValueError as problem:
            raise Rejected(400, "invalid_price", "invalid price", str(problem)) from problem
        now_ms = self._exchange.now_ms()
        expires_s = body.get("expiration_time")
        if expires_s is not None and (
            body["time_in_force"] != "good_till_canceled" or not 0 < expires_s - self._exchange.clock() < _LONGEST_S
        ):
            raise Rejected(400, "invalid_order", "invalid order", "expiration_time must be ahead, and only with GTC")
        if body.get("post_only") and body["time_in_force"] != "good_till_canceled":
            raise Rejected(400, "invalid_order", "invalid order", "post only needs good_till_canceled")
        order = Order(
            str(uuid.uuid4()),
            body.get("client_order_id") or str(uuid.uuid4()),
            body["ticker"],
            body["side"],
            price_e4,
            count_e2,
            count_e2,
            body["time_in_force"],
            now_ms,
            now_ms,
            self_trade=body["self_trade_prevention_type"],
            expires_s=expires_s,
        )
        return order, bool(body.get("post_only")), bool(body.get("reduce_only"))


def _body(raw: bytes, content_type: str) -> Json:
    """The request's object, with the types the exchange insists on: numbers are strings here."""
    if content_type != "application/json":
        raise Rejected(400, "invalid_content_type", "invalid content type", content_type)
    try:
        body = msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError) as problem:
        raise Rejected(400, "bad_request", "bad request", f"json: {problem}") from problem
    if not isinstance(body, dict):
        raise Rejected(400, "bad_request", "bad request", "json: cannot unmarshal into Go value of an object")
    for name, (kind, said) in _TYPES.items():
        value = body.get(name)
        if value is not None and type(value) is not kind:
            raise _wrong_type(name, value, said)
    for name in _REQUIRED:
        if not body.get(name):
            raise Rejected(400, "bad_request", "bad request", f"{name} is required")
    for name, choices in _CHOICES.items():
        if body[name] not in choices:
            raise Rejected(400, "bad_request", "bad request", f"{name} must be one of {', '.join(choices)}")
    return body


def _wrong_type(name: str, value: object, wanted: str) -> Rejected:
    kinds = {bool: "bool", int: "number", float: "number", str: "string", list: "array", dict: "object"}
    given = kinds.get(type(value), "value")
    details = f"json: cannot unmarshal {given} into Go struct field CreateOrderV2Request.{name} of type {wanted}"
    return Rejected(400, "bad_request", "bad request", details)
