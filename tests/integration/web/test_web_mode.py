"""The mode by page and API: what is missing is said, what is asked goes to root, real money is behind three doors and a wall."""

from __future__ import annotations

import html
from pathlib import Path

import pytest
from webdesk import Answer, Client, Desk, make_trade

from recio.monitoring import modes


@pytest.fixture
def etc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A host that has settings and a key of both modes, and a way to root."""
    (tmp_path / "run" / "main_app").mkdir(parents=True)
    (tmp_path / "deploy").mkdir()
    monkeypatch.setenv("RECIO_RUN_DIR", str(tmp_path / "run"))
    monkeypatch.setenv("RECIO_SETTINGS", str(tmp_path / "settings.yml"))
    monkeypatch.setenv("RECIO_DEPLOY_DIR", str(tmp_path / "deploy"))
    for mode, host in (("simulated", "127.0.0.1"), ("demo", "external-api.demo.kalshi.co")):
        (tmp_path / "modes" / mode).mkdir(parents=True)
        (tmp_path / "modes" / mode / "settings.yml").write_text(
            f"mode: {mode}\nkalshi: {{rest_url: 'https://{host}/x', ws_url: 'wss://{host}/x', key_id: 'key-of-{mode}'}}\n"
            "coinbase: {ws_url: 'ws://x', rest_url: 'http://x'}\nseries: [KXBTCD]\nurl: https://desk\n"
        )
    (tmp_path / "settings.yml").symlink_to("mode/settings.yml")
    modes.point("simulated")
    return tmp_path


def put(user: Client, mode: str = "demo", **more: str) -> Answer:
    return user.ask("PUT", "/api/mode", {"mode": mode} | more)


def page(user: Client, answer: Answer | None = None) -> str:
    answer = answer or user.ask("GET", "/settings/exchange", Accept="text/html")
    return html.unescape(answer.body.decode())


def missing(user: Client, mode: str = "demo") -> list[str]:
    return next(
        [m["code"] for m in one["missing"]] for one in user.ask("GET", "/api/mode").json["modes"] if one["mode"] == mode
    )


def test_what_is_asked_goes_to_root_with_its_audit_line(desk: Desk, etc: Path) -> None:
    user = desk.user()
    assert missing(user) == []
    answer = put(user)
    assert answer.status == 200, answer.body
    row = user.ask("GET", f"/api/requests/{answer.json['request_id']}").json
    assert (row["kind"], row["args"], row["state"]) == ("mode", {"mode": "demo"}, "new")
    assert (etc / "run/main_app/requests.trigger").exists()
    assert desk.db.one("SELECT actor FROM users.audit_log WHERE action = 'ask mode'") == {"actor": "admin"}
    assert "switch to mode</b> demo" in page(user).replace("switch to mode demo</b>", "switch to mode</b> demo")
    assert (missing(user), put(user).error) == (["at_work"], "mode_at_work"), "one at a time"


def test_the_same_by_the_form_without_script(desk: Desk, etc: Path) -> None:
    user = desk.user()
    assert '<button class="primary">Switch to demo</button>' in page(user)
    form = {"csrf_token": user.csrf, "mode": "demo"}
    went = user.ask("POST", "/settings/exchange/mode", form=form, Accept="text/html")
    assert (went.status, went.headers["location"]) == (303, "/settings/exchange?asked=1#asked")
    again = user.ask("POST", "/settings/exchange/mode", form=form, Accept="text/html")
    assert again.status == 409
    assert "The mode stays as it is: the request mode is under way on this host. Wait until it has ended." in page(
        user, again
    )


def test_everything_that_is_missing_is_named_on_the_page_and_refused(desk: Desk, etc: Path) -> None:
    user = desk.user()
    place = etc / "modes/demo/settings.yml"
    place.write_text(place.read_text().replace("key-of-demo", ""))
    trade_id = make_trade(desk.db, state="open")
    (etc / "deploy/under_way").touch()
    assert missing(user) == ["no_key", "trades", "at_work"]
    answer = put(user)
    assert (answer.status, answer.error) == (409, "mode_no_key")
    assert f"trade {trade_id} (open) of mode simulated is not over" in answer.json["detail"]
    text = page(user)
    assert "There is no key for mode demo. <span" in text and f'<a href="/history/{trade_id}">' in text
    assert "Switch to demo" not in text
    assert desk.db.one("SELECT count(*) AS n FROM system.requests") == {"n": 0}


def test_the_password_must_be_recent_and_it_cannot_be_asked_past_its_own_call(desk: Desk, etc: Path) -> None:
    user = desk.user()
    assert user.ask("POST", "/api/requests", {"kind": "mode", "args": {"mode": "demo"}}).status == 422
    desk.db.run("UPDATE users.sessions SET proven_at = now() - interval '11 minutes'")
    desk.app.state.desk.known.forget()
    assert put(user).error == "reauth_required"
    assert put(user, "live", code="123456", word="LIVE").error == "reauth_required"
    assert "Show that it is you, to switch" in page(user)
    assert desk.db.one("SELECT count(*) AS n FROM system.requests") == {"n": 0}


@pytest.mark.parametrize(
    ("mode", "code", "said"),
    [("simulated", "mode_same_mode", "already"), ("paper", "mode_not_there", "does not trade in mode paper")],
)
def test_other_modes_are_refused_by_name(desk: Desk, etc: Path, mode: str, code: str, said: str) -> None:
    answer = put(desk.user(), mode)
    assert (answer.status, answer.error) == (409, code)
    assert said in answer.json["detail"]


def test_real_money_wants_a_code_first_and_the_page_says_what_it_lacks(desk: Desk, etc: Path) -> None:
    user = desk.user()
    answer = put(user, "live", word="LIVE")
    assert (answer.status, answer.error) == (409, "mode_code"), "no second factor, no way to money"
    assert put(user, "casino").status == 422
    text = page(user)
    assert "Real money: every order can lose it." in text and "the word LIVE typed" in text
    assert "a strategy whose edge over the market's own price was shown after fees" in text
    assert desk.db.one("SELECT count(*) AS n FROM system.requests") == {"n": 0}


def test_who_chose_the_mode_is_told(desk: Desk, etc: Path) -> None:
    user = desk.user()
    assert user.ask("GET", "/api/mode").json["chosen_by"] is None
    assert "As the deploy put it" in page(user)
    modes.keep_choice(modes.Choice("simulated", "admin", 1_795_000_000.0))
    found = user.ask("GET", "/api/mode").json
    assert (found["mode"], found["chosen_by"], found["chosen_at_ms"]) == ("simulated", "admin", 1_795_000_000_000)
    assert "Chosen on this page by admin" in page(user)


def test_a_cancel_whose_end_is_not_known_keeps_the_mode(desk: Desk, etc: Path) -> None:
    user = desk.user()
    ticket = desk.db.one(
        "INSERT INTO users.tickets (user_id, mode, idempotency_key, source, kind) VALUES ('0001', 'simulated', 'cancel-0001',"
        " 'api', 'cancel') RETURNING ticket_id"
    )
    assert ticket is not None
    desk.db.run(
        "INSERT INTO users.cancels (user_id, mode, ticket_id, exchange_order_id, client_order_id, market_ticker, book_side,"
        " yes_price_e4, count_e2, filled_e2, rests_since, state) VALUES ('0001', 'simulated', %s, 'o-1', 'k-1', 'T', 'bid',"
        " 3200, 1000, 0, now(), 'unknown')",
        (ticket["ticket_id"],),
    )
    assert missing(user) == ["orders"]
    assert "(1 cancel unknown)" in put(user).json["detail"]
    desk.db.run("UPDATE users.cancels SET state = 'cancelled'")
    assert missing(user) == []
