"""The worker over a real database: takes one by one, refuses again what the page should have refused, tells every end."""

from __future__ import annotations

import json
from pathlib import Path

import psycopg2
import pytest
import yaml
from pg import Cluster

from recio.contract import Contract, parse
from recio.hostwork import registry
from recio.hostwork.job import Job, WorkFailed
from recio.hostwork.worker import run_requests
from recio.store import requests
from recio.store.db import Database
from recio.store.pool import Pool

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def contract() -> Contract:
    raw = yaml.safe_load((ROOT / "roles" / "contract" / "defaults" / "main.yml").read_text())["contract"]
    return parse(json.dumps(raw))


@pytest.fixture
def page(database: Cluster) -> Pool:
    return Pool("main_app", database.dsn("main_app"))


@pytest.fixture
def root(database: Cluster) -> Database:
    return Database("recio requests", database.dsn("recio_operator"))


@pytest.fixture
def owner(database: Cluster) -> Database:
    return Database("tests", database.dsn("postgres"))


def test_what_root_changed_at_the_pages_wish_is_right_for_the_audit_of_files(
    page: Pool, root: Database, contract: Contract, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a record, of the patterns of that kind alone, and also when the work failed half way; other kinds leave it as it is."""
    taken: list[tuple[str, ...]] = []
    monkeypatch.setattr("recio.hostwork.worker.Audit.take_over", lambda _self, patterns, _by: taken.append(patterns))
    monkeypatch.setitem(registry.HANDLERS, "backup_now", lambda job: "well")
    monkeypatch.setitem(registry.HANDLERS, "rollback", lambda job: (_ for _ in ()).throw(WorkFailed("it differs")))
    for kind, args in (("backup_now", {}), ("rollback", {"release": "1.0"})):
        requests.ask(page, kind, args, "admin")
        assert run_requests(root, contract) == 1
    assert taken == [("opt/recio/current",)]


def audit(owner: Database) -> list[str]:
    return [row["action"] for row in owner.all("SELECT action FROM users.audit_log ORDER BY 1")]


def test_done_one_by_one_and_told_to_the_end(
    page: Pool, root: Database, owner: Database, contract: Contract, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[int, str]] = []

    def work(job: Job) -> str:
        job.say("half way")
        row = requests.request(root, job.request_id)
        assert row is not None
        seen.append((job.request_id, row["state"] + " " + row["progress"]))
        return "well"

    monkeypatch.setitem(registry.HANDLERS, "backup_now", work)
    monkeypatch.setitem(registry.HANDLERS, "restore_test", lambda job: (_ for _ in ()).throw(WorkFailed("it differs")))
    first = requests.ask(page, "backup_now", {}, "admin")
    second = requests.ask(page, "restore_test", {}, "admin")
    assert first is not None
    assert second is not None
    assert run_requests(root, contract) == 2
    assert seen == [(first, "running half way")]
    found = {row["request_id"]: row for row in requests.newest(page)}
    assert (found[first]["state"], found[first]["result"]) == ("done", "well")
    assert (found[second]["state"], found[second]["result"]) == ("failed", "it differs")
    assert audit(owner) == ["ask backup_now", "ask restore_test", "done backup_now", "failed restore_test"]


@pytest.mark.parametrize(
    ("kind", "args", "said"),
    [
        ("format_disk", "{}", "there is no request"),
        ("restart_service", '{"service": "sshd"}', "there is no service 'sshd'"),
        ("restart_service", '{"service": "x", "also": "y"}', "also"),
        ("rollback", '{"release": "1.0-nowhere"}', "there is no release"),
    ],
)
def test_a_page_that_was_taken_over_gets_nothing_that_is_not_on_the_list(
    kind: str, args: str, said: str, database: Cluster, page: Pool, root: Database, contract: Contract
) -> None:
    page.run("INSERT INTO system.requests (kind, args, asked_by) VALUES (%s, %s, 'someone')", (kind, args))
    assert run_requests(root, contract) == 1
    row = requests.newest(page)[0]
    assert row["state"] == "failed"
    assert said in row["result"]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE system.requests SET state = 'done'",
        "DELETE FROM system.requests",
        "INSERT INTO system.requests (kind, asked_by, asked_at) VALUES ('backup_now', 'me', now() + interval '1 day')",
        "INSERT INTO system.requests (kind, asked_by, state) VALUES ('backup_now', 'me', 'done')",
        "TRUNCATE system.requests",
    ],
)
def test_the_page_can_ask_and_look_and_no_more(statement: str, page: Pool) -> None:
    with pytest.raises(psycopg2.errors.InsufficientPrivilege):
        page.run(statement)


def test_an_old_request_and_one_whose_worker_died_are_closed_with_the_reason(
    page: Pool, root: Database, owner: Database, contract: Contract, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(registry.HANDLERS, "backup_now", lambda job: pytest.fail("an old request was done"))
    old = requests.ask(page, "backup_now", {}, "admin")
    died = requests.ask(page, "restore_test", {}, "admin")
    owner.run("UPDATE system.requests SET asked_at = now() - interval '301 s' WHERE request_id = %s", (old,))
    owner.run("UPDATE system.requests SET state = 'running', started_at = now() WHERE request_id = %s", (died,))
    assert run_requests(root, contract) == 0
    found = {row["request_id"]: row for row in requests.newest(page)}
    assert "older than 300 s" in found[old]["result"]
    assert "not known to the end" in found[died]["result"]
    assert {row["state"] for row in found.values()} == {"failed"}
    assert audit(owner)[-2:] == ["failed backup_now", "failed restore_test"]


def test_one_of_a_kind_and_three_in_all_may_wait(page: Pool) -> None:
    assert requests.ask(page, "backup_now", {}, "admin") is not None
    assert requests.ask(page, "backup_now", {}, "admin") is None
    assert requests.ask(page, "restore_test", {}, "admin") is not None
    assert requests.ask(page, "diagnostics", {}, "admin") is not None
    assert requests.ask(page, "restart_service", {"service": "db_poller"}, "admin") is None


def test_a_second_worker_leaves_everything_to_the_first(
    database: Cluster, page: Pool, root: Database, contract: Contract
) -> None:
    assert requests.try_lock(root)
    requests.ask(page, "backup_now", {}, "admin")
    other = Database("another worker", database.dsn("recio_operator"))
    assert run_requests(other, contract) == 0
    assert requests.newest(page)[0]["state"] == "new"


def test_work_that_breaks_is_a_failed_request_and_the_next_goes_on(
    page: Pool, root: Database, contract: Contract, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(job: Job) -> str:
        raise ZeroDivisionError("a mistake of ours")

    monkeypatch.setitem(registry.HANDLERS, "backup_now", broken)
    monkeypatch.setitem(registry.HANDLERS, "restore_test", lambda job: "well")
    requests.ask(page, "backup_now", {}, "admin")
    requests.ask(page, "restore_test", {}, "admin")
    assert run_requests(root, contract) == 2
    states = {row["kind"]: (row["state"], row["result"]) for row in requests.newest(page)}
    assert states["backup_now"][0] == "failed"
    assert "a mistake of ours" in states["backup_now"][1]
    assert states["restore_test"] == ("done", "well")
