"""Monitors by HTTP and by the page's form: validated, versioned, audited; and the reason each of them waits."""

from __future__ import annotations

from webdesk import Desk

NEW = {"strategy": "hourly_hold", "series_ticker": "KXBTCD"}


def test_a_monitor_is_made_changed_and_every_version_kept(desk: Desk) -> None:
    user = desk.user()
    desk.db.listen(["setting"])
    made = user.ask("PUT", "/api/monitors/mine", NEW)
    assert made.status == 200, made.body
    assert (made.json["enabled"], made.json["version"], made.json["settings"]["multiplier"]) == (False, 1, 1)
    changes = {"enabled": True, "settings": {"base_count_e2": 300, "stop.confirm_after_s": 5}}
    changed = user.ask("PUT", "/api/monitors/mine", changes).json
    assert (changed["enabled"], changed["version"], changed["changed_by"]) == (True, 2, "admin")
    assert (changed["settings"]["base_count_e2"], changed["settings"]["stop"]["confirm_after_s"]) == (300, 5)
    assert changed["settings"]["cooldown_s"] == made.json["settings"]["cooldown_s"]
    again = user.ask("PUT", "/api/monitors/mine", changes).json
    assert again["version"] == 2, "the same call again changes nothing"
    kept = user.ask("GET", "/api/monitors/mine/versions").json["versions"]
    assert [(v["version"], v["value"]["enabled"]) for v in kept] == [(2, True), (1, False)]
    assert {n.payload for n in desk.db.notifications()} == {"monitor mine"}
    audit = desk.db.all("SELECT actor, action FROM users.audit_log WHERE action LIKE '%%monitor%%'")
    assert audit == [{"actor": "admin", "action": "set monitor mine"}] * 2


def test_what_cannot_be_is_refused_by_name(desk: Desk) -> None:
    user = desk.user()
    assert user.ask("PUT", "/api/monitors/mine", NEW).status == 200
    for body, said in (
        ({"settings": {"nonsense": 1}}, "nonsense"),
        ({"settings": {"multiplier": 9}}, "multiplier"),
        ({"settings": {"stop.confirm_after_s": -1}}, "confirm_after_s"),
        ({"settings": {"min_time_to_close_s": 900}}, "min_time_to_close_s"),
        ({"strategy": "martingale"}, "hourly_hold, quarter_hour"),
        ({"series_ticker": "KXETHD"}, "KXBTCSIM"),
    ):
        answer = user.ask("PUT", "/api/monitors/mine", body)
        assert answer.status == 422, body
        assert said in answer.json["detail"], answer.body
    assert user.ask("PUT", "/api/monitors/mine", {}).status == 422
    assert user.ask("PUT", "/api/monitors/mine", {"enabled": "yes"}).status == 422
    assert user.ask("PUT", "/api/monitors/NO!", NEW).status == 422
    assert "needs a strategy" in user.ask("PUT", "/api/monitors/other", {"enabled": True}).json["detail"]
    assert user.ask("GET", "/api/monitors").json["monitors"][0]["version"] == 1
    stranger = desk.user()
    stranger.csrf = ""
    assert stranger.ask("PUT", "/api/monitors/mine", {"enabled": True}).status == 403
    anonymous = desk.client()
    assert anonymous.ask("GET", "/api/monitors").status == 401


def test_versions_cannot_be_rewritten(desk: Desk) -> None:
    import psycopg2
    import pytest

    user = desk.user()
    assert user.ask("PUT", "/api/settings/auto_stop", {"confirm_after_s": 9}).status == 200
    row = desk.db.one("SELECT * FROM users.settings_versions WHERE kind = 'setting' AND name = 'auto_stop'")
    assert row and row["value"]["confirm_after_s"] == 9
    for statement in ("UPDATE users.settings_versions SET value = '{}'", "DELETE FROM users.settings_versions"):
        with pytest.raises(psycopg2.Error, match="append-only"):
            desk.db.run(statement)


def test_the_form_is_in_the_pages_units_and_the_page_says_why(desk: Desk) -> None:
    user = desk.user()
    assert user.ask("PUT", "/api/monitors/mine", NEW).status == 200
    form = {"csrf_token": user.csrf, "enabled": "true", "base_count_e2": "2.5", "min_differential_e4": "0.25",
            "max_cost_e6": "12.5", "sizing": "kelly", "stop.stop_probability_percent": "30"}  # fmt: skip
    assert user.ask("POST", "/settings/monitors/mine", form=form).status == 303
    row = user.ask("GET", "/api/monitors").json["monitors"][0]
    found = row["settings"]
    assert (found["base_count_e2"], found["min_differential_e4"], found["max_cost_e6"]) == (250, 25, 12_500_000)
    assert (found["sizing"], found["stop"]["stop_probability_percent"], row["enabled"]) == ("kelly", 30, True)
    assert row["why"] == "Waits: auto entry is off for all monitors."
    bad = user.ask("POST", "/settings/monitors/mine", form=form | {"cooldown_s": "soon"}, Accept="text/html")
    assert bad.status == 422 and b"soon" in bad.body
    assert user.ask("PUT", "/api/settings/auto_entry", {"enabled": True}).status == 200
    assert "no fresh strike table of KXBTCD" in user.ask("GET", "/api/monitors").json["monitors"][0]["why"]
    desk.db.run(
        "INSERT INTO live_data.entry_status (market_ticker, monitor_id, at, acting, action, reason, why, differential_e4)"
        " VALUES ('A', 'mine', now(), false, 'wait', 'probability', 'too unlikely', 5),"
        " ('B', 'mine', now(), false, 'watch', 'differential', 'nearly', -5)"
    )
    assert user.ask("GET", "/api/monitors").json["monitors"][0]["why"] == "Watches: B: nearly."
    page = user.ask("GET", "/settings", Accept="text/html").body.decode()
    assert "mine: hourly_hold on KXBTCD" in page and "Watches: B: nearly." in page
