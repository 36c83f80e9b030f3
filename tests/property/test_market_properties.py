"""Fees, books, probabilities, the strike table and recordings behave for any input."""

from __future__ import annotations

import io
import math
from itertools import pairwise

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from recio.market.book_math import buy, sell
from recio.market.candles import CandleError, read_prices
from recio.market.fees import KALSHI_2025, KALSHI_2026, FeeSchedule, order_fee_e6, taker_fee_e6
from recio.market.generator import GeneratedPath
from recio.market.momentum import WEIGHTS, momentum_bp
from recio.market.probability import NEARLY, probability_above
from recio.market.settlement import Observed
from recio.market.strike_table import Book, StrikeMarket, build

schedules = st.sampled_from([KALSHI_2025, KALSHI_2026])
counts = st.integers(0, 1_000_000)
prices = st.integers(1, 9999)
btc = st.integers(1_000_000, 20_000_000)
vols = st.floats(0.0, 5e-4)
times = st.floats(-10.0, 4000.0)


@given(counts, counts, prices, schedules)
def test_fees_grow_with_the_count_and_splitting_never_saves(a: int, b: int, price: int, fees: FeeSchedule) -> None:
    whole = taker_fee_e6(a + b, price, fees)
    assert whole >= taker_fee_e6(a, price, fees)
    assert order_fee_e6([(price, a), (price, b)], fees) >= whole
    assert whole % fees.quantum_e6 == 0


@given(counts, prices, schedules)
def test_fees_are_the_same_for_both_sides_and_highest_at_fifty_cents(count: int, price: int, fees: FeeSchedule) -> None:
    fee = taker_fee_e6(count, price, fees)
    assert fee == taker_fee_e6(count, 10_000 - price, fees)
    assert fee <= taker_fee_e6(count, 5000, fees)
    exact = 0.07 * count / 100 * price / 1e4 * (1 - price / 1e4) * 1e6
    assert exact - 1e-3 <= fee <= exact + fees.quantum_e6


@given(st.lists(st.tuples(prices, st.integers(0, 5000)), max_size=8, unique_by=lambda level: level[0]), counts, prices)
def test_walking_a_book_never_invents_contracts(levels: list[tuple[int, int]], count: int, limit: int) -> None:
    bids = sorted(levels, reverse=True)
    sold, bought = sell(bids, count, limit), buy(bids, count, limit)
    assert sold.filled_e2 <= min(count, sum(size for _, size in bids))
    assert all(price >= limit for price, _ in sold.levels)
    assert all(price <= limit for price, _ in bought.levels)
    for walk in (sold, bought):
        assert walk.amount_e6 == sum(price * size for price, size in walk.levels)
        assert walk.filled_e2 == sum(size for _, size in walk.levels)
    assert sell(bids, count).amount_e6 + buy(bids, count).amount_e6 == 10_000 * sell(bids, count).filled_e2


@given(btc, st.integers(-200_000, 200_000), st.integers(0, 50_000), times, vols, st.integers(0, 60))
def test_probability_is_monotone_in_strike_and_price(
    price: int, shift: int, step: int, seconds: float, vol: float, known: int
) -> None:
    strike = price + shift
    assume(strike > 0)
    seen = Observed(known, float(price))

    def chance(p: int, k: int) -> float:
        return probability_above(p, k, seconds, vol, observed=seen)

    here = chance(price, strike)
    assert 0.0 <= here <= 1.0
    assert chance(price, strike + step) <= here + 1e-12
    assert chance(price + step, strike) >= here - 1e-12


@given(btc, st.integers(-500_000, 500_000), times, vols, st.integers(0, 60))
def test_certainty_is_kept_for_what_is_determined(
    price: int, shift: int, seconds: float, vol: float, known: int
) -> None:
    chance = probability_above(price, max(1, price + shift), seconds, vol, observed=Observed(known, float(price)))
    determined = seconds <= 0 and known == 60
    assert (chance in (0.0, 1.0)) == determined
    assert determined or NEARLY <= chance <= 1 - NEARLY


@given(btc, times, st.floats(1e-6, 5e-4))
def test_above_and_below_are_complements_around_the_price(price: int, seconds: float, vol: float) -> None:
    up = probability_above(price, price + 700, seconds, vol)
    down = probability_above(price, price - 700, seconds, vol)
    assume(seconds > 0)
    assert up + down == pytest.approx(1.0, abs=1e-9)


