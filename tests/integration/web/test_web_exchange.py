"""The exchange's keys by page and API: who may give one, what is refused before it goes to the host, and that it stays nowhere."""

from __future__ import annotations

import html
import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from webdesk import PASSWORD, Answer, Client, Desk, make_trade

from recio.monitoring import exchange_keys as keys

KEY_ID = "sim-0123456789abcdef"
PEM = (
    rsa.generate_private_key(public_exponent=65_537, key_size=2048)
    .private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    .decode()
)
BODY = {"key_id": KEY_ID, "private_key": PEM}


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """main_app's runtime folder, and settings of a host that has a key of each mode."""
    folder = tmp_path / "run" / "main_app"
    folder.mkdir(parents=True)
    (tmp_path / "modes/demo").mkdir(parents=True)
    monkeypatch.setenv("RECIO_RUN_DIR", str(tmp_path / "run"))
    monkeypatch.setenv("RECIO_SETTINGS", str(tmp_path / "settings.yml"))
    for place, mode, host in (
        ("settings.yml", "simulated", "127.0.0.1"), ("modes/demo/settings.yml", "demo", "external-api.demo.kalshi.co"),
    ):  # fmt: skip
        (tmp_path / place).write_text(
            f"mode: {mode}\nkalshi: {{rest_url: 'https://{host}/x', ws_url: 'wss://{host}/x', key_id: '{KEY_ID}'}}\n"
            "coinbase: {ws_url: 'ws://x', rest_url: 'http://x'}\nseries: [KXBTCD]\nurl: https://desk\n"
        )
    return folder


def put(user: Client, mode: str = "simulated", **changes: str) -> Answer:
    return user.ask("PUT", f"/api/exchange/keys/{mode}", BODY | changes)


def shown(user: Client, answer: Answer | None = None) -> str:
    answer = answer or user.ask("GET", "/settings/exchange", Accept="text/html")
    return html.unescape(answer.body.decode())


def post(user: Client, path: str, **form: str) -> Answer:
    return user.ask("POST", path, form={"csrf_token": user.csrf} | form, Accept="text/html")


def everything(desk: Desk) -> str:
    tables = desk.db.all(
        "SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables"
        " WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
    )
    return "\n".join(
        str(row["line"]) for table in tables for row in desk.db.all(f"SELECT t::text AS line FROM {table['name']} t")
    )


def test_a_key_goes_to_root_by_a_private_file_and_stands_in_no_table_or_answer(desk: Desk, run: Path) -> None:
    user = desk.user()
    answer = put(user)
    assert answer.status == 200, answer.body
    left = list(run.glob("*.secret"))
    assert len(left) == 1
    assert left[0].stat().st_mode & 0o777 == 0o600
    assert json.loads(left[0].read_text()) == BODY
    row = user.ask("GET", f"/api/requests/{answer.json['request_id']}").json
    assert (row["kind"], row["args"]) == ("set_exchange_key", {"mode": "simulated", "secret": left[0].name})
    assert (run / "requests.trigger").exists()
    seen = everything(desk) + shown(user) + str(user.ask("GET", "/api/exchange").json)
    seen += str(user.ask("GET", "/api/audit").json) + str(user.ask("GET", "/api/requests").json)
    for secret in [*PEM.splitlines()[1:-1], KEY_ID]:
        assert secret not in seen
    audit = desk.db.one("SELECT actor, detail FROM users.audit_log WHERE action = 'ask set_exchange_key'")
    assert audit is not None
    assert audit["actor"] == "admin"


def test_the_same_by_the_form_without_script(desk: Desk, run: Path) -> None:
    user = desk.user()
    went = post(user, "/settings/exchange/key", mode="simulated", **BODY)
    assert went.status == 303
    assert went.headers["location"].startswith("/settings/exchange?asked=")
    page = shown(user, user.ask("GET", went.headers["location"].partition("#")[0], Accept="text/html"))
    assert "give the key of mode simulated" in page.replace("</b>", "").replace("<b>", "")
    wrong = post(user, "/settings/exchange/key", mode="simulated", key_id=KEY_ID, private_key=PEM[:200])
    assert wrong.status == 422
    text = shown(user, wrong)
    assert "The private key is not whole" in text and f'value="{KEY_ID}"' in text
    assert PEM.splitlines()[1] not in text, "a refused key is not sent back"


