"""A desk of three processes over one store and one exchange; each may be killed at any step and comes back.

The processes are the services' own desks: TicketDesk, OrderDesk, AccountDesk, with the real risk gate and the real
reconciliation. Only the store, the wire and the clock are the test's.
"""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from typing import Any

from faulty_exchange import CASH_E6, FaultyExchange
from memory_ledger import Killed, MemoryLedger

from recio.exchange.errors import ExchangeError
from recio.exchange.kalshi.models import FillView
from recio.monitoring.health import Check
from recio.services import log
from recio.services.account_desk import AccountDesk
from recio.services.order_desk import OrderDesk
from recio.services.order_groups import GroupKeeper
from recio.services.reconciliation import prove_log, reconcile_account
from recio.services.risk_gate import facts_for_entry
from recio.services.ticket_desk import TicketDesk
from recio.trading.events import differences
from recio.trading.risk import Intent, check, sentence
from recio.trading.settings import RiskLimits

Row = dict[str, Any]
START_S = 1_800_000_000.0
LIFE_S = 600.0  # from the start of a history to the close of its markets
TICKERS = ("KXBTCSIM-A-T1.00", "KXBTCSIM-A-T2.00")
LIMITS = RiskLimits(
    allow_same_entry=True, max_over_ask_e4=5_000, max_open_trades=50, max_group_count_e2=1_000_000,
    max_order_cost_e6=1_000_000_000, max_exposure_e6=100_000_000_000,
)  # fmt: skip


def quiet() -> None:
    """Ten thousand histories need no journal."""
    log._line = lambda *_: None  # type: ignore[assignment]