@given(btc, vols, st.floats(1, 3600), st.integers(0, 9), st.integers(0, 9), prices, prices)
def test_the_strike_table_is_monotone_and_never_shows_a_zero_for_nothing(
    price: int, vol: float, seconds: float, below: int, above: int, yes_bid: int, no_bid: int
) -> None:
    first = price // 25_000 * 25_000 - 250_001
    markets = [StrikeMarket(market_ticker=f"M{n:02}", floor_strike_e2=first + 25_000 * n) for n in range(22)]
    books = {"M10": Book([[yes_bid, 100]], [[no_bid, 100]], 0.0), "M11": Book([], [], 0.0)}
    rows = build(markets, books, price, seconds, vol, 1.0, below=below, above=above)
    assert len(rows) <= below + above
    chances = [row.probability_yes for row in rows]
    assert all(a is not None and b is not None and a >= b for a, b in pairwise(chances))
    for row in rows:
        assert row.side == ("yes" if price > row.strike_e2 else "no")
        assert row.probability is not None
        assert row.probability >= 0.5 - 1e-9
        for value in (row.yes_ask_e4, row.no_ask_e4, row.yes_bid_e4, row.no_bid_e4):
            assert value is None or 0 < value < 10_000
        for net, raw in (
            (row.differential_yes_e4, row.raw_differential_yes_e4),
            (row.differential_no_e4, row.raw_differential_no_e4),
        ):
            assert (net is None) == (raw is None)
            assert net is None or raw is None or net < raw


@given(st.dictionaries(st.sampled_from([0, *WEIGHTS]), btc))
def test_momentum_lies_between_its_windows(known: dict[int, int]) -> None:
    found = momentum_bp(lambda at: known.get(round(-at / 60)), 0.0)
    windows = [value for value in found.windows.values() if value is not None]
    assert (found.total_bp is None) == (not windows)
    if found.total_bp is not None:
        assert min(windows) - 1 <= found.total_bp <= max(windows) + 1


candle = st.tuples(*[st.integers(1, 10_000_000)] * 4).map(lambda v: (v[0], max(v), min(v), v[3]))


@given(st.lists(candle, min_size=1, max_size=12), st.integers(0, 2**63), st.floats(0, 1), st.sampled_from([60, 60_000]))
def test_candles_round_trip_and_the_path_stays_inside(
    rows: list[tuple[int, int, int, int]], seed: int, noise: float, unit: int
) -> None:
    start = 27_350_000
    text = "".join(
        ",".join([str((start + n) * unit), *(f"{v / 100:.2f}" for v in row)]) + "\n" for n, row in enumerate(rows)
    )
    found = read_prices(io.StringIO(text), seed=seed, noise=noise)
    assert len(found) == len(rows)
    for n, (first, high, low, last) in enumerate(rows):
        at = (start + n) * 60
        path = [found.price_at(at + second) for second in range(60)]
        assert found.candle(at) == (first, high, low, last)
        assert (path[0], path[-1], max(path), min(path)) == (first, last, high, low)


@given(st.text(max_size=300))
def test_any_text_is_prices_or_a_clear_error(text: str) -> None:
    try:
        found = read_prices(io.StringIO(text), "x")
    except CandleError as error:
        assert str(error).startswith("x")
    else:
        assert found.price_at(found.start_s) > 0


@given(st.lists(st.sampled_from("0123456789.,-:eT nainf\"'"), max_size=60).map("".join))
def test_any_row_after_good_ones_is_prices_or_names_its_line(row: str) -> None:
    good = "timestamp,open,high,low,close,volume\n2022-01-01 00:00:00,1,1,1,1,1\n"
    try:
        read_prices(io.StringIO(good + row + "\n"), "x")
    except CandleError as error:
        assert str(error).startswith("x line 3: ")


@given(st.integers(0, 2**64), st.floats(0, 2**34, exclude_max=True))
def test_the_generated_path_is_pure_and_steps_are_small(seed: int, at: float) -> None:
    path = GeneratedPath(seed)
    price = path.price_at(at)
    assert price == GeneratedPath(seed).price_at(math.floor(at))
    if at >= 1:
        assert abs(path.price_at(at - 1) / price - 1) < 0.01
