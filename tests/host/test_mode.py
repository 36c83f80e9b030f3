"""The mode switched from the page on the real host: refused without a key, nowhere to go without an exchange, there and back.

The demo exchange is out of reach of a trial host, so a second simulator on it lends its voice: by a name of demo.kalshi.co that
/etc/hosts leads to this machine. All of it is put back.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
import tester  # of scripts/
from desk import Desk
from remote import Remote, wait_for

DEMO = "/etc/recio/modes/demo/settings.yml"
KEY = "/etc/recio/keys/demo/private_key"
NAME, PORT = "double.demo.kalshi.co", 18099
DOUBLE = "recio-test-double.service"


@pytest.fixture
def proven(desk: Desk, facts: dict[str, str], healthy: None) -> Desk:
    """The desk with the password just given."""
    answer = desk.call("POST", "/api/session/confirm", {"password": tester.tester_password(facts)})
    assert answer.status == 200, answer
    return desk


@pytest.fixture
def demo_key(remote: Remote) -> Iterator[str]:
    """A key of mode demo as the deploy would have put it: the simulator's own. Gone afterwards."""
    key_id = remote.out("cat /etc/recio/keys/key_id").strip()
    remote.out(f"cp -p {DEMO} /root/demo.before && test ! -e {KEY}")
    remote.out(f"install -d -m 0700 $(dirname {KEY}) && install -m 0600 /etc/recio/keys/simulated/private_key {KEY}")
    remote.out(f'sed -i \'s/"key_id": "[^"]*"/"key_id": "{key_id}"/\' {DEMO}')
    yield key_id
    remote.out(f"mv /root/demo.before {DEMO}; rm -f {KEY}; rmdir $(dirname {KEY})")


@pytest.fixture
def exchange(remote: Remote, demo_key: str) -> Iterator[None]:
    """A second simulator, reached by a name of the demo exchange; Coinbase is the same one."""
    remote.out(f"cp -p /etc/hosts /root/hosts.before && echo '127.0.0.1 {NAME}' >>/etc/hosts")
    remote.out(
        f"systemd-run --quiet --unit {DOUBLE} --property Type=notify /usr/local/bin/recio simulator --listen 127.0.0.1:{PORT}"
        f" --key-id {demo_key} --public-key /etc/recio/keys/kalshi_public.pem --seed 7 --state /run/recio-test-double"
    )
    base = f"{NAME}:{PORT}"
    for begin, url in (
        ("https://external", f"http://{base}/trade-api/v2"),
        ("wss://external", f"ws://{base}/trade-api/ws/v2"),
        ("wss://ws-feed", f"ws://{base}/coinbase/ws"),
        ("https://api", f"http://{base}/coinbase"),
    ):
        remote.out(f'sed -i \'s#"{begin}[^"]*"#"{url}"#\' {DEMO}')
    assert remote.out(f"grep -c {NAME} {DEMO}").strip() == "4"
    yield
    remote.out(f"cat /root/hosts.before >/etc/hosts; rm /root/hosts.before; systemctl stop {DOUBLE}")
    remote.out("rm -rf /run/recio-test-double")


@pytest.fixture(autouse=True)
def as_found(remote: Remote) -> Iterator[None]:
    """Nobody has chosen a mode on this host's page afterwards who had not before, and it is the mode there was."""
    choice = "/etc/recio/mode_choice.json"
    had = remote.host.run(f"cat {choice}")
    before = remote.out("readlink /etc/recio/mode; cat /var/lib/recio/deploy/deployed")
    yield
    if had.rc != 0:
        remote.out(f"rm -f {choice}")
    assert remote.out("readlink /etc/recio/mode; cat /var/lib/recio/deploy/deployed") == before
    assert remote.host.run("ls /etc/recio/mode_switch.json").rc != 0


def asked(desk: Desk, mode: str) -> int:
    """The request's number, once nothing is open."""

    def ask() -> Any:
        answer = desk.call("PUT", "/api/mode", {"mode": mode})
        return None if answer.error in ("mode_trades", "mode_orders", "mode_at_work") else answer

    answer = wait_for("nothing is open", ask, 180)
    assert answer.status == 200, answer
    return int(answer.body["request_id"])


