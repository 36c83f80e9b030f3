"""The former system's defects of the machine, each by its number in the list of what it got wrong, on a deployed host.

17  no single definition built the database: the schema here is what the migrations make of nothing, and nothing else
18  success was claimed without a service started; services rewrote their own configuration: a restart tells what became of it
19  without credentials it crashed in a loop: without a key the desk runs, says so, and only reads
20  the database stood open to the internet and security updates were off
21  logs grew by 100 MB an hour; no backup ran, no way back, and the installer was a copy of its author's server
"""

from __future__ import annotations

import json
import os
import re

import pytest
from fixtures import PROJECT
from remote import Remote, wait_for

from recio.contract import Contract

# What is not schema: how a run of pg_dump names itself.
NOISE = re.compile(r"^(--|\\restrict|\\unrestrict|SET |SELECT pg_catalog)")
KEY = "/etc/recio/keys/simulated/private_key"


def schema(remote: Remote, name: str) -> list[str]:
    """A database's definition, as pg_dump tells it, without comments and the partitions a day of work adds."""
    text = remote.out(f"cd / && runuser -u postgres -- pg_dump --schema-only --no-owner --no-privileges {name}")
    return [line for line in text.splitlines() if line.strip() and not NOISE.match(line)]


def test_17_the_schema_is_what_the_migrations_make_of_nothing(remote: Remote) -> None:
    remote.out("cd / && runuser -u postgres -- createdb proof_of_schema")
    try:
        remote.out("RECIO_DSN='dbname=proof_of_schema user=postgres host=/var/run/postgresql' recio db migrate")
        fresh, living = schema(remote, "proof_of_schema"), schema(remote, "rec_io_db")
    finally:
        remote.out("cd / && runuser -u postgres -- dropdb --if-exists proof_of_schema")
    assert len(fresh) > 300, "a schema of this product has hundreds of lines"
    assert set(fresh) - set(living) == set(), "the living database lacks what the migrations make"
    assert set(living) - set(fresh) == set(), "the living database has what no migration made"


def test_18_a_restart_that_does_not_come_back_is_not_called_a_success(remote: Remote) -> None:
    dropin = "/run/systemd/system/recio-db_poller.service.d"
    remote.out(
        f"mkdir -p {dropin} && printf '[Service]\\nExecStart=\\nExecStart=/bin/sleep 600\\nTimeoutStartSec=3\\n' >{dropin}/spoilt.conf"
    )
    remote.out("systemctl daemon-reload")
    try:
        done = remote.host.run("timeout 100 recio restart db_poller")
        assert done.rc == 1, f"it proves nothing, and the command says {done.rc}: {done.stdout}"
        assert "db_poller" in done.stdout + done.stderr
        assert remote.service("db_poller")["healthy"] is False
    finally:
        remote.out(f"rm -r {dropin} && systemctl daemon-reload && systemctl restart recio-db_poller")
    remote.wait_healthy(90)


def test_18_no_service_can_write_its_configuration(remote: Remote, contract: Contract) -> None:
    files = remote.out("find -L /etc/recio -type f ! -path '/etc/recio/keys/*' ! -path '*/key/*'").split()
    assert "/etc/recio/contract.yml" in files and any(path.endswith("/settings.yml") for path in files), files
    for name in contract.services:
        for path in files:
            assert remote.host.run(f"runuser -u {name} -- test -w {path}").rc == 1, f"{name} can write {path}"


@pytest.mark.usefixtures("healthy")
def test_19_without_a_key_it_reads_and_says_so_and_does_not_crash(remote: Remote) -> None:
    unit = "recio-trade_executor.service"
    remote.out(f"mv {KEY} {KEY}.kept && systemctl restart {unit}")
    try:
        said = wait_for(
            "the executor to say that it has no key",
            lambda: (entry := remote.service("trade_executor"))["state"] == "running" and not entry["healthy"] and entry["reason"],
            60,
        )  # fmt: skip
        assert "key" in said, said
        pid = remote.show([unit], "MainPID")[unit]["MainPID"]
        remote.out("sleep 12")
        assert remote.show([unit], "MainPID")[unit]["MainPID"] == pid, "it crashed"
        assert remote.service("main_app")["state"] == "running", "the page is there to give it a key"
    finally:
        remote.out(f"mv {KEY}.kept {KEY} && systemctl restart {unit}")


def test_20_security_updates_come_by_themselves(remote: Remote) -> None:
    shown = remote.out("apt-config dump APT::Periodic; apt-config dump Unattended-Upgrade")
    assert 'APT::Periodic::Unattended-Upgrade "1"' in shown
    assert 'APT::Periodic::Update-Package-Lists "1"' in shown
    assert re.search(r"security", shown, re.I), "no origin of security updates is allowed"
    timers = remote.show(["apt-daily-upgrade.timer", "apt-daily.timer"], "ActiveState")
    assert {unit["ActiveState"] for unit in timers.values()} == {"active"}


def test_20_the_database_listens_to_nobody_outside_and_knows_no_password(remote: Remote) -> None:
    listening = [line.split()[3] for line in remote.out("ss -Hltn").splitlines()]
    at = [address for address in listening if address.rpartition(":")[2] == "5432"]
    assert all(address.startswith(("127.0.0.1:", "[::1]:")) for address in at), at
    assert remote.sql("SELECT rolname FROM pg_authid WHERE rolpassword IS NOT NULL") == []


def test_21_an_hour_of_logs_is_small(remote: Remote, contract: Contract) -> None:
    """What the twelve said in the last ten minutes of tests, which is more than they say in a quiet hour."""
    units = " ".join(f"--unit recio-{name}" for name in contract.services)
    said = int(remote.out(f"journalctl --since -10min --output=short --quiet {units} | wc -c"))
    per_hour_mb = said * 6 / 1_000_000
    assert 0 < per_hour_mb < 100 / 5, f"{per_hour_mb:.1f} MB an hour"


def test_21_there_is_a_backup_that_was_proven_and_a_release_to_go_back_to_is_kept(remote: Remote) -> None:
    status = json.loads(remote.out("cat /var/lib/recio/backup/status.json"))
    assert status, "no backup has ever told anything"
    assert remote.host.run("recio backup list").rc == 0, "a backup is missing, old or spoilt"


def test_21_nothing_of_another_machine_came_with_the_release(remote: Remote) -> None:
    """No address, user folder or key of whoever built it."""
    builder = os.uname().nodename
    needles = f"(^|[^0-9.])(192\\.168|172\\.(1[6-9]|2[0-9]|3[01]))\\.[0-9]+\\.[0-9]+|/Users/[a-z]|/home/[a-z]|{re.escape(str(PROJECT))}"
    package = remote.out(
        "/opt/recio/current/venv/bin/python -c 'import recio, os; print(os.path.dirname(recio.__file__))'"
    ).strip()
    assert remote.host.run(f"grep -rIlE '{needles}' {package}").stdout == ""
    keys = "-----BEGIN [A-Z ]*PRIVATE KEY-----[[:space:]]+[A-Za-z0-9+/]{60}"  # a picture of one has no such line
    assert remote.host.run(f"grep -rIlzE -e '{keys}' {package}").stdout == "", f"a key of {builder}'s came along"
