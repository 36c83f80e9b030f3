"""A running desk without systemd, once for the module: simulator and workers as real processes."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import psycopg2
import pytest

sys.path.insert(0, str(Path(__file__).parent))
from pg import Cluster
from stack import Stack

from recio.store.db import Database
from recio.store.system import save_dependency_state

WORKERS = (
    "btc_price_watchdog",
    "kalshi_api_watchdog",
    "kalshi_account_sync",
    "unified_production_coordinator",
    "trade_manager",
    "trade_executor",
    "active_trade_supervisor",
)


class Detector(threading.Thread):
    """Says what cascading_failure_detector would: it asks systemd, and there is none here."""

    def __init__(self, cluster: Cluster) -> None:
        super().__init__(daemon=True)
        self.allowed, self.cause, self.ended = True, "", threading.Event()
        self._db = Database("tests", cluster.dsn("cascading_failure_detector"))

    def run(self) -> None:
        while not self.ended.wait(0.5):
            try:
                save_dependency_state(self._db, self.allowed, self.cause, [])
            except psycopg2.Error:  # a test has stopped the database
                self._db.close()
                return
        self._db.close()


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
