"""Rules with numbers: token buckets, fees and their rounding, price grids, candlesticks, bands, the autumn hour."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from recio.exchange.simulator.candles import Candles
from recio.exchange.simulator.fees import FeeSchedule
from recio.exchange.simulator.ladders import Definition, Ladders
from recio.exchange.simulator.limits import Limiter, TooManyRequests
from recio.exchange.simulator.market import SimMarket
from recio.exchange.simulator.matchbook import MatchBook
from recio.exchange.simulator.orders import BookChanged, Order, Traded

ORDERS = "/portfolio/events/orders"


class Clock:
    now_s = 1_000.0

    def __call__(self) -> float:
        return self.now_s


def spend(limiter: Limiter, method: str, path: str, who: str = "k") -> int:
    """How many requests pass before the 429."""
    passed = 0
    try:
        while passed < 1_000:
            limiter.charge(method, path, who)
            passed += 1
    except TooManyRequests:
        pass
    return passed


def test_the_basic_budget() -> None:
    clock = Clock()
    limiter = Limiter("basic", clock)
    assert spend(limiter, "GET", "/portfolio/orders") == 40  # two seconds of 20 a second
    assert spend(limiter, "POST", ORDERS) == 10
    assert spend(limiter, "POST", ORDERS, "another key") == 10
    clock.now_s += 1
    assert spend(limiter, "DELETE", f"{ORDERS}/some-id") == 50
    clock.now_s += 1
    assert spend(limiter, "GET", "/portfolio/orders/some-id") == 200  # its bucket filled up to 400, at 2 each
    clock.now_s += 60
    assert spend(limiter, "GET", "/portfolio/balance") == 10
    clock.now_s += 1
    assert spend(limiter, "GET", "/portfolio/balance") == 1


def test_batches_pay_by_item_and_fit_the_budget() -> None:
    limiter = Limiter("basic", Clock())
    limiter.charge("POST", f"{ORDERS}/batched", "k")  # nothing yet: the handler counts
    limiter.charge_items(10, 6, "k")
    with pytest.raises(TooManyRequests):
        limiter.charge_items(10, 6, "k")
    limiter.charge_items(2, 20, "k")
    with pytest.raises(ValueError, match="at most 10 orders"):
        limiter.charge_items(10, 11, "k")
    Limiter("", Clock()).charge_items(10, 10_000, "k")
    with pytest.raises(ValueError, match="there is no tier"):
        Limiter("gold", Clock())


def test_rounding_to_cents_and_the_rebate_as_documented() -> None:
    fees, overpaid, net = FeeSchedule(precision_e6=10_000), 0, []
    for _ in range(3):
        charged, overpaid = fees.net_e6(-55_000, 10_000, overpaid)
        net.append(charged)
    assert net == [15_000, 5_000, 15_000]
    assert FeeSchedule().net_e6(-4_300 * 300, 14_700, 0) == (14_700, 0)  # whole units of 0.0001 need no rounding
    assert FeeSchedule(multiplier_e2=50).fee_e6(100, 5_000, True) == 8_800
    assert FeeSchedule(quantum_e6=1).fee_e6(100, 9_900, True) == 693
    assert (FeeSchedule().fee_type, FeeSchedule(maker_rate_e4=175).fee_type) == (
        "quadratic", "quadratic_with_maker_fees",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("structure", "good", "bad"),
    [
        ("linear_cent", (100, 5_000, 9_900), (0, 10_000, 50, 5_050, 9_910)),
        ("tapered_deci_cent", (10, 990, 1_000, 1_100, 9_000, 9_010, 9_990), (5, 1_010, 8_990, 9_995, 10_000)),
    ],
)
def test_price_grids(structure: str, good: tuple[int, ...], bad: tuple[int, ...]) -> None:
    market = SimMarket(Definition("T", "E", "KXBTC15M", "greater", 1, 0, 0, 0, structure), 1)
    assert [price for price in (*good, *bad) if market.is_on_grid(price)] == list(good)


# ---------------------------------------------------------------------- ladders
def utc(*parts: int) -> int:
    return int(datetime(*parts, tzinfo=UTC).timestamp())  # type: ignore[misc,arg-type]


def ladders() -> Ladders:
    return Ladders(lambda s: 8_112_345, lambda s: 8_100_000)


def test_bands_and_tails_cover_every_price_once() -> None:
    markets = [SimMarket(d, d.strike_e2) for d in ladders().markets("KXBTC", utc(2026, 11, 23, 18))]
    assert len(markets) == 42
    assert (markets[0].ticker, markets[0].cap_e2, markets[0].floor_e2) == ("KXBTC-26NOV2313-T75999.99", 7_599_999, None)
    assert (markets[1].ticker, markets[1].floor_e2, markets[1].cap_e2) == (
        "KXBTC-26NOV2313-B76125",
        7_600_000,
        7_624_999,
    )
    assert (markets[-1].ticker, markets[-1].definition.strike_type) == ("KXBTC-26NOV2313-T85999.99", "greater")
    # ends of bands, fractions of a cent between two of them, and both tails
    for total in (60 * 8_100_000, 60 * 8_124_999 + 31, 60 * 8_124_999 + 29, 60 * 1_000_000, 60 * 9_999_999):
        results = []
        for market in markets:
            market.determine(total, 1)
            results.append(market.result)
        assert results.count("yes") == 1


def test_the_five_pm_event_is_there_a_day_ahead() -> None:
    noon = utc(2026, 11, 23, 17)
    closes = set(ladders().closes(noon + 1))
    five_pm = utc(2026, 11, 23, 22)
    assert {("KXBTCD", five_pm), ("KXBTC", five_pm)} <= closes and ("KXBTCD", five_pm + 86_400) not in closes
    assert ("KXBTCD", five_pm + 86_400) in set(ladders().closes(five_pm - 3_000))
    markets = ladders().markets("KXBTCD", five_pm)
    assert len(markets) == 27 and markets[0].event_ticker == "KXBTCD-26NOV2317"
    assert markets[1].strike_e2 - markets[0].strike_e2 == 50_000  # type: ignore[operator]
    assert markets[0].close_s - markets[0].open_s == 25 * 3_600
    assert len(ladders().markets("KXBTC", five_pm)) == 80
    summer = utc(2026, 7, 4, 21)  # 5 pm EDT
    assert len(ladders().markets("KXBTCD", summer)) == 27 and len(ladders().markets("KXBTCD", summer + 3_600)) == 75


def test_in_autumn_one_oclock_comes_twice_and_only_close_time_tells() -> None:
    first, second = utc(2026, 11, 1, 5), utc(2026, 11, 1, 6)  # 1:00 EDT and 1:00 EST
    names = {}
    for close_s in (first - 3_600, first, second, second + 3_600):
        event = ladders().markets("KXBTCD", close_s)[0]
        assert event.close_s == close_s
        names[event.event_ticker] = close_s
    assert list(names) == [f"KXBTCD-26NOV01{hour}" for hour in ("00", "01", "25", "02")]
    quarters = [ladders().markets("KXBTC15M", close_s)[0].ticker for close_s in range(first, second + 3_600, 900)]
    assert len(set(quarters)) == 8 and (quarters[1], quarters[5]) == (
        "KXBTC15M-26NOV010115-15",
        "KXBTC15M-26NOV012515-15",
    )
    spring = [ladders().markets("KXBTCD", utc(2026, 3, 8, hour))[0].event_ticker[-2:] for hour in (6, 7, 8)]
    assert spring == ["01", "03", "04"]


# ---------------------------------------------------------------------- candlesticks
def test_candlesticks_of_minutes_hours_and_days() -> None:
    book, start = MatchBook(), utc(2026, 11, 23, 17)
    candles = Candles(lambda ticker: book, lambda ticker: 700)

    def quote(side: str, price: int, at_s: float) -> None:
        book.add(Order(f"{side}{price}", "", "T", side, price, 100, 100, "", 0, 0, owner=""))
        candles.hear(BookChanged("T", "yes", price, 100), at_s)
        candles.sample(at_s)

    quote("bid", 4_000, start + 1)
    quote("ask", 4_600, start + 2)
    candles.hear(Traded("t", "T", 4_600, 200, "bid", 0), start + 3)
    candles.hear(Traded("t", "T", 4_400, 100, "ask", 0), start + 4)
    quote("bid", 4_300, start + 70)
    minutes = candles.bars("T", start, start + 600, 1)
    assert [bar.end_s - start for bar in minutes] == [60, 120]
    assert list(minutes[0].values[1:13]) == [4_000] * 4 + [10_000, 4_600, 10_000, 4_600] + [4_600, 4_400, 4_600, 4_400]
    assert (minutes[0].values[13] // minutes[0].values[14], minutes[0].values[14]) == (4_533, 300)
    assert list(minutes[1].values[1:5]) == [4_300] * 4 and minutes[1].values[9] == -1 and minutes[1].values[16] == 4_400
    hour, day = candles.bars("T", start, start + 3_600, 60), candles.bars("T", start, start + 86_400, 1_440)
    assert (len(hour), hour[0].end_s, list(hour[0].values[1:5])) == (1, start + 3_600, [4_000, 4_000, 4_300, 4_300])
    assert (len(day), day[0].values[14], day[0].end_s % 86_400) == (1, 300, 0)
    before = candles.last_before("T", start + 100, 1)
    assert before is not None and before.end_s == start + 60 and candles.last_before("T", start, 1) is None
    candles.forget("T")
    assert candles.bars("T", start, start + 600, 1) == []
