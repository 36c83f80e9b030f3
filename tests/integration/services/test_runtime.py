"""The runtime under every worker: reports that do not stop between rounds, one process a service, a clean end."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator

import pytest
from pg import Cluster
from stack import Stack, wait_for


@pytest.fixture
def stack(database: Cluster) -> Iterator[Stack]:
    """A folder for processes; nothing runs yet."""
    made = Stack(database)
    yield made
    made.stop()


def test_a_long_rest_is_no_silence(stack: Stack) -> None:
    stack.start("db_poller")  # works every ten seconds
    wait_for("a report", lambda: stack.report("db_poller"))
    oldest = 0.0
    for _ in range(24):
        time.sleep(0.5)
        report = stack.report("db_poller")
        assert report is not None
        oldest = max(oldest, time.time() - report.at_s)
    assert oldest < 5.0
    assert report.healthy, report.reason


def test_a_second_process_of_a_service_does_not_work(stack: Stack) -> None:
    stack.start("db_poller")
    wait_for("the first works", lambda: (r := stack.report("db_poller")) and r.useful_s)
    first = stack.processes.pop("db_poller")
    try:
        stack.start("db_poller")
        wait_for("the second says why it waits", lambda: "holds the service's lock" in stack.log("db_poller"))
    finally:
        first.kill()
        first.wait(10)
    wait_for("the second takes over", lambda: (r := stack.report("db_poller")) and r.healthy, 40)


def test_sigterm_ends_it_at_once_and_well(stack: Stack) -> None:
    stack.start("db_poller")
    wait_for("it works", lambda: (r := stack.report("db_poller")) and r.useful_s)
    process, began_s = stack.processes["db_poller"], time.monotonic()
    stack.kill("db_poller", signal.SIGTERM)
    assert process.returncode == 0
    assert time.monotonic() - began_s < 5
    assert "stopped" in stack.log("db_poller")


def test_without_a_key_a_service_that_signs_waits_and_says_so_and_goes_on_when_there_is_one(stack: Stack) -> None:
    key = stack.folder / "keys" / "kalshi_private_key"
    aside = key.rename(key.with_name("aside"))
    stack.start("kalshi_account_sync")
    wait_for(
        "it says what is missing",
        lambda: (r := stack.report("kalshi_account_sync")) and "no Kalshi private key" in r.reason,
    )
    aside.rename(key)
    wait_for(
        "the same process goes on",
        lambda: (r := stack.report("kalshi_account_sync")) and "no Kalshi private key" not in r.reason,
    )
