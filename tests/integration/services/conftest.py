"""A running desk without systemd, once for the module: simulator and workers as real processes."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from pg import Cluster
from stack import WORKERS, Detector, Stack

from recio.exchange.kalshi.client import KalshiClient


@pytest.fixture
def desk(database: Cluster) -> Iterator[Stack]:
    """The simulator and seven workers, all healthy, with entries allowed."""
    stack = Stack(database)
    detector = Detector(database)
    try:
        stack.simulator()
        stack.start(*WORKERS)
        detector.start()
        # The short markets move by many cents between a look and an order, and a busy machine is slow; most tests are
        # not about that. The one that is sets its own limits.
        stack.db.run(
            "INSERT INTO users.settings (user_id, name, value, changed_by)"
            " VALUES ('0001', 'risk', '{\"max_over_ask_e4\": 5000, \"max_price_age_s\": 60, \"max_book_age_s\": 60}', 'test')"
        )
        stack.wait_healthy(*WORKERS)
        yield stack
    finally:
        detector.ended.set()
        stack.stop()


@pytest.fixture
def elsewhere(desk: Stack) -> Iterator[KalshiClient]:
    """The same account from another place: what it orders the ledger never hears of."""
    key = (desk.folder / "keys" / "simulated" / "private_key").read_bytes()
    client = KalshiClient(f"http://127.0.0.1:{desk.port}/trade-api/v2", desk.key_id, key)
    yield client
    client.close()
