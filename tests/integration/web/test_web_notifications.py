"""Notifications end to end: the page adds a target, something happens, a message really arrives at a server."""

from __future__ import annotations

import html
import json
import socketserver
import threading
from datetime import UTC, datetime
from typing import Any

import psycopg2
import pytest
from webdesk import Client, Desk, make_trade

from recio.notify.work import run
from recio.store.db import Database
from recio.store.system import close_incident, open_incident


def add(user: Client, address: str, **form: Any) -> tuple[int, str]:
    from urllib.parse import urlencode

    body = {
        "csrf_token": user.csrf,
        "name": "phone",
        "address": address,
        "events": ["incident_critical", "exit", "summary"],
    } | form
    raw = urlencode(body, doseq=True).encode()
    answer = user.ask(
        "POST", "/settings/notifications", raw=raw, Content_Type="application/x-www-form-urlencoded", Accept="text/html"
    )
    return answer.status, html.unescape(answer.body.decode())


def shown(user: Client) -> str:
    return html.unescape(user.ask("GET", "/settings/notifications", Accept="text/html").body.decode())


def test_what_happens_is_told_once_and_its_end_too(desk: Desk, hook: Any, notifier: Database) -> None:
    user = desk.user()
    assert add(user, f"http://127.0.0.1:{hook.server_port}/secret-path")[0] == 303
    run(notifier, "0001", "simulated")
    assert hook.got == [], "nothing that was before the target is told"
    open_incident(desk.db, "feed", "critical", "the feed is silent", "look at it", "test")
    open_incident(desk.db, "small", "warning", "not wanted", "", "test")
    make_trade(
        desk.db,
        state="closed",
        entry_count_e2=100,
        entry_cost_e6=500_000,
        pnl_e6=-1_250_000,
        closed_at=datetime.now(UTC),
    )
    assert run(notifier, "0001", "simulated")["sent"] == 2
    assert run(notifier, "0001", "simulated")["sent"] == 0, "once each"
    told = [json.loads(message["body"]) for message in hook.got]
    assert told[0]["title"] == "Incident: the feed is silent" and told[0]["urgent"] is True
    assert told[1]["title"].endswith("YES, -$1.25")
    close_incident(desk.db, "feed")
    assert run(notifier, "0001", "simulated")["sent"] == 1
    assert json.loads(hook.got[-1]["body"])["title"] == "Over: the feed is silent"
    open_incident(desk.db, "feed", "critical", "the feed is silent", "look at it", "test")
    assert run(notifier, "0001", "simulated")["sent"] == 0, "back within 15 minutes: not told again"
    page = shown(user)
    assert "200 OK you said it to …" in page and "secret-path" not in page


def test_the_test_button_shows_the_real_answer(desk: Desk, hook: Any, notifier: Database) -> None:
    user = desk.user()
    assert add(user, f"http://127.0.0.1:{hook.server_port}/here")[0] == 303
    target = desk.db.one("SELECT target_id FROM users.notify_targets")
    assert target
    form = {"csrf_token": user.csrf, "target_id": str(target["target_id"])}
    hook.status = 403
    assert user.ask("POST", "/settings/notifications/test", form=form).status == 303
    assert run(notifier, "0001", "simulated")["failed"] == 1
    assert "403 Forbidden you said it to …" in shown(user)
    hook.status = 200
    assert user.ask("POST", "/settings/notifications/test", form=form).status == 303
    assert run(notifier, "0001", "simulated")["sent"] == 1
    assert "200 OK" in shown(user)
    assert user.ask("POST", "/settings/notifications/remove", form=form).status == 303
    assert desk.db.one("SELECT address, enabled FROM users.notify_targets") == {"address": "", "enabled": False}
    assert "Nobody is told anything" in shown(user)


def test_a_service_of_apprises_gets_it_and_its_refusal_is_told_without_the_secret(
    desk: Desk, hook: Any, notifier: Database
) -> None:
    user = desk.user()
    assert add(user, f"apprise+json://me:hunter2@127.0.0.1:{hook.server_port}/secret-path")[0] == 303
    open_incident(desk.db, "feed", "critical", "the feed is silent", "look at it", "test")
    assert run(notifier, "0001", "simulated")["sent"] == 1
    told = json.loads(hook.got[-1]["body"])
    assert (told["title"], told["type"]) == ("Incident: the feed is silent", "failure")
    assert "delivered, says Apprise" in shown(user)
    hook.status = 403
    target = desk.db.one("SELECT target_id FROM users.notify_targets")
    assert target
    form = {"csrf_token": user.csrf, "target_id": str(target["target_id"])}
    assert user.ask("POST", "/settings/notifications/test", form=form).status == 303
    assert run(notifier, "0001", "simulated")["failed"] == 1
    page = shown(user)
    assert "403" in page and "json by Apprise" in page
    assert "hunter2" not in page and "secret-path" not in page


