"""The first password, the second factor, recovery codes, proof of identity, sessions, the audit log: as a user meets them."""

from __future__ import annotations

import base64
import csv
import io
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
from webdesk import PASSWORD, PUBLIC, ROOT, Client, Desk, filled, routes

from recio.store.rights import OPERATOR
from recio.web.totp import STEP_S, code_at

NEW = "four little grey herons"
OPEN = PUBLIC | {
    ("GET", "/settings/password"), ("POST", "/settings/password"), ("PUT", "/api/password"), ("POST", "/logout"),
    ("DELETE", "/api/session"),
}  # fmt: skip


def now_step() -> int:
    return int(time.time() // STEP_S)


def again(desk: Desk) -> None:
    """Time passes: the steps used so far are long ago."""
    desk.db.run("UPDATE users.users SET totp_last_step = 0")


def enrolled(desk: Desk, user: Client) -> tuple[bytes, list[str]]:
    """Set up the second factor by the page's forms; gives the secret and the recovery codes."""
    token = {"csrf_token": user.csrf}
    begun = user.ask("POST", "/settings/security/totp", form=token, Accept="text/html")
    assert begun.status == 303 and begun.headers["location"].startswith("/settings/security?enrol=1")
    page = user.ask("GET", "/settings/security?enrol=1").body.decode()
    typed = re.search(r'<code class="typed">([A-Z2-7 ]+)</code>', page)
    assert typed and re.search(r'<path class="ink" stroke-width="1" d="M[0-9a-zA-Z .\-]{200,}"', page)
    secret = base64.b32decode(typed.group(1).replace(" ", ""))
    wrong = user.ask("POST", "/settings/security/totp/confirm", form=token | {"code": "000000"})
    assert wrong.status == 422 and typed.group(1) in wrong.body.decode(), "the same secret is shown again"
    right = user.ask(
        "POST", "/settings/security/totp/confirm", form=token | {"code": code_at(secret, now_step())}
    ).body.decode()
    codes = re.findall(r"<li><code>([A-Z2-7-]{29})</code></li>", right)
    assert len(codes) == 10
    assert codes[0] not in user.ask("GET", "/settings/security").body.decode(), "shown once"
    return secret, codes


def test_a_password_from_the_deploy_opens_one_thing(desk: Desk) -> None:
    desk.db.run("UPDATE users.users SET must_change = true")
    user, other = desk.client(), desk.client()
    assert user.log_in().json["must_change_password"] is True and other.log_in().status == 200
    for method, path in routes(desk.app):
        if (method, path) in OPEN or (method == "HEAD" and ("GET", path) in OPEN):
            continue
        answer = user.ask(method, filled(path), {} if method in ("POST", "PUT") else None)
        assert answer.status == 403, (method, path, answer.status)
        if method != "HEAD":
            assert answer.error == "password_change_required", (method, path)
        if method == "GET" and not path.startswith("/api/"):
            page = user.ask("GET", filled(path), Accept="text/html")
            assert (page.status, page.headers["location"]) == (303, "/settings/password"), path
    page = user.ask("GET", "/settings/password").body.decode()
    assert "<nav" not in page and "desk.js" not in page, "no navigation to what is closed, no stream"
    assert user.ask("PUT", "/api/password", {"current": "wrong", "new": NEW}).error == "wrong_login"
    assert user.ask("PUT", "/api/password", {"current": PASSWORD, "new": "password1234"}).error == "weak_password"
    assert user.ask("PUT", "/api/password", {"current": PASSWORD, "new": PASSWORD}).error == "weak_password"
    assert user.ask("GET", "/api/price").status == 403
    before = user.cookie
    assert user.ask("PUT", "/api/password", {"current": PASSWORD, "new": NEW}).status == 200
    assert user.cookie != before and desk.client(cookie=before).ask("GET", "/api/price").status == 401
    assert user.ask("GET", "/api/price").status == 200 and other.ask("GET", "/api/price").status == 401
    assert desk.client().log_in(PASSWORD).status == 401, "the deploy's password is spent"
    assert desk.client().log_in(NEW).json["must_change_password"] is False


def test_the_first_password_by_the_form(desk: Desk) -> None:
    desk.db.run("UPDATE users.users SET must_change = true")
    user = desk.client()
    user.log_in()
    form = {"csrf_token": user.csrf, "current": PASSWORD, "new": NEW, "repeat": "another"}
    wrong = user.ask("POST", "/settings/password", form=form)
    assert wrong.status == 422 and b"differ" in wrong.body and b"Choose your password" in wrong.body
    right = user.ask("POST", "/settings/password", form=form | {"repeat": NEW})
    assert (right.status, right.headers["location"]) == (303, "/")
    assert user.ask("GET", "/", Accept="text/html").status == 200


def test_a_second_factor_from_setting_it_up_to_turning_it_off(desk: Desk) -> None:
    user, other = desk.user(), desk.user()
    secret, codes = enrolled(desk, user)
    assert other.ask("GET", "/api/price").status == 401, "who was in by the password alone is out"
    row = desk.db.one("SELECT to_jsonb(u)::text AS all_of_it FROM users.users u")
    hashes = desk.db.one("SELECT string_agg(encode(code_hash, 'hex'), '') AS all_of_it FROM users.recovery_codes")
    assert row and hashes and secret.hex() not in row["all_of_it"] and codes[0].lower() not in hashes["all_of_it"]

    stranger = desk.client()
    assert stranger.log_in().error == "code_required" and not stranger.cookie
    body = {"login": "admin", "password": PASSWORD}
    assert stranger.ask("POST", "/api/session", body | {"code": "000000"}).error == "wrong_code"
    used = stranger.ask("POST", "/api/session", body | {"code": code_at(secret, now_step())})
    assert used.error == "wrong_code", "the step that set it up is used"
    again(desk)
    code = code_at(secret, now_step())
    assert stranger.ask("POST", "/api/session", body | {"code": code}).status == 200
    assert desk.client().ask("POST", "/api/session", body | {"code": code}).error == "wrong_code", "a code is good once"
    by_code = desk.client()
    assert by_code.ask("POST", "/api/session", body | {"code": codes[3].lower()}).status == 200
    assert desk.client().ask("POST", "/api/session", body | {"code": codes[3]}).error == "wrong_code"
    assert b"9 of 10 recovery codes left" in user.ask("GET", "/settings/security").body

    again(desk)
    form = {"csrf_token": user.csrf, "code": code_at(secret, now_step())}
    fresh = re.findall(
        r"<li><code>([A-Z2-7-]{29})</code>", user.ask("POST", "/settings/security/codes", form=form).body.decode()
    )
    assert len(fresh) == 10 and not set(fresh) & set(codes)
    assert desk.client().ask("POST", "/api/session", body | {"code": codes[4]}).error == "wrong_code"

    off = {"csrf_token": user.csrf, "password": PASSWORD, "code": ""}
    assert user.ask("POST", "/settings/security/totp/off", form=off).status == 401
    assert (
        user.ask("POST", "/settings/security/totp/off", form=off | {"password": "wrong", "code": fresh[0]}).status
        == 401
    )
    assert user.ask("POST", "/settings/security/totp/off", form=off | {"code": fresh[0]}).status == 303
    assert desk.client().log_in().status == 200
    assert desk.db.all("SELECT * FROM users.recovery_codes") == []


def test_the_forms_second_step_opens_nothing_until_the_code_is_right(desk: Desk) -> None:
    user = desk.user()
    secret, _ = enrolled(desk, user)
    again(desk)
    half = desk.client()
    sent = half.ask(
        "POST", "/login", form={"login": "admin", "password": PASSWORD, "next": "/history"}, Accept="text/html"
    )
    assert (sent.status, sent.headers["location"]) == (303, "/login/code?next=/history")
    for method, path in routes(desk.app):
        if (method, path) in PUBLIC or method == "HEAD" or path == "/login/code":
            continue
        assert half.ask(method, filled(path), {} if method in ("POST", "PUT") else None).status == 401, (method, path)
    page = half.ask("GET", "/login/code?next=/history").body.decode()
    token = re.search(r'name="csrf_token" value="([^"]+)"', page)
    assert token
    form = {"csrf_token": token.group(1), "next": "/history", "code": "123"}
    assert half.ask("POST", "/login/code", form=form | {"csrf_token": "x"}).status == 403
    assert half.ask("POST", "/login/code", form=form).status == 401
    before = half.cookie
    done = half.ask("POST", "/login/code", form=form | {"code": code_at(secret, now_step())})
    assert (done.status, done.headers["location"]) == (303, "/history") and half.cookie != before
    assert half.ask("GET", "/api/price").status == 200
    assert len(user.ask("GET", "/api/sessions").json["sessions"]) == 2
    late = desk.client()
    late.ask("POST", "/login", form={"login": "admin", "password": PASSWORD})
    desk.db.run("UPDATE users.sessions SET expires_at = now() WHERE awaiting_code")
    assert late.ask("GET", "/login/code").status == 401, "the second step waits five minutes"


def test_guessing_codes_gets_slower_and_the_right_password_does_not_help(desk: Desk) -> None:
    secret, _ = enrolled(desk, desk.user())
    desk.db.run("DELETE FROM users.login_attempts")
    guesser = desk.client(address="203.0.113.50")
    body = {"login": "admin", "password": PASSWORD}
    for number in range(5):
        assert guesser.ask("POST", "/api/session", body | {"code": f"00000{number}"}).error == "wrong_code"
        if number == 2:
            assert guesser.log_in().error == "code_required", "is not a success that would count anew"
    again(desk)
    late = guesser.ask("POST", "/api/session", body | {"code": code_at(secret, now_step())})
    assert late.error == "too_many_attempts" and int(late.headers["retry-after"]) >= 1


def test_without_the_hosts_key_recovery_codes_still_open(desk: Desk, tmp_path: Path) -> None:
    user = desk.user()
    secret, codes = enrolled(desk, user)
    again(desk)
    (tmp_path / "web_key").unlink()
    body = {"login": "admin", "password": PASSWORD}
    lost = desk.client().ask("POST", "/api/session", body | {"code": code_at(secret, now_step())})
    assert (lost.status, lost.error) == (503, "no_web_key")
    assert desk.client().ask("POST", "/api/session", body | {"code": codes[0]}).status == 200
    assert b"no key to check codes with" in user.ask("GET", "/settings/security").body


def test_what_could_cost_most_asks_again_who_you_are(desk: Desk) -> None:
    user = desk.user()
    desk.db.run("UPDATE users.sessions SET proven_at = now() - interval '11 minutes'")
    time.sleep(1.1)  # a session is asked for once a second
    form = {"csrf_token": user.csrf}
    refused = user.ask("POST", "/settings/security/totp", form=form)
    assert (refused.status, refused.error) == (403, "reauth_required") and "/settings/security/confirm" in refused.json[
        "cure"
    ]
    page = user.ask(
        "POST",
        "/settings/security/totp",
        form=form,
        Accept="text/html",
        Referer="https://desk.example/settings/security",
    )
    assert page.headers["location"] == "/settings/security/confirm?next=/settings/security"
    assert user.ask("GET", page.headers["location"]).status == 200
    assert user.ask("POST", "/settings/security/sessions/others", form=form).error == "reauth_required"
    assert user.ask("DELETE", f"/api/sessions/{'0' * 16}").error == "reauth_required"
    assert user.ask("POST", "/settings/tokens", form=form | {"name": "x", "scope": "read"}).error == "reauth_required"
    assert user.ask("POST", "/settings/security/confirm", form=form | {"password": "wrong"}).status == 401
    before = user.cookie
    back = user.ask("POST", "/settings/security/confirm", form=form | {"password": PASSWORD, "next": "//evil.example"})
    assert (back.status, back.headers["location"]) == (303, "/") and user.cookie != before
    assert desk.client(cookie=before).ask("GET", "/api/price").status == 401, "the old cookie ended"
    assert user.ask("POST", "/settings/security/totp", form=form).status == 303
    desk.db.run("UPDATE users.sessions SET proven_at = NULL")
    time.sleep(1.1)
    assert user.ask("POST", "/settings/security/totp", form=form).error == "reauth_required"
    assert user.ask("POST", "/api/session/confirm", {"password": PASSWORD}).json == {"confirmed": True, "minutes": 10.0}
    assert user.ask("POST", "/settings/security/totp", form=form).status == 303


def test_real_money_stands_behind_a_code_that_is_used_up_the_word_and_this_release(desk: Desk) -> None:
    user = desk.user()
    secret, _codes = enrolled(desk, user)
    wanted = {"mode": "live", "word": "LIVE"}
    assert user.ask("PUT", "/api/mode", wanted).error == "mode_code"
    again(desk)
    code = code_at(secret, now_step())
    untyped = user.ask("PUT", "/api/mode", wanted | {"code": code, "word": "live"})
    assert (untyped.status, untyped.error) == (409, "mode_word")
    assert user.ask("PUT", "/api/mode", wanted | {"code": code}).error == "wrong_code", "a code is good once"
    desk.db.run("DELETE FROM users.login_attempts")
    again(desk)
    answer = user.ask("PUT", "/api/mode", wanted | {"code": code_at(secret, now_step())})
    assert (answer.status, answer.error) == (409, "mode_not_there")
    assert "this release does not trade in mode live" in answer.json["detail"]
    assert desk.db.one("SELECT count(*) AS n FROM system.requests") == {"n": 0}


def test_sessions_are_listed_and_ended(desk: Desk) -> None:
    chrome = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Safari/537.36"
    here, there, elsewhere = desk.client(address="192.0.2.1"), desk.client(address="192.0.2.2"), desk.client()
    there.headers["User-Agent"] = chrome
    for one in (here, there, elsewhere):
        assert one.log_in().status == 200
    rows = here.ask("GET", "/api/sessions").json["sessions"]
    assert [row["this"] for row in rows] == [True, False, False] and rows[0]["remote_addr"] == "192.0.2.1"
    other = next(row for row in rows if row["remote_addr"] == "192.0.2.2")
    assert other["agent"] == "Chrome on Linux"
    page = here.ask("GET", "/settings/security").body.decode()
    assert "Chrome on Linux" in page and other["session_id"] in page and here.cookie not in page
    assert here.ask("DELETE", f"/api/sessions/{other['session_id']}").json == {"ended": True}
    assert here.ask("DELETE", f"/api/sessions/{other['session_id']}").status == 404
    assert there.ask("GET", "/api/price").status == 401 and elsewhere.ask("GET", "/api/price").status == 200
    ended = here.ask("POST", "/settings/security/sessions/others", form={"csrf_token": here.csrf})
    assert ended.headers["location"].startswith("/settings/security?said=ended_all")
    assert elsewhere.ask("GET", "/api/price").status == 401 and here.ask("GET", "/api/price").status == 200
    mine = here.ask("GET", "/api/sessions").json["sessions"][0]["session_id"]
    out = here.ask("POST", "/settings/security/sessions", form={"csrf_token": here.csrf, "session_id": mine})
    assert out.headers["location"] == "/login" and here.ask("GET", "/api/price").status == 401


def test_the_audit_log_says_who_when_what_and_from_where(desk: Desk) -> None:
    user = desk.client(address="192.0.2.7")
    user.log_in()
    user.ask("PUT", "/api/settings/kill_switch", {"on": True, "why": "going out"})
    page = user.ask("GET", "/settings/audit").body.decode()
    assert "going out" in page and "192.0.2.7" in page and "set kill_switch" in page
    only = user.ask("GET", "/settings/audit?action=log%20in").body.decode()
    assert "going out" not in only and "192.0.2.7" in only
    newest = user.ask("GET", "/api/audit?limit=1").json
    assert newest["lines"][0]["action"] == "set kill_switch" and newest["lines"][0]["remote_addr"] == "192.0.2.7"
    older = user.ask("GET", f"/api/audit?limit=1&before={newest['next_before']}").json
    assert (older["lines"][0]["action"], older["lines"][0]["actor"], older["next_before"]) == ("log in", "admin", None)
    desk.db.run("INSERT INTO users.audit_log (actor, action) SELECT '=cmd()', 'many' FROM generate_series(1, 1200)")
    sheet = user.ask("GET", "/settings/audit.csv")
    assert sheet.headers["content-type"].startswith("text/csv") and "attachment" in sheet.headers["content-disposition"]
    lines = list(csv.reader(io.StringIO(sheet.body.decode())))
    assert len(lines) == 1203 and lines[1][2] == "'=cmd()" and lines[-1][3] == "log in"
    assert len({line[0] for line in lines}) == 1203, "no line twice, none missing, across batches"
    assert b"Older" in user.ask("GET", "/settings/audit").body


@pytest.mark.parametrize("reset", [False, True])
def test_the_operators_password_is_good_for_one_log_in(desk: Desk, reset: bool) -> None:
    user = desk.user()
    _, codes = enrolled(desk, user)
    environment = {"PYTHONPATH": str(ROOT / "app"), "RECIO_DSN": desk.cluster.dsn(OPERATOR), "PATH": "/usr/bin:/bin"}
    command = [sys.executable, "-m", "recio.cli", "user", "ensure", "--password-stdin", *(["--reset"] if reset else [])]

    def ensure(password: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command, input=password, env=environment, capture_output=True, text=True, timeout=60, check=False
        )

    if not reset:
        assert ensure(NEW).stdout.strip() == "unchanged"
        assert (
            desk.client().ask("POST", "/api/session", {"login": "admin", "password": PASSWORD, "code": codes[0]}).status
            == 200
        )
        return
    assert "people choose most" in ensure("password1234").stderr
    assert ensure(NEW).stdout.strip() == "changed"
    time.sleep(1.0)  # so long a session that was just seen is not asked for again (recio.web.sessions.Known)
    assert user.ask("GET", "/api/price").status == 401
    assert desk.client().log_in(NEW).json["must_change_password"] is True, "no second factor, one thing to do"
