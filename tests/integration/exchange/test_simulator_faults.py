"""The simulator goes away: killed, stopped, hung. Nothing is lost, and every order's fate has the right name."""

from __future__ import annotations

import os
import select
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest
from simulator_process import APP, Process

from recio.exchange.errors import NotSent, OutcomeUnknown, Unavailable
from recio.exchange.kalshi.client import KalshiClient
from recio.exchange.kalshi.models import Market, NewOrder
from recio.exchange.kalshi.subscribe import subscribe, ws_headers
from recio.exchange.stream import Feed

Near = Callable[[KalshiClient, float], Market]


def order_for(market: Market, price_e4: int = 9_900, **more: object) -> NewOrder:
    values = {"ticker": market.ticker, "book_side": "bid", "count_e2": 100, "yes_price_e4": price_e4}
    return NewOrder(**(values | {"client_order_id": str(uuid.uuid4())} | more))  # type: ignore[arg-type]


def test_kill_9_loses_nothing_and_feeds_come_back(own_simulator: Process, near_market: Near) -> None:
    line = own_simulator.start()
    assert line == f"recio simulator ready on http://127.0.0.1:{own_simulator.port} (key ID k)"
    client = own_simulator.client()
    feed = Feed(
        own_simulator.ws,
        lambda: ws_headers("k", own_simulator.pem, own_simulator.ws),
        [subscribe(1, ["fill"])],
        "test",
        backoff_base_s=0.2,
        backoff_cap_s=0.5,
    )
    select.select([feed], [], [], 10)
    assert feed.connected
    market = near_market(client, 15.0)
    filled = order_for(market)
    client.create_order(filled)
    rests = order_for(market, 100, time_in_force="good_till_canceled")
    client.create_order(rests)
    before = (client.balance().balance_e6, client.orders(), client.fills(), client.positions())
    assert own_simulator.end(signal.SIGKILL) == -signal.SIGKILL

    with pytest.raises(NotSent):
        client.create_order(order_for(market))
    with pytest.raises(Unavailable):
        client.balance()
    own_simulator.start()
    assert (client.balance().balance_e6, client.orders(), client.fills(), client.positions()) == before
    assert client.market(market.ticker).floor_strike_e2 == market.floor_strike_e2
    with pytest.raises(Exception, match="order_already_exists"):
        client.create_order(filled)
    deadline = time.monotonic() + 40
    while feed.connections < 2 and time.monotonic() < deadline:
        select.select([feed], [], [], 0.5)
        feed.drain()
    assert feed.connections == 2
    feed.close()
    started = time.monotonic()
    assert own_simulator.end(signal.SIGTERM) == 0
    assert time.monotonic() - started < 10


def test_a_hung_exchange_leaves_the_outcome_unknown_until_it_is_looked_up(
    own_simulator: Process, near_market: Near
) -> None:
    own_simulator.start()
    client = own_simulator.client(timeout_s=1.0)
    market = near_market(client, 12.0)
    assert own_simulator.child is not None
    os.kill(own_simulator.child.pid, signal.SIGSTOP)
    order = order_for(market)
    try:
        with pytest.raises(OutcomeUnknown, match="after the request was sent"):
            client.create_order(order)
    finally:
        os.kill(own_simulator.child.pid, signal.SIGCONT)
    deadline = time.monotonic() + 20
    while (found := client.order_by_client_id(order.client_order_id, market.ticker)) is None:
        assert time.monotonic() < deadline, "it was received, so it must turn up"
        time.sleep(0.1)
    assert found.fill_count_e2 == 100


def test_a_server_that_accepts_and_says_nothing(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        own = Process(tmp_path)
        client = KalshiClient(f"http://127.0.0.1:{listener.getsockname()[1]}/trade-api/v2", "k", own.pem, timeout_s=0.5)
        with pytest.raises(OutcomeUnknown):
            client.create_order(NewOrder("T", "bid", 100, 5_000, "c"))


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["--listen", "nowhere"], "HOST:PORT"),
        (["--public-key", "/does/not/exist"], "public key"),
        (["--speed", "0"], "speed"),
    ],
)
def test_bad_input_is_one_sentence(tmp_path: Path, more: list[str], words: str) -> None:
    own = Process(tmp_path)
    given = [sys.executable, "-m", "recio.cli", "simulator", "--key-id", "k", "--public-key", str(own.public), *more]
    done = subprocess.run(given, env=os.environ | {"PYTHONPATH": str(APP)}, capture_output=True, text=True, timeout=30)
    assert done.returncode != 0 and words in done.stderr and "Traceback" not in done.stderr


def test_a_taken_port_and_a_taken_state_folder_are_said(simulator: Process, tmp_path: Path) -> None:
    base = [sys.executable, "-m", "recio.cli", "simulator", "--key-id", "k", "--public-key", str(simulator.public)]
    for more, words in (
        (["--listen", f"127.0.0.1:{simulator.port}", "--state", str(tmp_path / "x")], "cannot listen on"),
        (["--listen", "127.0.0.1:0", "--state", str(simulator.state)], "in use by another simulator"),
    ):
        done = subprocess.run(
            base + more, env=os.environ | {"PYTHONPATH": str(APP)}, capture_output=True, text=True, timeout=90
        )
        assert done.returncode != 0 and words in done.stderr and "Traceback" not in done.stderr
