"""What the page asks of root, on the real host: the path unit wakes the worker, which does it, says so, and does nothing else."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path
from typing import Any

import pytest
from desk import Desk
from remote import Remote, wait_for

OPEN = ("new", "running")


def ended(desk: Desk, request_id: int, timeout_s: float = 120) -> dict[str, Any]:
    """The request once it is done or failed."""

    def look() -> dict[str, Any] | None:
        row: dict[str, Any] = desk.get(f"/api/requests/{request_id}")
        return None if row["state"] in OPEN else row

    found: dict[str, Any] = wait_for(f"request {request_id}", look, timeout_s)
    return found


def ask(desk: Desk, kind: str, **args: str) -> int:
    answer = desk.call("POST", "/api/requests", {"kind": kind, "args": args})
    assert answer.status == 200, answer
    return int(answer.body["request_id"])


def test_a_service_is_restarted_from_the_page_and_proves_itself(desk: Desk, remote: Remote, healthy: None) -> None:
    before = remote.show(["recio-db_poller.service"], "MainPID")["recio-db_poller.service"]["MainPID"]
    row = ended(desk, ask(desk, "restart_service", service="db_poller"))
    assert row["state"] == "done", row
    assert "proved its function" in row["result"]
    assert remote.show(["recio-db_poller.service"], "MainPID")["recio-db_poller.service"]["MainPID"] != before
    told = remote.sql(
        "SELECT action FROM users.audit_log WHERE action LIKE '%restart_service' ORDER BY at DESC LIMIT 2"
    )
    assert {line[0] for line in told} == {"ask restart_service", "done restart_service"}


def test_a_worker_that_could_not_begin_begins_again(desk: Desk, remote: Remote, healthy: None) -> None:
    """systemd itself may fail to start it, after the page's file was taken away: what was asked is done all the same."""
    once = "/run/recio-test-once"
    folder = "/run/systemd/system/recio-requests.service.d"
    fails = f"test -e {once} && exit 0; rm -f /run/recio/main_app/requests.trigger; touch {once}; exit 1"
    drop_in = f"[Service]\nReadWritePaths=/run\nExecStartPre=/bin/sh -c '{fails}'"
    try:
        remote.out(f"mkdir -p {folder} && cat >{folder}/once.conf <<'END'\n{drop_in}\nEND\nsystemctl daemon-reload")
        row = ended(desk, ask(desk, "restart_service", service="db_poller"))
        assert row["state"] == "done", row
        remote.out(f"test -e {once}")  # it did fail once
    finally:
        remote.out(f"rm -rf {folder} {once}; systemctl daemon-reload")
    failed = remote.show(["recio-requests.service"], "ActiveState")["recio-requests.service"]["ActiveState"]
    assert failed in ("inactive", "activating"), failed


def test_a_row_nobody_should_have_written_is_refused_by_root(remote: Remote, desk: Desk) -> None:
    """As a page that was taken over would: straight into the table, and the file touched."""
    insert = (
        "INSERT INTO system.requests (kind, args, asked_by)"
        """ VALUES ('restart_service', '{"service": "ssh"}', 'x') RETURNING request_id"""
    )
    number = int(remote.sql(insert, "main_app")[0][0])
    remote.out("runuser -u main_app -- touch /run/recio/main_app/requests.trigger")
    row = ended(desk, number, 30)
    assert row["state"] == "failed"
    assert "no service 'ssh'" in row["result"]


def test_the_page_cannot_write_an_outcome_nor_start_the_worker(remote: Remote) -> None:
    assert remote.psql("UPDATE system.requests SET state = 'done'", "main_app").rc != 0
    assert remote.host.run("runuser -u main_app -- systemctl start recio-requests.service").rc != 0


def test_the_worker_stays_nowhere_and_is_sandboxed(remote: Remote) -> None:
    wait_for(
        "the worker has ended",
        lambda: (
            remote.show(["recio-requests.service"], "ActiveState")["recio-requests.service"]["ActiveState"]
            == "inactive"
        ),
        30,
    )
    report = remote.out("systemd-analyze security --no-pager recio-requests.service | tail -1")
    assert float(report.split(":")[1].split()[0]) <= 4.5


def test_backup_and_restore_test_from_the_page(desk: Desk) -> None:
    """In the worker's own sandbox: dump, data, configuration, a base of the archive, and both ways restored."""
    made = ended(desk, ask(desk, "backup_now"), 180)
    assert made["state"] == "done", made
    assert "made and verified" in made["result"]
    assert made["result"].count("MB)") == 4, made
    tested = ended(desk, ask(desk, "restore_test"), 240)
    assert tested["state"] == "done", tested
    assert "the ledger is the recorded one" in tested["result"]
    assert "the ledger is the living one" in tested["result"]


CANARY = "canaryS3cretValue42x"


@pytest.fixture
def canaries(remote: Remote) -> Any:
    """A secret in every place that holds some: key folder, log, an address."""
    remote.out(f"umask 077; printf '%s\\n' {CANARY}key > /etc/recio/keys/canary_for_test")
    for line in (
        f"password={CANARY}log",
        f"Authorization: Bearer {CANARY}bearer",
        f"{CANARY}key was said",
        f"https://me:{CANARY}address@example.org/",
    ):
        remote.out(f"systemd-run --quiet --wait --unit=recio-canary-{abs(hash(line))} echo {line!r}")
    yield
    remote.out("rm -f /etc/recio/keys/canary_for_test")


def test_diagnostics_hold_what_helps_and_no_secret(
    desk: Desk, remote: Remote, facts: dict[str, str], canaries: Any
) -> None:
    row = ended(desk, ask(desk, "diagnostics"), 240)
    assert row["state"] == "done", row
    data = desk.raw(f"/system/diagnostics/{row['result'].partition(':')[0]}")
    assert len(data) < 10 * 1024 * 1024
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        found = {entry.name.partition("/")[2]: archive.extractfile(entry).read().decode() for entry in archive}  # type: ignore[union-attr]
    assert {
        "status.json",
        "doctor.txt",
        "logs.txt",
        "database/incidents.json",
        "configuration/settings.yml",
        "versions.json",
    } <= found.keys()
    assert "recio" in found["logs.txt"]
    assert "not found out" not in "".join(found.values())
    whole = "\n".join(found.values())
    assert CANARY not in whole
    assert Path(facts["admin_password_file"]).read_text().strip() not in whole
    for line in remote.out("find /etc/recio/keys -type f -exec cat {} +").split():
        if len(line) >= 20:
            assert line not in whole, "a line of a key file is in the archive"
    for hashed in remote.sql("SELECT password_hash FROM users.users"):
        assert hashed[0] not in whole


def test_the_page_reads_the_services_logs(desk: Desk) -> None:
    found = desk.get("/api/logs?service=db_poller&minutes=600")["lines"]
    assert found
    assert {line["service"] for line in found} == {"db_poller"}
    assert found == sorted(found, key=lambda line: -line["at_us"])
    assert b"db_poller" in desk.raw("/system/logs/download?service=db_poller&minutes=600")
    assert desk.call("GET", "/api/logs?service=sshd").status == 422
    assert desk.get("/api/logs?text=surely-nobody-said-this&minutes=10")["lines"] == []


def test_a_rollback_goes_only_to_a_release_that_can_serve(desk: Desk) -> None:
    answer = desk.call("POST", "/api/requests", {"kind": "rollback", "args": {"release": "9.9.9"}})
    assert answer.status == 409
    assert "no release 9.9.9" in answer.body["detail"]
