"""Backups on the host: made, listed, verified, damaged on purpose, restored into a throw-away cluster; and nobody else reads them."""

from __future__ import annotations

import json

import pytest
from remote import Remote, wait_for

from recio.contract import Contract

REPOSITORY = "/var/backups/recio"


@pytest.fixture(scope="module")
def made(remote: Remote) -> dict[str, str]:
    """Kind -> path of backups made now."""
    return {entry["kind"]: entry["path"] for entry in json.loads(remote.out("recio backup now --json"))["made"]}


def test_three_backups_are_made_verified_and_listed(remote: Remote, made: dict[str, str], contract: Contract) -> None:
    assert sorted(made) == ["base", "configuration", "database", "files"]
    listed = json.loads(remote.out("recio backup list --json"))
    newest = {entry["name"] for entry in listed["backups"] if entry["verified"]}
    assert {path.rsplit("/", 1)[1] for path in made.values() if path} == newest
    assert listed["wrong"] == ""
    assert listed["total"] <= listed["budget"] == contract.directories["backup"].size_mb * 1024 * 1024
    assert remote.out("recio backup verify").count("ok   ") == len(listed["backups"])


def test_the_newest_one_restores_to_the_recorded_ledger(remote: Remote, made: dict[str, str]) -> None:
    said = remote.out("recio backup restore-test")
    assert "the ledger is the recorded one" in said
    assert "the ledger is the living one" in said
    test = json.loads(remote.out("recio backup list --json"))["restore_test"]
    assert (test["ok"], test["name"]) == (True, made["database"].rsplit("/", 1)[1])
    assert remote.out("ls /var/tmp | grep -c recio-restore-test || true").strip() == "0"


def test_damage_is_named_and_an_undamaged_copy_is_well(remote: Remote, made: dict[str, str]) -> None:
    path, name = made["database"], made["database"].rsplit("/", 1)[1]
    remote.out(f"cp {path}/payload.enc /root/payload.kept")
    try:
        remote.out(f"printf 'X' | dd of={path}/payload.enc bs=1 seek=5000 conv=notrunc status=none")
        done = remote.host.run(f"recio backup verify {name}")
        assert (done.rc, "was altered" in done.stderr) == (1, True), done
        remote.out(f"truncate --size=-100 {path}/payload.enc")
        done = remote.host.run(f"recio backup verify {name}")
        assert (done.rc, "is cut off" in done.stderr) == (1, True), done
        remote.out(f"mv {path}/manifest.json /root/manifest.kept")
        done = remote.host.run(f"recio backup verify {name}")
        assert (done.rc, "has no manifest.json" in done.stderr) == (1, True), done
    finally:
        remote.out(
            f"mv /root/payload.kept {path}/payload.enc; mv /root/manifest.kept {path}/manifest.json 2>/dev/null; true"
        )
    assert remote.out(f"recio backup verify {name}").startswith("ok")


def test_a_missing_backup_is_an_incident_and_a_good_one_ends_it(remote: Remote) -> None:
    """The monitor reads what `recio backup` left; without it no backup is proven."""

    def opened() -> bool:
        return remote.sql("SELECT 1 FROM system.incidents WHERE key = 'backup' AND closed_at IS NULL") == [["1"]]

    status = "/var/lib/recio/backup/status.json"
    assert not opened()
    remote.out(f"mv {status} {status}.kept")
    try:
        wait_for("the incident", opened, 30)
    finally:
        remote.out(f"mv {status}.kept {status}")
    wait_for("its end", lambda: not opened(), 30)


def test_key_and_backups_are_roots_alone(remote: Remote, made: dict[str, str]) -> None:
    assert remote.out(f"stat -c '%a %U' {REPOSITORY} /etc/recio/keys/backup_key").split("\n")[:2] == [
        "711 root",
        "600 root",
    ]
    done = remote.host.run("runuser -u main_app -- recio backup list")
    assert done.rc != 0
    # The key is in no argument, no log and no diff.
    key = remote.out("cat /etc/recio/keys/backup_key").strip()
    found = remote.host.run(f"journalctl --no-pager | grep -c {key[:20]}")
    assert found.stdout.strip() == "0"


def test_the_backup_role_reads_all_and_changes_nothing(remote: Remote) -> None:
    ask = "psql -X -U recio_backup -d rec_io_db -At -c 'SET default_transaction_read_only = off' -c \"{}\""
    assert remote.host.run(ask.format("SELECT count(*) FROM users.trades")).rc == 0
    for statement in ("DELETE FROM users.fills", "CREATE TABLE public.x ()", "UPDATE users.users SET login = 'x'"):
        done = remote.host.run(ask.format(statement))
        assert "permission denied" in done.stderr, done


def test_cron_runs_them_when_the_contract_says(remote: Remote, contract: Contract) -> None:
    lines = remote.out("cat /etc/cron.d/recio-backup").splitlines()
    for kind, at in {
        "now base": contract.backup.base.at,
        "now database": contract.backup.database.at,
        "now files": contract.backup.files.at,
        "now configuration": contract.backup.configuration.at,
        "restore-test": contract.backup.restore_test.at,
    }.items():
        hour, minute = at.split(":")
        wanted = f"{int(minute)} {int(hour)} * * * root nice -n 10 ionice -c 3 /usr/local/bin/recio backup {kind} "
        assert any(line.startswith(wanted) for line in lines), (kind, lines)
