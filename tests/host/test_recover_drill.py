"""A machine is lost with its disk; another comes back from the copy on another machine alone. Two deployed hosts: `make recover-drill`, and
the end of the molecule sequence.

RECIO_TRIAL is the desk that dies, RECIO_TRIAL_SECOND the fresh one, on which the copy lies too, as another user's. The simulated exchange
lives on the desk's own disk, so nothing is ordered after its journal was backed up: orders the archive lacks are test_recovery's subject.
"""

from __future__ import annotations

import json
import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import keeper
import pytest
import testinfra
from desk import Desk
from fixtures import play
from remote import Remote, wait_for

SECOND = os.environ.get("RECIO_TRIAL_SECOND", "")
pytestmark = [
    pytest.mark.skipif(not SECOND, reason="needs a second host: make recover-drill"),
    pytest.mark.timeout(1800),
]
RPO_S, RTO_S = 60.0, 300.0
LEDGER = {
    "trades": "SELECT trade_id, state, entry_count_e2, fees_e6, pnl_e6 FROM users.trades WHERE trade_id IN ({ended}) ORDER BY 1",
    "orders": "SELECT client_order_id, state, exchange_order_id FROM users.orders WHERE trade_id IN ({ended}) ORDER BY 1",
    "fills": "SELECT fill_id, count_e2, yes_price_e4, fee_e6 FROM users.fills WHERE filled_at <= to_timestamp({at}) ORDER BY 1",
}


def destroy(facts: dict[str, str]) -> None:
    """Cut the host's power and remove its disk."""
    from trialhost import machine, place, root

    host = place.find(facts["host"])
    assert host is not None
    assert machine.running_pid(host) is not None
    machine.cut(host)

    def removed() -> bool:  # its processes die one after another, and some still write
        try:
            root.remove(host)
        except OSError:
            return False
        return True

    wait_for("the end of the machine and its disk", removed, 60)


def test_the_machine_is_lost_and_another_one_comes_back(facts: dict[str, str], remote: Remote, desk: Desk) -> None:
    second: dict[str, str] = json.loads(Path(SECOND).read_text())
    other = Remote(testinfra.get_host(f"ssh://{second['host']}", ssh_config=second["ssh_config"]))
    keys = [one.out("recio backup off-host-key").splitlines()[0] for one in (remote, other)]
    keeper.install(other, keys)
    address = second["url"].removeprefix("https://")
    wanted = ["-e", json.dumps(keeper.settings(other, address))]
    with ThreadPoolExecutor() as both:
        list(both.map(lambda one: play(one, "playbooks/deploy.yml", *wanted), (facts, second)))
    remote.wait_healthy(120)
    # The desk trades, and what it traded ends; a trade of an hour's market that is still open is not compared, it goes on.
    ours = [desk.buy_filled()["trade_id"] for _ in range(2)]
    for trade_id in ours:
        remote.host.run(f"recio trade close {trade_id}")
    remote.out("recio kill on --why 'the machine is about to be lost'")
    ended = "SELECT trade_id FROM users.trades WHERE state IN ('closed', 'expired', 'error') ORDER BY 1"

    def over() -> list[str]:
        found = [row[0] for row in remote.sql(ended)]
        return found if {str(trade_id) for trade_id in ours} <= set(found) else []

    compared: list[str] = wait_for("the end of its trades", over, 400, every_s=2)
    remote.out("recio backup now all")
    marked_s = time.time()
    queries = {name: query.format(ended=", ".join(compared), at=marked_s) for name, query in LEDGER.items()}
    before = {name: remote.sql(query) for name, query in queries.items()}
    remote.out("recio kill off --why 'it goes on'")
    status = "/var/lib/recio/backup/off_host.json"
    wait_for(
        "a segment that was ended after the backup",
        lambda: json.loads(remote.out(f"cat {status}"))["reached_s"] > marked_s + 60,
        200,
        2,
    )
    key = Path(facts["admin_password_file"]).with_name("backup_key")
    lost_at = time.time()
    destroy(facts)
    began_s = time.monotonic()
    said = play(
        second, "playbooks/restore.yml", *wanted, "-e", "restore_from=off_host", "-e", f"restore_key_file={key}"
    )
    rto_s = time.monotonic() - began_s
    other.wait_healthy(120)
    newest = other.sql(
        f"SELECT max(extract(epoch FROM at)) FROM live_data.btc_bars_1s WHERE at < to_timestamp({lost_at})"
    )
    rpo_s = lost_at - float(newest[0][0])
    after = {name: other.sql(query) for name, query in queries.items()}
    rows = {name: len(found) for name, found in after.items()}
    print(
        f"RPO {rpo_s:.1f} s of prices, no order; RTO {rto_s:.1f} s with deploy and gate; compared {rows}; load {os.getloadavg()[0]:.1f}"
    )
    print("\n".join(line for line in said.splitlines() if "recovered from" in line))
    assert after == before
    assert len(before["trades"]) >= 2
    assert rpo_s <= RPO_S
    assert rto_s <= RTO_S
    assert other.out("recio backup off-host"), "the desk goes on being copied"
