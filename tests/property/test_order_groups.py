"""The exchange-side kill switch, on the machine's world: the simulator's own groups, the keeper's own steps."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from ledger_world import TICKERS, World, quiet
from test_ledger_scenarios import buy, settle_down

from recio.exchange.errors import Refused
from recio.services.order_groups import GroupKeeper


@pytest.fixture
def world() -> World:
    quiet()
    return World()


def group(world: World) -> dict[str, Any]:
    found = world.store.newest_group(world.store, "simulated")
    assert found is not None
    return found


def last_order(world: World) -> dict[str, Any]:
    return list(world.store.t["orders"].values())[-1]


def test_every_entry_goes_out_in_the_group_and_no_exit_does(world: World) -> None:
    bought = buy(world)
    world.store.submit(kind="close", trade_id=bought, limit_price_e4=100)
    world.run_manager()
    world.run_executor()
    entry, leaving = world.exchange.engine.orders.values()
    assert entry.group_id == group(world)["order_group_id"]
    assert leaving.group_id == "", "what stops entries must not stop anybody from getting out"


def test_the_kill_switch_stops_the_group_on_the_exchange_and_arming_opens_it(world: World) -> None:
    there = world.exchange.engine.groups[group(world)["order_group_id"]]
    world.killed = "a test"
    world.run_executor()
    assert there.is_triggered
    assert (group(world)["state"], group(world)["why"]) == ("triggered", "kill switch: a test")
    buy(world)
    assert "the exchange's order group is stopped (kill switch: a test)" in last_order(world)["reason"]
    world.killed = None
    world.run_executor()
    assert not there.is_triggered
    buy(world)
    assert last_order(world)["state"] == "filled"


def test_a_trigger_the_exchange_did_not_hear_is_asked_again(world: World) -> None:
    there = world.exchange.engine.groups[group(world)["order_group_id"]]
    world.killed, world.exchange.reads_fail = "a test", 1
    world.run_executor()
    assert not there.is_triggered and "HTTP 503" in world.groups.problem
    world.wait(2.5)
    world.run_executor()
    assert there.is_triggered and world.groups.problem == ""


@pytest.mark.parametrize("fuse", range(6))
def test_killed_between_exchange_and_ledger_the_group_still_follows(world: World, fuse: int) -> None:
    world.killed = "a test"
    world.run_executor(fuse)
    world.run_executor()
    assert world.exchange.engine.groups[group(world)["order_group_id"]].is_triggered
    assert group(world)["state"] == "triggered"


def test_a_burst_beyond_the_limit_is_stopped_by_the_exchange_itself_until_the_user_arms_again(world: World) -> None:
    present = world.exchange.engine.groups[group(world)["order_group_id"]]
    present.limit_e2 = 300
    buy(world, count=200, work=False)
    world.wait(1.0)
    world.run_sync()
    buy(world, count=200, work=False)  # 400 contracts (x 100) in 15 s
    assert present.is_triggered
    settle_down(world)
    world.wait(20)
    buy(world, count=100)
    assert "is triggered" in last_order(world)["reason"]
    assert group(world)["why"].startswith("by the exchange")
    world.wait(86_400 - 500)  # another day arms nothing
    world.run_executor()
    assert len(world.exchange.engine.groups) == 1 and group(world)["state"] == "triggered"
    for why in ("looked into it", None):
        world.killed = why
        world.run_executor()
    assert not present.is_triggered and group(world)["state"] == "open"


def test_a_new_day_makes_a_new_group_and_a_lost_one_is_replaced(world: World) -> None:
    first = group(world)["order_group_id"]
    world.wait(86_400)
    world.run_executor()
    second = group(world)["order_group_id"]
    assert second != first
    world.groups.heard(second, Refused(404, "not_found", "not found", f"there is no order group {second}"))
    world.run_executor()
    assert group(world)["order_group_id"] not in (first, second)


def test_the_limit_follows_the_settings(world: World) -> None:
    limit = [500]
    keeper = GroupKeeper(world.store, world.store, world.exchange, "simulated", lambda: limit[0], world.clock)
    keeper.follow(None)
    assert world.exchange.engine.groups[keeper.for_entry()].limit_e2 == 500
    limit[0] = 700
    keeper.follow(None)
    assert world.exchange.engine.groups[keeper.for_entry()].limit_e2 == 700
    assert len(TICKERS) == 2 and len(world.exchange.engine.groups) == 1


def test_without_a_group_no_entry_is_sent() -> None:
    quiet()

    class NoGroups(World):
        def run_executor(self, fuse: int | None = None) -> None:
            self.exchange.reads_fail = 1
            super().run_executor(fuse)
            self.exchange.reads_fail = 0

    world = NoGroups()
    buy(world)
    assert "there is no order group to send it in yet; order group: exchange unavailable" in last_order(world)["reason"]
    assert not world.exchange.engine.orders
