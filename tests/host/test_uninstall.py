"""Uninstall leaves the host as it was: files, accounts, packages, units, ports and firewall rules compared with the bare host's.

RECIO_TRIAL is a deployed host that is no longer needed, RECIO_TRIAL_BARE what `trialhost.state` found on it before (`verify_host --apart
browser` does both). What may differ is named here, each with its reason; anything else is a defect of uninstall.
"""

from __future__ import annotations

import fnmatch
import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from fixtures import played
from remote import Remote, wait_for

BARE = os.environ.get("RECIO_TRIAL_BARE", "")
pytestmark = [
    pytest.mark.skipif(not BARE, reason="needs the bare host's state: verify_host.py --apart browser"),
    pytest.mark.timeout(900),
]
State = dict[str, dict[str, str]]

# What any use of a host leaves, or its package manager after any package came and went.
MAY_DIFFER = (
    "/etc/group-", "/etc/gshadow-", "/etc/passwd-", "/etc/shadow-",  # the account files' state before the last change
    "/var/lib/dpkg/*-old", "/var/cache/debconf/*-old",  # dpkg's and debconf's the same
    "/var/lib/ucf", "/var/lib/ucf/*",  # which configuration files packages ever brought
    "/var/cache/apt/*.bin", "/var/lib/apt/lists/*", "/var/cache/ldconfig/aux-cache",  # caches
    "/var/log/*",  # what happened, also that this was here
    "/var/lib/systemd/*",  # when a timer ran last, the random seed
    "/var/backups/dpkg.*", "/var/backups/apt.*", "/var/backups/alternatives.tar.*",  # Debian's own nightly copies
    "/var/lib/apt/periodic/*", "/var/lib/apt/daily_lock",  # and its daily look for updates
    "/root/.ansible", "/root/.ansible/*",  # how whoever deployed came in
)  # fmt: skip
SCRATCH = "/var/tmp/recio-restore-test-*"  # recio.backup.scratch

# Points in time of the boot that were reached, not programs that run.
REACHED = "*.target"


def differences(before: State, after: State) -> Iterator[str]:
    """Everything that is not as it was, as a line each."""
    for kind in before:
        for name in sorted(before[kind].keys() | after[kind].keys()):
            was, now = before[kind].get(name), after[kind].get(name)
            if was == now or (kind == "running" and fnmatch.fnmatch(name, REACHED)):
                continue
            if kind == "files" and any(fnmatch.fnmatch(name, pattern) for pattern in MAY_DIFFER):
                continue
            yield f"{kind}: {name}: was {was}, is {now}"


def state(facts: dict[str, str]) -> State:
    from trialhost import place
    from trialhost.state import taken

    host = place.find(facts["host"])
    assert host is not None
    return taken(host)


def put_to_work(remote: Remote) -> None:
    """What cron begins in the night, at work when the uninstall comes: the restore test has its throw-away cluster by then."""
    for job in ("requests measure", "backup restore-test", "audit --wait-s 1800"):
        remote.out(f"setsid --fork nice /usr/local/bin/recio {job} >/dev/null 2>&1 </dev/null")
    wait_for("a throw-away cluster", lambda: remote.host.run(f"ls -d {SCRATCH}").rc == 0, 60)


def test_a_bare_host_that_comes_back(facts: dict[str, str], remote: Remote) -> None:
    bare: State = json.loads(Path(BARE).read_text())
    deployed = state(facts)
    assert "/etc/recio" not in bare["files"] and "/etc/recio" in deployed["files"], "there is something to remove"
    assert deployed["firewall"] and bare["ports"] and bare["packages"], "what is compared was seen"
    assert "recio_operator" not in str(bare["accounts"]) and len(list(differences(bare, deployed))) > 1000

    refused = played(facts, "playbooks/uninstall.yml")
    assert refused.returncode and "say that it is meant" in refused.stdout.replace("\n", " ").replace("        ", "")
    assert state(facts)["accounts"] == deployed["accounts"], "what was refused changed nothing"

    meant = ("playbooks/uninstall.yml", "-e", f"uninstall_confirm={facts['host']}")
    put_to_work(remote)
    done = played(facts, *meant)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]
    assert "commands at work" in done.stdout and "restore-test" in done.stdout, "it was interrupted"
    assert remote.host.run("pgrep --full --list-full '[r]ecio'").stdout == "", "a program of ours outlived it"
    left = list(differences(bare, state(facts)))
    assert not left, "\n".join(left)

    again = played(facts, *meant)
    assert again.returncode == 0 and list(differences(bare, state(facts))) == [], again.stdout[-3000:]
