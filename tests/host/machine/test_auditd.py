"""Who changed what root trusts, as the kernel itself wrote it down: only a machine with a kernel of its own has that."""

from __future__ import annotations

import re
from typing import Any

import pytest
from remote import Remote, wait_for

AUTHORIZED = "/root/.ssh/authorized_keys"
PSS_MAX_KB = 8 * 1024
# What the changed file is, by which command, and the key its rule writes.
CHANGES = {
    AUTHORIZED: (f"echo '# audited' >>{AUTHORIZED}; sed -i '/^# audited$/d' {AUTHORIZED}", "recio-access"),
    "/etc/recio/keys": ("chmod 755 /etc/recio/keys; chmod 700 /etc/recio/keys", "recio-desk"),
    "/etc/cron.d/audited": ("touch /etc/cron.d/audited; rm /etc/cron.d/audited", "recio-start"),
    "/etc/systemd/system/audited.service": (
        "touch /etc/systemd/system/audited.service; rm /etc/systemd/system/audited.service",
        "recio-start",
    ),
    "/run/audited": ("cp /usr/bin/true /run/audited; chmod 4755 /run/audited; rm /run/audited", "recio-setuid"),
}


def test_it_runs_with_every_rule_that_has_a_place_here(remote: Remote) -> None:
    status = dict(line.split(maxsplit=1) for line in remote.out("auditctl -s").splitlines())
    assert (status["enabled"], status["pid"]) == ("1", remote.out("pidof auditd").strip())
    loaded = set(remote.out("auditctl -l").splitlines())
    rules = remote.out("cat /etc/audit/rules.d/40-recio.rules").splitlines()
    watched = {re.sub(r"/ ", " ", rule) for rule in rules if rule.startswith("-w")}
    missing = [rule.split()[1] for rule in sorted(watched - loaded)]
    here = [path for path in missing if remote.host.run(f"test -e {path}").rc == 0]
    assert len(watched) > 30 and here == [], "a place of this host is not watched"
    assert sum("recio-setuid" in rule for rule in loaded) == sum("recio-setuid" in rule for rule in rules)


@pytest.mark.parametrize("path", CHANGES)
def test_a_change_is_found_with_its_path_and_its_user(path: str, remote: Remote) -> None:
    command, key = CHANGES[path]
    remote.out(command)

    def written() -> str:
        """One event: its lines stand together, and this one names the path. Without a terminal ausearch would read its input."""
        said = str(remote.host.run(f"ausearch --input-logs --interpret --start recent --key {key}").stdout)
        return next((event for event in said.split("----") if f"name={path} " in event), "")

    event = wait_for(f"{path} in the audit's log", written, 30)
    who = re.search(r"type=SYSCALL .*\bauid=(\S+) uid=(\S+) .*\bexe=(\S+)", event)
    assert who, event
    assert who[1] == who[2] == "root", "who logged in, and as whom it was done"


def test_a_part_of_the_keys_name_finds_all_of_them(remote: Remote) -> None:
    """The incident's own advice."""
    said = remote.out("ausearch --input-logs --interpret --start recent --key recio")
    assert {key for _, key in CHANGES.values()} <= set(re.findall(r"key=(recio-\w+)", said))


def test_its_memory_and_its_logs_are_small(remote: Remote, declared: dict[str, Any]) -> None:
    pss_kb = int(remote.out("awk '/^Pss:/ {print $2}' /proc/$(pidof auditd)/smaps_rollup"))
    print(f"auditd: PSS {pss_kb / 1024:.1f} MB, {remote.out('du -sm /var/log/audit').split()[0]} MB of logs")
    assert pss_kb < PSS_MAX_KB
    used_mb = int(remote.out("du -sm /var/log").split()[0])
    assert used_mb <= declared["directories"]["logs"]["size_mb"]
