"""Kalshi's private REST that changes something: orders (V2) and order groups."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from recio.exchange.simulator import render
from recio.exchange.simulator.bodies import (
    AMEND,
    CREATE,
    DECREASE,
    check_types,
    check_values,
    count_e2,
    expiry_s,
    new_order,
    price_e4,
    read_object,
    wrong,
)
from recio.exchange.simulator.core import Exchange
from recio.exchange.simulator.desk import KEEP_EXPIRY
from recio.exchange.simulator.limits import Limiter
from recio.exchange.simulator.market import SHARD
from recio.exchange.simulator.orders import Order, Rejected
from recio.exchange.simulator.web import fail, integer, ok
from recio.units import ONE_DOLLAR_E4

__all__ = ["TradingRest"]

Json = dict[str, Any]


class TradingRest:
    """Handlers behind the signature check."""

    def __init__(self, exchange: Exchange, prefix: str, limiter: Limiter) -> None:
        """``prefix`` is /trade-api/v2; ``limiter`` bills the items of batches."""
        self._exchange, self._desk, self._prefix, self._limiter = exchange, exchange.desk, prefix, limiter

    def routes(self) -> list[web.RouteDef]:
        """What is served."""
        p = f"{self._prefix}/portfolio"
        v1, groups = f"{p}/orders", f"{p}/order_groups"
        return [
            web.post(f"{p}/events/orders", self.create_order),
            web.delete(f"{p}/events/orders", self.cancel_all),
            web.post(f"{p}/events/orders/batched", self.create_batch),
            web.delete(f"{p}/events/orders/batched", self.cancel_batch),
            web.delete(f"{p}/events/orders/{{order_id}}", self.cancel_order),
            web.post(f"{p}/events/orders/{{order_id}}/amend", self.amend_order),
            web.post(f"{p}/events/orders/{{order_id}}/decrease", self.decrease_order),
            web.post(v1, self.version_1),
            web.post(f"{v1}/batched", self.version_1),
            web.delete(f"{v1}/batched", self.version_1),
            web.delete(f"{v1}/{{order_id}}", self.version_1),
            web.post(f"{v1}/{{order_id}}/amend", self.version_1),
            web.post(f"{v1}/{{order_id}}/decrease", self.version_1),
            web.get(groups, self.groups),
            web.post(f"{groups}/create", self.create_group),
            web.get(f"{groups}/{{group_id}}", self.group),
            web.delete(f"{groups}/{{group_id}}", self.delete_group),
            web.put(f"{groups}/{{group_id}}/reset", self.reset_group),
            web.put(f"{groups}/{{group_id}}/trigger", self.trigger_group),
            web.put(f"{groups}/{{group_id}}/limit", self.limit_group),
        ]

    # ------------------------------------------------------------------ one order
    async def create_order(self, request: web.Request) -> web.Response:
        """POST /portfolio/events/orders."""
        body = read_object(await request.read(), request.content_type)
        return ok(self._create(check_types(body, CREATE)), 201)

    async def cancel_order(self, request: web.Request) -> web.Response:
        """DELETE /portfolio/events/orders/{id}."""
        shard = integer(request, "exchange_index")
        return ok(self._cancel(request.match_info["order_id"], request.query.get("market_ticker"), shard))

    async def amend_order(self, request: web.Request) -> web.Response:
        """POST /portfolio/events/orders/{id}/amend: the size and the average only when it traded or changed size."""
        body = read_object(await request.read(), request.content_type)
        check_values(check_types(body, AMEND), AMEND)
        order = self._routed(request.match_info["order_id"], body["ticker"], body.get("exchange_index"), is_strict=True)
        if body["side"] != order.side:
            raise Rejected(400, "order_side_mismatch", "order side mismatch", f"the order is a {order.side}")
        if body.get("client_order_id") not in (None, "", order.client_order_id):
            raise Rejected(400, "order_id_and_client_order_id_mismatch", "order id and client order id mismatch")
        given = body.get("expiration_time")
        expires_s = given if given is None or given == 0 else expiry_s(given, self._exchange.clock())
        left_before_e2, fees_before_e6 = order.remaining_e2, order.taker_fees_e6
        order, traded_e2, cost_e6 = self._desk.amend(
            order.order_id,
            price_e4(body["price"]),
            count_e2(body["count"]),
            body.get("updated_client_order_id"),
            KEEP_EXPIRY if expires_s is None else expires_s or None,
        )
        answer: Json = {
            "order_id": order.order_id,
            "client_order_id": order.client_order_id,
            "ts_ms": order.updated_ms,
        }
        if traded_e2 or order.remaining_e2 != left_before_e2:
            answer |= {"remaining_count": render.count(order.remaining_e2), "fill_count": render.count(traded_e2)}
        fees_e6 = order.taker_fees_e6 - fees_before_e6
        return ok(answer | _averages(order.side, traded_e2, cost_e6, fees_e6))

    async def decrease_order(self, request: web.Request) -> web.Response:
        """POST /portfolio/events/orders/{id}/decrease."""
        body = check_types(read_object(await request.read(), request.content_type), DECREASE)
        by, to = body.get("reduce_by"), body.get("reduce_to")
        if (by is None) == (to is None):
            raise wrong("exactly one of reduce_by and reduce_to must be given")
        order = self._routed(request.match_info["order_id"], body.get("market_ticker"), body.get("exchange_index"))
        by_e2 = None if by is None else count_e2(by)
        to_e2 = None if to is None else (0 if to.strip("0") in ("", ".") else count_e2(to))
        order = self._desk.decrease(order.order_id, by_e2, to_e2)
        return ok(
            {
                "order_id": order.order_id,
                "client_order_id": order.client_order_id,
                "remaining_count": render.count(order.remaining_e2),
                "ts_ms": order.updated_ms,
            }
        )

    async def version_1(self, request: web.Request) -> web.Response:
        """The order paths of before June 2026."""
        return fail(400, "bad_request", "Please switch to the V2 endpoints")

    # ------------------------------------------------------------------ many orders
    async def cancel_all(self, request: web.Request) -> web.Response:
        """DELETE /portfolio/events/orders: everything that rests, on every shard."""
        if (integer(request, "subaccount") or 0) == 0:
            self._desk.cancel_all()
        return web.Response(status=204)

    async def create_batch(self, request: web.Request) -> web.Response:
        """POST /portfolio/events/orders/batched. A wrong type refuses the batch, anything else its item only."""
        rows = [check_types(row, CREATE) for row in await self._batch(request, 10)]
        answers: list[Json] = []
        for row in rows:
            try:
                answers.append(self._create(row))
            except Rejected as problem:
                answers.append({"client_order_id": row.get("client_order_id"), "error": _error(problem)})
        return ok({"orders": answers}, 201)

    async def cancel_batch(self, request: web.Request) -> web.Response:
        """DELETE /portfolio/events/orders/batched."""
        answers: list[Json] = []
        for row in await self._batch(request, 2):
            order_id = row.get("order_id") if isinstance(row, dict) else None
            if not isinstance(order_id, str):
                raise wrong("order_id is required")
            ticker, shard = row.get("market_ticker") or None, row.get("exchange_index")
            try:
                answers.append(self._cancel(order_id, ticker, shard))
            except Rejected as problem:
                answers.append({"order_id": order_id, "reduced_by": "0.00", "error": _error(problem)})
        return ok({"orders": answers})

    async def _batch(self, request: web.Request, each: int) -> list[Any]:
        body = read_object(await request.read(), request.content_type)
        rows = body.get("orders")
        if not isinstance(rows, list) or not rows:
            raise wrong("orders is required")
        try:
            self._limiter.charge_items(each, len(rows), str(request.get("who", "")))
        except ValueError as problem:
            raise wrong(str(problem)) from problem
        return rows

    # ------------------------------------------------------------------ groups
    async def groups(self, request: web.Request) -> web.Response:
        """GET /portfolio/order_groups."""
        return ok({"order_groups": [render.group(group) for group in self._exchange.engine.groups.values()]})

    async def create_group(self, request: web.Request) -> web.Response:
        """POST /portfolio/order_groups/create."""
        body = read_object(await request.read(), request.content_type)
        group = self._desk.create_group(_limit_e2(body))
        return ok({"order_group_id": group.group_id, "subaccount": 0, "exchange_index": SHARD}, 201)

    async def group(self, request: web.Request) -> web.Response:
        """GET /portfolio/order_groups/{id}."""
        group = self._desk.group(request.match_info["group_id"])
        orders = [o.order_id for o in self._exchange.engine.orders.values() if o.group_id == group.group_id]
        row = render.group(group)
        del row["id"]
        return ok(row | {"orders": orders})

    async def delete_group(self, request: web.Request) -> web.Response:
        """DELETE /portfolio/order_groups/{id}."""
        self._desk.delete_group(request.match_info["group_id"])
        return ok({})

    async def reset_group(self, request: web.Request) -> web.Response:
        """PUT /portfolio/order_groups/{id}/reset."""
        self._desk.reset_group(request.match_info["group_id"])
        return ok({})

    async def trigger_group(self, request: web.Request) -> web.Response:
        """PUT /portfolio/order_groups/{id}/trigger."""
        self._desk.trigger_group(request.match_info["group_id"])
        return ok({})

    async def limit_group(self, request: web.Request) -> web.Response:
        """PUT /portfolio/order_groups/{id}/limit."""
        body = read_object(await request.read(), request.content_type)
        self._desk.limit_group(request.match_info["group_id"], _limit_e2(body))
        return ok({})

    # ------------------------------------------------------------------ plumbing
    def _create(self, body: Json) -> Json:
        order = new_order(check_values(body, CREATE), self._exchange.now_ms())
        done = self._desk.place(order, bool(body.get("reduce_only")), body.get("exchange_index"))
        answer: Json = {
            "order_id": done.order_id,
            "client_order_id": done.client_order_id,
            "fill_count": render.count(done.filled_e2),
            "remaining_count": render.count(done.remaining_e2),
            "ts_ms": done.updated_ms,
        }
        return answer | _averages(done.side, done.filled_e2, done.taker_cost_e6, done.taker_fees_e6)

    def _cancel(self, order_id: str, ticker: str | None, shard: object) -> Json:
        order, reduced_e2 = self._desk.cancel(self._routed(order_id, ticker, shard).order_id)
        return {
            "order_id": order.order_id,
            "client_order_id": order.client_order_id,
            "reduced_by": render.count(reduced_e2),
            "ts_ms": order.updated_ms,
        }

    def _routed(self, order_id: str, ticker: str | None, shard: object, is_strict: bool = False) -> Order:
        """The order, found where the request looks for it: without ticker and shard on shard 0, a false 404.

        A ticker of another market reads 404 as well, or (``is_strict``, in an amend) as a mismatch.
        """
        order = self._exchange.engine.orders.get(order_id)
        index = shard if shard not in (None, -1) else (SHARD if ticker in self._exchange.markets else 0)
        if shard == -1 and not ticker:
            raise wrong("market_ticker is required for auto-routing")
        if order is None or index != SHARD:
            raise Rejected(404, "not_found", "not found")
        if ticker and ticker != order.ticker:
            if is_strict:
                raise Rejected(400, "order_ticker_mismatch", "order ticker mismatch", f"the order is in {order.ticker}")
            raise Rejected(404, "not_found", "not found")
        return order


def _averages(side: str, count: int, cost_e6: int, fees_e6: int) -> Json:
    """Average YES price and fee per contract, only for what traded."""
    if not count:
        return {}
    own_e4 = cost_e6 // count
    return {
        "average_fill_price": render.dollars(own_e4 if side == "bid" else ONE_DOLLAR_E4 - own_e4),
        "average_fee_paid": render.dollars(fees_e6 // count),
    }


def _limit_e2(body: Json) -> int:
    """contracts_limit (whole), contracts_limit_fp, or both when they agree."""
    whole, text = body.get("contracts_limit"), body.get("contracts_limit_fp")
    if whole is not None and (type(whole) is not int or whole < 1):
        raise wrong("contracts_limit must be a whole number of at least 1")
    if text is not None and not isinstance(text, str):
        raise wrong("json: cannot unmarshal value into Go struct field CreateOrderGroupRequest.contracts_limit_fp")
    limits = {limit for limit in (whole and whole * 100, text and count_e2(text)) if limit}
    if len(limits) != 1:
        raise wrong("give contracts_limit or contracts_limit_fp; both must match")
    return limits.pop()


def _error(problem: Rejected) -> Json:
    return {"code": problem.code, "message": problem.message, "details": problem.details}
