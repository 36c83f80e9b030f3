"""The exchange's key from the page on the real host: given again it trades on, a wrong one changes nothing, none is seen."""

from __future__ import annotations

import io
import tarfile
from typing import Any

import pytest
import tester  # of scripts/
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from desk import Answer, Desk
from fixtures import PROJECT, play
from remote import Remote, wait_for

SIGNERS = ("kalshi_api_watchdog", "kalshi_account_sync", "trade_executor")
PLACE = "/etc/recio/keys/simulated/private_key"


@pytest.fixture
def pem(remote: Remote) -> str:
    return remote.out(f"cat {PLACE}")


@pytest.fixture
def key_id(remote: Remote) -> str:
    return remote.out("cat /etc/recio/keys/key_id").strip()


@pytest.fixture
def proven(desk: Desk, facts: dict[str, str]) -> Desk:
    """The desk with the password just given."""
    answer = desk.call("POST", "/api/session/confirm", {"password": tester.tester_password(facts)})
    assert answer.status == 200, answer
    return desk


def other_key() -> str:
    key = rsa.generate_private_key(public_exponent=65_537, key_size=2048)
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    ).decode()


def give(desk: Desk, key_id: str, pem: str) -> dict[str, Any]:
    """The request once it is done or failed."""

    def asked() -> Answer | None:
        answer = desk.call("PUT", "/api/exchange/keys/simulated", {"key_id": key_id, "private_key": pem})
        return None if answer.error == "not_finished" else answer

    answer = wait_for("no order is under way", asked, 180)
    assert answer.status == 200, answer
    number = answer.body["request_id"]

    def look() -> dict[str, Any] | None:
        row: dict[str, Any] = desk.get(f"/api/requests/{number}")
        return None if row["state"] in ("new", "running") else row

    found: dict[str, Any] = wait_for(f"request {number}", look, 180)
    return found


def pids(remote: Remote) -> list[str]:
    units = [f"recio-{name}.service" for name in SIGNERS]
    return [values["MainPID"] for values in remote.show(units, "MainPID").values()]


def everywhere(remote: Remote, desk: Desk) -> str:
    """All that is written down, said or shown."""
    seen = remote.out("cd / && runuser -u postgres -- pg_dump --data-only rec_io_db")
    seen += remote.out("journalctl --no-pager --output=cat")
    seen += remote.out("ps axww -o args; cat /run/recio/*/health.json; ls -R /run/recio /tmp; cat /etc/recio/*.json")
    seen += (
        desk.raw("/settings/exchange").decode() + desk.raw("/settings/audit").decode() + desk.raw("/system").decode()
    )
    number = desk.call("POST", "/api/requests", {"kind": "diagnostics", "args": {}}).body["request_id"]
    row = wait_for(
        "the archive", lambda: (r := desk.get(f"/api/requests/{number}"))["state"] in ("done", "failed") and r, 240
    )
    assert row["state"] == "done", row
    data = desk.raw(f"/system/diagnostics/{row['result'].partition(':')[0]}")
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        seen += "".join(archive.extractfile(entry).read().decode() for entry in archive)  # type: ignore[union-attr]
    return seen


def test_the_same_key_again_restarts_who_signs_and_trades_on(
    proven: Desk, remote: Remote, pem: str, key_id: str, healthy: None
) -> None:
    before = pids(remote)
    row = give(proven, key_id, pem)
    assert row["state"] == "done", row
    assert "was taken by the exchange" in row["result"]
    assert "every service that signs proved its function" in row["result"]
    assert all(old != new for old, new in zip(before, pids(remote), strict=True))
    assert remote.out(f"stat -c '%a %U' {PLACE}").strip() == "600 root"
    assert remote.out(f"cat {PLACE}") == pem
    told = proven.get("/api/exchange")["keys"][0]
    assert (told["ending"], told["kind"], told["set_by"]) == (f"…{key_id[-4:]}", "RSA 2048", "admin")
    proven.buy_filled()  # a whole entry: signed, taken, filled


def test_a_wrong_key_is_refused_by_the_exchange_and_the_old_one_trades_on(
    proven: Desk, remote: Remote, pem: str, key_id: str, healthy: None
) -> None:
    before = pids(remote)
    row = give(proven, key_id, other_key())
    assert (row["state"], "INCORRECT_API_KEY_SIGNATURE" in row["result"]) == ("failed", True), row
    wait_for("no trade is open", lambda: not proven.get("/api/trades?state=live")["trades"], 300)
    row = give(proven, "sim-of-nobody-1234", pem)
    assert (row["state"], "NOT_FOUND" in row["result"]) == ("failed", True), row
    assert "nothing was changed" in row["result"]
    assert pids(remote) == before
    assert remote.out(f"cat {PLACE}") == pem
    proven.buy_filled()  # a whole entry: signed, taken, filled


def test_no_key_that_was_given_is_in_any_table_log_process_archive_or_page(
    proven: Desk, remote: Remote, pem: str, key_id: str, healthy: None
) -> None:
    planted = other_key()
    assert give(proven, key_id, planted)["state"] == "failed"
    assert give(proven, key_id, pem)["state"] == "done"
    seen = everywhere(remote, proven)
    for line in [*planted.splitlines()[1:-1], *pem.splitlines()[1:-1]]:
        assert line not in seen, "a line of a key was found"
    assert "secret" not in remote.out("ls /run/recio/main_app")
    assert remote.host.run("ls /run/recio/key_check").rc != 0


def test_no_secret_a_deploy_made_or_was_given_is_said_or_written_either(
    proven: Desk, remote: Remote, facts: dict[str, str], healthy: None
) -> None:
    """The host's keys and the controller's secrets, in all of the above, in a deploy's most talkative words and in its first one's."""
    here = PROJECT / "build/secrets" / facts["host"]
    secrets = [path.read_text() for path in here.iterdir() if path.suffix != ".crt"]
    secrets.append(
        remote.out(
            "cd /etc/recio/keys && find . -type f ! -name key_id ! -name '*.pem' -exec sh -c 'cat $1; echo' - {} ';'"
        )
    )
    lines = {line for text in secrets for line in text.splitlines() if len(line) >= 16 and "-----" not in line}
    assert len(lines) > 20, "the exchange's key alone has more lines"
    said = play(facts, "site.yml", "--diff", "-vvv")
    assert "PLAY RECAP" in said
    first = PROJECT / "build/reports/molecule.log"  # of `make test`: from the bare host on, with --diff
    said += first.read_text(errors="replace") if first.exists() else ""
    seen = everywhere(remote, proven) + said
    assert not [f"{line[:4]}…" for line in lines if line in seen]


def test_who_checks_is_sandboxed_and_gone_afterwards(remote: Remote) -> None:
    shown = remote.show(["recio-key_check.service"], "ActiveState", "User", "NoNewPrivileges")[
        "recio-key_check.service"
    ]
    assert (shown["ActiveState"], shown["User"], shown["NoNewPrivileges"]) == ("inactive", "recio_key_check", "yes")
    report = remote.out("systemd-analyze security --no-pager recio-key_check.service | tail -1")
    assert float(report.split(":")[1].split()[0]) <= 2.5


def test_signers_alone_are_given_the_key_and_only_that_of_the_mode(remote: Remote) -> None:
    units = remote.out("grep -l 'LoadCredential=kalshi' /etc/systemd/system/recio-*.service").split()
    assert {unit.rpartition("/recio-")[2].removesuffix(".service") for unit in units} == {*SIGNERS, "simulator"}
    for name in SIGNERS:
        assert remote.out(f"ls /run/credentials/recio-{name}.service").split() == ["kalshi_private_key"]
