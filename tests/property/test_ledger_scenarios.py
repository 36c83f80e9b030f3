"""Histories too rare to wait for, told step by step on the machine's own world; the last two also with the mistake made."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from ledger_world import TICKERS, World, quiet
from memory_ledger import MemoryLedger

from recio.trading import folding

T = TICKERS[0]


def buy(world: World, side: str = "yes", count: int = 200, fault: str = "ok", work: bool = True) -> int:
    """A trade on the first market; gives its id."""
    world.store.submit(kind="open", market_ticker=T, side=side, count_e2=count, limit_price_e4=8_000)
    world.run_manager()
    world.exchange.send_fault = fault
    world.run_executor()
    if work:
        settle_down(world)
    return max(world.store.t["trades"])


def sell(world: World, trade_id: int, fault: str = "ok", price: int = 100) -> str:
    """Ask for a close, once; gives the ticket's state and reason."""
    ticket = world.store.submit(kind="close", trade_id=trade_id, limit_price_e4=price)
    world.run_manager()
    world.exchange.send_fault = fault
    world.run_executor()
    row = world.store.t["tickets"][ticket]
    return f"{row['state']} {row['reason']}".strip()


def settle_down(world: World) -> None:
    for _ in range(2):
        world.wait(5.0)
        world.run_sync()
        world.run_manager()


def trade(world: World, trade_id: int) -> dict[str, Any]:
    return world.store.t["trades"][trade_id]


@pytest.fixture
def world() -> World:
    quiet()
    return World()


def finish(world: World) -> None:
    world.drain()
    world.check_end()


def test_two_trades_on_one_ticker_keep_their_own_quantities(world: World) -> None:
    first, second = buy(world, count=300), buy(world, count=200)
    assert sell(world, first) == "accepted"
    settle_down(world)
    assert (trade(world, first)["state"], trade(world, first)["exit_count_e2"]) == ("closed", 300)
    assert (trade(world, second)["state"], trade(world, second)["exit_count_e2"]) == ("open", 0)
    assert world.exchange.engine.account.position_e2(T) == 200
    finish(world)


def test_a_close_is_not_repeated_while_its_fills_are_owed(world: World) -> None:
    first, second = buy(world, count=200), buy(world, count=200)
    assert sell(world, first) == "accepted"  # filled and acknowledged; its fills have not been read yet
    assert "its outcome is not known yet" in sell(world, first)
    assert world.exchange.engine.account.position_e2(T) == 200, "the second trade's contracts are still there"
    settle_down(world)
    assert trade(world, second)["exit_count_e2"] == 0
    finish(world)


def test_a_long_trade_beside_a_short_one_can_be_closed(world: World) -> None:
    """The exchange nets both to nothing; a reduce-only order would be refused for ever."""
    long, short = buy(world, "yes", 200), buy(world, "no", 200)
    assert world.exchange.engine.account.position_e2(T) == 0
    assert sell(world, long) == "accepted"
    settle_down(world)
    assert trade(world, long)["state"] == "closed", trade(world, long)
    assert trade(world, short)["state"] == "open"
    assert world.exchange.engine.account.position_e2(T) == -200
    finish(world)


def test_netted_positions_settle_with_revenue_0_and_one_of_them_won(world: World) -> None:
    long, short = buy(world, "yes", 200), buy(world, "no", 200)
    world.wait(world.closes_s[T] - world.now_s)
    world.exchange.settle(T, "yes", 10_000)
    assert world.exchange.settled[0].revenue_e6 == 0
    settle_down(world)
    won, lost = trade(world, long), trade(world, short)
    assert (won["reason"], lost["reason"]) == ("settled: won", "settled: lost")
    assert won["pnl_e6"] == 200 * 10_000 - won["entry_cost_e6"] - won["fees_e6"] > 0
    assert lost["pnl_e6"] == -lost["entry_cost_e6"] - lost["fees_e6"]
    finish(world)


def test_a_settlement_minutes_late_and_after_a_restart(world: World) -> None:
    bought = buy(world)
    world.wait(world.closes_s[T] - world.now_s + 900)
    world.run_manager()
    assert trade(world, bought)["state"] == "expired"
    world.run_manager(fuse=0)
    world.run_sync(fuse=0)
    assert world.kills == 2
    world.exchange.settle(T, "no", 0)
    settle_down(world)  # no stream: found by reading the settlements
    assert trade(world, bought)["reason"] == "settled: lost"
    finish(world)


def test_a_scalar_result_pays_its_value(world: World) -> None:
    bought = buy(world, count=150)
    world.wait(world.closes_s[T] - world.now_s)
    world.exchange.settle(T, "scalar", 4_200)
    settle_down(world)
    row = trade(world, bought)
    assert (row["result"], row["settlement_value_e4"]) == ("scalar", 4_200)
    assert row["pnl_e6"] == 150 * 4_200 - row["entry_cost_e6"] - row["fees_e6"]
    finish(world)


