"""The former system's health defects, each by its number in the list of what it got wrong, with the real detector.

12  "15 of 15 running" while nothing worked: a process that runs and proves nothing is not healthy
13  on a failure auto stop was switched off, on recovery auto entry on: entries stop, protection stays, nothing comes back by itself
14  a failure detector that needed 75 minutes: seconds
"""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from typing import Any

import pytest
from pg import Cluster
from stack import WORKERS, Stack, wait_for
from test_trade_flow import ask, pick

pytestmark = pytest.mark.timeout(300)

# What systemd would say of the processes this test started; all else is the services' own.
_SYSTEMCTL = """#!/bin/sh
for word in "$@"; do
  case "$word" in recio-*.service) ;; *) continue ;; esac
  name=${word#recio-}; name=${name%.service}
  pid=$(cat "FOLDER/pids/$name" 2>/dev/null)
  echo "Id=$word"
  if [ -n "$pid" ] && kill -0 "$pid" 2>/dev/null; then echo "ActiveState=active"; echo "SubState=running"; echo "MainPID=$pid"
  else echo "ActiveState=failed"; echo "SubState=failed"; echo "MainPID=0"; fi
  echo "NRestarts=0"; echo "Result=success"; echo
done
"""


@pytest.fixture
def watched(database: Cluster) -> Iterator[Stack]:
    """The desk with the real cascading_failure_detector, which asks a stand-in for systemd."""
    stack = Stack(database)
    (stack.folder / "bin").mkdir()
    (stack.folder / "pids").mkdir()
    stub = stack.folder / "bin" / "systemctl"
    stub.write_text(_SYSTEMCTL.replace("FOLDER", str(stack.folder)))
    stub.chmod(0o755)
    stack.environment["PATH"] = f"{stack.folder / 'bin'}:{stack.environment['PATH']}"
    try:
        stack.simulator()
        stack.start(*WORKERS, "cascading_failure_detector")
        stack.db.run(
            "INSERT INTO users.settings (user_id, name, value, changed_by) VALUES"
            " ('0001', 'risk', '{\"max_over_ask_e4\": 5000, \"max_price_age_s\": 60, \"max_book_age_s\": 60}', 'test'),"
            " ('0001', 'auto_entry', '{\"enabled\": false}', 'the user'), ('0001', 'auto_stop', '{\"enabled\": true}', 'the user')"
        )
        note_pids(stack)
        stack.wait_healthy(*WORKERS)
        wait_for("entries allowed", lambda: allowed(stack), 40)
        yield stack
    finally:
        stack.stop()


def note_pids(stack: Stack) -> None:
    for name, process in stack.processes.items():
        (stack.folder / "pids" / name).write_text(str(process.pid))


def state(stack: Stack) -> dict[str, Any]:
    return stack.db.one("SELECT entries_allowed, root_cause FROM system.dependency_state") or {}


def allowed(stack: Stack) -> bool:
    return bool(state(stack).get("entries_allowed"))


def settings(stack: Stack) -> list[dict[str, Any]]:
    return stack.db.all("SELECT name, value, version, changed_by FROM users.settings ORDER BY name")


def test_12_and_14_a_running_process_that_proves_nothing_stops_entries_within_seconds(watched: Stack) -> None:
    watched.processes["btc_price_watchdog"].send_signal(signal.SIGSTOP)  # systemd still says: running
    began_s = time.monotonic()
    wait_for("entries stopped", lambda: not allowed(watched), 40)
    took_s = time.monotonic() - began_s
    assert took_s < 20, f"{took_s:.1f} s"  # 10 s of silence, a look every 2 s, and a busy machine
    print(f"noticed after {took_s:.1f} s")
    assert "btc_price_watchdog: silent for" in state(watched)["root_cause"]
    assert "entries are stopped: " in ask(watched, pick_any(watched))["reason"]
    wait_for(
        "the incident",
        lambda: watched.db.one(
            "SELECT 1 FROM system.incidents WHERE key = 'btc_price_watchdog down' AND closed_at IS NULL"
        ),
    )
    watched.processes["btc_price_watchdog"].send_signal(signal.SIGCONT)


def test_14_a_dead_service_is_noticed_within_seconds(watched: Stack) -> None:
    watched.kill("trade_executor")
    began_s = time.monotonic()
    wait_for("entries stopped", lambda: not allowed(watched), 30)
    took_s = time.monotonic() - began_s
    print(f"noticed after {took_s:.1f} s")
    assert took_s < 10, f"{took_s:.1f} s"
    assert "trade_executor: the unit is failed" in state(watched)["root_cause"]


def test_12_the_feed_dies_and_its_reader_runs_on(watched: Stack) -> None:
    watched.kill("simulator")
    wait_for("entries stopped", lambda: not allowed(watched), 60)
    assert watched.processes["btc_price_watchdog"].poll() is None, "it runs, and that is not health"


def test_13_protection_stays_on_and_nothing_comes_back_by_itself(watched: Stack) -> None:
    before = settings(watched)
    watched.kill("kalshi_api_watchdog")
    wait_for("entries stopped", lambda: not allowed(watched), 40)
    assert settings(watched) == before, "a failure switches nothing of the user's off or on"
    looked = watched.report("active_trade_supervisor")
    assert looked is not None and looked.useful_s is not None
    wait_for(
        "auto stop goes on looking",
        lambda: (now := watched.report("active_trade_supervisor")) and (now.useful_s or 0) > looked.useful_s + 1,
        20,
    )
    watched.start("kalshi_api_watchdog")
    note_pids(watched)
    wait_for("well again", lambda: allowed(watched), 60)
    assert settings(watched) == before
    assert watched.db.all("SELECT 1 FROM users.tickets") == [], "recovery enters nothing"


def pick_any(stack: Stack) -> dict[str, Any]:
    """A market, whatever its table's age."""
    row = stack.db.one(
        "SELECT market_ticker FROM live_data.markets WHERE status = 'active' AND close_time > now() LIMIT 1"
    )
    assert row is not None
    return {"market_ticker": row["market_ticker"], "yes_ask_e4": 5_000}


def test_the_desk_of_this_test_does_trade(watched: Stack) -> None:
    reasons = [(ticket := ask(watched, pick(watched, 20)))["reason"] for _ in range(1)]
    for _ in range(6):
        if ticket["state"] == "accepted":
            return
        ticket = ask(watched, pick(watched, 20))
        reasons.append(ticket["reason"])
    raise AssertionError(reasons)
