"""Which trade an order belongs to that only the exchange knows."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recio.trading.adopt import AdoptError, ForeignOrder, Holding, place, read_foreign
from recio.trading.states import OrderState

ORDER = ForeignOrder(
    client_order_id="c-1", exchange_order_id="x-1", market_ticker="M", event_ticker="E", series_ticker="S",
    strike_e2=1, close_s=100.0, book_side="bid", yes_price_e4=6_000, count_e2=300, filled_e2=200, status="canceled",
    created_s=50.0,
)  # fmt: skip


def order(**changes: object) -> ForeignOrder:
    return msgspec.structs.replace(ORDER, **changes)


def test_what_was_bought_is_a_trade_of_its_own() -> None:
    found = place(ORDER, [])
    assert (found.purpose, found.side, found.trade_id, found.limit_price_e4) == ("entry", "yes", None, 6_000)
    assert found.state is OrderState.CANCELLED
    found = place(order(book_side="ask"), [])
    assert (found.purpose, found.side, found.limit_price_e4) == ("entry", "no", 4_000)
    assert place(order(filled_e2=300, status="executed"), []).state is OrderState.FILLED


def test_what_took_from_one_trade_is_its_exit() -> None:
    held = [Holding(7, "no", 200), Holding(8, "yes", 500)]
    found = place(ORDER, held)
    assert (found.purpose, found.side, found.trade_id, found.limit_price_e4) == ("exit", "no", 7, 4_000)


@pytest.mark.parametrize(
    ("state", "closes"), [("open", True), ("closing", False), ("expired", False), ("pending", False)]
)
def test_only_an_open_trade_becomes_closing(state: str, closes: bool) -> None:
    found = place(ORDER, [Holding(7, "no", 200, state)])
    assert (found.trade_id, found.closes) == (7, closes)
    assert not place(ORDER, []).closes


def test_what_nobody_held_enough_of_is_no_exit() -> None:
    assert place(ORDER, [Holding(7, "no", 199)]).purpose == "entry"
    assert place(order(filled_e2=0), [Holding(7, "no", 500)]).purpose == "entry"


def test_two_trades_could_be_meant_and_a_person_says_which() -> None:
    held = [Holding(7, "no", 200), Holding(9, "no", 300)]
    with pytest.raises(AdoptError, match=r"any of the trades 7, 9; say which with --trade"):
        place(ORDER, held)
    assert place(ORDER, held, 9).trade_id == 9
    with pytest.raises(AdoptError, match=r"trade 8 does not hold 2 NO of M"):
        place(ORDER, held, 8)


def test_a_resting_order_is_not_adopted() -> None:
    with pytest.raises(AdoptError, match=r"still rests on the exchange with 2 of 3 filled; cancel it"):
        place(order(status="resting"), [])


def test_an_incomplete_record_is_named() -> None:
    with pytest.raises(AdoptError, match="market_ticker"):
        read_foreign({name: value for name, value in msgspec.to_builtins(ORDER).items() if name != "market_ticker"})


@given(
    st.sampled_from(["bid", "ask"]), st.integers(1, 9_999), st.integers(1, 500), st.integers(0, 500),
    st.lists(st.tuples(st.sampled_from(["yes", "no"]), st.integers(0, 900)), max_size=3),
)  # fmt: skip
def test_an_exit_never_takes_more_than_is_held_and_a_limit_is_always_a_price(
    book_side: str, price_e4: int, count_e2: int, filled_e2: int, held: list[tuple[str, int]]
) -> None:
    filled_e2 = min(filled_e2, count_e2)
    some = order(book_side=book_side, yes_price_e4=price_e4, count_e2=count_e2, filled_e2=filled_e2)
    live = [Holding(n, side, e2) for n, (side, e2) in enumerate(held, 1)]
    try:
        found = place(some, live)
    except AdoptError:
        assert len(live) > 1
        return
    assert 1 <= found.limit_price_e4 <= 9_999
    bought = "yes" if book_side == "bid" else "no"
    if found.purpose == "exit":
        trade = next(h for h in live if h.trade_id == found.trade_id)
        assert trade.side == found.side != bought
        assert trade.held_e2 >= filled_e2
    else:
        assert (found.side, found.trade_id) == (bought, None)
