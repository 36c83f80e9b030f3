"""The dead-man's switch end to end: a sign of life arrives while every service is healthy, and stops when one is not or nobody looks."""

from __future__ import annotations

import html
from typing import Any
from urllib.parse import urlencode

from webdesk import Client, Desk

from recio.notify.alive import keep_alive
from recio.notify.work import run
from recio.store.db import Database
from recio.store.system import open_incident

SERVICES = ("trade_manager", "trade_executor", "system_monitor")


def add(user: Client, hook: Any) -> int:
    form = {
        "csrf_token": user.csrf,
        "name": "switch",
        "address": f"heartbeat://127.0.0.1:{hook.server_port}/uu-id",
        "zone": "UTC",
    }
    return user.ask(
        "POST", "/settings/notifications", raw=urlencode(form).encode(), Content_Type="application/x-www-form-urlencoded",
        Accept="text/html",
    ).status  # fmt: skip


def looked_at(desk: Desk, healthy: dict[str, bool], age_s: float = 0.0) -> None:
    desk.db.run("TRUNCATE system.service_samples")
    for name, well in healthy.items():
        desk.db.run(
            "INSERT INTO system.service_samples (service, at, healthy, restarts, reason)"
            " VALUES (%s, now() - make_interval(secs => %s), %s, 0, '')",
            (name, age_s, well),
        )


def a_minute_passes(desk: Desk) -> None:
    desk.db.run("UPDATE users.notifications SET sent_at = sent_at - interval '1 minute' WHERE key = 'alive'")


def shown(user: Client) -> str:
    return html.unescape(user.ask("GET", "/settings/notifications", Accept="text/html").body.decode())


def test_it_lives_while_all_are_healthy_and_is_silent_when_one_is_not(
    desk: Desk, hook: Any, notifier: Database
) -> None:
    user = desk.user()
    hook.answer = "OK\0 {path}"
    assert add(user, hook) == 303
    assert "None was sent yet" in shown(user)
    looked_at(desk, dict.fromkeys(SERVICES, True))
    assert keep_alive(notifier, "0001", SERVICES)["alive"] == 1
    assert keep_alive(notifier, "0001", SERVICES) == {"alive": 0, "unanswered": 0, "held back": 0}, "once a minute"
    assert [(one["method"], one["path"]) for one in hook.got] == [("GET", "/uu-id")]
    page = shown(user)
    assert "answered 200 OK OK� …" in page and "uu-id" not in page, (
        "the address is a secret, also where the answer repeats it"
    )

    for ill, why in (
        (dict.fromkeys(SERVICES, True) | {"trade_executor": False}, "not healthy: trade_executor"),
        ({"system_monitor": True, "trade_manager": True}, "not looked at lately: trade_executor"),
    ):
        a_minute_passes(desk)
        looked_at(desk, ill)
        assert keep_alive(notifier, "0001", SERVICES)["held back"] == 1
        assert f"Not sent now: held back, {why}" in shown(user).replace("</strong>", "")
    looked_at(desk, dict.fromkeys(SERVICES, True), age_s=61)
    assert keep_alive(notifier, "0001", SERVICES)["held back"] == 1, "what the monitor said before it died is no proof"
    assert len(hook.got) == 1

    looked_at(desk, dict.fromkeys(SERVICES, True))
    hook.status = 500
    assert keep_alive(notifier, "0001", SERVICES)["unanswered"] == 1
    assert "Not sent now: 500" in shown(user).replace("</strong>", "")
    hook.status = 200
    assert keep_alive(notifier, "0001", SERVICES)["alive"] == 1, "and tried again at the next pass"


def test_it_gets_nothing_else_and_stops_when_removed(desk: Desk, hook: Any, notifier: Database) -> None:
    user = desk.user()
    add(user, hook)
    open_incident(desk.db, "feed", "critical", "the feed is silent", "look at it", "test")
    assert run(notifier, "0001", "simulated")["sent"] == 0
    assert hook.got == []
    target = desk.db.one("SELECT target_id, kind, events FROM users.notify_targets")
    assert target is not None and target["events"] == ["alive"]
    form = {"csrf_token": user.csrf, "target_id": str(target["target_id"])}
    assert user.ask("POST", "/settings/notifications/test", form=form).status == 303
    assert run(notifier, "0001", "simulated")["sent"] == 1, "the test button calls it"
    assert user.ask("POST", "/settings/notifications/remove", form=form).status == 303
    looked_at(desk, dict.fromkeys(SERVICES, True))
    assert sum(keep_alive(notifier, "0001", SERVICES).values()) == 0
    assert [(one["method"], one["path"]) for one in hook.got] == [("GET", "/uu-id")]