def ended(desk: Desk, number: int, timeout_s: float = 200) -> dict[str, Any]:
    """The request once it is done or failed; the page itself is away for a while."""

    def look() -> Any:
        try:
            answer = desk.call("GET", f"/api/requests/{number}")
        except OSError:
            return None
        return answer.body if answer.status == 200 and answer.body["state"] in ("done", "failed") else None

    found: dict[str, Any] = wait_for(f"request {number}", look, timeout_s)
    return found


def in_mode(remote: Remote, desk: Desk, mode: str) -> None:
    """Every service proves itself in this mode, the page says so, and the simulated exchange runs in its own alone."""
    remote.wait_healthy(60)
    assert remote.status()["mode"] == mode
    assert desk.get("/api/mode")["mode"] == mode
    assert f'class="mode mode-{mode}"' in desk.raw("/").decode()
    assert remote.out("readlink /etc/recio/mode").strip() == f"modes/{mode}"
    active = remote.show(["recio-simulator.service"], "ActiveState")["recio-simulator.service"]["ActiveState"]
    assert active == ("active" if mode == "simulated" else "inactive")


def test_without_a_key_there_is_no_way_to_demo_and_none_at_all_to_live(proven: Desk, remote: Remote) -> None:
    answer = proven.call("PUT", "/api/mode", {"mode": "demo"})
    assert answer.error in ("mode_no_key", "mode_orders", "mode_trades")
    assert "there is no key for mode demo" in answer.body["detail"]
    for mode in ("live", "paper"):
        assert proven.call("PUT", "/api/mode", {"mode": mode}).status == 409
    number = remote.sql(
        "INSERT INTO system.requests (kind, args, asked_by) VALUES ('mode', '{\"mode\": \"live\"}', 'nobody') RETURNING request_id"
    )[0][0]
    remote.out("systemctl start recio-requests.service")
    row = ended(proven, int(number))
    assert (row["state"], "does not trade in mode live" in row["result"]) == ("failed", True), row
    in_mode(remote, proven, "simulated")


def test_an_exchange_out_of_reach_changes_nothing(
    proven: Desk, remote: Remote, demo_key: str, declared: dict[str, Any]
) -> None:
    units = [f"recio-{name}.service" for name in declared["services"]]
    pids = remote.show(units, "MainPID")
    row = ended(proven, asked(proven, "demo"))
    assert row["state"] == "failed"
    assert "was not taken" in row["result"] and "nothing was changed" in row["result"], row
    assert remote.show(units, "MainPID") == pids
    in_mode(remote, proven, "simulated")


def test_to_demo_and_back_and_back_by_itself_when_the_worker_is_killed(
    proven: Desk, remote: Remote, exchange: None
) -> None:
    shown = proven.get("/api/trades?state=all&limit=100")["trades"]
    assert shown, "the canary's trade at least"
    row = ended(proven, asked(proven, "demo"))
    assert row["state"] == "done", row
    in_mode(remote, proven, "demo")
    assert proven.get("/api/mode")["chosen_by"] == "admin"
    assert proven.get("/api/trades?state=all&limit=100")["trades"] == [], "each mode has its own ledger"
    allowed = remote.show(["recio-trade_executor.service", "recio-main_app.service"], "IPAddressDeny")
    assert [values["IPAddressDeny"] == "" for values in allowed.values()] == [True, False], "who speaks to the exchange"
    remote.out("systemctl start recio-simulator.service")
    in_mode(remote, proven, "demo")  # it still does not run: its condition is the mode
    assert "chosen on the page by admin" in remote.out("recio mode")

    row = ended(proven, asked(proven, "simulated"))
    assert row["state"] == "done", row
    in_mode(remote, proven, "simulated")
    assert len(proven.get("/api/trades?state=all&limit=100")["trades"]) >= len(shown)

    number = asked(proven, "demo")
    wait_for("the link", lambda: "demo" in remote.out("readlink /etc/recio/mode"), 90, 0.2)
    remote.out("kill -9 $(systemctl show --value --property MainPID recio-requests.service)")
    row = ended(proven, number)
    assert (row["state"], "the switch to mode demo broke off; mode simulated is in force again" in row["result"]) == (
        "failed", True,
    ), row  # fmt: skip
    in_mode(remote, proven, "simulated")
    began_s = time.time()
    trade = proven.buy_filled()
    assert trade["created_at_ms"] / 1000 > began_s - 5 and trade["entry_count_e2"]
