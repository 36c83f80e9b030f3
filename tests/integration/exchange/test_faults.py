"""Each fault the simulator can be asked for, and where our client and feed end behind it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest
from fault_desk import ORDERS, Watcher, faults, feed_of, order_for
from simulator_process import Process

from recio.exchange.coinbase import messages as coinbase
from recio.exchange.coinbase.client import CoinbaseClient
from recio.exchange.errors import ClockSkewed, OutcomeUnknown, Refused, Unavailable
from recio.exchange.kalshi.book_subscription import ASK_AGAIN_S
from recio.exchange.kalshi.client import KalshiClient
from recio.exchange.kalshi.models import Market
from recio.exchange.kalshi.subscribe import subscribe
from recio.exchange.stream import Feed

Near = Callable[[KalshiClient, float], Market]


@pytest.fixture(scope="module")
def client(simulator: Process) -> Iterator[KalshiClient]:
    made = simulator.client(timeout_s=1.0)
    yield made
    made.close()


# ---------------------------------------------------------------------- orders: one of three outcomes, never sent twice
@pytest.mark.parametrize(
    ("row", "committed"),
    [
        ({"kind": "error_before", "status": 500}, False),
        ({"kind": "error_before", "status": 503}, False),
        ({"kind": "error_after", "status": 500}, True),
        ({"kind": "error_after", "status": 503}, True),
        ({"kind": "timeout_before", "hold_s": 20}, False),
        ({"kind": "timeout_after", "hold_s": 20}, True),
        ({"kind": "timeout_before", "hold_s": 0}, False),
        ({"kind": "timeout_after", "hold_s": 0}, True),
        ({"kind": "no_order"}, True),
    ],
    ids=lambda value: "-".join(map(str, value.values())) if isinstance(value, dict) else None,
)
def test_a_broken_answer_to_a_create_is_unknown_and_the_lookup_tells_the_truth(
    simulator: Process, client: KalshiClient, near_market: Near, row: dict[str, object], committed: bool
) -> None:
    market = near_market(client, 8.0)
    order = order_for(market)
    with faults(simulator, {"path": ORDERS, "method": "POST", **row}) as hits:
        with pytest.raises(OutcomeUnknown):
            client.create_order(order)
        assert hits() == [1], "sent once"
    found = client.order_by_client_id(order.client_order_id, market.ticker)
    assert (found is not None) == committed
    if found is not None:
        assert found.fill_count_e2 == 100
        with pytest.raises(Refused) as caught:
            client.create_order(order)  # the id is used: it can never become two orders
        assert caught.value.is_duplicate


@pytest.mark.parametrize(
    ("row", "code"),
    [
        ({"kind": "rate_limited"}, "too_many_requests"),
        ({"kind": "unfunded_shard"}, "user_not_found"),
        ({"kind": "maintenance"}, "trading_paused"),
    ],
    ids=lambda value: value["kind"] if isinstance(value, dict) else None,
)
def test_a_definite_no_is_a_refusal_and_nothing_was_created(
    simulator: Process, client: KalshiClient, near_market: Near, row: dict[str, object], code: str
) -> None:
    market = near_market(client, 8.0)
    order = order_for(market)
    state = row["kind"] == "maintenance"  # of the exchange, for everybody: not counted
    with faults(simulator, row if state else {"path": ORDERS, **row}) as hits:
        with pytest.raises(Refused) as caught:
            client.create_order(order)
        assert hits() == [0 if state else 1] and caught.value.code == code
    assert client.order_by_client_id(order.client_order_id, market.ticker) is None


def test_maintenance_lets_cancels_through_and_shows_in_the_status(
    simulator: Process, client: KalshiClient, near_market: Near
) -> None:
    market = near_market(client, 10.0)
    rests = client.create_order(order_for(market, 100, time_in_force="good_till_canceled"))
    with faults(simulator, {"kind": "maintenance"}):
        status = client.exchange_status()
        assert status.exchange_active and not status.trading_active
        assert client.cancel_order(rests.order_id, market.ticker).reduced_by_e2 == 100
    with faults(simulator, {"kind": "maintenance", "scope": "exchange"}):
        assert not client.exchange_status().exchange_active
        with pytest.raises(Unavailable):
            client.balance()
        with pytest.raises(OutcomeUnknown):
            client.create_order(order_for(market))
    assert client.exchange_status().trading_active


def test_an_unfunded_shard_shows_in_the_balance(simulator: Process, client: KalshiClient) -> None:
    with faults(simulator, {"kind": "unfunded_shard"}):
        assert client.balance().by_shard_e6[-1] == (2, 0)
    assert client.balance().by_shard_e6[-1][1] > 0


@pytest.mark.parametrize("kind", ["error_after", "timeout_after", "rate_limited"])
def test_a_cancel_is_sent_once_and_a_lost_answer_is_unknown_or_refused(
    simulator: Process, client: KalshiClient, near_market: Near, kind: str
) -> None:
    market = near_market(client, 10.0)
    rests = client.create_order(order_for(market, 100, time_in_force="good_till_canceled"))
    with faults(simulator, {"kind": kind, "method": "DELETE"}) as hits:
        with pytest.raises(Refused if kind == "rate_limited" else OutcomeUnknown):
            client.cancel_order(rests.order_id, market.ticker)
        assert hits() == [1]
    resting = [order.order_id for order in client.orders(status="resting")]
    assert (rests.order_id in resting) == (kind == "rate_limited")


def test_a_404_to_a_cancel_is_believed_only_when_nothing_rests(
    simulator: Process, client: KalshiClient, near_market: Near
) -> None:
    market = near_market(client, 10.0)
    rests = client.create_order(order_for(market, 100, time_in_force="good_till_canceled"))
    with pytest.raises(OutcomeUnknown, match="still rests"):
        client.cancel_order(rests.order_id, "KXBTCD-OTHER")  # goes to the wrong shard
    listing = {"kind": "error_before", "path": "/trade-api/v2/portfolio/orders"}
    with faults(simulator, listing), pytest.raises(OutcomeUnknown, match="resting orders"):
        client.cancel_order(rests.order_id, "KXBTCD-OTHER")
    client.cancel_order(rests.order_id, market.ticker)
    with pytest.raises(Refused) as caught:
        client.cancel_order(rests.order_id, market.ticker)
    assert caught.value.status == 404 and client.order(rests.order_id).status == "canceled"


# ---------------------------------------------------------------------- reads
@pytest.mark.parametrize("kind", ["rate_limited", "error_before", "error_after", "timeout_before"])
def test_reads_are_tried_again_and_then_unavailable_never_empty(simulator: Process, kind: str) -> None:
    client = simulator.client(timeout_s=0.5)
    row = {"kind": kind, "path": "*/portfolio/positions"}
    with faults(simulator, row | {"count": 2}) as hits:
        client.positions()
        assert hits() == [2]
    with faults(simulator, row) as hits:
        with pytest.raises(Unavailable, match="3 attempts"):
            client.positions()
        assert hits() == [3]
    client.close()


def test_reads_that_lag_are_told_from_orders_that_do_not_exist(
    simulator: Process, client: KalshiClient, near_market: Near
) -> None:
    market = near_market(client, 12.0)
    rests = order_for(market, 100, time_in_force="good_till_canceled")
    with faults(simulator, {"kind": "lagging_reads", "lag_s": 1.0}):
        before_e6 = client.balance().balance_e6
        ack = client.create_order(rests)
        assert client.order_by_client_id(rests.client_order_id, market.ticker) is None, "not yet"
        with pytest.raises(Refused):
            client.order(ack.order_id)
        assert client.balance().balance_e6 == before_e6
        time.sleep(1.1)
        assert client.order(ack.order_id).status == "resting"
        assert client.balance().balance_e6 < before_e6
        client.cancel_order(ack.order_id, market.ticker)
        assert client.order(ack.order_id).status == "resting", "still, for a while"
        assert ack.order_id in [order.order_id for order in client.orders(status="resting")]
        filled = client.create_order(order_for(market))
        assert not [fill for fill in client.fills(ticker=market.ticker) if fill.order_id == filled.order_id]
    assert client.order(ack.order_id).status == "canceled"
    assert [fill for fill in client.fills(ticker=market.ticker) if fill.order_id == filled.order_id]


def test_a_wrong_clock_is_seen_before_and_after_it_costs_signatures(simulator: Process) -> None:
    client = simulator.client()
    with faults(simulator, {"kind": "clock_skew", "offset_s": 4.0}):
        client.balance()
        assert client.clock_skew_s is not None and -5.0 < client.clock_skew_s < -3.0
    with faults(simulator, {"kind": "clock_skew", "offset_s": 60.0}):
        with pytest.raises(ClockSkewed):
            client.balance()
        assert client.clock_skew_s is not None and client.clock_skew_s < -58
    with faults(simulator, {"kind": "clock_skew", "offset_s": 3.0, "window_s": 1.0}), pytest.raises(ClockSkewed):
        client.balance()
    client.balance()
    client.close()


# ---------------------------------------------------------------------- streams
@pytest.fixture
def watcher(simulator: Process, client: KalshiClient, near_market: Near) -> Iterator[Watcher]:
    market = near_market(client, 25.0)
    ladder = [m.ticker for m in client.markets("KXBTCSIM", "open") if m.event_ticker == market.event_ticker]
    made = Watcher(simulator, ladder, silence_s=6.0)
    assert made.follow(5.0, lambda: made.whole)
    yield made
    made.feed.close()


@pytest.mark.parametrize(
    "row",
    [{"kind": "drop_frame"}, {"kind": "sequence_gap", "skip": 3}, {"kind": "late_frame"}],
    ids=["drop", "gap", "late"],
)
def test_a_lost_or_late_frame_makes_the_books_stale_and_they_are_fetched_anew(
    simulator: Process, watcher: Watcher, row: dict[str, object]
) -> None:
    with faults(simulator, {"channel": "orderbook_delta", "count": 1, "skip_first": 3, **row}) as hits:
        assert watcher.follow(8.0, lambda: watcher.books.gaps > 0)
        assert hits() == [1]
    assert watcher.asked > 0
    assert watcher.follow(5.0, lambda: watcher.whole) and watcher.feed.connections == 1
    same_as_exchange(simulator, watcher)


def test_a_frame_sent_twice_counts_once(simulator: Process, watcher: Watcher) -> None:
    with faults(simulator, {"kind": "duplicate_frame", "channel": "orderbook_delta"}) as hits:
        seen = watcher.deltas
        assert watcher.follow(8.0, lambda: watcher.deltas > seen + 5)
        assert hits()[0] >= 5
    assert watcher.books.gaps == 0 and watcher.asked == 0 and watcher.subscribed == 1
    same_as_exchange(simulator, watcher)


def test_whole_books_equal_the_exchange_own_snapshots_amid_the_deltas(watcher: Watcher) -> None:
    watcher.audits = True
    assert watcher.follow(10.0, lambda: watcher.books.audits > 2 * len(watcher.tickers) and watcher.deltas > 20)
    assert watcher.books.drifts == 0, watcher.books.last_drift


def test_a_silent_socket_with_healthy_pings_is_left(simulator: Process, watcher: Watcher) -> None:
    with faults(simulator, {"kind": "silent_socket", "count": 1}):
        assert watcher.follow(13.0, lambda: watcher.feed.connections == 2 and watcher.whole)
    assert "no frame for 6 s" in watcher.feed.last_error


def test_a_fault_taken_back_is_over_when_another_comes(simulator: Process, watcher: Watcher) -> None:
    with faults(simulator, {"kind": "silent_socket", "count": 1}) as hits:
        watcher.follow(2.0)
        assert hits() == [1]
    watcher.follow(2.0)
    with faults(simulator, {"kind": "clock_skew", "offset_s": 30.0}):
        told = watcher.deltas
        assert watcher.follow(4.0, lambda: watcher.deltas > told and watcher.whole)
    assert watcher.feed.connections == 1


def test_a_market_whose_first_snapshot_was_lost_gets_its_book(simulator: Process, watcher: Watcher) -> None:
    late = watcher.tickers.pop()
    watcher.follow(1.0)  # it is taken off the subscription
    watcher.books.forget([late])
    watcher.tickers.append(late)
    with faults(simulator, {"kind": "drop_frame", "channel": "orderbook_delta"}):
        watcher.follow(1.0)
    assert watcher.books.get(late) is None
    assert watcher.follow(ASK_AGAIN_S + 5.0, lambda: watcher.whole)
    assert watcher.feed.connections == 1
    same_as_exchange(simulator, watcher)


def test_a_growing_age_reconnects(simulator: Process, watcher: Watcher) -> None:
    with faults(simulator, {"kind": "slow_frames", "delay_s": 0.6, "count": 1}):
        assert watcher.follow(45.0, lambda: watcher.feed.connections >= 2 and watcher.whole)
    assert "later than they did at first" in watcher.feed.last_error
    # A new connection is young again; a busy machine may take a moment to read what waited.
    assert watcher.follow(20.0, lambda: watcher.feed.age_s is not None and watcher.feed.age_s < 1.0)


@pytest.mark.parametrize("code", [10, 25])
def test_a_terminal_error_is_answered_with_a_new_subscription(simulator: Process, watcher: Watcher, code: int) -> None:
    with faults(simulator, {"kind": "channel_error", "code": code, "count": 1, "channel": "orderbook_delta"}):
        assert watcher.follow(8.0, lambda: watcher.subscribed == 2 and watcher.whole)
    assert watcher.feed.connections == 1
    same_as_exchange(simulator, watcher)


def test_a_storm_of_disconnects_ends_in_whole_books(simulator: Process, watcher: Watcher) -> None:
    with faults(simulator, {"kind": "disconnect", "after_s": 0.1, "count": 4}) as hits:
        assert watcher.follow(15.0, lambda: watcher.feed.connections >= 5 and watcher.whole)
        assert hits() == [4]
    same_as_exchange(simulator, watcher)


def test_a_handshake_refused_is_tried_again(simulator: Process) -> None:
    with faults(simulator, {"kind": "rate_limited", "path": "*/ws/v2", "count": 2}) as hits:
        feed = feed_of(simulator, [subscribe(1, ["fill"])], pings_count=True)
        deadline = time.monotonic() + 30
        while not feed.connected and time.monotonic() < deadline:
            time.sleep(0.1)
        assert feed.connected and hits() == [2]
    feed.close()


def test_coinbase_falls_silent_slow_and_away(simulator: Process) -> None:
    path = "/coinbase/*"
    with faults(
        simulator,
        {"kind": "silent_socket", "path": path, "count": 1},
        {"kind": "slow_frames", "path": path, "delay_s": 0.1, "count": 1},
    ) as hits:
        feed = Feed(
            f"ws://{simulator.coinbase}/ws", None, [coinbase.subscribe()], "cb", silence_s=2.0, backoff_base_s=0.1
        )
        deadline = time.monotonic() + 30
        ticks = 0
        while (feed.connections < 2 or ticks < 3) and time.monotonic() < deadline:
            ticks += sum(isinstance(coinbase.parse_frame(f.data), coinbase.Tick) for f in feed.drain())
            time.sleep(0.1)
        assert feed.connections == 2 and ticks >= 3 and hits() == [1, 1]
    with faults(simulator, {"kind": "disconnect", "path": path, "count": 2}):
        while feed.connections < 4 and time.monotonic() < deadline + 30:
            time.sleep(0.1)
        assert feed.connections == 4
    feed.close()
    rest = CoinbaseClient(f"http://{simulator.coinbase}", sleep=lambda s: None)
    with faults(simulator, {"kind": "error_before", "path": path, "count": 2}) as hits:
        assert rest.price_e2() > 0 and hits() == [2]
    with faults(simulator, {"kind": "rate_limited", "path": path}), pytest.raises(Unavailable):
        rest.server_time_s()


def same_as_exchange(simulator: Process, watcher: Watcher) -> None:
    """A book of the stream is, at a quiet moment, the book that REST shows."""
    client = simulator.client()
    ticker = watcher.tickers[len(watcher.tickers) // 2]
    for _ in range(20):
        watcher.follow(0.3)
        book = watcher.books.get(ticker)
        assert book is not None
        market = client.market(ticker)
        best = book.yes_bids()[0][0] if book.yes_bids() else 0
        facing = book.no_bids()[0][0] if book.no_bids() else 0
        if (best, 10_000 - facing) == (market.yes_bid_e4, market.yes_ask_e4):
            client.close()
            return
    raise AssertionError(f"{ticker}: the stream says {best}/{10_000 - facing}, REST {market}")
