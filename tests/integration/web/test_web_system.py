"""The System page and its routes over a real database: what it says when things are well, ill, or not known."""

from __future__ import annotations

import gzip
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest
from webdesk import Desk

from recio.hostwork.diagnostics import sections, write_bundle
from recio.hostwork.scrub import known_secrets
from recio.monitoring import audit, updates
from recio.store import requests as queries
from recio.store.db import Database
from recio.store.schema import expected_revision
from recio.store.system import open_incident, save_database_details, save_host_sample, save_readings


@pytest.fixture
def run_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("RECIO_RUN_DIR", str(tmp_path))
    (tmp_path / "main_app").mkdir()
    return tmp_path / "main_app"


def test_with_nothing_measured_the_page_says_so_in_words(desk: Desk, run_dir: Path) -> None:
    page = desk.user().ask("GET", "/system").body.decode()
    for words in (
        "no sample yet",
        "not read yet",
        "No release is installed",
        "No incident on record",
        "has not looked closer yet",
    ):
        assert words in page, words
    for nonsense in ("None", "undefined", "nan"):
        assert nonsense not in page.replace("_none", "")


def test_what_was_measured_is_shown_beside_what_is_allowed(desk: Desk, run_dir: Path) -> None:
    save_database_details(Database("t", desk.cluster.dsn("db_poller")), [
        {"query": "SELECT <b>1</b>", "calls": 3, "role": "main_app", "mean_ms": 1.5, "max_ms": 9.0, "total_ms": 4.5}
    ])  # fmt: skip
    figures = {
        "directories.logs.size_mb": {"figure": 500, "measured": "1,234.5 MB", "holds": False},
        "directories.backup.size_mb": {"figure": 1024, "measured": "12 MB", "holds": True},
    }
    traffic = {"kalshi_kb_per_s": {"kb_per_s": 12.5, "why": ""}}
    save_readings(Database("t", desk.cluster.dsn("recio_operator")), figures, traffic, {})
    open_incident(
        Database("t", desk.cluster.dsn("system_monitor")),
        "host disk",
        "critical",
        "disk at 91 %",
        "Clean up",
        "system_monitor",
    )
    page = desk.user().ask("GET", "/system").body.decode()
    for words in (
        "1,234.5",
        "directories.logs.size_mb",
        "12.5",
        "disk at 91 %",
        "Clean up",
        "SELECT &lt;b&gt;1&lt;/b&gt;",
    ):
        assert words in page, words


def test_what_must_be_renewed_or_cleared_is_told_with_how_bad_it_is(
    desk: Desk, run_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RECIO_UPDATES", str(tmp_path / "updates.json"))
    monkeypatch.setenv("RECIO_AUDIT", str(tmp_path / "audit.json"))
    page = desk.user().ask("GET", "/system").body.decode()
    assert "not seen: nothing was served" in page and "not looked for yet: root does it" in page
    assert "not recorded yet: a deploy does it" in page
    left = {"certificate_left_s": 30 * 3600, "certificate_lifetime_s": 6 * 86400}
    save_host_sample(Database("t", desk.cluster.dsn("system_monitor")), 1.0, 1.0, 1.0, left)
    now_s = time.time()
    updates.keep(updates.Updates(now_s, now_s, {"tar": now_s - 9 * 86400}))
    files = audit.Outcome(now_s, now_s, "a deploy", 9, 1, (audit.Difference("/etc/<b>", "content"),))
    (tmp_path / "audit.json").write_bytes(msgspec.json.encode(files))
    desk.db.run(
        "INSERT INTO system.database_samples (at, connections, size_mb, longest_tx_s, dead_rows)"
        " SELECT now() - n * interval '1 hour', 1, 100 - n, 0, 0 FROM generate_series(1, 90) n"
    )
    page = desk.user().ask("GET", "/system").body.decode()
    for words in (
        "warning: the page&#39;s certificate holds for 30 h of its 6.0 days",
        "warning: security updates wait for up to 9 days: tar",
        "warning: 1 privileged file is not as recorded: /etc/&lt;b&gt; (content)",
        "+24.0 <small>MB a day; budget reached in 81 days",
    ):
        assert words in page, words


def test_a_request_is_written_down_and_the_worker_woken(desk: Desk, run_dir: Path) -> None:
    user = desk.user()
    answer = user.ask("POST", "/api/requests", {"kind": "restart_service", "args": {"service": "db_poller"}})
    assert answer.status == 200, answer.body
    assert (run_dir / "requests.trigger").exists()
    row = user.ask("GET", f"/api/requests/{answer.json['request_id']}").json
    assert (row["kind"], row["args"], row["state"], row["asked_by"]) == (
        "restart_service",
        {"service": "db_poller"},
        "new",
        "admin",
    )
    again = user.ask("POST", "/api/requests", {"kind": "restart_service", "args": {"service": "db_poller"}})
    assert again.status == 409
    form = user.ask("POST", "/system/requests", form={"kind": "backup_now", "csrf_token": user.csrf})
    assert form.status == 303
    assert "backup now" in user.ask("GET", "/system").body.decode()


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"kind": "reboot"}, 422),
        ({"kind": "restart_service", "args": {"service": "sshd"}}, 422),
        ({"kind": "restart_service", "args": {"service": {"a": 1}}}, 422),
        ({"kind": "backup_now", "args": {"which": "all"}}, 422),
        ({"kind": "rollback", "args": {"release": "1.0"}}, 409),
        ({"kind": "backup_now", "extra": 1}, 422),
    ],
)
def test_what_is_not_on_the_list_is_never_written_down(desk: Desk, run_dir: Path, body: Any, status: int) -> None:
    assert desk.user().ask("POST", "/api/requests", body).status == status
    assert desk.db.all("SELECT * FROM system.requests") == []
    assert not (run_dir / "requests.trigger").exists()


