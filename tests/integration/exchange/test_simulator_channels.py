"""The WebSocket's channels, actions and errors, command by command, on raw frames."""

from __future__ import annotations

import itertools
import json
import select
import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from fault_desk import feed_of
from simulator_process import Process

from recio.exchange.http import HttpConnection
from recio.exchange.kalshi import messages
from recio.exchange.kalshi.client import KalshiClient
from recio.exchange.kalshi.models import Market, NewOrder
from recio.exchange.kalshi.signing import Signer
from recio.exchange.stream import Feed

Near = Callable[[KalshiClient, float], Market]
Json = dict[str, Any]


class Talk:
    """One connection: say a command, look at what comes."""

    def __init__(self, simulator: Process) -> None:
        self.feed = feed_of(simulator, [], pings_count=True)
        select.select([self.feed], [], [], 5)
        self.seen: list[Json] = []
        self.last_id = 0

    def wait(self, want: Callable[[Json], bool], seconds: float = 20.0) -> Json:
        """The first frame that fits, among those not looked at yet."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            for position, frame in enumerate(self.seen):
                if want(frame):
                    return self.seen.pop(position)
            select.select([self.feed], [], [], 0.2)
            for raw in self.feed.drain():
                assert raw.data.endswith(b"\n")
                messages.parse_frame(raw.data)
                self.seen.append(json.loads(raw.data))
        raise AssertionError("no such frame")

    def say(self, cmd: str, **params: Any) -> Json:
        """The first answer to a command."""
        self.last_id += 1
        self.feed.send(json.dumps({"id": self.last_id, "cmd": cmd, "params": params}).encode())
        return self.wait(lambda frame: frame.get("id") == self.last_id)

    def subscribe(self, channel: str, **params: Any) -> int:
        """A subscription's sid."""
        sid = self.say("subscribe", channels=[channel], **params)["msg"]["sid"]
        assert isinstance(sid, int)
        return sid


@pytest.fixture
def talk(simulator: Process) -> Iterator[Talk]:
    made = Talk(simulator)
    yield made
    made.feed.close()


@pytest.fixture(scope="module")
def client(simulator: Process) -> Iterator[KalshiClient]:
    made = simulator.client()
    yield made
    made.close()


def test_tickers_begin_with_a_picture_and_can_be_asked_for_by_id(
    talk: Talk, client: KalshiClient, near_market: Near
) -> None:
    market = near_market(client, 10.0)
    sid = talk.subscribe("ticker", market_tickers=[market.ticker], send_initial_snapshot=True, skip_ticker_ack=True)
    first = talk.wait(lambda f: f["type"] == "ticker")
    assert first["sid"] == sid and first["msg"]["market_ticker"] == market.ticker and "seq" not in first
    other = next(m for m in client.markets("KXBTCSIM", "open") if m.ticker != market.ticker)
    again = talk.say("update_subscription", sid=sid, action="add_markets", market_ids=[first["msg"]["market_id"]])
    assert again["type"] == "ok" and again["msg"] == {}, "skip_ticker_ack keeps the list away"
    talk.say(
        "update_subscription", sids=[sid], action="add_markets", market_ticker=other.ticker, send_initial_snapshot=True
    )
    assert talk.wait(lambda f: f["type"] == "ticker" and f["msg"]["market_ticker"] == other.ticker)
    everything = Talk.subscribe(talk, "ticker", send_initial_snapshot=True)
    names = {
        talk.wait(lambda f: f["type"] == "ticker" and f.get("sid") == everything)["msg"]["market_ticker"]
        for _ in range(15)
    }
    assert len(names) == 15, "all markets"


def test_subscriptions_are_listed_changed_and_ended_with_counted_answers(
    talk: Talk, client: KalshiClient, near_market: Near
) -> None:
    market = near_market(client, 10.0)
    book = talk.subscribe("orderbook_delta", market_ticker=market.ticker, use_yes_price=True)
    assert talk.wait(lambda f: f["type"] == "orderbook_snapshot")["seq"] == 1
    fill = talk.subscribe("fill")
    assert (book, fill) == (1, 2)
    rows = talk.say("list_subscriptions")["msg"]
    assert rows == [{"channel": "orderbook_delta", "sid": 1}, {"channel": "fill", "sid": 2}]
    narrowed = talk.say("update_subscription", sid=book, action="delete_markets", market_tickers=[market.ticker])
    assert narrowed["msg"] == {"market_tickers": []} and narrowed["seq"] >= 2
    wrong = talk.say("update_subscription", sid=book, action="get_snapshot", market_ticker="NO-SUCH")
    assert (wrong["type"], wrong["msg"]["code"], wrong["msg"]["market_ticker"]) == ("error", 11, "NO-SUCH")
    ended = talk.say("unsubscribe", sids=[book])
    assert (ended["type"], ended["sid"]) == ("unsubscribed", book) and ended["seq"] == wrong["seq"] + 1
    assert talk.say("list_subscriptions")["msg"] == [{"channel": "fill", "sid": 2}]
    assert talk.say("unsubscribe", sids=[book])["msg"]["code"] == 7