def test_a_market_that_closes_leaves_other_trades_alone(world: World) -> None:
    """v2 expired every open trade at the top of the hour, whatever contract it was."""
    ended = buy(world)
    world.store.submit(kind="open", market_ticker=TICKERS[1], side="yes", count_e2=100, limit_price_e4=8_000)
    world.run_manager()
    world.run_executor()
    settle_down(world)
    other = max(world.store.t["trades"])
    world.wait(world.closes_s[T] - world.now_s + 1)
    world.run_manager()
    assert (trade(world, ended)["state"], trade(world, other)["state"]) == ("expired", "open")
    finish(world)


def test_a_pending_trade_is_not_forgotten_at_the_close(world: World) -> None:
    bought = buy(world, fault="timeout", work=False)
    assert trade(world, bought)["state"] == "pending"
    world.wait(world.closes_s[T] - world.now_s + 1)
    world.run_manager()
    assert trade(world, bought)["state"] == "expired"
    finish(world)
    assert trade(world, bought)["entry_count_e2"] == 200


def test_a_rejected_close_becomes_open_again_and_can_be_tried_again(world: World) -> None:
    bought = buy(world)
    for fault in ("refused", "throttled", "not_sent"):
        assert sell(world, bought, fault) == "accepted"
        settle_down(world)
        assert trade(world, bought)["state"] == "open"
    assert sell(world, bought) == "accepted"
    settle_down(world)
    assert trade(world, bought)["state"] == "closed"
    finish(world)


def test_a_difference_is_an_incident_with_both_numbers_and_nothing_is_patched(world: World) -> None:
    bought = buy(world)
    before = dict(trade(world, bought))
    world.exchange.engine.account.cash_e6 -= 5_000_000  # money gone that no fill explains
    world.exchange.engine.account.positions[T].position_e2 += 100
    world.wait(30)
    found = world.run_sync()
    assert found is not None and not found.ok
    assert f"position {T}: ledger 200, exchange 300" in found.why
    incident = list(world.store.t["incidents"].values())[-1]
    assert "balance cash: ledger 4998" in incident["cause"] and "exchange 4993" in incident["cause"], incident
    assert trade(world, bought) == before
    world.exchange.engine.account.cash_e6 += 5_000_000
    world.exchange.engine.account.positions[T].position_e2 -= 100
    finish(world)


def test_a_row_changed_behind_the_logs_back_is_an_incident(world: World) -> None:
    bought = buy(world)
    honest = world.store.t["trades"][bought]
    world.store.t["trades"][bought] = honest | {"entry_cost_e6": honest["entry_cost_e6"] + 1}
    world.run_sync()
    incident = list(world.store.t["incidents"].values())[-1]
    cost = honest["entry_cost_e6"]
    assert f"trade {bought} entry_cost_e6: row {cost + 1}, log {cost}" in incident["cause"]
    world.store.t["trades"][bought] = honest
    finish(world)


@pytest.mark.parametrize("mistake", [False, True])
def test_no_result_is_booked_over_an_exit_in_doubt(
    monkeypatch: pytest.MonkeyPatch, world: World, mistake: bool
) -> None:
    if mistake:
        real = folding.owes
        monkeypatch.setattr(folding, "owes", lambda evidence, purpose: purpose == "entry" and real(evidence, purpose))
    bought = buy(world)
    assert sell(world, bought, "timeout") == "accepted"  # it was filled, and nobody knows
    world.wait(world.closes_s[T] - world.now_s)
    world.exchange.settle(T, "yes", 10_000)
    world.run_sync()
    world.run_manager()
    if mistake:
        with pytest.raises(AssertionError):
            finish(world)
        return
    assert trade(world, bought)["state"] == "expired"
    finish(world)
    assert trade(world, bought)["reason"] == "sold"


class NewestOnly(MemoryLedger):
    """Sweeps from the newest fill on record, as the ledger once did."""

    def fills_since_s(self, db: Any, mode: str) -> float | None:
        return max((f["filled_at"].timestamp() for f in self.t["fills"].values()), default=None)


@pytest.mark.parametrize("mistake", [False, True])
def test_an_old_fill_lost_by_the_stream_is_found_after_a_newer_one_came(mistake: bool) -> None:
    quiet()

    class Listening(World):
        store_kind = NewestOnly if mistake else MemoryLedger

    world = Listening()
    buy(world, work=False)
    world.exchange.stream.clear()  # its frame is lost, and the sweeps fail for minutes
    world.wait(200)
    buy(world, work=False)
    world.run_stream(world.exchange.stream)
    if mistake:
        with pytest.raises(AssertionError):
            finish(world)
    else:
        finish(world)
