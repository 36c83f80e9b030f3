"""The strike table: selection, missing values, fees and stale books."""

from __future__ import annotations

import pytest

from recio.market.fees import KALSHI_2025, taker_fee_e6
from recio.market.probability import probability_above
from recio.market.strike_table import Book, StrikeMarket, StrikeRow, build, row_from_dict

NOW, PRICE, VOL = 1_800_000_000.0, 10_001_000, 9e-5


def ladder(count: int = 30) -> list[StrikeMarket]:
    return [
        StrikeMarket(market_ticker=f"M{n:02}", floor_strike_e2=9_624_999 + 25_000 * n, volume_e2=100_000)
        for n in range(count)
    ]


def book(yes: int = 9400, no: int = 400, age: float = 1.0, valid: bool = True) -> Book:
    return Book([[yes, 500]], [[no, 300]], NOW - age, valid)


def one(market: StrikeMarket, books: dict[str, Book], **more: float | None) -> StrikeRow:
    vol = more.pop("vol", VOL)
    rows = build([market], books, PRICE, 600.0, vol, NOW, **more)  # type: ignore[arg-type]
    assert len(rows) == 1
    return rows[0]


LOW = StrikeMarket(market_ticker="LOW", floor_strike_e2=9_974_999, volume_e2=5)
HIGH = StrikeMarket(market_ticker="HIGH", floor_strike_e2=10_024_999)


def test_seven_below_and_seven_above_lowest_first() -> None:
    rows = build(reversed(ladder()), {}, PRICE, 600.0, VOL, NOW)
    strikes = [row.strike_e2 for row in rows]
    assert len(rows) == 14
    assert strikes == sorted(strikes)
    assert sum(strike <= PRICE for strike in strikes) == 7
    assert len(build(ladder(), {}, PRICE, 600.0, VOL, NOW, below=2, above=3)) == 5
    assert len(build(ladder(), {}, PRICE, 600.0, VOL, NOW, below=0, above=3)) == 3


def test_the_active_side_is_the_one_btc_is_on() -> None:
    low, high = one(LOW, {}), one(HIGH, {})
    assert (low.side, high.side) == ("yes", "no")
    assert low.probability == probability_above(PRICE, 9_974_999, 600.0, VOL)
    assert high.probability == 1.0 - probability_above(PRICE, 10_024_999, 600.0, VOL)
    assert low.buffer_e2 == PRICE - 9_974_999
    assert low.buffer_percent == pytest.approx(100 * low.buffer_e2 / PRICE, abs=1e-4)  # of the price now


def test_differentials_are_after_the_fee_with_the_raw_one_beside() -> None:
    row = one(LOW, {"LOW": book()})
    assert row.probability_yes is not None
    raw = round(row.probability_yes * 10_000) - 9600
    assert row.raw_differential_yes_e4 == raw
    assert row.differential_yes_e4 == raw - -(-taker_fee_e6(100, 9600) // 100)
    assert row.raw_differential_no_e4 == round((1 - row.probability_yes) * 10_000) - 600
    old = build([LOW], {"LOW": book()}, PRICE, 600.0, VOL, NOW, fees=KALSHI_2025)[0]
    assert old.differential_yes_e4 == raw - 100


def test_missing_is_none_never_zero() -> None:
    bare = one(LOW, {})
    assert (bare.yes_ask_e4, bare.differential_yes_e4, bare.book_age_s, bare.depth) == (None, None, None, None)
    empty = one(LOW, {"LOW": Book([], [], NOW)})
    assert (empty.yes_ask_e4, empty.no_bid_e4, empty.differential_no_e4) == (None, None, None)
    assert empty.depth == 0
    no_vol = one(LOW, {"LOW": book()}, vol=None)
    assert no_vol.probability is None
    assert no_vol.differential_yes_e4 is None
    assert no_vol.yes_ask_e4 == 9600


@pytest.mark.parametrize("bad", [book(age=31.0), book(valid=False), book(yes=9700, no=400)])
def test_a_stale_broken_or_crossed_book_gives_only_its_age(bad: Book) -> None:
    row = one(LOW, {"LOW": bad})
    assert (row.yes_ask_e4, row.no_ask_e4, row.yes_bid_e4, row.differential_yes_e4) == (None, None, None, None)
    assert row.book_age_s == NOW - bad.received_s


def test_markets_without_a_strike_are_left_out() -> None:
    assert build([StrikeMarket(market_ticker="X", strike_type="greater_or_equal")], {}, PRICE, 600, VOL, NOW) == []


def test_at_the_strike_exactly() -> None:
    for kind, side in (("greater", "no"), ("greater_or_equal", "yes")):
        row = one(StrikeMarket(market_ticker="X", strike_type=kind, floor_strike_e2=PRICE), {})
        assert row.side == side


def test_a_row_survives_its_jsonb_column() -> None:
    row = one(LOW, {"LOW": book()})
    assert row_from_dict(row.to_dict()) == row
    with pytest.raises(ValueError, match="strike_e2"):
        row_from_dict({"market_ticker": "X"})