def test_indexes_are_listed_added_removed_and_come_five_times_a_second(talk: Talk) -> None:
    sid = talk.subscribe("cfbenchmarks_value_5hz")
    listed = talk.say("update_subscription", sid=sid, action="indexlist")
    assert listed["type"] == "cfbenchmarks_value_5hz_indexlist" and listed["msg"] == {"index_ids": ["BRTI"]}
    assert talk.say("update_subscription", sid=sid, action="subscribe_indices")["msg"]["code"] == 24
    assert talk.say("update_subscription", sid=sid, action="subscribe_indices", index_ids=["DOGE"])["msg"]["code"] == 11
    added = talk.say("update_subscription", sid=sid, action="subscribe_indices", index_ids=["all"])
    assert added["msg"] == {"index_ids": ["all"]} and added["seq"] == 2
    values = [talk.wait(lambda f: f["type"] == "cfbenchmarks_value_5hz") for _ in range(8)]
    steps = [b["msg"]["source_ts_ms"] - a["msg"]["source_ts_ms"] for a, b in itertools.pairwise(values)]
    assert sum(step == 200 for step in steps) >= 5 and all(v["msg"]["value_usd"].count(".") == 1 for v in values)
    assert [v["seq"] for v in values] == list(range(3, 11))
    gone = talk.say("update_subscription", sid=sid, action="unsubscribe_indices", index_ids=["all"])
    assert gone["msg"] == {"index_ids": []}
    slow = talk.subscribe("cfbenchmarks_value", index_ids=["BRTI"])
    assert talk.wait(lambda f: f["type"] == "cfbenchmarks_value")["sid"] == slow


def signed(simulator: Process, method: str, path: str, body: Json | None = None) -> Json:
    """A call our client has no use for."""
    http = HttpConnection(simulator.rest)
    signer = Signer("k", simulator.pem)
    payload = None if body is None else json.dumps(body).encode()
    answer = http.request(method, path, lambda: signer.headers(method, http.prefix + path, time.time()), payload)
    http.close()
    assert answer.status < 300, answer
    found: Json = json.loads(answer.body or b"{}")
    return found


def test_an_order_and_its_position_are_told(talk: Talk, client: KalshiClient, near_market: Near) -> None:
    talk.subscribe("user_orders")
    talk.subscribe("market_positions")
    market = near_market(client, 8.0)
    ack = client.create_order(NewOrder(market.ticker, "bid", 100, 9_900, str(uuid.uuid4())))
    told = messages.parse_frame(json.dumps(talk.wait(lambda f: f["type"] == "user_order")))
    assert isinstance(told, messages.OrderFrame) and told.order.order_id == ack.order_id
    held = messages.parse_frame(json.dumps(talk.wait(lambda f: f["type"] == "market_position")))
    assert isinstance(held, messages.PositionFrame) and held.market_ticker == market.ticker and held.cost_e6 > 0


def test_an_order_frame_names_its_group(talk: Talk, client: KalshiClient, near_market: Near) -> None:
    talk.subscribe("user_orders")
    market, group = near_market(client, 8.0), client.create_order_group(500)
    client.limit_order_group(group, 700)
    for group_id in (group, None):
        client.create_order(NewOrder(market.ticker, "bid", 100, 9_900, str(uuid.uuid4()), order_group_id=group_id))
    frames = [talk.wait(lambda f: f["type"] == "user_order")["msg"] for _ in range(2)]
    assert frames[0]["order_group_id"] == group
    assert "order_group_id" not in frames[1]


def test_order_groups_are_told_with_a_sequence(simulator: Process, talk: Talk) -> None:
    sid = talk.subscribe("order_group_updates")
    group = signed(simulator, "POST", "/portfolio/order_groups/create", {"contracts_limit": 5})["order_group_id"]
    signed(simulator, "PUT", f"/portfolio/order_groups/{group}/trigger")
    signed(simulator, "PUT", f"/portfolio/order_groups/{group}/reset")
    signed(simulator, "DELETE", f"/portfolio/order_groups/{group}")
    frames = [talk.wait(lambda f: f["type"] == "order_group_updates") for _ in range(4)]
    assert [f["msg"]["event_type"] for f in frames] == ["created", "triggered", "reset", "deleted"]
    assert [f["seq"] for f in frames] == [1, 2, 3, 4] and {f["sid"] for f in frames} == {sid}
    first = messages.parse_frame(json.dumps(frames[0]))
    assert isinstance(first, messages.OrderGroupFrame) and first.contracts_limit_e2 == 500


