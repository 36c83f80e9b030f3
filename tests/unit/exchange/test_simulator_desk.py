"""The member's desk: amends and the queue, groups, shards, pauses, what reads show, what is kept."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from recio.exchange.simulator import memory
from recio.exchange.simulator.core import Exchange
from recio.exchange.simulator.desk import KEEP_EXPIRY
from recio.exchange.simulator.journal import Journal
from recio.exchange.simulator.market import SHARD, SimMarket
from recio.exchange.simulator.orders import GroupChanged, Order, Rejected

NOON = int(datetime(2026, 11, 23, 17, 0, tzinfo=UTC).timestamp())


class Flat:
    """BTC that never moves."""

    def __call__(self, at_s: float) -> int:
        return 9_800_000

    def span(self) -> tuple[float, float] | None:
        return None


class Clock:
    def __init__(self) -> None:
        self.now_s = NOON + 1.0

    def __call__(self) -> float:
        return self.now_s


class Table:
    """An exchange without a crowd, and shorthand to trade on one of its markets."""

    def __init__(self, folder: Path | None = None, clock: Clock | None = None, **more: object) -> None:
        self.clock = clock or Clock()
        self.journal = Journal(folder) if folder else None
        self.exchange = Exchange(Flat(), "flat", self.clock, journal=self.journal, **more)  # type: ignore[arg-type]
        self.exchange.trading_active = False  # keeps the crowd away while markets open
        self.exchange.tick()
        self.exchange.trading_active = True
        short = [m for m in self.exchange.markets.values() if m.definition.series_ticker == "KXBTCSIM"]
        last = max(m.definition.close_s for m in short if m.status == "active")
        self.market: SimMarket = next(m for m in short if m.definition.close_s == last)
        self.engine, self.desk, self.number = self.exchange.engine, self.exchange.desk, 0

    def place(
        self, side: str = "bid", price: int = 4_000, count: int = 100, tif: str = "good_till_canceled", **more: object
    ) -> Order:
        self.number += 1
        name, now_ms = f"{self.number}-{len(self.engine.client_ids)}", self.exchange.now_ms()
        shard = more.pop("shard", None)
        order = Order(
            "o" + name, "c" + name, self.market.ticker, side, price, count, count, tif, now_ms, now_ms, **more
        )  # type: ignore[arg-type]
        return self.desk.place(order, shard=shard)  # type: ignore[arg-type]

    def ahead(self, order: Order) -> int:
        return self.engine.book(order.ticker).ahead_e2(order)

    def amend(
        self, order: Order, price: int, total: int, name: str | None = None, expires: int | None = KEEP_EXPIRY
    ) -> int:
        return self.desk.amend(order.order_id, price, total, name, expires)[1]


@pytest.fixture
def table() -> Table:
    return Table()


def refused(caught: pytest.ExceptionInfo[Rejected]) -> tuple[int, str]:
    return caught.value.status, caught.value.code


# ---------------------------------------------------------------------- amend, decrease, queue
def test_what_keeps_the_place_in_the_queue_and_what_loses_it(table: Table) -> None:
    mine = table.place(count=500)
    table.engine.crowd_quote(mine.ticker, "bid", 4_000, 300)
    assert table.ahead(mine) == 0
    table.amend(mine, 4_000, 400)  # fewer
    table.amend(mine, 4_000, 400, expires=NOON + 900)  # another expiry only
    table.desk.decrease(mine.order_id, 50, None)
    assert (table.ahead(mine), mine.remaining_e2, mine.expires_s) == (0, 350, NOON + 900)
    table.amend(mine, 4_000, 350, expires=None)
    assert mine.expires_s is None
    table.amend(mine, 4_000, 600)  # more
    assert (table.ahead(mine), mine.remaining_e2) == (300, 600)
    table.amend(mine, 4_100, 600)  # a better price
    assert (table.ahead(mine), table.engine.book(mine.ticker).levels("bid")) == (0, [(4_100, 600), (4_000, 300)])
    table.amend(mine, 3_900, 600)
    assert table.ahead(mine) == 300


def test_an_amend_may_trade_and_says_so(table: Table) -> None:
    mine = table.place(count=500)
    table.engine.crowd_quote(mine.ticker, "ask", 4_500, 200)
    order, traded, cost_e6 = table.desk.amend(mine.order_id, 4_600, 500, None, KEEP_EXPIRY)
    assert (traded, cost_e6, order.remaining_e2, order.status) == (200, 4_500 * 200, 300, "resting")
    with pytest.raises(Rejected) as caught:
        table.amend(mine, 4_600, 200)  # that much is filled already
    assert refused(caught) == (400, "invalid_order_size")
    assert table.amend(mine, 4_600, 700) == 0 and mine.remaining_e2 == 500


def test_an_amend_gives_a_new_name_and_burns_the_old_one(table: Table) -> None:
    mine, other = table.place(), table.place(price=3_900)
    old = mine.client_order_id
    table.amend(mine, 4_000, 100, "renamed")
    assert mine.client_order_id == "renamed" and all(name in table.engine.client_ids for name in (old, "renamed"))
    with pytest.raises(Rejected) as caught:
        table.amend(other, 3_900, 100, old)
    assert refused(caught) == (409, "order_already_exists")


def test_an_amend_that_cannot_be_paid_or_crosses_post_only_changes_nothing(table: Table) -> None:
    mine = table.place(post_only=True)
    table.engine.crowd_quote(mine.ticker, "ask", 4_500, 200)
    before = msgspec.to_builtins(mine)
    for price, total, code in (
        (4_500, 100, "invalid_order"),
        (4_000, 10_000_000, "insufficient_balance"),
        (4_050, 100, "invalid_price"),
    ):
        with pytest.raises(Rejected) as caught:
            table.amend(mine, price, total)
        assert caught.value.code == code
    assert msgspec.to_builtins(mine) == before and table.ahead(mine) == 0


def test_decrease_by_all_cancels_and_more_than_rests_is_refused(table: Table) -> None:
    mine = table.place(count=500)
    with pytest.raises(Rejected) as caught:
        table.desk.decrease(mine.order_id, None, 600)
    assert refused(caught) == (400, "invalid_order_size")
    assert table.desk.decrease(mine.order_id, None, 200).remaining_e2 == 200
    table.desk.decrease(mine.order_id, 300, None)
    assert (mine.status, mine.reason) == ("canceled", "Decrease")
    with pytest.raises(Rejected) as caught:
        table.desk.decrease(mine.order_id, 100, None)
    assert refused(caught) == (404, "not_found")


def test_an_order_expires(table: Table) -> None:
    mine = table.place(expires_s=NOON + 10)
    table.clock.now_s = NOON + 10.5
    table.exchange.tick()
    assert (mine.status, mine.reason) == ("canceled", "ExpiryCancel")


# ---------------------------------------------------------------------- groups
def test_a_group_stops_when_its_limit_is_traded_in_fifteen_seconds(table: Table) -> None:
    told: list[GroupChanged] = []
    table.exchange.group_listeners.append(told.append)
    group = table.desk.create_group(300)
    first = table.place(count=200, group_id=group.group_id)
    second = table.place(count=200, price=3_900, group_id=group.group_id)
    table.engine.crowd_take(first.ticker, "ask", 4_000, 200)
    table.clock.now_s += 20  # out of the window: the next 200 alone do not reach the limit
    table.engine.crowd_take(first.ticker, "ask", 3_900, 100)
    assert second.status == "resting" and not group.is_triggered
    third = table.place(count=500, price=4_100, group_id=group.group_id)
    table.engine.crowd_take(first.ticker, "ask", 4_100, 200)
    table.exchange.publish([])
    assert group.is_triggered and (second.status, third.status) == ("canceled", "canceled")
    with pytest.raises(Rejected, match="triggered"):
        table.place(group_id=group.group_id)
    table.desk.reset_group(group.group_id)
    assert table.place(group_id=group.group_id).status == "resting"
    table.desk.limit_group(group.group_id, 1_000)
    table.desk.delete_group(group.group_id)
    assert [event.kind for event in told] == ["created", "triggered", "reset", "limit_updated", "deleted"]
    with pytest.raises(Rejected) as caught:
        table.place(group_id=group.group_id)
    assert refused(caught) == (404, "not_found")


def test_a_taker_of_a_group_stops_at_the_limit(table: Table) -> None:
    group = table.desk.create_group(150)
    for price in (4_400, 4_500, 4_600):
        table.engine.crowd_quote(table.market.ticker, "ask", price, 100)
    taker = table.place(price=9_000, count=300, group_id=group.group_id)
    assert (taker.filled_e2, taker.status, group.is_triggered) == (200, "canceled", True)


# ---------------------------------------------------------------------- shards and pauses
def test_each_shard_has_its_own_cash() -> None:
    table = Table(cash_e6={0: 100_000_000})
    with pytest.raises(Rejected) as caught:
        table.place()
    assert refused(caught) == (404, "user_not_found")
    table.desk.transfer(0, SHARD, 60_000_000, "once")
    assert table.place().status == "resting"
    with pytest.raises(Rejected) as caught:
        table.place(shard=0)  # the member is known there, the market is not
    assert refused(caught) == (400, "market_not_found")
    with pytest.raises(Rejected) as caught:
        table.desk.transfer(0, SHARD, 10_000_000, "once")
    assert refused(caught) == (409, "transfer_already_exists")
    with pytest.raises(Rejected) as caught:
        table.desk.transfer(SHARD, 0, 59_700_000, "")  # 0.40 is behind the resting order
    assert refused(caught) == (400, "insufficient_balance")
    table.desk.allocate({0: 50, SHARD: 50})
    table.exchange.tick()
    free = [table.exchange.shards.free_e6(index) for index in (0, 1, SHARD, 3)]
    assert free == [49_800_000, 0, 49_800_000, 0]


def test_a_trading_pause_refuses_new_orders_and_cancels_those_that_asked(table: Table) -> None:
    stays, goes = table.place(), table.place(price=3_900, cancel_on_pause=True)
    table.exchange.pause(trading_active=False)
    assert (stays.status, goes.status, goes.reason) == ("resting", "canceled", "HaltCancel")
    with pytest.raises(Rejected, match="trading_paused"):
        table.place()
    table.desk.decrease(stays.order_id, 50, None)
    table.exchange.pause(trading_active=False, exchange_active=False)
    with pytest.raises(Rejected, match="exchange_paused"):
        table.desk.cancel(stays.order_id)
    table.desk.cancel_all()
    assert stays.status == "resting"
    table.exchange.pause(trading_active=True)
    table.desk.cancel_all()
    assert stays.status == "canceled"


# ---------------------------------------------------------------------- what reads show, what is kept
def test_reads_lag_when_told_to(table: Table) -> None:
    table.exchange.view.set_lag(400)
    view, free_e6 = table.exchange.view, table.exchange.view.free_e6()
    mine = table.place()
    assert not view.orders() and view.free_e6() == free_e6
    table.clock.now_s += 0.5
    assert view.orders()[mine.order_id].status == "resting" and view.free_e6() == free_e6 - 400_000
    table.desk.cancel(mine.order_id)
    assert (mine.status, view.orders()[mine.order_id].status) == ("canceled", "resting")
    table.clock.now_s += 0.5
    assert view.orders()[mine.order_id].status == "canceled"
    table.engine.crowd_quote(mine.ticker, "ask", 4_500, 200)
    table.place(price=4_500)
    assert not view.fills() and not view.positions()
    table.clock.now_s += 0.5
    assert len(view.fills()) == 1 and view.positions()[mine.ticker].position_e2 == 100
    table.exchange.view.set_lag(0)
    table.place(price=4_500)
    assert len(view.fills()) == 2


def test_a_restart_keeps_queue_groups_and_cash_of_every_shard(tmp_path: Path) -> None:
    table = Table(tmp_path)
    group = table.desk.create_group(300)
    gone = table.desk.create_group(100)
    table.desk.delete_group(gone.group_id)
    first, second = table.place(group_id=group.group_id), table.place()
    table.amend(first, 4_000, 200)  # goes behind the second
    table.desk.transfer(SHARD, 1, 5_000_000, "")
    assert table.journal is not None
    table.journal.close()
    again = Table(tmp_path, table.clock)
    assert set(again.engine.groups) == {group.group_id}
    assert [again.ahead(again.engine.orders[o.order_id]) for o in (first, second)] == [100, 0]
    assert again.exchange.shards.free_e6(1) == 5_000_000 and len(again.exchange.shards.transfers) == 1
    assert again.exchange.shards.funded == {1, SHARD}


def test_settled_markets_are_forgotten_after_a_while_and_client_ids_never(
    table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    table.engine.crowd_quote(table.market.ticker, "ask", 4_500, 200)
    bought, name = table.place(price=4_500), table.market.ticker
    table.clock.now_s = table.market.definition.close_s + 1.5
    for _ in range(4):
        table.exchange.tick()
        table.clock.now_s += 3
    assert table.exchange.settlements[0].ticker == name
    cash_e6 = table.engine.account.cash_e6
    table.clock.now_s += memory.KEEP_SETTLED_S - 3_600
    table.exchange.tick()
    assert bought.order_id in table.engine.orders and name in table.exchange.markets
    table.clock.now_s += 2 * 3_600
    table.exchange.tick()
    left = (table.engine.orders, table.engine.fills, table.exchange.settlements, table.engine.account.positions)
    assert not any(left) and name not in table.exchange.markets
    assert table.engine.account.cash_e6 == cash_e6 and bought.client_order_id in table.engine.client_ids


def test_a_long_journal_is_written_anew_while_it_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("recio.exchange.simulator.journal.LONG_BYTES", 20_000)
    table = Table(tmp_path)
    for _ in range(100):
        table.desk.cancel(table.place().order_id)
    path = tmp_path / "journal.jsonl"
    before = path.stat().st_size
    table.clock.now_s += 301
    table.exchange.tick()
    assert path.stat().st_size < before
    rests = next(iter(table.engine.orders.values()))
    assert table.journal is not None
    table.journal.close()
    assert rests.order_id in Table(tmp_path, table.clock).engine.orders
