"""The exchange itself: markets that live, one engine, one journal. Everything happens in `tick`, `place` and `cancel`.

Order of an operation: change memory, write the journal, tell the listeners, answer. A journal that cannot be written
ends the process: an exchange that forgets is worse than one that is down.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable

import msgspec

from recio.exchange.simulator.account import Position, Settlement
from recio.exchange.simulator.crowd import Crowd
from recio.exchange.simulator.engine import Engine
from recio.exchange.simulator.fees import FeeSchedule
from recio.exchange.simulator.index import Index
from recio.exchange.simulator.journal import Change, Journal
from recio.exchange.simulator.ladders import Ladders
from recio.exchange.simulator.market import SimMarket
from recio.exchange.simulator.orders import Event, Fill, Order, OrderChanged, Rejected, Traded
from recio.exchange.simulator.path import PathClock, PricePath

__all__ = ["STARTING_CASH_E6", "Exchange", "MarketEvent"]

log = logging.getLogger(__name__)

STARTING_CASH_E6 = 10_000 * 1_000_000
KEEP_ENDED_S = 3_600  # markets nobody of us traded are forgotten this long after their close
_SPACING_E2 = {"KXBTCD": 25_000, "KXBTC15M": 25_000, "KXBTCSIM": 2_500}


class MarketEvent(msgspec.Struct, frozen=True):
    """A market was created, metadata_updated, closed, determined or settled."""

    kind: str
    market: SimMarket


Listener = Callable[["Event | MarketEvent"], None]


class Exchange:
    """One exchange with one member."""

    def __init__(
        self,
        path: PricePath,
        label: str,
        clock: Callable[[], float],
        *,
        seed: int = 1,
        speed: float = 1.0,
        short_every_s: int = 30,
        journal: Journal | None = None,
        fees: FeeSchedule | None = None,
    ) -> None:
        """Take up the journal's state, if there is one. ``label`` names the path: with another one time starts anew."""
        self.clock = clock
        self.engine = Engine(STARTING_CASH_E6, fees or FeeSchedule(), self.now_ms)
        self.markets: dict[str, SimMarket] = {}
        self.settlements: list[Settlement] = []
        self.listeners: list[Listener] = []
        self._journal = journal
        self._events_known: set[tuple[str, int]] = set()
        self._last_tick_s = clock()
        self._path_clock: PathClock | None = None
        self._label = f"{label} at speed {speed:g}"
        if journal is not None:
            for change in journal.read():
                self._restore(change)
            self.engine.restore_books()
        path_clock = self._path_clock or PathClock.start(path, float(int(clock())), speed)
        self._path_clock = path_clock
        self.index = Index(path, path_clock, seed)
        self.ladders = Ladders(self.index.value_e2, self._mean_e2, short_every_s)
        self.crowd = Crowd(self.engine, self.index, seed)
        if journal is not None:
            journal.start(self._picture())

    def now_ms(self) -> int:
        """The exchange's time: wall time."""
        return int(self.clock() * 1000)

    def _mean_e2(self, close_s: int) -> int:
        total, count = self.index.window_sum_e2(close_s)
        return (2 * total + count) // (2 * count)

    # ------------------------------------------------------------------ time passes
    def tick(self) -> None:
        """Move markets along and let the crowd act. To be called about twice a second."""
        now_s = self.clock()
        elapsed_s = min(max(now_s - self._last_tick_s, 0.0), 5.0)
        self._last_tick_s = now_s
        self.engine.expire(now_s)
        told = self._create(now_s) + self._move_along(now_s)
        self.crowd.act(self.markets.values(), now_s, elapsed_s)
        self._publish(told)

    def _create(self, now_s: float) -> list[MarketEvent]:
        told: list[MarketEvent] = []
        for key in self.ladders.closes(now_s):
            if key in self._events_known:
                continue
            self._events_known.add(key)
            for definition in self.ladders.markets(*key):
                if definition.ticker not in self.markets:
                    market = SimMarket(definition, definition.strike_e2, updated_ms=self.now_ms())
                    self.markets[definition.ticker] = market
                    told.append(MarketEvent("created", market))
        return told

    def _move_along(self, now_s: float) -> list[MarketEvent]:
        told: list[MarketEvent] = []
        for market in list(self.markets.values()):
            definition = market.definition
            if market.status == "initialized" and now_s >= definition.open_s:
                told += self._open(market)
            if market.status == "active" and now_s >= definition.close_s + 1:
                market.status, market.updated_ms = "closed", self.now_ms()
                self.engine.cancel_market(market.ticker, "CloseCancel")
                self.crowd.forget(market.ticker)
                told.append(MarketEvent("closed", market))
            result_s, payment_s = market.settle_after_s
            if market.status == "closed" and now_s >= definition.close_s + result_s:
                market.determine(self.index.window_sum_e2(definition.close_s)[0], self.now_ms())
                told.append(MarketEvent("determined", market))
            if market.status == "determined" and now_s >= definition.close_s + result_s + payment_s:
                self._settle(market)
                told.append(MarketEvent("settled", market))
            if market.status == "finalized" and not market.touched and now_s > definition.close_s + KEEP_ENDED_S:
                self._drop(market)
        return told

    def _open(self, market: SimMarket) -> list[MarketEvent]:
        definition = market.definition
        market.status, market.updated_ms = "active", self.now_ms()
        told: list[MarketEvent] = []
        if market.strike_e2 is None:
            market.strike_e2 = self.ladders.quarter_strike_e2(definition)
            told.append(MarketEvent("metadata_updated", market))
        market.volume_e2 = self.crowd.opening_volume_e2(
            market.strike_e2, self.index.value_e2(definition.open_s), _SPACING_E2[definition.series_ticker]
        )
        market.open_interest_e2 = market.volume_e2 // 2
        return told

    def _settle(self, market: SimMarket) -> None:
        market.status, market.settled_ms, market.updated_ms = "finalized", self.now_ms(), self.now_ms()
        arguments = (market.ticker, market.definition.event_ticker, market.result, market.value_e4 or 0, self.now_ms())
        self.engine.crowd.settle(*arguments)
        self.engine.crowd.positions.pop(market.ticker, None)
        row = self.engine.account.settle(*arguments)
        if row is not None:
            self.settlements.append(row)

    def _drop(self, market: SimMarket) -> None:
        del self.markets[market.ticker]
        self.engine.drop_book(market.ticker)
        self._events_known.discard((market.definition.series_ticker, market.definition.close_s))

    # ------------------------------------------------------------------ the member acts
    def place(self, order: Order, post_only: bool = False, reduce_only: bool = False) -> Order:
        """Take an order in. Rejected: see there; what it used up (a FOK's client id) is on disk all the same."""
        market = self.markets.get(order.ticker)
        if market is None:
            raise Rejected(400, "market_not_found", "market not found", order.ticker)
        if order.client_order_id in self.engine.client_ids:
            raise Rejected(409, "order_already_exists", "order already exists")
        self._require_trading(market)
        if not market.is_on_grid(order.price_e4):
            raise Rejected(400, "invalid_price", "invalid price", f"{order.price_e4 / 10_000:.4f} is not on the grid")
        first_touch = not market.touched
        market.touched = True
        try:
            return self.engine.submit(order, post_only, reduce_only)
        finally:
            # Also on a refusal: the client id of a killed FOK is gone, and self-trade may have cancelled orders.
            used = order.client_order_id in self.engine.client_ids
            market.touched = used or not first_touch
            changes: list[Change] = [{"k": "cid", "id": order.client_order_id}] if used else []
            if first_touch and used:
                changes.append(_market_change(market))
            self._publish([], changes)

    def cancel(self, order_id: str) -> tuple[Order, int]:
        """Take an order off the book; returns it and the count taken off. Rejected 404 when it does not rest."""
        order = self.engine.orders.get(order_id)
        if order is None or order.status != "resting":
            raise Rejected(404, "not_found", "not found")
        self._require_trading(self.markets[order.ticker])
        reduced_e2 = self.engine.cancel(order_id)
        self._publish([])
        return order, reduced_e2

    def _require_trading(self, market: SimMarket) -> None:
        if market.status != "active" or self.clock() >= market.definition.close_s:
            raise Rejected(400, "MARKET_INACTIVE", "market is not active", f"{market.ticker} is {market.status}")

    # ------------------------------------------------------------------ telling and remembering
    def _publish(self, told: list[MarketEvent], changes: list[Change] | None = None) -> None:
        """Journal first, listeners second."""
        events = self.engine.take_events()
        if self._journal is not None:
            self._journal.append((changes or []) + self._changes(events, told))
        for event in events:
            if isinstance(event, Traded):
                market = self.markets[event.ticker]
                market.volume_e2 += event.count_e2
                market.open_interest_e2 += event.count_e2 // 2
                market.last_price_e4 = event.yes_price_e4
        for listener in self.listeners:
            for event in events:
                listener(event)
            for market_event in told:
                listener(market_event)

    def _changes(self, events: Iterable[Event], told: Iterable[MarketEvent]) -> list[Change]:
        changes: list[Change] = []
        touched: set[str] = set()
        for event in events:
            if isinstance(event, OrderChanged):
                changes.append({"k": "order", "v": msgspec.to_builtins(event.order)})
            elif isinstance(event, Fill):
                changes.append({"k": "fill", "v": msgspec.to_builtins(event)})
                touched.add(event.ticker)
        for market_event in told:
            if market_event.market.touched:
                changes.append(_market_change(market_event.market))
                if market_event.kind == "settled":
                    touched.add(market_event.market.ticker)
                    changes += [
                        {"k": "settlement", "v": msgspec.to_builtins(row)}
                        for row in self.settlements[-200:]
                        if row.ticker == market_event.market.ticker
                    ]
        if touched:
            changes.append(self._account_change())
            held = self.engine.account.positions
            changes += [{"k": "position", "v": msgspec.to_builtins(held[t])} for t in sorted(touched) if t in held]
        return changes

    def _account_change(self) -> Change:
        return {"k": "account", "cash_e6": self.engine.account.cash_e6, "fees_e6": self.engine.fees_taken_e6}

    def _picture(self) -> Iterable[Change]:
        """The whole state as changes, in the order they are to be restored."""
        yield {"k": "clock", "label": self._label, "v": msgspec.to_builtins(self._path_clock)}
        yield self._account_change()
        for market in self.markets.values():
            if market.touched:
                yield _market_change(market)
        for position in self.engine.account.positions.values():
            yield {"k": "position", "v": msgspec.to_builtins(position)}
        for order in self.engine.orders.values():
            yield {"k": "order", "v": msgspec.to_builtins(order)}
        for fill in self.engine.fills:
            yield {"k": "fill", "v": msgspec.to_builtins(fill)}
        for row in self.settlements:
            yield {"k": "settlement", "v": msgspec.to_builtins(row)}
        for client_order_id in self.engine.client_ids:
            yield {"k": "cid", "id": client_order_id}

    def _restore(self, change: Change) -> None:
        kind = change["k"]
        if kind == "clock":
            if change["label"] == self._label:
                self._path_clock = msgspec.convert(change["v"], PathClock)
            else:
                log.warning(
                    "the journal's price path was %s, now it is %s: prices start anew", change["label"], self._label
                )
        elif kind == "account":
            self.engine.account.cash_e6, self.engine.fees_taken_e6 = change["cash_e6"], change["fees_e6"]
        elif kind == "market":
            market = msgspec.convert(change["v"], SimMarket)
            self.markets[market.ticker] = market
        elif kind == "position":
            position = msgspec.convert(change["v"], Position)
            self.engine.account.positions[position.ticker] = position
        elif kind == "order":
            order = msgspec.convert(change["v"], Order)
            self.engine.orders[order.order_id] = order
        elif kind == "fill":
            self.engine.fills.append(msgspec.convert(change["v"], Fill))
        elif kind == "settlement":
            self.settlements.append(msgspec.convert(change["v"], Settlement))
        elif kind == "cid":
            self.engine.client_ids.add(change["id"])


def _market_change(market: SimMarket) -> Change:
    return {"k": "market", "v": msgspec.to_builtins(market)}