@pytest.mark.parametrize(
    ("cmd", "params", "code"),
    [
        ("dance", {}, 5),
        ("subscribe", {}, 3),
        ("subscribe", {"channels": ["ticker_v2"]}, 8),
        ("subscribe", {"channels": ["orderbook_delta"]}, 14),
        ("subscribe", {"channels": ["trade"], "market_ticker": "A", "market_tickers": ["B"]}, 11),
        ("subscribe", {"channels": ["trade"], "market_id": "x"}, 11),
        ("subscribe", {"channels": ["ticker"], "market_id": "x"}, 11),
        ("unsubscribe", {}, 4),
        ("unsubscribe", {"sids": [99]}, 7),
        ("update_subscription", {"action": "add_markets"}, 12),
        ("update_subscription", {"sids": [1, 2], "action": "add_markets"}, 12),
        ("update_subscription", {"sid": 99, "action": "add_markets"}, 7),
        ("update_subscription", {"sid": 1}, 15),
        ("update_subscription", {"sid": 1, "action": "dance"}, 13),
        ("update_subscription", {"sid": 1, "action": "get_snapshot"}, 13),
        ("update_subscription", {"sid": 1, "action": "add_markets"}, 14),
        ("update_subscription", {"sid": 1, "action": "indexlist"}, 13),
    ],
)
def test_error_codes(talk: Talk, cmd: str, params: Json, code: int) -> None:
    talk.subscribe("fill")
    answer = talk.say(cmd, **params)
    assert answer["type"] == "error" and answer["msg"]["code"] == code


def test_pings_come_every_ten_seconds(simulator: Process) -> None:
    from websockets.sync.client import connect

    from recio.exchange.kalshi.subscribe import ws_headers

    with connect(
        simulator.ws, additional_headers=ws_headers("k", simulator.pem, simulator.ws), ping_interval=None
    ) as raw:
        pings: list[tuple[float, bytes]] = []
        handle = raw.process_event

        def noticing(event: Any) -> None:
            if event.opcode == 9:
                pings.append((time.monotonic(), bytes(event.data)))
            handle(event)

        raw.process_event = noticing  # type: ignore[method-assign]
        started = time.monotonic()
        assert raw.ping(b"ours").wait(10), "our pings are answered"
        while len(pings) < 1 and time.monotonic() < started + 12:
            time.sleep(0.1)
    assert pings[0][1] == b"heartbeat" and 9.0 < pings[0][0] - started < 20


def test_coinbase_channels(simulator: Process) -> None:
    hello = {
        "type": "subscribe",
        "product_ids": ["BTC-USD"],
        "channels": ["matches", "level2_batch", "ticker_batch", "ticker"],
    }
    feed = Feed(f"ws://{simulator.coinbase}/ws", None, [json.dumps(hello).encode()], "cb")
    seen: list[Json] = []
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and sum(f["type"] == "l2update" for f in seen) < 4:
        select.select([feed], [], [], 0.3)
        seen += [json.loads(frame.data) for frame in feed.drain()]
    feed.close()
    kinds = {frame["type"] for frame in seen}
    assert {"subscriptions", "last_match", "match", "ticker", "snapshot", "l2update"} <= kinds
    tickers = {f["trade_id"]: f["side"] for f in seen if f["type"] == "ticker"}
    for match in (f for f in seen if f["type"] == "match" and f["trade_id"] in tickers):
        assert {match["side"], tickers[match["trade_id"]]} == {"buy", "sell"}, "maker's side here, taker's there"
    book: dict[tuple[str, str], str] = {}
    for frame in seen:
        if frame["type"] == "snapshot":
            book = {("buy", p): s for p, s in frame["bids"]} | {("sell", p): s for p, s in frame["asks"]}
        for side, price, size in frame.get("changes", []):
            book[side, price] = size
            if size == "0":
                del book[side, price]
        bids = [float(p) for side, p in book if side == "buy"]
        asks = [float(p) for side, p in book if side == "sell"]
        assert not book or (len(bids) == len(asks) == 50 and max(bids) < min(asks))