def test_an_address_apprise_does_not_take_is_told_by_the_test(desk: Desk, notifier: Database) -> None:
    user = desk.user()
    assert add(user, "apprise+slak://hunter2/hunter2")[0] == 303
    open_incident(desk.db, "feed", "critical", "the feed is silent", "look at it", "test")
    assert run(notifier, "0001", "simulated")["again"] == 1
    assert "Apprise does not take this slak:// address" in shown(user)


def test_a_target_that_does_not_answer_is_tried_again_later(desk: Desk, notifier: Database) -> None:
    user = desk.user()
    assert add(user, "http://127.0.0.1:1/x")[0] == 303
    open_incident(desk.db, "feed", "critical", "silent", "", "test")
    assert run(notifier, "0001", "simulated")["again"] == 1
    assert run(notifier, "0001", "simulated")["again"] == 0, "not before its time"
    row = desk.db.one(
        "SELECT state, tries, answer, next_try_at > now() + interval '20 seconds' AS later FROM users.notifications"
    )
    assert row and (row["state"], row["tries"], row["later"]) == ("new", 1, True) and "refused" in row["answer"]
    desk.db.run("UPDATE users.notifications SET tries = 7, next_try_at = now()")
    assert run(notifier, "0001", "simulated")["failed"] == 1


def test_quiet_hours_hold_what_is_not_urgent(desk: Desk, hook: Any, notifier: Database) -> None:
    user = desk.user()
    assert add(user, f"http://127.0.0.1:{hook.server_port}/x", quiet_from="22:00", quiet_to="07:00")[0] == 303
    make_trade(desk.db, state="closed", entry_count_e2=100, entry_cost_e6=1, pnl_e6=1, closed_at=datetime.now(UTC))
    open_incident(desk.db, "feed", "critical", "silent", "", "test")
    night, day = datetime(2026, 11, 28, 3, tzinfo=UTC), datetime(2026, 11, 28, 12, tzinfo=UTC)
    done = run(notifier, "0001", "simulated", now=lambda: night)
    assert (done["sent"], done["quiet"]) == (1, 1)
    assert run(notifier, "0001", "simulated", now=lambda: day)["sent"] == 1


def test_mail_arrives(desk: Desk, notifier: Database) -> None:
    got: list[str] = []

    class Mail(socketserver.StreamRequestHandler):
        """As much of SMTP as one message needs."""

        def handle(self) -> None:
            self.wfile.write(b"220 here\r\n")
            while line := self.rfile.readline().decode().strip():
                word = line.upper().split(" ")[0]
                if word == "DATA":
                    self.wfile.write(b"354 go\r\n")
                    text = []
                    while (part := self.rfile.readline().decode()) != ".\r\n":
                        text.append(part)
                    got.append("".join(text))
                self.wfile.write(b"221 bye\r\n" if word == "QUIT" else b"250 ok\r\n")
                if word == "QUIT":
                    return

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Mail) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        port = server.server_address[1]
        assert add(desk.user(), f"smtp://127.0.0.1:{port}/?from=desk@example.com&to=me@example.com")[0] == 303
        open_incident(desk.db, "feed", "critical", "the feed is silent", "look", "test")
        assert run(notifier, "0001", "simulated")["sent"] == 1
        server.shutdown()
    assert "Subject: Incident: the feed is silent" in got[0] and "To: me@example.com" in got[0]


def test_the_page_cannot_read_an_address_and_refuses_what_is_none(desk: Desk) -> None:
    user = desk.user()
    page = Database("tests", desk.cluster.dsn("main_app"))
    with pytest.raises(psycopg2.errors.InsufficientPrivilege):
        page.all("SELECT address FROM users.notify_targets")
    page.close()
    wrong: tuple[tuple[dict[str, Any], str], ...] = (
        ({"address": "nonsense"}, "smtps://"),
        ({"name": " "}, "name"),
        ({"events": ["x"]}, "at least one"),
        ({"quiet_from": "22:00"}, "both times"),
        ({"zone": "Mars/Base"}, "Mars/Base"),
        ({"zone": "../etc/passwd"}, "zone"),
    )
    for form, said in wrong:
        status, text = add(user, **{"address": "https://h.example/x"} | form)
        assert status == 422 and said in text, form
    assert desk.db.all("SELECT FROM users.notify_targets") == []
