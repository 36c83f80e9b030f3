"""Rules nobody can come in by are taken back by the host itself; rules somebody came in by stay."""

from __future__ import annotations

import json
import os
import subprocess
import time
from typing import Any, NamedTuple

import pytest
from fixtures import PROJECT
from remote import Remote, wait_for

UNDO_AFTER_S = 20
# A reloaded sshd closes its port and opens it again by itself, after systemctl has returned: what comes in between is refused.
WELL_S = 10
UNDO = "/var/lib/recio/deploy/undo"
UPGRADES = "/etc/apt/apt.conf.d/52recio"


class Lockout(NamedTuple):
    """A file of rules, what puts it in force, and what ends it."""

    path: str
    content: str
    apply: list[str]
    undo: list[str]


RELOAD_SSH = ["systemctl", "reload", "ssh.service"]
NFT = "/etc/recio/lockout.nft"
LOCKOUTS = {
    "SSH": Lockout("/etc/ssh/sshd_config.d/00-lockout.conf", "AllowUsers nobody-at-all\n", RELOAD_SSH, RELOAD_SSH),
    "the firewall": Lockout(
        NFT,
        "table inet lockout { chain input { type filter hook input priority -10; tcp dport 22 ct state new drop\n}\n}\n",
        ["nft", "-f", NFT],
        ["nft", "delete", "table", "inet", "lockout"],
    ),
}


def play(facts: dict[str, Any], *words: str) -> subprocess.CompletedProcess[str]:
    """One run of a playbook on this host."""
    return subprocess.run(
        [str(PROJECT / ".venv/bin/ansible-playbook"), "-i", "inventory/trial", *words],
        cwd=PROJECT,
        env={**os.environ, "RECIO_TRIAL_NAME": facts["host"], "ANSIBLE_NOCOLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


def comes_in(facts: dict[str, Any]) -> bool:
    """Whether a connection that shares nothing with the others is let in."""
    command = [
        "ssh",
        "-F",
        facts["ssh_config"],
        "-o",
        "ControlPath=none",
        "-o",
        "ConnectTimeout=2",
        facts["host"],
        "true",
    ]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


@pytest.mark.parametrize("what", LOCKOUTS)
def test_rules_that_shut_everybody_out_are_taken_back(what: str, remote: Remote, facts: dict[str, Any]) -> None:
    rules = LOCKOUTS[what]
    wait_for("a way in while nothing is wrong", lambda: comes_in(facts), WELL_S)
    remote.out("true")  # this connection stands through it all, as one does that was open before
    told = {
        "lockout_path": rules.path,
        "lockout_content": rules.content,
        "lockout_apply": rules.apply,
        "lockout_undo": [rules.undo],
        "security_undo_after_s": UNDO_AFTER_S,
    }
    try:
        began_s = time.monotonic()
        done = play(facts, "tests/host/lockout.yml", "-e", json.dumps(told))
        said = " ".join((done.stdout + done.stderr).split())
        assert done.returncode != 0, "nobody noticed that nobody could come in"
        assert "no new connection came in by the new rules" in said, said[-2000:]
        wait_for("a way in", lambda: comes_in(facts), UNDO_AFTER_S + 20)
        print(f"\n{what}: a new connection came in again {time.monotonic() - began_s:.0f} s after the play began")
        assert not remote.host.file(rules.path).exists
        wait_for("nothing left of it", lambda: not remote.host.file(f"{UNDO}/lockout").exists, 10)
    finally:
        remote.host.run(
            f"systemctl stop recio-undo-lockout.timer; rm -rf {rules.path} {UNDO}/lockout {UNDO}/../pending/lockout.json"
        )
        remote.host.run(" ".join(rules.undo))


def test_the_roles_own_rules_stay_once_a_new_connection_came_in(remote: Remote, facts: dict[str, Any]) -> None:
    before = remote.out(f"cat {UPGRADES}")
    remote.out(f"echo '// not ours' >>{UPGRADES}")
    since = remote.out("date +%s").strip()
    done = play(facts, "playbooks/provision.yml", "--tags", "security_configure")
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr
    assert "changed=1" in done.stdout, done.stdout[-600:]
    assert remote.out(f"cat {UPGRADES}") == before
    journal = remote.out(
        f"journalctl --quiet --since=@{since} --output=cat --unit=ssh.service --unit=recio-undo-security.timer"
    )
    assert "Stopped recio-undo-security.timer" in journal or "recio-undo-security.timer: Deactivated" in journal, (
        journal
    )
    armed = journal.index("Started recio-undo-security.timer")
    assert "Accepted publickey" in journal[armed:], "it was stopped by the connection that had been there"
    assert not remote.host.file(f"{UNDO}/security").exists
    assert "recio-undo" not in remote.out("systemctl list-units --all --plain --no-legend")
