"""A reboot, and the power cut in the middle of trading: what was acknowledged is there, and nothing is there twice.

Of a container it is all its processes that end at once; what its disk had not written yet is lost on a machine of its own only.
"""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from typing import Any

import pytest
import tester
from desk import Desk
from fixtures import PROJECT
from remote import Remote, wait_for
from test_faults import definite, exchange_orders

TRIAL = [sys.executable, str(PROJECT / "scripts/trial.py")]
BOOT_S, HEALTHY_S = 1500, 600


def log_in(facts: dict[str, str]) -> Desk:
    """A session of its own."""
    fresh = Desk(facts["url"], facts["ca_file"])
    assert fresh.log_in(facts["admin_user"], tester.tester_password(facts)).status == 200
    return fresh


def boot_of(remote: Remote) -> str:
    """Which boot this is: of the kernel, and of the first process; "" while nobody answers."""
    try:
        done = remote.host.run(
            "cat /proc/sys/kernel/random/boot_id && systemctl show --value --property=UserspaceTimestampMonotonic"
        )
    except RuntimeError:  # no way to it
        return ""
    return str(done.stdout).strip() if done.rc == 0 else ""


def switch_on(facts: dict[str, str]) -> str:
    """Boot a host that is off; one that is on is left alone. "" when it is up, else why not."""
    words = [*TRIAL, "up", "--name", facts["host"], "--kind", facts["kind"]]
    done = subprocess.run(words, capture_output=True, text=True, timeout=1600, check=False)
    return "" if done.returncode == 0 else done.stdout + done.stderr


def settled_ledger(remote: Remote) -> list[list[str]]:
    """What no later moment may change: finished orders and closed trades."""
    return remote.sql(
        "SELECT client_order_id, state, acked_count_e2::text FROM users.orders WHERE done_at IS NOT NULL"
        " UNION ALL SELECT trade_id::text, state, coalesce(pnl_e6::text, '') FROM users.trades WHERE state = 'closed' ORDER BY 1"
    )


@pytest.mark.timeout(3000)
def test_after_a_reboot_everything_is_as_it_was(remote: Remote, desk: Desk, facts: dict[str, str]) -> None:
    remote.wait_healthy(HEALTHY_S)
    bought = desk.buy_filled()
    ledger, before, began = settled_ledger(remote), boot_of(remote), time.monotonic()
    remote.host.run("systemctl reboot")

    def booted() -> bool:
        now = boot_of(remote)
        if not now and facts["kernel"] != "kvm":  # who runs it has to start it again, once it has ended
            switch_on(facts)
        return now not in ("", before)

    wait_for("another boot", booted, BOOT_S, every_s=2)
    remote.wait_healthy(HEALTHY_S)
    print(f"healthy {time.monotonic() - began:.0f} s after the order to reboot")
    after = settled_ledger(remote)
    assert [row for row in ledger if row not in after] == []
    assert remote.sql(f"SELECT count(*) FROM users.trades WHERE trade_id = {bought['trade_id']}") == [["1"]]
    assert remote.out("systemctl --failed --plain --no-legend").strip() == ""
    if facts["kind"] != "container":
        assert "noatime" in remote.out("findmnt --noheadings --output OPTIONS /")


@pytest.mark.timeout(3000)
def test_the_power_is_cut_while_it_trades(remote: Remote, facts: dict[str, str]) -> None:
    remote.wait_healthy(HEALTHY_S)
    desk = log_in(facts)
    asked: dict[str, Any] = {}  # key -> the answer, or None while there is none
    stop = threading.Event()

    def trade() -> None:
        while not stop.is_set():
            for offer in desk.offers(10)[:2]:
                key = f"cut-{time.time_ns()}"
                asked[key] = None
                asked[key] = desk.buy(offer, key=key)

    def run() -> None:
        try:
            trade()
        except (OSError, AssertionError):
            return  # the power is gone, which is the point

    trader = threading.Thread(target=run, daemon=True)
    trader.start()
    wait_for(
        "six answers, and one on its way",
        lambda: sum(a is not None for a in asked.values()) >= 6 and None in asked.values(),
        180,
        0.02,
    )
    subprocess.run([*TRIAL, "cut", "--name", facts["host"]], check=True, timeout=30)
    cut_at = time.monotonic()
    stop.set()
    trader.join(40)
    assert not trader.is_alive()
    assert switch_on(facts) == ""
    remote.wait_healthy(HEALTHY_S)
    print(f"healthy {time.monotonic() - cut_at:.0f} s after the power was cut")
    desk = log_in(facts)
    acknowledged = {key: answer for key, answer in asked.items() if answer is not None and answer.status == 200}
    assert len(acknowledged) >= 6
    for key in acknowledged:
        definite(desk, key, 120)
    ours = {row[0]: int(row[1]) for row in remote.sql("SELECT client_order_id, acked_count_e2 FROM users.orders")}
    theirs = exchange_orders(remote)
    assert set(theirs) <= set(ours), "the exchange has an order the ledger lost"
    assert any(ours.values()), "nothing was bought: this proves nothing"
    assert {name: filled for name, (_, filled) in theirs.items() if filled} == {
        name: count for name, count in ours.items() if count
    }
