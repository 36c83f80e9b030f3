"""Our feeds and the simulator's WebSockets."""

from __future__ import annotations

import itertools
import json
import select
import time
import uuid
from collections.abc import Callable, Iterator

import pytest
from simulator_process import Process

from recio.exchange.coinbase import messages as coinbase
from recio.exchange.kalshi import messages
from recio.exchange.kalshi.book import Books
from recio.exchange.kalshi.client import KalshiClient
from recio.exchange.kalshi.models import Market, NewOrder
from recio.exchange.kalshi.subscribe import add_markets, get_snapshot, subscribe, unsubscribe, ws_headers
from recio.exchange.stream import Feed

Near = Callable[[KalshiClient, float], Market]


def feed_of(simulator: Process, hello: list[bytes], **more: float) -> Feed:
    return Feed(simulator.ws, lambda: ws_headers("k", simulator.pem, simulator.ws), hello, "test", **more)  # type: ignore[arg-type]


def frames(feed: Feed, seconds: float) -> Iterator[messages.Message]:
    deadline = time.monotonic() + seconds
    while (left := deadline - time.monotonic()) > 0:
        select.select([feed], [], [], left)
        for frame in feed.drain():
            yield messages.parse_frame(frame.data)


def test_books_follow_the_exchange(simulator: Process, near_market: Near) -> None:
    client = simulator.client()
    market = near_market(client, 25.0)
    tickers = [m.ticker for m in client.markets("KXBTCSIM", "open") if m.event_ticker == market.event_ticker]
    feed = feed_of(simulator, [subscribe(1, ["orderbook_delta"], tickers[:7])])
    books, deltas, sid = Books(), 0, 0
    for message in frames(feed, 12.0):
        if isinstance(message, messages.Subscribed):
            sid = message.sid or 0
            feed.send(add_markets(2, sid, tickers[7:]))
        changed = books.apply(message)
        assert changed is None or not changed.crossed
        deltas += isinstance(message, messages.BookDelta)
        if deltas > 20 and all(books.get(ticker) is not None for ticker in tickers):
            break
    assert books.gaps == 0 and deltas > 0
    assert all(books.get(ticker) is not None for ticker in tickers), "add_markets brings snapshots"
    feed.send(get_snapshot(3, sid, [market.ticker]))
    again = next(m for m in frames(feed, 3.0) if isinstance(m, messages.BookSnapshot) and m.id == 3)
    assert again.market_ticker == market.ticker
    feed.send(unsubscribe(4, [sid]))
    assert any(isinstance(m, messages.Unsubscribed) for m in itertools.islice(frames(feed, 3.0), 2_000))
    feed.close()


def test_a_fill_arrives_with_its_order_and_the_money(simulator: Process, near_market: Near) -> None:
    client = simulator.client()
    feed = feed_of(simulator, [subscribe(1, ["fill", "user_orders", "market_lifecycle_v2"])], pings_count=True)
    assert next(m for m in frames(feed, 5.0) if isinstance(m, messages.Subscribed))
    market = near_market(client, 5.0)
    order = NewOrder(market.ticker, "ask", 200, 100, str(uuid.uuid4()))  # sells YES: buys NO at up to 0.99
    ack = client.create_order(order)
    fills, orders = [], []
    for message in frames(feed, 1.0):
        if isinstance(message, messages.FillFrame):
            fills.append(message.fill)
        if isinstance(message, messages.OrderFrame):
            orders.append(message.order)
    assert {fill.client_order_id for fill in fills} == {order.client_order_id}
    assert sum(fill.count_e2 for fill in fills) == 200 and fills[-1].post_position_e2 == -200
    by_rest = [fill for fill in client.fills(ticker=market.ticker) if fill.order_id == ack.order_id]
    assert {f.fill_id: (f.fee_e6, f.yes_price_e4, f.book_side) for f in fills} == {
        f.fill_id: (f.fee_e6, f.yes_price_e4, "ask") for f in by_rest
    }
    assert orders[-1].status == "executed" and orders[-1].order_id == ack.order_id
    seen = set()
    for message in frames(feed, max(0.0, market.close_time_s - time.time()) + 8.0):
        if isinstance(message, messages.Lifecycle) and message.market_ticker == market.ticker:
            seen.add(message.event_type)
            if message.event_type == "settled":
                break
            assert message.result in ("yes", "no")
    assert seen == {"determined", "settled"}
    feed.close()


