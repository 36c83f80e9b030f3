"""The simulator's own matching engine and money, behind a wire that loses, delays, doubles, reorders and lags.

Bodies go through the real client's and the real simulator's shapes: what is sent is parsed as the exchange parses it,
what is read was rendered as the exchange renders it.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable
from typing import Any

from recio.exchange.errors import NotSent, OutcomeUnknown, Refused, Unavailable
from recio.exchange.kalshi import wire
from recio.exchange.kalshi.models import (
    Balance,
    FillView,
    Market,
    NewOrder,
    OrderAck,
    OrderView,
    PositionView,
    SettlementView,
)
from recio.exchange.simulator import render
from recio.exchange.simulator.account import Settlement
from recio.exchange.simulator.bodies import CREATE, check_types, check_values, new_order
from recio.exchange.simulator.engine import Engine
from recio.exchange.simulator.fees import FeeSchedule
from recio.exchange.simulator.groups import OrderGroup
from recio.exchange.simulator.orders import Fill, Order, Rejected
from recio.units import ONE_DOLLAR_E4, format_fixed

CASH_E6 = 5_000_000_000
SIGNATURE_LIVES_S = 10.0  # the exchange refuses a time stamp older than this: nothing arrives later

SEND_FAULTS = (
    "ok", "timeout", "lost", "late", "twice", "late_twice", "refused", "throttled", "not_sent", "server_error",
)  # fmt: skip


class FaultyExchange:
    """One account. ``step`` is called before and after everything that happens there: the caller may die between."""

    def __init__(self, clock: Callable[[], float], step: Callable[[], None], tickers: dict[str, float]) -> None:
        """``tickers`` maps each market to its close, in epoch seconds."""
        numbers = itertools.count(1)
        self.clock, self.step, self.closes_s = clock, step, tickers
        self.engine = Engine(CASH_E6, FeeSchedule(), lambda: int(clock() * 1000), lambda: f"fill-{next(numbers)}")
        self.settled: list[Settlement] = []
        self.stream: list[FillView] = []  # frames under way
        self.late: list[tuple[float, float, dict[str, Any]]] = []  # arrives at, signed at, body
        self.send_fault, self.lag_s, self.reads_fail = "ok", 0.0, 0
        self.arrivals: dict[str, int] = {}  # client order id -> requests that arrived
        for ticker in tickers:
            for level, count in ((20, 4_000), (40, 700), (47, 150)):
                self.engine.crowd_quote(ticker, "bid", level * 100, count)
                self.engine.crowd_quote(ticker, "ask", (100 - level) * 100, count)
        self.engine.take_events()

    # ------------------------------------------------------------------ what happens on the exchange
    def quote(self, ticker: str, side: str, price_e4: int, count_e2: int) -> None:
        """Others make the market."""
        if self.clock() < self.closes_s[ticker]:
            self.engine.crowd_quote(ticker, side, price_e4, count_e2)
            self._tell()

    def settle(self, ticker: str, result: str, value_e4: int) -> None:
        """The market's result is out and paid, once."""
        if self.clock() < self.closes_s[ticker] or any(row.ticker == ticker for row in self.settled):
            return
        row = self.engine.account.settle(ticker, ticker, result, value_e4, int(self.clock() * 1000))
        if row is not None:
            self.settled.append(row)

    def deliver_late(self) -> None:
        """Requests that were under way arrive, unless their signature is too old by then."""
        due = [entry for entry in self.late if entry[0] <= self.clock()]
        self.late = [entry for entry in self.late if entry[0] > self.clock()]
        for _, signed_s, body in due:
            if self.clock() - signed_s <= SIGNATURE_LIVES_S:
                try:
                    self._arrive(body)
                except Rejected:
                    continue  # its answer goes nowhere

    def _tell(self) -> None:
        for event in self.engine.take_events():
            if isinstance(event, Fill):
                self.stream.append(wire.fill(render.fill(event)))

    def _arrive(self, body: dict[str, Any]) -> Order:
        client_id = str(body["client_order_id"])
        self.arrivals[client_id] = self.arrivals.get(client_id, 0) + 1
        order = new_order(check_values(check_types(body, CREATE), CREATE), int(self.clock() * 1000))
        if self.clock() >= self.closes_s[order.ticker]:
            raise Rejected(400, "MARKET_INACTIVE", "market is not active", order.ticker)
        try:
            return self.engine.submit(order, bool(body.get("reduce_only")))
        finally:
            self._tell()

    # ------------------------------------------------------------------ orders, as KalshiClient has them
    def create_order(self, new: NewOrder) -> OrderAck:
        """One request and whatever the wire makes of it."""
        body = wire.new_order_body(new)
        fault, self.send_fault = self.send_fault, "ok"
        self.step()
        if fault == "not_sent":
            raise NotSent("connection refused")
        if fault == "refused":
            raise Refused(400, "invalid_order", "invalid order", "for no reason")
        if fault == "throttled":
            raise wire.refusal(429, {"error": "too many requests"})
        if fault == "lost":
            raise OutcomeUnknown("timeout, and it never arrived")
        if fault == "late":
            self.late.append((self.clock() + 7.0, self.clock(), body))
            raise OutcomeUnknown("timeout, and it is still under way")
        try:
            done = self._arrive(body)
        except Rejected as problem:
            self.step()
            if fault in ("timeout", "server_error"):
                raise OutcomeUnknown("refused, but nobody heard it") from None
            answer = {"code": problem.code, "message": problem.message, "details": problem.details}
            raise wire.refusal(problem.status, answer) from None
        self.step()
        if fault == "twice":
            with contextlib.suppress(Rejected):
                self._arrive(body)
        if fault == "late_twice":
            self.late.append((self.clock() + 7.0, self.clock(), body))
        if fault in ("timeout", "server_error"):
            raise OutcomeUnknown("HTTP 503" if fault == "server_error" else "accepted, and the answer timed out")
        answer = {
            "order_id": done.order_id, "client_order_id": done.client_order_id,
            "fill_count": render.count(done.filled_e2), "remaining_count": render.count(done.remaining_e2),
            "ts_ms": done.updated_ms,
        }  # fmt: skip
        return wire.order_ack(answer, new.client_order_id)

    def order_by_client_id(
        self, client_order_id: str, ticker: str | None = None, min_ts: int | None = None
    ) -> OrderView | None:
        return next((o for o in self.orders(ticker, min_ts) if o.client_order_id == client_order_id), None)

    def orders(
        self, ticker: str | None = None, min_ts: int | None = None, status: str | None = None, limit: int | None = None
    ) -> list[OrderView]:
        self._read()
        shown = [
            wire.order(render.order(order))
            for order in self.engine.orders.values()
            if (ticker is None or order.ticker == ticker) and self._is_shown(order.created_ms, min_ts)
        ]
        return [order for order in shown if status is None or order.status == status]

    # ------------------------------------------------------------------ the account, as KalshiClient has it
    def fills(self, min_ts: int | None = None, ticker: str | None = None) -> list[FillView]:
        self._read()
        rows = [wire.fill(render.fill(f)) for f in self.engine.fills if self._is_shown(f.at_ms, min_ts)]
        return rows[::-1]

    def positions(self) -> list[PositionView]:
        self._read()
        return [
            wire.position(render.position(held))
            for held in self.engine.account.positions.values()
            if held.position_e2 and not held.settled
        ]

    def settlements(self, min_ts: int | None = None) -> list[SettlementView]:
        self._read()
        return [wire.settlement(render.settlement(row)) for row in self.settled if self._is_shown(row.at_ms, min_ts)]

    def balance(self) -> Balance:
        self._read()
        cash = self.engine.account.cash_e6 - self.engine.locked_e6()
        return wire.balance({"balance_dollars": format_fixed(cash, 6), "portfolio_value": 0})

    # ------------------------------------------------------------------ order groups, as KalshiClient has them
    def market(self, ticker: str) -> Market:
        self._read()
        return Market(
            ticker=ticker, event_ticker=ticker, series_ticker="KXTEST", title="", strike_type="greater", floor_strike_e2=1,
            cap_strike_e2=None, open_time_s=0.0, close_time_s=self.closes_s[ticker], status="active", result="",
            settlement_value_e4=None, expiration_value="", volume_e2=0, yes_bid_e4=0, yes_ask_e4=ONE_DOLLAR_E4,
            price_ranges=(),
        )  # fmt: skip

    def create_order_group(self, limit_e2: int) -> str:
        self._read()
        group = OrderGroup(f"group-{len(self.engine.groups) + 1}", limit_e2)
        self.engine.groups[group.group_id] = group
        self.step()
        return group.group_id

    def trigger_order_group(self, group_id: str) -> None:
        self._read()
        self.engine.trigger(self.engine.groups[group_id])
        self.step()

    def reset_order_group(self, group_id: str) -> None:
        self._read()
        group = self.engine.groups[group_id]
        group.is_triggered = False
        group.matched.clear()
        self.step()

    def limit_order_group(self, group_id: str, limit_e2: int) -> None:
        self._read()
        self.engine.groups[group_id].limit_e2 = limit_e2

    # ------------------------------------------------------------------ reading
    def _read(self) -> None:
        self.step()
        if self.reads_fail > 0:
            self.reads_fail -= 1
            raise Unavailable("HTTP 503")

    def _is_shown(self, at_ms: int, min_ts: int | None) -> bool:
        lately = at_ms <= int((self.clock() - self.lag_s) * 1000)
        return lately and (min_ts is None or at_ms >= min_ts * 1000)

    def net_value_e6(self, ticker: str, value_e4: int) -> int:
        """What the account's holding of a market is worth at a value of YES."""
        held = self.engine.account.position_e2(ticker)
        return held * value_e4 if held >= 0 else -held * (ONE_DOLLAR_E4 - value_e4)
