"""Markets of the simulator: tickers, strikes, settlement on the mean of sixty values, journal."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import msgspec
import pytest

from recio.exchange.simulator.core import Exchange
from recio.exchange.simulator.fair import fair_yes
from recio.exchange.simulator.index import Index, decimals
from recio.exchange.simulator.journal import Journal, JournalError
from recio.exchange.simulator.ladders import Definition, Ladders, eastern
from recio.exchange.simulator.market import SimMarket
from recio.exchange.simulator.orders import Order, Rejected
from recio.exchange.simulator.path import PathClock

NOON = int(datetime(2026, 11, 23, 17, 0, tzinfo=UTC).timestamp())  # noon in New York


class Ramp:
    """A path that rises a cent a second from 98,000 dollars at NOON."""

    def __call__(self, at_s: float) -> int:
        return 9_800_000 + int(at_s) - NOON

    def span(self) -> tuple[float, float] | None:
        return None


class Saw(Ramp):
    """A recording of 100 seconds."""

    def span(self) -> tuple[float, float] | None:
        return float(NOON), float(NOON + 100)


class Clock:
    def __init__(self, now_s: float) -> None:
        self.now_s = now_s

    def __call__(self) -> float:
        return self.now_s


def test_new_york_over_both_changes_of_the_clock() -> None:
    for utc, local in (
        ((2026, 3, 8, 6, 59), 1), ((2026, 3, 8, 7, 0), 3), ((2026, 11, 1, 5, 59), 1), ((2026, 11, 1, 6, 0), 1),
        ((2026, 11, 1, 7, 0), 2), ((2026, 7, 4, 16, 0), 12), ((2026, 1, 1, 4, 0), 23),
    ):  # fmt: skip
        assert eastern(datetime(*utc, tzinfo=UTC).timestamp()).hour == local


def test_tickers_strikes_and_times_of_the_three_series() -> None:
    ladders = Ladders(lambda s: 9_812_345, lambda s: 9_800_000)
    hourly = ladders.markets("KXBTCD", NOON + 3600)
    assert len(hourly) == 75 and hourly[37].ticker == "KXBTCD-26NOV2313-T97999.99"
    assert {b.strike_e2 - a.strike_e2 for a, b in pairwise(hourly)} == {25_000}  # type: ignore[operator]
    quarter = ladders.markets("KXBTC15M", NOON + 900)[0]
    assert (quarter.ticker, quarter.strike_e2) == ("KXBTC15M-26NOV231215-15", None)
    short = ladders.markets("KXBTCSIM", NOON + 30)
    assert len(short) == 15 and short[7].ticker == "KXBTCSIM-26NOV23120030-T98124.99"
    assert short[0].close_s - short[0].open_s == 120
    closes = dict.fromkeys(ladders.closes(NOON + 1), 0)
    assert ("KXBTCD", NOON + 3600) in closes and len([c for c in closes if c[0] == "KXBTCSIM"]) == 4


def test_a_recording_is_walked_back_and_forth() -> None:
    path = Saw()
    clock = PathClock.start(path, 5_000.0, 1.0)
    assert clock.path_start_s == NOON + 50
    at = [clock.path_time(path, 5_000.0 + s) - NOON for s in (0, 50, 60, 150, 160, 250, -60)]
    assert at == [50, 100, 90, 0, 10, 100, 10]
    fast = PathClock.start(path, 5_000.0, 20.0)
    assert fast.path_time(path, 5_001.0) - fast.path_time(path, 5_000.0) == 20


@pytest.mark.parametrize(("strike", "result"), [(9_800_029, "yes"), (9_800_030, "yes"), (9_800_031, "no")])
def test_settlement_is_the_mean_of_the_last_sixty_values_strictly_above(strike: int, result: str) -> None:
    index = Index(Ramp(), PathClock(NOON, NOON), seed=1)
    total, count = index.window_sum_e2(NOON + 60)  # 1..60 cents above 98,000: mean 30.5
    assert (count, total) == (60, 60 * 9_800_000 + 1_830)
    market = SimMarket(Definition("T", "E", "KXBTCSIM", "greater", strike, 0, 0, NOON + 60), strike)
    market.determine(total, 1)
    assert (market.result, market.expiration_value) == (result, "98000.31")


def test_the_exact_mean_is_not_above_itself_but_at_least_itself() -> None:
    total = 60 * 9_800_000
    for kind, result in (("greater", "no"), ("greater_or_equal", "yes")):
        market = SimMarket(Definition("T", "E", "KXBTC15M", kind, None, 0, 0, 0), 9_800_000)
        market.determine(total, 1)
        assert market.result == result
    assert decimals(1, 3, 8) == "0.00333333" and decimals(200, 3, 2) == "0.67"


def test_fair_value_knows_the_average() -> None:
    assert fair_yes(100.0, 100.0, 3_600, 1e-4) == pytest.approx(0.5)
    assert fair_yes(9_810_000, 9_800_000, 300, 1e-4) < fair_yes(9_810_000, 9_800_000, 60, 1e-4) < 1
    # 50 of 60 values printed far above: the last ten cannot bring the mean down
    assert fair_yes(9_790_000, 9_800_000, 10, 1e-4, 50 * 9_900_000, 50) > 0.999
    assert fair_yes(9_790_000, 9_800_000, 0, 1e-4, 60 * 9_800_001, 60) == 1.0


def place(
    exchange: Exchange, ticker: str, side: str = "bid", price: int = 9_900, tif: str = "immediate_or_cancel"
) -> Order:
    now_ms = exchange.now_ms()
    name = f"{len(exchange.engine.orders)}-{len(exchange.engine.client_ids)}"
    return exchange.place(Order("o" + name, "c" + name, ticker, side, price, 100, 100, tif, now_ms, now_ms))


def make(clock: Clock, folder: Path | None = None) -> tuple[Exchange, Journal | None]:
    journal = Journal(folder) if folder else None
    return Exchange(Ramp(), "ramp", clock, journal=journal), journal


def near(exchange: Exchange) -> SimMarket:
    """The short market at the money that closes last of the open ones."""
    short = [m for m in exchange.markets.values() if m.definition.series_ticker == "KXBTCSIM" and m.status == "active"]
    last = max(m.definition.close_s for m in short)
    ladder = [m for m in short if m.definition.close_s == last]
    return ladder[len(ladder) // 2]


def test_a_market_lives_and_pays() -> None:
    clock = Clock(NOON + 1.0)
    exchange, _ = make(clock)
    exchange.tick()
    market = near(exchange)
    # a rising cent a second: the strike (97,999.99) is below every value, YES wins
    bought = place(exchange, market.ticker)
    assert bought.status == "executed"
    with pytest.raises(Rejected, match="invalid_price"):
        place(exchange, market.ticker, price=9_905)
    cash = exchange.engine.account.cash_e6
    clock.now_s = market.definition.close_s + 0.2
    with pytest.raises(Rejected, match="MARKET_INACTIVE"):
        place(exchange, market.ticker)
    states = []
    for _ in range(12):
        exchange.tick()
        states.append(market.status)
        clock.now_s += 0.5
    assert list(dict.fromkeys(states)) == ["active", "closed", "determined", "finalized"]
    assert (market.result, exchange.engine.account.cash_e6) == ("yes", cash + 1_000_000)
    assert exchange.settlements[0].ticker == market.ticker


def test_a_restart_knows_everything_and_settles_what_closed_meanwhile(tmp_path: Path) -> None:
    clock = Clock(NOON + 1.0)
    exchange, journal = make(clock, tmp_path)
    exchange.tick()
    market = near(exchange)
    place(exchange, market.ticker)
    rests = place(exchange, market.ticker, price=100, tif="good_till_canceled")
    gone = place(exchange, market.ticker, price=200, tif="good_till_canceled")
    exchange.cancel(gone.order_id)
    with pytest.raises(Rejected):
        place(exchange, market.ticker, price=100, tif="fill_or_kill")
    assert journal is not None
    journal.close()
    with (tmp_path / "journal.jsonl").open("ab") as file:
        file.write(b'[{"k":"account","cash_e6":')  # killed in the middle of a write
    again, journal = make(clock, tmp_path)
    assert journal is not None
    assert again.engine.account.cash_e6 == exchange.engine.account.cash_e6
    assert again.engine.client_ids == exchange.engine.client_ids and len(again.engine.client_ids) == 4
    assert msgspec.to_builtins(again.engine.orders) == msgspec.to_builtins(exchange.engine.orders)
    assert again.engine.fills == exchange.engine.fills
    assert [order.order_id for order in again.engine.resting()] == [rests.order_id]
    journal.close()
    clock.now_s = market.definition.close_s + 3_000.0  # down for a long time
    late, journal = make(clock, tmp_path)
    late.tick()
    assert journal is not None
    journal.close()
    assert late.markets[market.ticker].status == "finalized" and late.markets[market.ticker].result == "yes"
    assert late.engine.orders[rests.order_id].status == "canceled"
    assert late.engine.account.cash_e6 == exchange.engine.account.cash_e6 + 1_000_000
    last, journal = make(clock, tmp_path)
    assert last.engine.account.cash_e6 == late.engine.account.cash_e6
    assert last.settlements == late.settlements and last.engine.account.position_e2(market.ticker) == 0
    assert journal is not None
    journal.close()


def test_a_journal_is_held_by_one_and_damage_is_said(tmp_path: Path) -> None:
    held = Journal(tmp_path)
    with pytest.raises(JournalError, match="in use by another simulator"):
        Journal(tmp_path)
    held.close()
    (tmp_path / "journal.jsonl").write_bytes(b'[{"k":"cid","id":"a"}]\n[{"k"\n[{"k":"cid","id":"b"}]\n')
    damaged = Journal(tmp_path)
    with pytest.raises(JournalError, match=r"line 2 of .* is damaged"):
        list(damaged.read())
    damaged.close()
