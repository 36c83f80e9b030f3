"""API tokens: made behind the password, shown once, stored as a hash; every scope against every route."""

from __future__ import annotations

import re
import time

import pytest
from test_web_access import filled
from webdesk import PASSWORD, Client, Desk

from recio.web.bearer import new_token
from recio.web.routes import SCOPES, Rules
from recio.web.sessions import COOKIE, token_hash

FORM = {"name": "tests", "scope": "read", "days": "90", "password": PASSWORD}


def give(desk: Desk, *scopes: str, ends: str = "1 day") -> str:
    """A token straight into the database; its value."""
    token = new_token()
    desk.db.run(
        "INSERT INTO users.api_tokens (user_id, name, token_hash, hint, scopes, expires_at)"
        " VALUES ('0001', %s, %s, %s, %s, now() + %s::interval)",
        (" ".join(scopes), token_hash(token), token[-4:], list(scopes), ends),
    )
    return token


def program(desk: Desk, *scopes: str, address: str = "") -> Client:
    """A program with a token of these scopes."""
    return desk.client(headers={"Authorization": f"Bearer {give(desk, *scopes)}"}, address=address)


def test_a_token_is_made_behind_the_password_shown_once_and_kept_as_a_hash(desk: Desk) -> None:
    user = desk.user()
    for change, said in (
        ({"password": "wrong"}, "password is wrong"), ({"name": " "}, "name"), ({"scope": "everything"}, "scopes"),
        ({"scope": ""}, "scopes"), ({"days": "9999"}, "days"), ({"days": "x"}, "days"),
    ):  # fmt: skip
        answer = user.ask("POST", "/settings/tokens", form=FORM | change)
        assert answer.status == 422 and said in answer.body.decode(), change
    assert desk.db.all("SELECT * FROM users.api_tokens") == []
    made = user.ask("POST", "/settings/tokens", form=FORM)
    (token,) = re.findall(r'value="(recio_[\w-]{43})"', made.body.decode())
    assert made.status == 200 and made.headers["cache-control"] == "no-store"
    (row,) = desk.db.all("SELECT * FROM users.api_tokens")
    assert bytes(row["token_hash"]) == token_hash(token) and token not in repr(row)
    assert 89.9 < (row["expires_at"] - row["created_at"]).total_seconds() / 86400 < 90.1
    again = user.ask("GET", "/settings/tokens").body.decode()
    assert token not in again and f"…{token[-4:]}" in again and "never" in again
    script = desk.client(headers={"Authorization": f"bearer {token}"}, address="198.51.100.7")
    assert script.ask("GET", "/api/price").status == 200
    assert "from <" not in (used := user.ask("GET", "/settings/tokens").body.decode()) and "198.51.100.7" in used
    assert script.ask("POST", f"/settings/tokens/{row['token_id']}/revoke").status == 403
    assert user.ask("POST", f"/settings/tokens/{row['token_id']}/revoke", form={}).status == 303
    assert script.ask("GET", "/api/price").error == "wrong_token", "revoking counts at once"
    assert user.ask("POST", f"/settings/tokens/{row['token_id']}/revoke", form={}).status == 404
    log = desk.db.all(
        "SELECT actor, action, detail FROM users.audit_log WHERE action LIKE '%%API token' ORDER BY audit_id"
    )
    assert [(line["actor"], line["action"]) for line in log] == [
        ("admin", "create API token"),
        ("admin", "revoke API token"),
    ]
    assert token not in repr(log)


def test_a_token_past_its_end_or_made_up_opens_nothing_and_too_many_make_the_address_wait(desk: Desk) -> None:
    past = desk.client(
        headers={"Authorization": f"Bearer {give(desk, 'read', ends='-1 second')}"}, address="198.51.100.8"
    )
    refused = past.ask("GET", "/api/price")
    assert (refused.status, refused.error) == (401, "wrong_token") and refused.headers["www-authenticate"].startswith(
        "Bearer"
    )
    assert "recio_" not in refused.json["detail"]
    for header in ("Bearer x", "Bearer recio_", f"Bearer recio_{'x' * 5000}", "Bearer recio_é"):
        assert (
            desk.client(headers={"Authorization": header}, address="198.51.100.9").ask("GET", "/api/price").status
            == 401
        )
    assert desk.client(headers={"Authorization": "Basic YTpi"}).ask("GET", "/api/price").error == "not_logged_in"
    guesser = desk.client(headers={"Authorization": f"Bearer {new_token()}"}, address="198.51.100.10")
    answers = [guesser.ask("GET", "/api/price") for _ in range(7)]
    assert [a.status for a in answers] == [401] * 6 + [429] and int(answers[-1].headers["retry-after"]) >= 1
    assert program(desk, "read", address="198.51.100.11").ask("GET", "/api/price").status == 200, "others go on"
    assert desk.user().ask("GET", "/api/price").status == 200