@pytest.mark.parametrize(
    ("mode", "changes", "said"),
    [
        ("live", {}, "does not trade in it"),
        ("simulated", {"key_id": "x y"}, "key id is not one"),
        ("simulated", {"private_key": "-----BEGIN PUBLIC KEY-----\n-----END PUBLIC KEY-----"}, "public part"),
        ("simulated", {"private_key": PEM.replace("PRIVATE", "ENCRYPTED PRIVATE")}, "passphrase"),
        ("simulated", {"more": "x"}, "more"),
        ("casino", {}, "mode"),
    ],
)
def test_what_cannot_be_a_key_goes_nowhere_and_is_not_repeated(
    desk: Desk, run: Path, mode: str, changes: dict[str, str], said: str
) -> None:
    answer = put(desk.user(), mode, **changes)
    assert answer.status == 422
    assert said in answer.body.decode()
    assert PEM.splitlines()[1] not in answer.body.decode()
    assert not list(run.iterdir())
    assert desk.db.one("SELECT count(*) AS n FROM system.requests") == {"n": 0}


def test_the_password_must_be_recent_and_no_token_is_enough(desk: Desk, run: Path) -> None:
    user = desk.user()
    desk.db.run("UPDATE users.sessions SET proven_at = now() - interval '11 minutes'")
    desk.app.state.desk.known.forget()
    assert (put(user).status, put(user).error) == (403, "reauth_required")
    assert user.ask("DELETE", "/api/exchange/keys/demo").error == "reauth_required"
    went = post(user, "/settings/exchange/key", mode="simulated", **BODY)
    assert went.headers["location"].startswith("/settings/security/confirm?next=")
    page = shown(user)
    assert "Confirm it is you" in page and "<textarea" not in page, "no form whose content would be lost on the way"
    assert not list(run.iterdir())
    assert user.ask("POST", "/api/session/confirm", {"password": PASSWORD}).status == 200
    assert put(user).status == 200


def test_it_cannot_be_asked_past_its_own_call(desk: Desk, run: Path) -> None:
    user = desk.user()
    args = {"mode": "demo", "secret": f"key_{'0a' * 12}.secret"}
    answer = user.ask("POST", "/api/requests", {"kind": "set_exchange_key", "args": args})
    assert answer.status == 422 and "/api/exchange/keys" in answer.json["cure"]
    assert post(user, "/system/requests", kind="remove_exchange_key").status == 422


def test_orders_under_way_and_open_trades_of_another_account_are_named(desk: Desk, run: Path) -> None:
    user = desk.user()
    trade_id = make_trade(desk.db, state="open")
    assert put(user).status == 200, "the account stays the same"
    desk.db.run("UPDATE system.requests SET state = 'done', finished_at = now()")
    other = put(user, key_id="sim-another-account")
    assert (other.status, other.error) == (409, "not_finished")
    assert f"trade {trade_id} (open) is not finished" in other.json["detail"]
    assert put(user, "demo", key_id="demo-another").status == 200, "a mode that is not in use has nothing open here"


def test_only_one_at_a_time_and_a_refused_one_leaves_no_file(desk: Desk, run: Path) -> None:
    user = desk.user()
    assert put(user).status == 200
    assert (put(user).status, put(user).error) == (409, "request_open")
    assert len(list(run.glob("*.secret"))) == 1


def test_removing_wants_the_word_and_not_the_hosts_own(desk: Desk, run: Path) -> None:
    user = desk.user()
    untyped = post(user, "/settings/exchange/key/remove", mode="demo", word="remove")
    assert untyped.status == 422
    assert "Nothing was removed: the word REMOVE was not typed" in shown(user, untyped)
    assert user.ask("DELETE", "/api/exchange/keys/simulated").error == "own_key"
    assert post(user, "/settings/exchange/key/remove", mode="demo", word="REMOVE").status == 303
    (run.parent.parent / "modes/demo/settings.yml").unlink()
    assert user.ask("DELETE", "/api/exchange/keys/demo").status == 404


def test_of_a_key_only_its_end_and_its_fingerprint_are_shown(desk: Desk, run: Path) -> None:
    user = desk.user()
    page = shown(user)
    assert "…cdef" in page and "not known: the deploy put it there" in page
    keys.write_records({"simulated": keys.KeyRecord(KEY_ID, "SHA256:abc", "RSA 2048", 1_795_000_000.0, "admin")})
    found = user.ask("GET", "/api/exchange").json
    assert found["signed_call_at_ms"] is None
    assert found["keys"][0] == {
        "mode": "simulated", "in_use": True, "ending": "…cdef", "kind": "RSA 2048", "fingerprint": "SHA256:abc",
        "set_at_ms": 1_795_000_000_000, "set_by": "admin",
    }  # fmt: skip
    page = shown(user)
    assert "SHA256:abc" in page and KEY_ID not in page


def test_without_a_host_behind_it_it_says_so(desk: Desk, run: Path) -> None:
    run.rmdir()
    answer = put(desk.user())
    assert (answer.status, answer.error) == (503, "no_worker")
