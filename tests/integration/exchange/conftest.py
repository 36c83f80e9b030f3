"""Running simulators, and markets to trade on them."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from recio.exchange.kalshi.client import KalshiClient
from recio.exchange.kalshi.models import Market

sys.path.insert(0, str(Path(__file__).parent))
from simulator_process import Process


@pytest.fixture(scope="module")
def simulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    """One running simulator for the tests of a file."""
    made = Process(tmp_path_factory.mktemp("simulator"))
    made.start()
    yield made
    made.end()


@pytest.fixture
def own_simulator(tmp_path: Path) -> Iterator[Process]:
    """A simulator to be killed; the test starts it."""
    made = Process(tmp_path)
    yield made
    if made.child is not None:
        made.end(signal.SIGKILL)


@pytest.fixture
def near_market() -> Callable[[KalshiClient, float], Market]:
    """Find a short market at the money that stays open for at least so many seconds."""

    def find(client: KalshiClient, left_s: float) -> Market:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            fit = [
                market
                for market in client.markets("KXBTCSIM", "open")
                if market.close_time_s - time.time() > left_s
                and market.yes_bid_e4 >= 300
                and market.yes_ask_e4 <= 9_700
            ]
            if fit:
                return min(fit, key=lambda market: (market.close_time_s, abs(market.yes_ask_e4 - 5_000)))
            time.sleep(0.5)
        raise AssertionError("no market at the money appeared within 60 s")

    return find
