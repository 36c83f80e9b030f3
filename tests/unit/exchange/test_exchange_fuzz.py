"""Whatever comes down a wire: a parser says what is wrong with it, and nothing else ever happens."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from recio.exchange.age import frame_time_s
from recio.exchange.coinbase import messages as coinbase
from recio.exchange.coinbase.client import CoinbaseClient
from recio.exchange.errors import ExchangeError
from recio.exchange.kalshi import messages as kalshi
from recio.exchange.kalshi.book import Books
from recio.exchange.kalshi.client import KalshiClient
from recio.exchange.kalshi.models import NewOrder
from recio.exchange.simulator.core import Exchange
from recio.exchange.simulator.faults import KINDS, FaultError, Faults, parse_faults
from recio.exchange.simulator.faults_stream import StreamFaults
from recio.exchange.simulator.ws_client import _CHANNELS, Connection
from recio.market.generator import GeneratedPath

QUICK = settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
SLOW = settings(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
PEM = ed25519.Ed25519PrivateKey.generate().private_bytes(
    serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
)

leaves = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**70), 2**70), st.floats(), st.text(max_size=12),
    st.sampled_from(["0.5000", "-1.00", "1e400", "0", "2026-11-23T23:00:00Z", "2026-11-23", "bid", "yes", "no", "T", "{}"]),
)  # fmt: skip
NAMES = [
    "type", "msg", "sid", "seq", "id", "code", "market_ticker", "ticker", "price_dollars", "delta_fp", "side", "ts", "ts_ms",
    "yes_dollars_fp", "no_dollars_fp", "channel", "product_id", "price", "time", "trade_id", "last_trade_id", "data", "order_id",
    "avg_60s_data", "value", "book_side", "count_fp", "yes_price_dollars", "fee_cost", "is_taker", "trade_id", "channels",
    "orders", "order", "market", "markets", "cursor", "fills", "balance", "portfolio_value", "error", "message", "details",
    "fill_count", "remaining_count", "read", "write", "refill_rate", "bucket_capacity", "exchange_active", "settlements",
    "market_positions", "exchange_index_statuses", "exchange_index", "epoch", "event_type", "additional_metadata",
]  # fmt: skip
values: st.SearchStrategy[Any] = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(NAMES) | st.text(max_size=4), inner, max_size=8)
    ),
    max_leaves=20,
)


def with_type(kinds: list[str]) -> st.SearchStrategy[dict[str, Any]]:
    body = st.dictionaries(st.sampled_from(NAMES), values, max_size=14)
    return st.builds(
        lambda kind, head, msg: head | {"type": kind, "msg": msg}, st.sampled_from(kinds), body, body | values
    )


KALSHI = [*kalshi._PARSERS, "orderbook_snapshot", "orderbook_delta", "brand_new"]
COINBASE = ["ticker", "match", "last_match", "heartbeat", "subscriptions", "error", "l2update"]
frames = st.binary(max_size=200) | st.one_of(values, with_type(KALSHI), with_type(COINBASE)).map(
    lambda value: json.dumps(value).encode(errors="replace")
)


@QUICK
@given(st.lists(frames, min_size=1, max_size=5))
def test_kalshi_frames_are_messages_or_frame_errors(lines: list[bytes]) -> None:
    books = Books()
    for line in lines:
        frame_time_s(line)
        with suppress(kalshi.FrameError):
            message = kalshi.parse_frame(line)
            assert isinstance(message, kalshi._Frame)
            books.apply(message)
    books.stale_by_sid()


@QUICK
@given(frames)
def test_coinbase_frames_are_messages_or_frame_errors(line: bytes) -> None:
    with suppress(coinbase.FrameError):
        assert coinbase.parse_frame(line) is not None


def test_nesting_without_end_is_a_frame_error() -> None:
    deep = b'{"type":' + b"[" * 200_000
    for parse, wrong in ((kalshi.parse_frame, kalshi.FrameError), (coinbase.parse_frame, coinbase.FrameError)):
        with pytest.raises(wrong):
            parse(deep)
        with pytest.raises(wrong):
            parse(b"[" * 50_000 + b"]" * 50_000)


class Oracle:
    """A server whose every answer is what the test puts into ``answer``."""

    def __init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.answer = b""
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self) -> None:
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            with connection, suppress(OSError):
                connection.settimeout(2)
                while b"\r\n\r\n" not in connection.recv(65_536):
                    pass
                connection.sendall(self.answer)


ORACLE = Oracle()
CALLS: list[Callable[[KalshiClient], object]] = [
    lambda c: c.exchange_status(),
    lambda c: c.markets("S"),
    lambda c: c.market("T"),
    lambda c: c.create_order(NewOrder("T", "bid", 100, 5_000, "c")),
    lambda c: c.cancel_order("o", "T"),
    lambda c: c.orders(),
    lambda c: c.order("o"),
    lambda c: c.order_by_client_id("c"),
    lambda c: c.fills(),
    lambda c: c.positions(),
    lambda c: c.settlements(),
    lambda c: c.balance(),
    lambda c: c.learn_limits(),
]
heads = st.just(b"HTTP/1.1 200 OK\r\n") | st.sampled_from(
    [b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 201 Created\r\n", b"HTTP/1.1 404 No\r\n", b"HTTP/1.1 503 Later\r\n", b"HTTP/1.1 99 x\r\n",
     b"HTTP/1.1 200 OK\r\nDate: Mon, 99 Foo 20266 99:99:99 GMT\r\n", b"HTTP/1.1 200 OK\r\nDate: \xff\r\n", b"ICY 200\r\n",
     b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n", b"",
     b"HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n", b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 200 OK\r\nX" + b"y" * 70_000]
) | st.binary(max_size=60)  # fmt: skip
bodies = st.binary(max_size=100) | values.map(lambda v: json.dumps(v).encode(errors="replace"))


@SLOW
@given(heads, bodies, st.sampled_from(CALLS))
def test_an_answer_of_any_kind_is_a_result_or_an_exchange_error(
    head: bytes, body: bytes, call: Callable[[KalshiClient], object]
) -> None:
    ORACLE.answer = head + b"\r\n" + body
    client = KalshiClient(f"http://127.0.0.1:{ORACLE.port}/trade-api/v2", "k", PEM, 2.0, sleep=lambda s: None)
    with suppress(ExchangeError):
        call(client)
    client.close()


@SLOW
@given(heads, bodies, st.integers(0, 2))
def test_coinbase_answers_of_any_kind(head: bytes, body: bytes, which: int) -> None:
    ORACLE.answer = head + b"\r\n" + body
    client = CoinbaseClient(f"http://127.0.0.1:{ORACLE.port}", 2.0, sleep=lambda s: None)
    with suppress(ExchangeError):
        (lambda: client.candles(0, 600), client.price_e2, client.server_time_s)[which]()
    client.close()


commands = st.fixed_dictionaries(
    {},
    optional={
        "id": leaves,
        "cmd": st.sampled_from(["subscribe", "unsubscribe", "update_subscription", "list_subscriptions"]) | leaves,
        "params": values
        | st.fixed_dictionaries(
            {},
            optional={
                "channels": st.lists(st.sampled_from(_CHANNELS) | leaves, max_size=4) | values,
                "sid": st.integers(0, 5) | leaves,
                "sids": st.lists(st.integers(0, 5) | leaves, max_size=3) | values,
                "action": st.sampled_from(
                    [
                        "add_markets",
                        "delete_markets",
                        "get_snapshot",
                        "subscribe_indices",
                        "unsubscribe_indices",
                        "indexlist",
                    ]
                )
                | leaves,
                "market_ticker": leaves,
                "market_tickers": st.lists(leaves, max_size=3) | values,
                "market_ids": st.lists(leaves, max_size=3) | values,
                "index_ids": st.lists(st.sampled_from(["BRTI", "all"]) | leaves, max_size=3) | values,
                "send_initial_snapshot": leaves,
                "skip_ticker_ack": leaves,
                "use_yes_price": leaves,
            },
        ),
    },
)


@QUICK
@given(st.lists(st.text(max_size=30) | (commands | values).map(json.dumps), max_size=8))
def test_no_command_breaks_the_simulators_socket(lines: list[str]) -> None:
    async def talk() -> None:
        cut = [0]

        def count() -> None:
            cut[0] += 1

        connection = Connection(EXCHANGE, lambda ticker: 1, count, StreamFaults(Faults(), "/", count))
        for line in lines:
            waiting = len(connection.waiting)
            connection.command(line)
            assert len(connection.waiting) > waiting or not cut[0]
        for line in connection.waiting:
            kalshi.parse_frame(line)
        assert not cut[0]

    asyncio.run(talk())


EXCHANGE = Exchange(GeneratedPath(1), "p", lambda: 1_795_474_800.0, seed=1)
EXCHANGE.tick()
rows = st.dictionaries(
    st.sampled_from(["kind", "count", "path", "status", "hold_s", "channel", "probability"]) | st.text(max_size=3),
    leaves,
)
documents = values | st.fixed_dictionaries({"faults": st.lists(rows, max_size=3)}) | st.lists(
    st.builds(lambda kind, row: row | {"kind": kind}, st.sampled_from(list(KINDS)), rows), max_size=3
)  # fmt: skip


@QUICK
@given(st.binary(max_size=80) | documents.map(lambda v: json.dumps(v).encode(errors="replace")))
def test_a_list_of_faults_is_understood_or_refused_in_one_line(text: bytes) -> None:
    try:
        Faults(*parse_faults(text, "f")).listing()
    except FaultError as wrong:
        assert str(wrong).startswith("f: ")