def test_a_rollback_is_asked_only_with_a_fresh_password_and_to_a_release_that_can_serve(
    desk: Desk, run_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RECIO_HOME", str(tmp_path))
    for name, schema, proven in (
        ("1.0", expected_revision(), True),
        ("0.9", "0001", True),
        ("1.1", expected_revision(), False),
        ("2.0", expected_revision(), True),
    ):
        versions = tmp_path / "releases" / name / "venv/lib/python3.11/site-packages/recio/store/migrations/versions"
        versions.mkdir(parents=True)
        (versions / f"r{schema}_x.py").touch()
        (tmp_path / "releases" / name / ".complete").touch()
        if proven:
            (tmp_path / "releases" / name / ".proven").touch()
    (tmp_path / "current").symlink_to("releases/2.0")
    user = desk.user()

    def ask(release: str) -> Any:
        return user.ask("POST", "/api/requests", {"kind": "rollback", "args": {"release": release}})

    for release, why in (
        ("0.9", f"schema {expected_revision()}"),
        ("1.1", "never passed"),
        ("2.0", "in service"),
        ("3.0", "no release 3.0"),
    ):
        answer = ask(release)
        assert answer.status == 409
        assert why in answer.body.decode(), release
    desk.db.run("UPDATE users.sessions SET proven_at = now() - interval '1 hour'")
    desk.app.state.desk.known.forget()
    stale = ask("1.0")
    assert (stale.status, stale.error) == (403, "reauth_required")
    assert queries.newest(Database("t", desk.cluster.dsn("main_app"))) == []
    desk.db.run("UPDATE users.sessions SET proven_at = now()")
    desk.app.state.desk.known.forget()
    assert ask("1.0").status == 200
    assert queries.newest(Database("t", desk.cluster.dsn("main_app")))[0]["args"] == {"release": "1.0"}


def test_an_archive_is_handed_out_by_its_name_only(desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECIO_DIAGNOSTICS", str(tmp_path))
    name = "recio-diagnostics-7-20261128-010203.tar.gz"
    (tmp_path / name).write_bytes(gzip.compress(b"x"))
    (tmp_path / "other.txt").write_text("secret")
    (tmp_path / "recio-diagnostics-8-20261128-010203.tar.gz").symlink_to(tmp_path / "other.txt")
    user = desk.user()
    answer = user.ask("GET", f"/system/diagnostics/{name}")
    assert answer.status == 200
    assert answer.headers["content-type"] == "application/gzip"
    for bad in ("other.txt", "..%2fother.txt", "%2e%2e/other.txt", "recio-diagnostics-8-20261128-010203.tar.gz", "x"):
        assert user.ask("GET", f"/system/diagnostics/{bad}").status == 404, bad


CANARIES = [
    f"canary-{place}"
    for place in ("in-key-file-1234", "hash-value", "in-log-1", "bearer-2", "totp-3", "token-4", "webhook-5")
]


def test_no_secret_of_any_place_is_in_the_archive(desk: Desk, tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    keys.mkdir()
    (keys / "kalshi_private.pem").write_text(
        "-----BEGIN PRIVATE KEY-----\ncanary-in-key-file-1234\n-----END PRIVATE KEY-----\n"
    )
    settings = tmp_path / "settings.yml"
    settings.write_text(
        "mode: simulated\nkalshi:\n  key_id: 'canary-token-4'\napi_password: canary-in-log-1\n"
        "url: https://u:canary-webhook-5@host/x\n"
    )
    desk.db.run("UPDATE users.users SET password_hash = '$argon2id$v=19$canary-hash-value'")
    desk.db.run(
        "INSERT INTO users.settings (user_id, name, value, changed_by) VALUES ('0001', 'notifications', %s, 'admin')",
        ('{"webhook": "https://hook/canary-webhook-5"}',),
    )
    causes = (
        "login with $argon2id$v=19$canary-hash-value; Authorization: Bearer canary-bearer-2; totp_secret=canary-totp-3"
    )
    causes += "; canary-in-key-file-1234"
    open_incident(Database("t", desk.cluster.dsn("system_monitor")), "x", "warning", causes, "", "system_monitor")
    found = dict(sections(Database("t", desk.cluster.dsn("recio_operator")), (settings,)))
    archive = tmp_path / "recio-diagnostics-1-20261128-010203.tar.gz"
    write_bundle(archive, found, known_secrets([keys]))
    text = gzip.decompress(archive.read_bytes()).decode(errors="replace")
    for canary in CANARIES:
        assert canary not in text, canary
    for wanted in ("mode: simulated", "database/incidents.json", "login with", "versions.json"):
        assert wanted in text, wanted
