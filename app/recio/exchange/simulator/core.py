"""The exchange itself: markets that live, one engine, one journal. Everything happens in `tick` and at the desk.

Order of an operation: change memory, write the journal, tell the listeners, answer. A journal that cannot be written
ends the process: an exchange that forgets is worse than one that is down.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from recio.exchange.simulator.account import Settlement
from recio.exchange.simulator.candles import Candles
from recio.exchange.simulator.crowd import Crowd
from recio.exchange.simulator.desk import Desk
from recio.exchange.simulator.engine import Engine
from recio.exchange.simulator.fees import FeeSchedule
from recio.exchange.simulator.index import Index
from recio.exchange.simulator.journal import Change, Journal
from recio.exchange.simulator.ladders import Ladders
from recio.exchange.simulator.market import SHARD, SimMarket
from recio.exchange.simulator.memory import Memory
from recio.exchange.simulator.orders import Event, GroupChanged, Order, Traded
from recio.exchange.simulator.path import PathClock, PricePath
from recio.exchange.simulator.shards import Shards
from recio.exchange.simulator.view import View

__all__ = ["STARTING_CASH_E6", "Exchange", "MarketEvent"]

STARTING_CASH_E6 = 10_000 * 1_000_000
TIDY_EVERY_S = 300.0
KEEP_ENDED_S = 3_600  # markets nobody of us traded are forgotten this long after their close
_SPACING_E2 = {"KXBTCD": 25_000, "KXBTC": 25_000, "KXBTC15M": 25_000, "KXBTCSIM": 2_500}


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
        cash_e6: dict[int, int] | None = None,
        compat: str = "sdk",
    ) -> None:
        """Take up the journal's state, if there is one. ``label`` names the path: with another one time starts anew.

        ``cash_e6`` is what each shard starts with (default: STARTING_CASH_E6 on the crypto shard, nothing elsewhere).
        ``compat`` 'spec' leaves out what the specification deprecates, 'sdk' keeps what clients insist on.
        """
        if compat not in ("spec", "sdk"):
            raise ValueError(f"compat is spec or sdk, not {compat!r}")
        self.compat = compat
        self.clock = clock
        cash_e6 = {SHARD: STARTING_CASH_E6} if cash_e6 is None else cash_e6
        self.engine = Engine(cash_e6.get(SHARD, 0), fees or FeeSchedule(), self.now_ms)
        self.shards = Shards(self.engine, cash_e6)
        self.trading_active = self.exchange_active = True
        self.markets: dict[str, SimMarket] = {}
        self.settlements: list[Settlement] = []
        self.listeners: list[Listener] = []
        self._journal = journal
        self._events_known: set[tuple[str, int]] = set()
        self._last_tick_s = clock()
        self._next_tidy_s = clock() + TIDY_EVERY_S
        self.group_listeners: list[Callable[[GroupChanged], None]] = []
        self.memory = Memory(self, f"{label} at speed {speed:g}")
        self.desk = Desk(self)
        self.candles = Candles(self.engine.book, lambda ticker: self.markets[ticker].open_interest_e2)
        if journal is not None:
            for change in journal.read():
                self.memory.restore(change)
            self.engine.restore_books()
        self._living = {t: market for t, market in self.markets.items() if market.status != "finalized"}
        self.view = View(self)
        path_clock = self.memory.path_clock or PathClock.start(path, float(int(clock())), speed)
        self.memory.path_clock = path_clock
        self.index = Index(path, path_clock, seed)
        self.ladders = Ladders(self.index.value_e2, self._mean_e2, short_every_s)
        self.crowd = Crowd(self.engine, self.index, seed)
        if journal is not None:
            journal.start(self.memory.picture())

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
        if self.trading_active and self.exchange_active:
            self.crowd.act(self._living.values(), now_s, elapsed_s)
        self.publish(told, [self.memory.account_change()] if self.shards.rebalance(now_s) else None)
        self.candles.sample(now_s)
        self._tidy(now_s)

    def _create(self, now_s: float) -> list[MarketEvent]:
        told: list[MarketEvent] = []
        for key in self.ladders.closes(now_s):
            if key in self._events_known:
                continue
            self._events_known.add(key)
            for definition in self.ladders.markets(*key):
                if definition.ticker not in self.markets:
                    market = SimMarket(definition, definition.strike_e2, updated_ms=self.now_ms())
                    self.markets[definition.ticker] = self._living[definition.ticker] = market
                    told.append(MarketEvent("created", market))
        return told

    def _move_along(self, now_s: float) -> list[MarketEvent]:
        told: list[MarketEvent] = []
        for market in list(self._living.values()):
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
        return told

    def _open(self, market: SimMarket) -> list[MarketEvent]:
        definition = market.definition
        market.status, market.updated_ms = "active", self.now_ms()
        told: list[MarketEvent] = []
        if market.awaits_strike:
            market.strike_e2 = self.ladders.quarter_strike_e2(definition)
            told.append(MarketEvent("metadata_updated", market))
        market.volume_e2 = self.crowd.opening_volume_e2(
            market.middle_e2, self.index.value_e2(definition.open_s), _SPACING_E2[definition.series_ticker]
        )
        market.open_interest_e2 = market.volume_e2 // 2
        return told

    def _settle(self, market: SimMarket) -> None:
        market.status, market.settled_ms, market.updated_ms = "finalized", self.now_ms(), self.now_ms()
        del self._living[market.ticker]
        arguments = (market.ticker, market.definition.event_ticker, market.result, market.value_e4 or 0, self.now_ms())
        self.engine.crowd.settle(*arguments)
        self.engine.crowd.positions.pop(market.ticker, None)
        row = self.engine.account.settle(*arguments)
        if row is not None:
            self.settlements.append(row)

    def drop(self, market: SimMarket) -> None:
        """Forget a market that ended."""
        del self.markets[market.ticker]
        self.engine.drop_book(market.ticker)
        self.candles.forget(market.ticker)
        self._events_known.discard((market.definition.series_ticker, market.definition.close_s))

    # ------------------------------------------------------------------ the member acts (see Desk)
    def place(self, order: Order, reduce_only: bool = False) -> Order:
        """Take an order in."""
        return self.desk.place(order, reduce_only)

    def cancel(self, order_id: str) -> tuple[Order, int]:
        """Take an order off the book."""
        return self.desk.cancel(order_id)

    def pause(self, *, trading_active: bool, exchange_active: bool = True) -> None:
        """Pause or resume: without trading no order is taken, without the exchange none is changed either."""
        if self.trading_active and not trading_active:
            self.engine.halt()
        self.trading_active, self.exchange_active = trading_active, exchange_active
        self.publish([])

    # ------------------------------------------------------------------ telling and remembering
    def publish(self, told: list[MarketEvent], changes: list[Change] | None = None) -> None:
        """Journal first, listeners second."""
        events = self.engine.take_events()
        groups, self.engine.group_events = self.engine.group_events, []
        if self._journal is not None:
            self._journal.append((changes or []) + self.memory.changes(events, groups, told))
        self.view.follow(events, (event.market.ticker for event in told if event.kind == "settled"))
        for event in events:
            if isinstance(event, Traded):
                market = self.markets[event.ticker]
                market.volume_e2 += event.count_e2
                market.open_interest_e2 += event.count_e2 // 2
                market.last_price_e4 = event.yes_price_e4
            self.candles.hear(event, self.clock())
        for listener in self.listeners:
            for event in events:
                listener(event)
            for market_event in told:
                listener(market_event)
        for group_listener in self.group_listeners:
            for group_event in groups:
                group_listener(group_event)

    def _tidy(self, now_s: float) -> None:
        """Every few minutes forget what is old, and write a journal that grew long anew. After telling: also a market
        that closed, settled and grew old in one tick, because the clock leapt, is told about before it is gone.
        """
        if now_s < self._next_tidy_s:
            return
        self._next_tidy_s = now_s + TIDY_EVERY_S
        for market in list(self.markets.values()):
            if market.status == "finalized" and not market.touched and now_s > market.definition.close_s + KEEP_ENDED_S:
                self.drop(market)
        self.memory.prune()
        if self._journal is not None and self._journal.is_long():
            self._journal.start(self.memory.picture())
