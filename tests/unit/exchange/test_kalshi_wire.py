"""Kalshi's JSON to our units and back."""

from __future__ import annotations

import pytest

from recio.exchange.errors import ClockSkewed, Refused
from recio.exchange.kalshi import wire
from recio.exchange.kalshi.models import NewOrder

MARKET = {
    "ticker": "KXBTCD-26NOV2318-T97999.99",
    "event_ticker": "KXBTCD-26NOV2318",
    "yes_sub_title": "$98,000 or above",
    "strike_type": "greater",
    "floor_strike": 97999.99,
    "open_time": "2026-11-23T22:00:00Z",
    "close_time": "2026-11-23T23:00:00Z",
    "status": "active",
    "result": "",
    "expiration_value": "",
    "volume_fp": "1234.56",
    "yes_bid_dollars": "0.4200",
    "yes_ask_dollars": "0.4400",
    "price_ranges": [{"start": "0.0000", "end": "1.0000", "step": "0.0100"}],
    "exchange_index": 2,
    "a_field_of_next_year": {"is": "ignored"},
}


def order(**changes: object) -> NewOrder:
    values = {"ticker": "T", "book_side": "bid", "count_e2": 1_000, "yes_price_e4": 4_200, "client_order_id": "c1"}
    return NewOrder(**(values | changes))  # type: ignore[arg-type]


def test_market_in_our_units() -> None:
    found = wire.market(MARKET)
    assert (found.series_ticker, found.floor_strike_e2, found.volume_e2) == ("KXBTCD", 9_799_999, 123_456)
    assert (found.yes_bid_e4, found.yes_ask_e4, found.close_time_s - found.open_time_s) == (4_200, 4_400, 3_600.0)
    assert found.settlement_value_e4 is None and found.is_open and not found.is_settled
    assert found.price_ranges[0].step_e4 == 100


def test_market_without_a_required_field_names_it() -> None:
    row = {name: value for name, value in MARKET.items() if name != "close_time"}
    with pytest.raises(ValueError, match="'close_time' is missing"):
        wire.market(row)


@pytest.mark.parametrize("strike", [0.1 + 0.2 + 72749.69, 118749.99, 72_750])
def test_strikes_are_exact_cents(strike: float) -> None:
    if strike == 0.1 + 0.2 + 72749.69:
        strike = round(strike, 2)
    assert wire.market(MARKET | {"floor_strike": strike}).floor_strike_e2 == round(strike * 100)


def test_new_order_has_strings_and_no_floats() -> None:
    assert wire.new_order_body(order(book_side="ask", count_e2=250, yes_price_e4=9_990)) == {
        "ticker": "T",
        "client_order_id": "c1",
        "side": "ask",
        "count": "2.50",
        "price": "0.9990",
        "time_in_force": "immediate_or_cancel",
        "self_trade_prevention_type": "taker_at_cross",
    }


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"count_e2": 0}, "count_e2 must be positive"),
        ({"count_e2": -5}, "count_e2 must be positive"),
        ({"yes_price_e4": 0}, "yes_price_e4"),
        ({"yes_price_e4": 10_000}, "yes_price_e4"),
        ({"client_order_id": ""}, "client_order_id is empty"),
    ],
)
def test_an_order_that_can_never_be_valid_is_not_built(changes: dict[str, object], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        wire.new_order_body(order(**changes))


def test_ack_with_and_without_a_fill() -> None:
    answer = {"order_id": "o", "fill_count": "3.00", "remaining_count": "7.00", "average_fill_price": "0.523333"}
    ack = wire.order_ack(answer, "c1")
    assert (ack.client_order_id, ack.fill_count_e2, ack.average_fill_price_e4) == ("c1", 300, 5_233)
    assert wire.order_ack(answer | {"average_fill_price": None}, "c1").average_fill_price_e4 is None
    with pytest.raises(ValueError, match="order_id"):
        wire.order_ack({"fill_count": "0.00", "remaining_count": "0.00"}, "c1")


def test_fill_keeps_the_exchanges_fee_and_is_known_by_its_trade_id() -> None:
    row = {
        "fill_id": "f", "trade_id": "t", "order_id": "o", "ticker": "T", "book_side": "ask", "count_fp": "1.00",
        "yes_price_dollars": "0.5200", "fee_cost": "0.017500", "is_taker": True, "created_time": "2026-11-23T22:00:00.5Z",
    }  # fmt: skip
    fill = wire.fill(row)
    assert (fill.fill_id, fill.fee_e6, fill.count_e2, fill.yes_price_e4) == ("t", 17_500, 100, 5_200)
    assert fill.ts_s % 1 == 0.5


def test_settlement_result_decides_and_cents_become_units() -> None:
    row = {"ticker": "T", "market_result": "no", "revenue": 250, "settled_time": "2026-11-23T23:01:00Z", "value": 0,
           "fee_cost": "0.017500"}  # fmt: skip
    found = wire.settlement(row)
    assert (found.result, found.settlement_value_e4, found.revenue_e6, found.fee_e6) == ("no", 0, 2_500_000, 17_500)
    assert wire.settlement(row | {"market_result": "yes", "value": None}).settlement_value_e4 == 10_000
    # one odd row must not make the whole list unreadable for ever: the value is not known, the rest is
    assert wire.settlement(row | {"market_result": "scalar", "value": None}).settlement_value_e4 is None
    assert wire.settlement(row | {"market_result": "void", "value": None}).result == "void"


def test_exchange_status_is_the_crypto_shards() -> None:
    paused = {"exchange_index": 2, "description": "crypto", "exchange_active": True, "trading_active": False}
    row = {"exchange_active": True, "trading_active": True, "exchange_index_statuses": [paused]}
    assert not wire.exchange_status(row).trading_active
    assert wire.exchange_status(row | {"exchange_index_statuses": []}).trading_active


@pytest.mark.parametrize(
    ("status", "body", "code", "details"),
    [
        (400, {"error": {"code": "invalid_order", "message": "m", "details": "post only cross"}}, "invalid_order", "post only cross"),
        (400, {"code": "bad_request", "message": "bad request", "details": "json: x"}, "bad_request", "json: x"),
        (400, {"msg": "limit too large"}, "http_400", ""),
        (429, {"error": "too many requests"}, "too_many_requests", ""),
        (404, {"error": {"code": "user_not_found:_5f0c", "message": "m"}}, "user_not_found", ""),
        (403, None, "http_403", ""),
        (403, "<html>", "http_403", ""),
    ],
)  # fmt: skip
def test_every_shape_of_a_refusal_is_read(status: int, body: object, code: str, details: str) -> None:
    refused = wire.refusal(status, body)
    assert (refused.status, refused.code, refused.details) == (status, code, details)


def test_refusals_that_mean_something_of_their_own() -> None:
    assert isinstance(wire.refusal(401, {"error": {"code": "header_timestamp_expired"}}), ClockSkewed)
    assert wire.refusal(409, {"error": {"code": "order_already_exists"}}).is_duplicate
    assert wire.refusal(409, {"error": {"code": "fill_or_kill_insufficient_resting_volume"}}).is_no_fill
    assert not Refused(400, "invalid_price", "").is_no_fill
