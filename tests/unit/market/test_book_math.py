"""Walking a book of two bid ladders."""

from __future__ import annotations

import pytest

from recio.market.book_math import ask_e4, asks, bid_e4, buy, depth_e2, is_crossed, quote, sell

YES = [[9400, 300], [9300, 1000]]
NO = [[400, 200], [300, 500], [100, 10_000]]  # YES asks at 96, 97 and 99 cents


def test_the_ask_is_a_dollar_less_the_other_sides_bid() -> None:
    assert (bid_e4(YES), ask_e4(NO)) == (9400, 9600)
    assert (bid_e4(NO), ask_e4(YES)) == (400, 600)
    assert asks(NO) == [(9600, 200), (9700, 500), (9900, 10_000)]


def test_nothing_there_is_none_never_zero() -> None:
    assert bid_e4([]) is None
    assert ask_e4([]) is None
    empty = quote([], [])
    assert empty.yes_ask_e4 is None
    assert empty.no_bid_e4 is None
    assert empty.yes_ask_depth_e2 == 0
    walk = buy([], 100)
    assert (walk.filled_e2, walk.worst_e4, walk.average_e4, walk.complete) == (0, None, None, False)


def test_a_quote_has_both_sides_and_their_sizes() -> None:
    found = quote(YES, NO)
    assert (found.yes_bid_e4, found.yes_ask_e4, found.no_bid_e4, found.no_ask_e4) == (9400, 9600, 400, 600)
    assert (found.yes_bid_depth_e2, found.yes_ask_depth_e2) == (300, 200)
    assert (found.no_bid_depth_e2, found.no_ask_depth_e2) == (200, 300)


def test_buying_walks_up_and_stops_at_the_limit() -> None:
    walk = buy(NO, 1000)
    assert walk.levels == ((9600, 200), (9700, 500), (9900, 300))
    assert walk.amount_e6 == 9600 * 200 + 9700 * 500 + 9900 * 300
    assert walk.worst_e4 == 9900
    assert walk.complete
    assert walk.average_e4 == pytest.approx(9740.0)
    capped = buy(NO, 1000, limit_e4=9700)
    assert (capped.filled_e2, capped.worst_e4, capped.complete) == (700, 9700, False)


def test_selling_walks_down_and_stops_at_the_limit() -> None:
    assert sell(YES, 500).amount_e6 == 9400 * 300 + 9300 * 200
    assert sell(YES, 500, limit_e4=9400).filled_e2 == 300
    assert depth_e2(YES) == 1300
    assert depth_e2(YES, 9400) == 300


def test_a_crossed_book_is_told() -> None:
    assert not is_crossed(YES, NO)
    assert is_crossed([[9600, 1]], [[400, 1]])
    assert not is_crossed(YES, [])


def test_a_negative_count_is_refused() -> None:
    with pytest.raises(ValueError, match="-100"):
        buy(NO, -100)
