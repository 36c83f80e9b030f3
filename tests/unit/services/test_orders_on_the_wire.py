"""Buying and selling both sides, as the exchange's one book knows them."""

from __future__ import annotations

import pytest

from recio.exchange.kalshi.models import Market
from recio.exchange.kalshi.wire import new_order_body
from recio.services.kalshi_api_watchdog import nearest
from recio.services.trade_executor import wire_order


@pytest.mark.parametrize(
    ("purpose", "side", "book_side", "yes_price_e4"),
    [
        ("entry", "yes", "bid", 6000),
        ("entry", "no", "ask", 4000),
        ("exit", "yes", "ask", 6000),
        ("exit", "no", "bid", 4000),
    ],
)
def test_wire_order(purpose: str, side: str, book_side: str, yes_price_e4: int) -> None:
    row = {
        "purpose": purpose, "side": side, "limit_price_e4": 6000, "market_ticker": "T", "count_e2": 500,
        "client_order_id": "c",
    }  # fmt: skip
    order = wire_order(row)
    assert (order.book_side, order.yes_price_e4) == (book_side, yes_price_e4)
    assert order.time_in_force == "immediate_or_cancel"
    assert order.reduce_only is (purpose == "exit")  # an exit can never open the other side


def market(strike_e2: int) -> Market:
    return Market(
        ticker=f"T{strike_e2}", event_ticker="E", series_ticker="S", title="", strike_type="greater",
        floor_strike_e2=strike_e2, cap_strike_e2=None, open_time_s=0.0, close_time_s=1.0, status="active", result="",
        settlement_value_e4=None, expiration_value="", volume_e2=0, yes_bid_e4=0, yes_ask_e4=10_000, price_ranges=(),
    )  # fmt: skip


def test_nearest_strikes_surround_the_price() -> None:
    ladder = [market(strike) for strike in range(0, 10_000, 100)]
    assert nearest(ladder, 5_050, 2) == ["T4900", "T5000", "T5100", "T5200"]
    assert nearest(ladder, 0, 2) == ["T0", "T100", "T200"]
    assert nearest(ladder, 99_999, 2) == ["T9800", "T9900"]
    assert len(nearest(ladder, None, 2)) == 4


def test_every_order_has_a_limit_and_never_rests() -> None:
    """There is no market order: the body always carries the worst price accepted, also when netting lifts reduce-only."""
    row = {
        "purpose": "exit", "side": "yes", "limit_price_e4": 4200, "market_ticker": "T", "count_e2": 500,
        "client_order_id": "c",
    }  # fmt: skip
    for order in (
        wire_order(row),
        wire_order(row, reduce_only=False),
        wire_order(row | {"purpose": "entry"}, group_id="g"),
    ):
        body = new_order_body(order)
        assert (body["price"], body["time_in_force"]) == ("0.4200", "immediate_or_cancel")
    with pytest.raises(ValueError, match="yes_price_e4"):
        new_order_body(wire_order(row | {"limit_price_e4": 0}))