def test_the_index_comes_every_second_and_unknown_channels_are_refused(simulator: Process) -> None:
    feed = feed_of(
        simulator, [subscribe(1, ["cfbenchmarks_value"], index_ids=["BRTI"]), subscribe(2, ["ticker_v2"]), b"{", b"[]"]
    )
    values, codes = [], []
    for message in frames(feed, 3.5):
        if isinstance(message, messages.IndexValue):
            values.append(message)
        if isinstance(message, messages.ErrorFrame):
            codes.append(message.code)
    feed.close()
    assert codes == [8, 1, 1]
    assert len(values) >= 3 and [b.time_s - a.time_s for a, b in itertools.pairwise(values)] == [1.0] * (
        len(values) - 1
    )
    assert all(abs(v.average_60s_e2 / v.value_e2 - 1) < 0.01 and v.window_size == 60 for v in values)


def test_no_command_hurts_the_connection(simulator: Process) -> None:
    bad = [
        {}, {"id": "x"}, {"id": 1, "cmd": "dance", "params": {}}, {"cmd": "subscribe"}, {"cmd": "subscribe", "params": {}},
        {"cmd": "subscribe", "params": {"channels": [{}, []]}}, {"cmd": "subscribe", "params": {"channels": "ticker"}},
        {"cmd": "subscribe", "params": {"channels": ["orderbook_delta"]}},
        {"cmd": "subscribe", "params": {"channels": ["ticker"], "market_tickers": [1]}},
        {"cmd": "unsubscribe", "params": {"sids": [[]]}}, {"cmd": "unsubscribe", "params": {"sids": [9]}},
        {"cmd": "update_subscription", "params": {"sids": [{}], "action": "add_markets"}},
        {"cmd": "update_subscription", "params": {"sids": [1, 2], "action": "add_markets"}},
    ]  # fmt: skip
    feed = feed_of(simulator, [json.dumps(command).encode() for command in bad])
    found = [m for m in frames(feed, 1.5) if isinstance(m, messages.ErrorFrame)]
    assert [m.code for m in found] == [5, 5, 5, 2, 3, 8, 3, 14, 11, 11, 7, 11, 12]
    assert feed.connections == 1 and feed.connected
    feed.close()


def test_the_handshake_needs_a_signature(simulator: Process) -> None:
    feed = Feed(simulator.ws, None, [], "unsigned", backoff_base_s=0.1)
    time.sleep(0.8)
    assert not feed.connected and feed.connections == 0 and "401" in feed.last_error
    assert not feed.send(b"{}")
    feed.close()


def test_coinbase_ticks_and_beats(simulator: Process) -> None:
    feed = Feed(f"ws://{simulator.coinbase}/ws", None, [coinbase.subscribe()], "coinbase")
    kinds: list[coinbase.Message] = []
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and sum(isinstance(k, coinbase.Heartbeat) for k in kinds) < 3:
        select.select([feed], [], [], 0.5)
        kinds += [coinbase.parse_frame(frame.data) for frame in feed.drain()]
    feed.close()
    ticks = [k for k in kinds if isinstance(k, coinbase.Tick)]
    assert isinstance(kinds[0], coinbase.Subscriptions) and len(ticks) >= 3
    assert sum(isinstance(k, coinbase.Heartbeat) for k in kinds) >= 2
    assert all(b.trade_id >= a.trade_id for a, b in itertools.pairwise(ticks))
    assert all(abs(t.time_s - time.time()) < 10 for t in ticks)


def test_silence_is_death_and_pings_count_only_when_asked(simulator: Process) -> None:
    hello = [subscribe(1, ["fill"])]
    strict = feed_of(simulator, hello, silence_s=2.0, backoff_base_s=0.05)
    lenient = feed_of(simulator, hello, silence_s=12.0, pings_count=True)
    time.sleep(14.0)  # the server pings every ten seconds
    assert strict.connections >= 2
    assert lenient.connections == 1 and lenient.connected
    strict.close()
    lenient.close()


@pytest.mark.parametrize("limit", [5])
def test_a_reader_that_sleeps_starts_over_instead_of_trading_on_the_remains(
    simulator: Process, near_market: Near, limit: int
) -> None:
    tickers = [m.ticker for m in simulator.client().markets("KXBTCSIM", "open")]
    feed = feed_of(simulator, [subscribe(1, ["orderbook_delta"], tickers)], max_frames=limit, backoff_base_s=0.05)
    time.sleep(1.5)
    assert feed.overflows >= 1 and len(feed.drain()) <= limit
    feed.close()
