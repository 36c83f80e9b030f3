"""Random histories of the whole money path: tickets, kills, timeouts, lost, doubled, late and reordered news.

Each history ends with a drain; then no order is lost or doubled, positions and fees agree, every trade is final and the
cash is the exchange's to the micro-dollar. RECIO_HISTORIES=10000 asks for as many (see `make histories`).
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

sys.path.insert(0, str(Path(__file__).parent))
from faulty_exchange import SEND_FAULTS
from ledger_world import TICKERS, World, quiet

HISTORIES = int(os.environ.get("RECIO_HISTORIES", "300"))
SEED = int(os.environ.get("RECIO_SEED", "20261124"))
STEPS = 50

fuses = st.one_of(st.none(), st.none(), st.integers(0, 60))
faults = st.one_of(st.just("ok"), st.sampled_from(SEND_FAULTS))
lags = st.sampled_from([0.0, 0.4, 3.0])
prices = st.integers(1, 99).map(lambda cents: cents * 100)
sides = st.sampled_from(["yes", "no"])


class LedgerMachine(RuleBasedStateMachine):
    """One history; ``world`` is what a test may replace."""

    world_kind: type[World] = World
    histories = 0
    kills = 0
    orders = 0

    @initialize()
    def begin(self) -> None:
        self.world = self.world_kind()

    @rule(ticker=st.sampled_from(TICKERS), side=sides, count=st.integers(1, 900), price=st.sampled_from([8_000, 6_000, 5_300, 5_000]),
          now=st.booleans(), fault=faults, fuse=fuses, after=st.integers(0, 5))  # fmt: skip
    def buy(
        self, ticker: str, side: str, count: int, price: int, now: bool, fault: str, fuse: int | None, after: int
    ) -> None:
        """The user asks for a trade; mostly both processes look at it at once."""
        self.world.store.submit(kind="open", market_ticker=ticker, side=side, count_e2=count, limit_price_e4=price)
        if now:
            self.world.run_manager()
            self.world.exchange.send_fault = fault
            self.world.run_executor(fuse)
        for _ in range(after):
            self.work(5.5, 0)

    @rule(which=st.integers(0, 9), price=st.sampled_from([None, 100, 4_000, 9_900]), now=st.booleans(),
          fault=faults, fuse=fuses, after=st.integers(0, 2), again=st.booleans(), last=st.integers(0, 3))  # fmt: skip
    def sell(
        self, which: int, price: int | None, now: bool, fault: str, fuse: int | None, after: int, again: bool, last: int
    ) -> None:
        """The user, or the auto stop, asks for a close; impatient ones ask again before anything was heard."""
        live = [t for t in self.world.store.t["trades"].values() if t["state"] in ("open", "closing", "pending")]
        if not live:
            return
        trade = live[which % len(live)]
        for _ in range(1 + again):
            self.world.store.submit(kind="close", trade_id=trade["trade_id"], limit_price_e4=price)
            if now:
                self.world.run_manager()
                self.world.exchange.send_fault = fault
                self.world.run_executor(fuse)
        if last == 0:  # a close in the last second, and the result is quick
            self.hour_ends(trade["market_ticker"], 10_000, 0)
        for _ in range(after):
            self.work(5.5, 0)

    @rule(seconds=st.sampled_from([0.5, 2.5, 6.0]), reads=st.sampled_from([0, 0, 0, 1]))
    def work(self, seconds: float, reads: int) -> None:
        """An ordinary moment: time passes, everybody works."""
        self.world.wait(seconds)
        self.world.exchange.reads_fail = reads
        self.world.run_sync()
        self.world.run_manager()
        self.world.run_executor()
        self.world.run_sync()
        self.world.run_manager()
        self.world.exchange.reads_fail = 0

    @rule(fuse=fuses)
    def manager(self, fuse: int | None) -> None:
        self.world.run_manager(fuse)

    @rule(fuse=fuses, fault=faults, lag=lags, reads=st.integers(0, 1))
    def executor(self, fuse: int | None, fault: str, lag: float, reads: int) -> None:
        exchange = self.world.exchange
        exchange.send_fault, exchange.lag_s, exchange.reads_fail = fault, lag, reads
        self.world.run_executor(fuse)
        exchange.lag_s, exchange.reads_fail = 0.0, 0

    @rule(fuse=fuses, lag=lags, reads=st.integers(0, 2))
    def sync(self, fuse: int | None, lag: float, reads: int) -> None:
        exchange = self.world.exchange
        exchange.lag_s, exchange.reads_fail = lag, reads
        self.world.run_sync(fuse)
        exchange.lag_s, exchange.reads_fail = 0.0, 0

    @rule(picks=st.lists(st.integers(0, 5), max_size=4), drop=st.booleans())
    def stream(self, picks: list[int], drop: bool) -> None:
        """Frames come in any order, some twice, the rest later or never."""
        frames = self.world.exchange.stream
        self.world.run_stream([frames[n] for n in picks if n < len(frames)])
        if drop:
            frames.clear()

    @rule(
        ticker=st.sampled_from(TICKERS), side=st.sampled_from(["bid", "ask"]), price=prices, count=st.integers(1, 2_000)
    )
    def crowd(self, ticker: str, side: str, price: int, count: int) -> None:
        self.world.exchange.quote(ticker, side, price, count)

    @rule(seconds=st.sampled_from([0.3, 2.0, 6.0, 12.0, 60.0, 170.0]))
    def time_passes(self, seconds: float) -> None:
        self.world.wait(seconds)

    @rule(ticker=st.sampled_from(TICKERS), value=st.sampled_from([10_000, 0, 4_200]))
    def settles(self, ticker: str, value: int) -> None:
        """Once the market has closed: at once, or whenever this comes next."""
        self.world.exchange.settle(ticker, {10_000: "yes", 0: "no"}.get(value, "scalar"), value)

    @rule(ticker=st.sampled_from(TICKERS), value=st.sampled_from([10_000, 0, 4_200]), rush=st.integers(0, 5))
    def hour_ends(self, ticker: str, value: int, rush: int) -> None:
        """The market closes and settles at once, and the manager hears of it before the executor works again."""
        if rush:
            return
        self.world.wait(max(0.0, self.world.closes_s[ticker] - self.world.now_s))
        self.settles(ticker, value)
        self.world.run_sync()
        self.world.run_manager()

    @rule(turn=st.integers(0, 9))
    def kill_switch(self, turn: int) -> None:
        self.world.killed = "by hand" if turn == 9 else None

    @invariant()
    def nothing_doubled_or_made_up(self) -> None:
        if hasattr(self, "world"):
            self.sound = False
            self.world.check_always()
            self.sound = True

    def teardown(self) -> None:
        if getattr(self, "sound", False):  # what broke before is the finding, not what its drain would say
            kind = type(self)
            kind.histories += 1
            kind.kills += self.world.kills
            self.world.killed = None
            self.world.drain()
            self.world.check_end()
            kind.orders += len(self.world.exchange.engine.orders)


def run(machine: type[LedgerMachine], histories: int, start: int, *, shrink: bool = True) -> None:
    """As many histories as asked for, from one seed."""
    quiet()
    phases = (Phase.generate, Phase.shrink) if shrink else (Phase.generate,)
    asked = settings(
        max_examples=histories, stateful_step_count=STEPS, deadline=None, database=None, phases=phases,
        print_blob=True, suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    run_state_machine_as_test(seed(start)(machine), settings=asked)


@pytest.mark.timeout(0 if HISTORIES > 1_000 else 120)
def test_no_history_loses_or_doubles_an_order_or_a_cent() -> None:
    class Machine(LedgerMachine):
        """Fresh counters."""

    print(f"seed {SEED}, {HISTORIES} histories of up to {STEPS} steps")
    run(Machine, HISTORIES, SEED)
    print(f"{Machine.histories} histories, {Machine.kills} kills, {Machine.orders} orders on the exchange")
    assert Machine.histories >= HISTORIES
