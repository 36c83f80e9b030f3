"""The audit of privileged files on the real host: every change is named, the page tells it, and what Debian brings is no alarm."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest
from desk import Desk
from remote import Remote, wait_for

from recio.contract import Contract

UNIT = "/etc/systemd/system/recio-db_poller.service"
KEYS = "/root/.ssh/authorized_keys"
# what -> (how it is changed, how it is put back, which may be done twice)
CHANGES = {
    (UNIT, "content"): (f"echo '# audited' >>{UNIT}", f"sed -i '/^# audited$/d' {UNIT}"),
    ("/etc/recio/keys", "mode 0755, was 0700"): ("chmod 755 /etc/recio/keys", "chmod 700 /etc/recio/keys"),
    ("/usr/local/share/audited", "new setuid"): (
        "install -m 4755 /usr/bin/true /usr/local/share/audited",
        "rm -f /usr/local/share/audited",
    ),
    (KEYS, "content"): (f"echo 'ssh-ed25519 AAAA audited' >>{KEYS}", f"sed -i '/audited/d' {KEYS}"),
    ("/etc/cron.d/audited", "new"): ("touch /etc/cron.d/audited", "rm -f /etc/cron.d/audited"),
    ("/etc/passwd:audited", "new"): (
        "echo 'audited:x:0:0::/root:/bin/sh' >>/etc/passwd",
        "sed -i '/^audited:/d' /etc/passwd",
    ),
    ("/usr/bin/tac", "not as its package brought it"): (
        "cp -p /usr/bin/tac /run/audited && echo >>/usr/bin/tac",
        "if [ -e /run/audited ]; then cp -p /run/audited /usr/bin/tac && rm /run/audited; fi",
    ),
    ("/usr/bin/chage", "owner 0:0, was 0:42"): ("chgrp 0 /usr/bin/chage", "chgrp shadow /usr/bin/chage; chmod 2755 /usr/bin/chage"),
}  # fmt: skip
APT = "DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends -o Dpkg::Use-Pty=0"


def look(remote: Remote) -> dict[str, str]:
    """`recio audit --json`: path -> what."""
    done = remote.host.run("recio audit --json")
    found = {one["path"]: one["what"] for one in json.loads(done.stdout)["differences"]}
    assert done.rc == (1 if found else 0), done
    return found


@pytest.fixture
def as_recorded(remote: Remote) -> Iterator[None]:
    """A test begins and ends with nothing changed."""
    remote.out("recio audit accept")
    yield
    # The unit's text is the same again, and its file a newer one than systemd has read.
    undone = remote.host.run("; ".join([*(back for _, back in CHANGES.values()), "systemctl daemon-reload"]))
    remote.out("recio audit accept")
    assert look(remote) == {}, undone.stderr


def test_the_deploy_recorded_and_root_alone_reads_it(remote: Remote) -> None:
    assert look(remote) == {}
    assert remote.out("stat -c '%a %U' /var/lib/recio/deploy/audit.record").split() == ["600", "root"]
    assert remote.host.run("runuser -u main_app -- recio audit").rc == 1
    assert "by the deploy of" in remote.out("recio audit")


def test_each_change_is_named_with_what_it_is_and_putting_it_back_ends_it(remote: Remote, as_recorded: None) -> None:
    for do, _back in CHANGES.values():
        remote.out(do)
    found = look(remote)
    mode = found.pop("/usr/bin/chage")
    assert mode in ("owner 0:0, was 0:42", "mode 0755, was 2755; owner 0:0, was 0:42"), "chgrp may take the bit along"
    assert found == {path: what for path, what in CHANGES if path != "/usr/bin/chage"}
    for _do, back in CHANGES.values():
        remote.out(back)
    assert look(remote) == {}


def test_a_deploy_takes_over_what_it_writes_and_nothing_else(remote: Remote, as_recorded: None) -> None:
    for path in (UNIT, KEYS):
        remote.out(CHANGES[(path, "content")][0])
    said = remote.out("recio audit accept --deploy")
    assert f"taken over: {UNIT} (content)" in said and f"not taken over: {KEYS} (content)" in said
    assert look(remote) == {KEYS: "content"}
    remote.out("recio audit accept")
    assert look(remote) == {}
    assert f"{KEYS} (content)" in remote.out("journalctl --no-pager -t recio-audit --lines 3")


def test_a_change_is_an_incident_and_on_the_page_until_it_is_accepted(
    remote: Remote, desk: Desk, as_recorded: None
) -> None:
    def standing() -> list[list[str]]:
        return remote.sql(
            "SELECT cause, severity FROM system.incidents WHERE key = 'privileged files' AND closed_at IS NULL"
        )

    wait_for("the end of what the tests before this one did", lambda: not standing(), 90, every_s=2)
    remote.out(CHANGES[(KEYS, "content")][0])
    command = remote.out("sed -n 's/.*ionice -c 3 \\(.*recio audit.*\\)/\\1/p' /etc/cron.d/recio-model").strip()
    assert command, "cron looks every night"
    remote.host.run(command)  # cron's own words, its pipe to the journal too
    ((cause, severity),) = wait_for("the incident", standing, 90, every_s=2)
    assert (cause, severity) == (f"1 privileged file is not as recorded: {KEYS} (content)", "warning")
    assert f"warning: 1 privileged file is not as recorded: {KEYS}" in desk.raw("/system").decode()
    assert KEYS in remote.out("journalctl --no-pager -t recio-audit --lines 5")
    assert "recio_privileged_files_changed 1" in desk.raw("/metrics").decode()
    remote.out("recio audit accept")
    wait_for("its end", lambda: not standing(), 90, every_s=2)
    assert "are as root on the host recorded them" in desk.raw("/system").decode()


def test_what_debian_brings_is_no_alarm(remote: Remote, as_recorded: None) -> None:
    """Installed anew (setuid programs, rules of PAM), brought new (cron, units and their links, a user of its own), and gone again."""
    remote.out("apt-get -qq update")
    remote.out(f"{APT} install --reinstall passwd logrotate")
    assert look(remote) == {}
    try:
        remote.out(f"{APT} install anacron uuid-runtime")
        remote.out("test -e /etc/cron.d/anacron && getent passwd uuidd")
        assert look(remote) == {}
        remote.out("echo '# mine' >>/etc/cron.d/anacron")
        assert look(remote) == {"/etc/cron.d/anacron": "new"}
    finally:
        remote.out(f"{APT} purge anacron uuid-runtime; userdel uuidd 2>/dev/null; groupdel uuidd 2>/dev/null; true")
    assert look(remote) == {}


def test_the_kernels_audit_runs_where_the_kernel_is_the_hosts_own(remote: Remote, facts: dict[str, str]) -> None:
    shown = remote.show(["auditd.service"], "ActiveState", "UnitFileState", "ConditionResult")["auditd.service"]
    wanted = ("inactive", "no") if facts["kind"] == "container" else ("active", "yes")
    assert (shown["ActiveState"], shown["ConditionResult"], shown["UnitFileState"]) == (*wanted, "enabled")
    assert "audit" not in remote.out("systemctl --failed --plain --no-legend")
    assert remote.out("stat -c '%a %U' /etc/audit/rules.d/40-recio.rules").split() == ["640", "root"]


def test_its_logs_and_the_journal_share_the_budget(remote: Remote, contract: Contract) -> None:
    said = remote.out("cat /etc/audit/auditd.conf")
    figures = {name: int(value) for name, value in re.findall(r"(?m)^(max_log_file|num_logs) = (\d+)$", said)}
    assert "max_log_file_action = ROTATE" in said
    journal = re.findall(r"(?m)^SystemMaxUse=(\d+)M", remote.out("systemd-analyze cat-config systemd/journald.conf"))
    total = figures["max_log_file"] * figures["num_logs"] + int(journal[-1])
    assert total <= contract.directories["logs"].size_mb * 9 // 10, "the rest is PostgreSQL's and the package manager's"