def test_a_token_is_no_cookie_and_a_cookie_is_no_token(desk: Desk) -> None:
    token = give(desk, *SCOPES)
    script = desk.client(headers={"Authorization": f"Bearer {token}"})
    assert script.ask("GET", "/api/price").status == 200  # it is known now, for a second
    assert desk.client(cookie=token).ask("GET", "/api/price").status == 401
    assert desk.client(cookie=token).ask("PUT", "/api/settings/kill_switch", {"on": True}).status == 401
    user = desk.user()
    assert desk.client(headers={"Authorization": f"Bearer {user.cookie}"}).ask("GET", "/api/price").status == 401
    both = desk.client(cookie=user.cookie, csrf=user.csrf, headers={"Authorization": f"Bearer {give(desk, 'metrics')}"})
    assert both.ask("GET", "/api/price").error == "scope", "with a token the cookie does not count"


def test_a_token_needs_no_csrf_token_and_its_name_is_on_record(desk: Desk) -> None:
    script = program(desk, "settings")
    assert (
        script.ask("PUT", "/api/settings/auto_entry", {"enabled": True}, Origin="https://elsewhere.example").status
        == 200
    )
    (row,) = desk.db.all("SELECT changed_by FROM users.settings WHERE name = 'auto_entry'")
    assert row["changed_by"] == "admin (token settings)"


@pytest.mark.parametrize("scope", [None, *SCOPES])
def test_every_scope_against_every_route(desk: Desk, scope: str | None) -> None:
    """Deny first: a token gets through only where the route names its scope; pages and what names none stay shut."""
    rules = list(Rules(desk.app.router.routes))
    assert len(rules) > 30 and {s for rule in rules for s in rule.scopes} <= set(SCOPES)
    script = program(desk, scope) if scope else desk.client(headers={"Authorization": f"Bearer {new_token()}"})
    for number, rule in enumerate(rules):
        for method in sorted(rule.methods):
            path = filled(rule.template)
            if path.startswith("/static/") or path in ("/livez", "/api/stream") or (path, method) in PUBLIC:
                continue
            script.address = f"198.51.{number // 200}.{number % 200 + 1}"
            answer = script.ask(method, path, {} if method in ("POST", "PUT") else None)
            if scope is None:
                assert answer.status == 401, (method, path, answer.status)
            elif scope in rule.scopes:
                assert answer.status not in (401, 403), (method, path, answer.status, answer.body[:200])
            else:
                assert answer.status == 403 and (method == "HEAD" or answer.error in ("scope", "no_tokens")), (
                    method,
                    path,
                )
            if not rule.template.startswith("/api/") and path not in ("/metrics", "/readyz"):
                assert not rule.scopes, f"{method} {path}: a page must not be open to tokens"


PUBLIC = {("/login", "GET"), ("/login", "POST"), ("/api/session", "POST"), ("/readyz", "GET"), ("/readyz", "HEAD")}


def test_a_stream_with_a_token_ends_when_the_token_is_revoked(desk: Desk) -> None:
    import http.client

    token = give(desk, "read")
    link = http.client.HTTPConnection("127.0.0.1", desk.port, timeout=10)
    link.request("GET", "/api/stream", headers={"Authorization": f"Bearer {token}"})
    stream = link.getresponse()
    assert stream.status == 200 and stream.readline() == b"retry: 1000\n"
    (row,) = desk.db.all("SELECT token_id FROM users.api_tokens")
    began_s = time.monotonic()
    assert desk.user().ask("POST", f"/settings/tokens/{row['token_id']}/revoke", form={}).status == 303
    assert b"event: bye" in stream.read() and time.monotonic() - began_s < 5
    link.close()


def test_what_a_browser_sends_along_is_not_taken_for_a_token(desk: Desk) -> None:
    user = desk.user()
    assert COOKIE.startswith("__Host-")
    assert user.ask("GET", "/api/price", Authorization="Digest x").status == 200