class World:
    """One history."""

    order_desk: type[OrderDesk] = OrderDesk
    store_kind: type[MemoryLedger] = MemoryLedger

    def __init__(self) -> None:
        self.now_s = START_S
        self.store = self.store_kind(self.clock)
        self.closes_s = {ticker: START_S + LIFE_S + 30 * n for n, ticker in enumerate(TICKERS)}
        self.exchange = FaultyExchange(self.clock, self.store.step, self.closes_s)
        for ticker, close_s in self.closes_s.items():
            self.store.t["markets"][ticker] = {
                "market_ticker": ticker, "event_ticker": "KXBTCSIM-A", "series_ticker": "KXBTCSIM", "status": "active",
                "floor_strike_e2": 100, "cap_strike_e2": None, "price_ranges": [],
                "open_time": datetime.fromtimestamp(START_S - 60, UTC), "close_time": datetime.fromtimestamp(close_s, UTC),
            }  # fmt: skip
        self.killed: str | None = None  # why the kill switch is on
        self.kills = 0
        self.manager, self.executor, self.sync = self._manager(), self._executor(), AccountDesk(*self._account())
        self.sweep_and_reconcile()
        self.run_executor()

    def clock(self) -> float:
        return self.now_s

    def wait(self, seconds: float) -> None:
        """Time goes on; what was under way arrives."""
        self.now_s += seconds
        self.exchange.deliver_late()

    # ------------------------------------------------------------------ the three processes
    def _manager(self) -> TicketDesk:
        return TicketDesk(
            self.store, self.store, "0001", "simulated", self._refusals, lambda _trade, _count: 100, self.clock
        )

    def _executor(self) -> OrderDesk:
        limit = LIMITS.max_group_count_e2
        self.groups = GroupKeeper(self.store, self.store, self.exchange, "simulated", lambda: limit, self.clock)
        return self.order_desk(
            self.store, self.store, self.exchange, "simulated", lambda o: self._refusals(o, o["trade_id"]),
            self.groups, self.clock, self.clock,
        )  # fmt: skip

    def _account(self) -> tuple[Any, ...]:
        return self.store, self.store, self.exchange, "simulated", self.clock

    def _refusals(self, order: Row, own_trade: int | None = None) -> list[str]:
        intent = Intent(
            purpose="entry", market_ticker=order["market_ticker"], side=order["side"], count_e2=order["count_e2"],
            limit_price_e4=order["limit_price_e4"],
        )  # fmt: skip
        facts = facts_for_entry(self.store.risk_facts(order), order, own_trade, self.now_s)
        found = check(intent, facts, LIMITS)
        return [sentence(found)] if found else []

    def run_manager(self, fuse: int | None = None) -> None:
        """A round of trade_manager, killed after ``fuse`` steps; it is started again by then."""
        self.store.fuse = fuse
        try:
            self.manager.decide_new()
            self.manager.refold_all()
        except Killed:
            self.kills += 1
            self.manager = self._manager()
        self.store.fuse = None

    def run_executor(self, fuse: int | None = None) -> None:
        """A round of trade_executor."""
        self.store.fuse = fuse
        try:
            self.groups.follow(self.killed)
            self.executor.round()
        except Killed:
            self.kills += 1
            self._start_executor()
        self.store.fuse = None

    def _start_executor(self) -> None:
        self.store.fuse = None
        self.executor = self._executor()
        self.executor.recover()

    def run_sync(self, fuse: int | None = None) -> Check | None:
        """A round of kalshi_account_sync with its reconciliation; None when the exchange could not be read."""
        self.store.fuse = fuse
        try:
            return self.sweep_and_reconcile()
        except Killed:
            self.kills += 1
            self.sync = AccountDesk(*self._account())
        except ExchangeError:
            pass
        finally:
            self.store.fuse = None
        return None

    def sweep_and_reconcile(self) -> Check:
        self.sync.sweep()
        trades = [row | {"events": self.events(key)} for key, row in self.store.t["trades"].items()]
        prove_log(self.sync, trades)
        return reconcile_account(self.sync)

    def run_stream(self, fills: list[FillView]) -> None:
        """Frames reach kalshi_account_sync."""
        self.sync.record(fills)

    def events(self, trade_id: int) -> list[Row]:
        return [e for e in self.store.t["events"].values() if e["trade_id"] == trade_id]

    # ------------------------------------------------------------------ the end of a history
    def drain(self) -> None:
        """Every fault is over; the processes work on until nothing is left to do, then the markets settle."""
        self.exchange.send_fault, self.exchange.reads_fail, self.exchange.lag_s = "ok", 0, 0.0
        for _ in range(20):
            self._calm()
            if not any(o["state"] in ("intent", "sending", "unknown") for o in self.store.t["orders"].values()):
                break
        self.wait(20.0)
        self._calm()
        self.check_positions()
        self.check_reconciled()
        self.wait(max(0.0, max(self.closes_s.values()) - self.now_s))
        self._calm()
        for ticker, value_e4 in zip(TICKERS, (10_000, 3_700), strict=True):
            self.exchange.settle(ticker, {10_000: "yes", 0: "no"}.get(value_e4, "scalar"), value_e4)
        for _ in range(3):
            self._calm()
        self.wait(20.0)
        self._calm()

    def _calm(self) -> None:
        self.wait(5.0)
        self.run_manager()
        self.run_executor()
        self.run_sync()
        self.run_manager()

    # ------------------------------------------------------------------ what must hold
    def check_positions(self) -> None:
        """Contracts held per market, netted over the trades, are what the exchange holds."""
        held: Counter[str] = Counter()
        for trade in self.store.t["trades"].values():
            sign = 1 if trade["side"] == "yes" else -1
            if trade["state"] != "closed":
                held[trade["market_ticker"]] += sign * (trade["entry_count_e2"] - trade["exit_count_e2"])
        settled = {row.ticker for row in self.exchange.settled}
        for ticker in TICKERS:
            if ticker not in settled:
                theirs = self.exchange.engine.account.position_e2(ticker)
                assert held[ticker] == theirs, f"{ticker}: ledger holds {held[ticker]}, exchange {theirs}"

    def check_reconciled(self) -> None:
        """The desk's own reconciliation sees no difference, and no incident is left open."""
        found = self.sweep_and_reconcile()
        assert found.ok, found.why
        left = [row for row in self.store.t["incidents"].values() if not row["closed"]]
        assert not left, left

    def check_always(self) -> None:
        """At every moment: nothing doubled, no more known than is true, the row is the fold of its log."""
        engine, tables = self.exchange.engine, self.store.t
        known = {o["client_order_id"] for o in tables["orders"].values()}
        strangers = [o.client_order_id for o in engine.orders.values() if o.client_order_id not in known]
        assert not strangers, f"orders on the exchange the ledger never wrote: {strangers}"
        entries = Counter(o["trade_id"] for o in tables["orders"].values() if o["purpose"] == "entry")
        assert set(entries.values()) <= {1}, f"a trade with several entry orders: {entries}"
        truth = {f.trade_id: f.count_e2 for f in engine.fills}
        wrong = [key for key, f in tables["fills"].items() if truth.get(key) != f["count_e2"]]
        assert not wrong, f"fills the exchange does not have: {wrong}"
        for trade in tables["trades"].values():
            assert trade["exit_count_e2"] <= trade["entry_count_e2"] or trade["state"] == "error", trade
            differs = differences(trade, self.events(trade["trade_id"]))
            assert not differs, differs

    def check_end(self) -> None:
        """After the drain: no order lost, none doubled, every trade final, cash to the micro-dollar."""
        self.check_always()
        engine, tables = self.exchange.engine, self.store.t
        accepted = [t for t in tables["tickets"].values() if t["kind"] == "open" and t["state"] == "accepted"]
        made = Counter(trade["ticket_id"] for trade in tables["trades"].values())
        assert made == Counter(t["ticket_id"] for t in accepted), "one trade for each accepted ticket"
        there = {o.client_order_id: o for o in engine.orders.values()}
        for order in tables["orders"].values():
            found = there.get(order["client_order_id"])
            if found is None:
                assert order["state"] == "refused", f"lost: {order}"
            else:
                assert order["state"] in ("filled", "cancelled"), f"lost: {order}"
                assert order["acked_count_e2"] == found.filled_e2, (order, found)
        assert {k: (f["count_e2"], f["fee_e6"]) for k, f in tables["fills"].items()} == {
            f.trade_id: (f.count_e2, f.fee_e6) for f in engine.fills
        }
        self._check_trades()
        earned = sum(trade["pnl_e6"] or 0 for trade in tables["trades"].values())
        cash = engine.account.cash_e6
        assert CASH_E6 + earned == cash, f"ledger {CASH_E6 + earned}, exchange {cash}"
        fees = sum(trade["fees_e6"] for trade in tables["trades"].values())
        assert fees == engine.fees_taken_e6
        self.check_reconciled()

    def _check_trades(self) -> None:
        tables = self.store.t
        orders = {o.order_id: o.client_order_id for o in self.exchange.engine.orders.values()}
        owner = {o["client_order_id"]: (o["trade_id"], o["purpose"]) for o in tables["orders"].values()}
        counts: Counter[tuple[int, str]] = Counter()
        for fill in self.exchange.engine.fills:
            counts[owner[orders[fill.order_id]]] += fill.count_e2
        for trade_id, trade in tables["trades"].items():
            if trade["state"] == "error":
                assert trade["entry_count_e2"] == 0 and trade["pnl_e6"] is None, trade
            else:
                assert trade["state"] == "closed", trade
            assert trade["entry_count_e2"] == counts[trade_id, "entry"], trade
            assert trade["exit_count_e2"] == counts[trade_id, "exit"], trade
