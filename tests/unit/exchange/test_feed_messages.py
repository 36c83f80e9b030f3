"""Frames of both feeds."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recio.exchange.coinbase import messages as coinbase
from recio.exchange.kalshi import messages, subscribe


def frame(kind: str, body: object, **head: object) -> bytes:
    return json.dumps({"type": kind, "msg": body, **head}).encode() + b"\n"


def test_book_frames_give_no_prices_whichever_way_they_were_asked_for() -> None:
    body = {"market_ticker": "T", "yes_dollars_fp": [["0.4000", "3.00"]], "no_dollars_fp": [["0.5500", "2.50"]]}
    old = messages.parse_frame(frame("orderbook_snapshot", body, sid=1, seq=1), yes_priced=False)
    new = messages.parse_frame(
        frame("orderbook_snapshot", body | {"no_dollars_fp": [["0.4500", "2.50"]]}, sid=1, seq=1)
    )
    assert isinstance(old, messages.BookSnapshot) and isinstance(new, messages.BookSnapshot)
    assert old.no == new.no == ((5_500, 250),)
    assert old.yes == ((4_000, 300),)
    empty = messages.parse_frame(frame("orderbook_snapshot", {"market_ticker": "T"}, sid=1, seq=1))
    assert isinstance(empty, messages.BookSnapshot) and empty.yes == empty.no == ()


def test_delta() -> None:
    body = {"market_ticker": "T", "price_dollars": "0.0400", "delta_fp": "-54.00", "side": "no", "ts_ms": 1500}
    found = messages.parse_frame(frame("orderbook_delta", body, sid=2, seq=3))
    assert isinstance(found, messages.BookDelta)
    assert (found.price_e4, found.delta_e2, found.ts_s, found.sid, found.seq) == (9_600, -5_400, 1.5, 2, 3)


def test_answers_and_errors() -> None:
    subscribed = messages.parse_frame(frame("subscribed", {"channel": "fill", "sid": 4}, id=9))
    assert isinstance(subscribed, messages.Subscribed) and (subscribed.sid, subscribed.id) == (4, 9)
    okay = messages.parse_frame(frame("ok", [{"channel": "fill", "sid": 4}], id=9))
    assert isinstance(okay, messages.Ok)
    error = messages.parse_frame(frame("error", {"code": 25, "msg": "overflow"}, sid=4))
    assert isinstance(error, messages.ErrorFrame) and error.is_terminal
    assert messages.parse_frame(frame("of_next_year", {})) == messages.Other(type="of_next_year")


def test_index_value_is_read_from_the_string_inside() -> None:
    body = {
        "index_id": "BRTI",
        "received_at": 1,
        "data": '{"type":"value","id":"BRTI","time":2000,"value":"68000.12"}',
        "avg_60s_data": {"value": "68000.12500000", "window_size": 60},
    }
    found = messages.parse_frame(frame("cfbenchmarks_value", body, sid=1, seq=1))
    assert isinstance(found, messages.IndexValue)
    assert (found.value_e2, found.time_s, found.average_60s_e2) == (6_800_012, 2.0, 6_800_013)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"[]",
        b"7",
        b'{"msg":{}}',
        frame("orderbook_delta", {"side": "maybe"}),
        frame("ticker", None),
        b"\xff",
    ],
)
def test_broken_frames_raise_one_kind_of_error(data: bytes) -> None:
    with pytest.raises(messages.FrameError, match="unreadable frame"):
        messages.parse_frame(data)
    with pytest.raises(coinbase.FrameError, match="unreadable frame"):
        coinbase.parse_frame(data.replace(b"orderbook_delta", b"match"))


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(
    kind=st.sampled_from([*messages._PARSERS, "orderbook_snapshot", "orderbook_delta", "match", "heartbeat"]),
    body=_JSON,
)
def test_no_body_breaks_the_parsers_otherwise(kind: str, body: object) -> None:
    data = json.dumps({"type": kind, "msg": body, "product_id": body, "price": body, "time": body}).encode()
    for parse, error in ((messages.parse_frame, messages.FrameError), (coinbase.parse_frame, coinbase.FrameError)):
        try:
            parse(data)
        except error:
            continue


def test_coinbase_ticks() -> None:
    ticker = {
        "type": "ticker", "product_id": "BTC-USD", "price": "98000.12", "time": "2026-11-23T22:00:00.500000Z",
        "trade_id": 7, "side": "buy", "last_size": "0.1", "best_bid": "98000.11", "best_ask": "98000.13",
    }  # fmt: skip
    tick = coinbase.parse_frame(json.dumps(ticker))
    assert isinstance(tick, coinbase.Tick)
    assert (tick.price_e2, tick.side, tick.best_ask_e2, tick.time_s % 1) == (9_800_012, "buy", 9_800_013, 0.5)
    match = coinbase.parse_frame(json.dumps(ticker | {"type": "match", "size": "0.1"}))
    assert isinstance(match, coinbase.Tick) and match.side == "sell"  # matches name the maker's side
    assert coinbase.parse_frame('{"type":"error","message":"no"}') == coinbase.ErrorFrame("no", "")


def test_commands() -> None:
    sent = json.loads(subscribe.subscribe(1, ["orderbook_delta"], ["A", "B"]))
    assert sent == {
        "id": 1,
        "cmd": "subscribe",
        "params": {"channels": ["orderbook_delta"], "market_tickers": ["A", "B"], "use_yes_price": True},
    }
    assert json.loads(subscribe.get_snapshot(2, 5, ["A"]))["params"] == {
        "sids": [5],
        "market_tickers": ["A"],
        "action": "get_snapshot",
    }
