"""The settings' pages as a browser without script uses them: strategies, versions, archive, risk limits, the exchange."""

from __future__ import annotations

import html
import re

import pytest
from webdesk import Client, Desk, make_trade

NEW = {"strategy": "hourly_hold", "series_ticker": "KXBTCD"}


def page(user: Client, path: str, status: int = 200) -> str:
    answer = user.ask("GET", path, Accept="text/html")
    assert answer.status == status, answer.body
    return html.unescape(answer.body.decode())


def post(user: Client, path: str, **form: str) -> tuple[int, str, str]:
    """(status, Location, page)"""
    answer = user.ask("POST", path, form={"csrf_token": user.csrf} | form, Accept="text/html")
    return answer.status, answer.headers.get("location", ""), html.unescape(answer.body.decode())


def fields(text: str, action: str) -> dict[str, str]:
    """What a browser would send of the form with this action, untouched."""
    inside = re.search(rf'<form method="post" action="{re.escape(action)}".*?</form>', text, re.S)
    assert inside, f"no form to {action}"
    found = {}
    for tag in re.findall(r"<input[^>]*>", inside[0]):
        name, value = (re.search(rf'{key}="([^"]*)"', tag) for key in ("name", "value"))
        if name and ('type="checkbox"' not in tag or " checked" in tag) and "disabled" not in tag:
            found[name[1]] = value[1] if value else ""
    for name, options in re.findall(r'<select name="([^"]*)".*?>(.*?)</select>', inside[0], re.S):
        found[name] = re.findall(r"<option[^>]*selected[^>]*>([^<]*)", options)[0]
    return found


def test_a_monitor_is_reviewed_before_it_is_stored_and_restored_from_its_versions(desk: Desk) -> None:
    user, here = desk.user(), "/settings/monitors/mine"
    assert user.ask("PUT", "/api/monitors/mine", NEW).status == 200
    form = fields(page(user, here), f"{here}/review")
    assert form["max_cost_e6"] == "25" and form["sizing"] == "fixed" and form["stop.take_profit_e4"] == ""
    status, _, shown = post(user, f"{here}/review", **form)
    assert status == 200 and "Nothing differs" in shown, "an untouched form changes nothing"
    status, _, shown = post(user, f"{here}/review", **form | {"base_count_e2": "2.5", "allow_reentry": "true"})
    assert status == 200
    assert "<del>1 contracts</del>" in shown and "<ins>2.5 contracts</ins>" in shown and "<ins>on</ins>" in shown
    assert user.ask("GET", "/api/monitors").json["monitors"][0]["version"] == 1, "a review stores nothing"
    ready = fields(shown, here)
    assert post(user, here, **ready)[:2] == (303, f"{here}?said=monitor")
    now = user.ask("GET", "/api/monitors").json["monitors"][0]
    assert (now["version"], now["settings"]["base_count_e2"], now["settings"]["allow_reentry"]) == (2, 250, True)
    status, _, shown = post(user, here, **ready)
    assert status == 409 and "changed to version 2 meanwhile" in shown
    then = page(user, f"{here}?version=1")
    assert "Filled in with version 1" in then
    again = fields(post(user, f"{here}/review", **fields(then, f"{here}/review"))[2], here)
    assert post(user, here, **again)[0] == 303
    now = user.ask("GET", "/api/monitors").json["monitors"][0]
    assert (now["version"], now["settings"]["base_count_e2"]) == (3, 100)
    assert page(user, here).count("<li><p><b>Version") == 3
    page(user, f"{here}?version=9", 404)
    status, _, shown = post(user, f"{here}/review", **form | {"base_count_e2": "many"})
    assert status == 422 and "'many' is not a number" in shown
    status, _, shown = post(user, f"{here}/review", **form | {"max_ask_e4": "250"})
    assert status == 422 and "max_ask_e4" in shown


def test_a_monitor_is_made_copied_archived_and_brought_back_but_never_deleted(desk: Desk) -> None:
    user = desk.user()
    assert post(user, "/settings/monitors", monitor_id="mine", **NEW)[:2] == (303, "/settings/monitors/mine?said=made")
    assert user.ask("PUT", "/api/monitors/mine", {"enabled": True, "settings": {"cooldown_s": 7}}).status == 200
    assert post(user, "/settings/monitors", monitor_id="twin", copy_of="mine")[0] == 303
    twin = next(o for o in user.ask("GET", "/api/monitors").json["monitors"] if o["monitor_id"] == "twin")
    assert (twin["settings"]["cooldown_s"], twin["enabled"]) == (7, False), "a copy starts switched off"
    for form, said in (({"monitor_id": "mine"} | NEW, "already"), ({"monitor_id": "NO!"} | NEW, "monitor id"),
                       ({"monitor_id": "x", "strategy": "martingale", "series_ticker": "KXBTCD"}, "martingale")):  # fmt: skip
        status, _, shown = post(user, "/settings/monitors", **form)
        assert status == 422 and said in shown
    assert post(user, "/settings/monitors/mine/archive", archived="true")[0] == 303
    row = desk.db.one(
        "SELECT enabled, archived_at IS NOT NULL AS gone, version FROM users.monitors WHERE monitor_id = 'mine'"
    )
    assert row == {"enabled": False, "gone": True, "version": 3}
    shown = page(user, "/settings")
    assert "Archived (1)" in shown and "mine: hourly_hold on KXBTCD, archived" in shown
    on = user.ask("PUT", "/api/monitors/mine", {"enabled": True})
    assert on.status == 422 and "archived" in on.json["detail"]
    assert post(user, "/settings/monitors/mine/archive", archived="false")[0] == 303
    assert user.ask("PUT", "/api/monitors/mine", {"enabled": True}).status == 200
    said = desk.db.all(
        "SELECT action FROM users.audit_log WHERE action LIKE '%%e monitor%%' OR action LIKE 'bring%%' ORDER BY audit_id"
    )
    assert [line["action"] for line in said] == ["archive monitor mine", "bring back monitor mine"]
    assert user.ask("GET", "/settings/monitors/none", Accept="text/html").status == 404


def test_an_archived_monitor_is_not_run(desk: Desk) -> None:
    from recio.store.db import Database
    from recio.store.rules import entry_facts

    user = desk.user()
    assert user.ask("PUT", "/api/monitors/mine", NEW).status == 200
    service = Database("tests", desk.cluster.dsn("auto_entry_supervisor"))
    try:
        facts = entry_facts(service, "0001", "simulated", ["KXBTCD"], 900, 30)
        assert "mine" in {row["monitor_id"] for row in facts["monitors"]}
        assert post(user, "/settings/monitors/mine/archive")[0] == 303
        facts = entry_facts(service, "0001", "simulated", ["KXBTCD"], 900, 30)
        assert "mine" not in {row["monitor_id"] for row in facts["monitors"]}
    finally:
        service.close()


def test_lowering_a_limit_is_at_once(desk: Desk) -> None:
    user = desk.user()
    form = fields(page(user, "/settings/risk"), "/settings/risk")
    assert (form["max_daily_loss_e6"], form["max_unknown_orders"]) == ("200", "0")
    assert post(user, "/settings/risk", **form)[1] == "/settings/risk?said=same"
    assert (
        post(user, "/settings/risk", **form | {"max_daily_loss_e6": "50", "min_time_to_close_s": "10"})[1]
        == "/settings/risk?said=saved"
    )
    row = desk.db.one("SELECT value, version FROM users.settings WHERE name = 'risk'")
    assert row and (row["value"]["max_daily_loss_e6"], row["value"]["min_time_to_close_s"]) == (50_000_000, 10)
    assert desk.db.one("SELECT FROM users.audit_log WHERE action = 'set risk'") is not None
    status, _, shown = post(user, "/settings/risk", **form | {"max_price_e4": "120"})
    assert status == 422 and "max_price_e4" in shown and 'value="120"' in shown, "what was typed is still in the form"


def test_raising_a_limit_needs_the_word_and_a_password_given_lately(desk: Desk) -> None:
    user = desk.user()
    form = fields(page(user, "/settings/risk"), "/settings/risk") | {"max_daily_loss_e6": "500"}
    status, _, shown = post(user, "/settings/risk", **form)
    assert status == 200 and "lets the desk lose more" in shown and "<ins>500 $</ins>" in shown

    def stored() -> int:
        row = desk.db.one("SELECT value FROM users.settings WHERE name = 'risk'")
        return int(row["value"]["max_daily_loss_e6"]) if row else 200_000_000

    ready = fields(shown, "/settings/risk")
    status, _, shown = post(user, "/settings/risk", **ready | {"word": "raise"})
    assert status == 422 and "type RAISE" in shown and stored() == 200_000_000
    hour = "UPDATE users.sessions SET proven_at = now() - interval '1 hour'"
    desk.db.run(hour)
    desk.app.state.desk.known.forget()
    status, _, shown = post(user, "/settings/risk", **ready | {"word": "RAISE"})
    assert status in (303, 403) and stored() == 200_000_000, (
        "a session that did not show its password lately raises nothing"
    )
    again = desk.user()
    assert post(again, "/settings/risk", **ready | {"word": "RAISE", "version": "0"})[1] == "/settings/risk?said=saved"
    assert stored() == 500_000_000
    status, _, shown = post(again, "/settings/risk", **ready | {"word": "RAISE", "max_daily_loss_e6": "600"})
    assert status == 409 and stored() == 500_000_000, "the limits changed since it was looked at"
    assert "Look at it, to restore" not in page(again, "/settings/risk") or "in force" in page(again, "/settings/risk")


def test_the_page_says_how_much_of_each_limit_is_used(desk: Desk) -> None:
    user = desk.user()
    make_trade(desk.db, state="open", entry_count_e2=500, entry_cost_e6=3_000_000, fees_e6=50_000)
    make_trade(desk.db, state="closed", entry_count_e2=100, entry_cost_e6=1, pnl_e6=-20_000_000, closed_at="now")
    shown = page(user, "/settings/risk")
    assert "Now 3.05 $" in shown and "Now 20 $" in shown and "Now 1 trades" in shown
    assert re.search(r"Now –", shown), "the balance was never told: it says so"


def test_a_lowered_limit_holds_in_the_executors_check_at_once(desk: Desk) -> None:
    from recio.services.risk_gate import entry_refusals
    from recio.store.db import Database

    user = desk.user()
    executor = Database("tests", desk.cluster.dsn("trade_executor"))
    order = {
        "market_ticker": "KXBTCSIM-26NOV23174630-T118749.99",
        "side": "yes",
        "count_e2": 500,
        "limit_price_e4": 6000,
    }
    try:
        said = " ".join(entry_refusals(executor, desk.app.state.desk.settings, order))
        assert "contracts" not in said
        assert post(user, "/settings/risk", max_count_e2="4")[0] == 303
        said = " ".join(entry_refusals(executor, desk.app.state.desk.settings, order))
        assert "5" in said and "4" in said and "contracts" in said, said
    finally:
        executor.close()


def test_the_exchange_page_says_what_is_missing_and_what_is_open(desk: Desk) -> None:
    user = desk.user()
    trade_id = make_trade(desk.db, state="open")
    shown = page(user, "/settings/exchange")
    assert f'<a href="/history/{trade_id}">' in shown
    assert "Real money: every order can lose it." in shown


@pytest.mark.parametrize(
    "path", ["/settings", "/settings/risk", "/settings/exchange", "/settings/notifications", "/research"]
)
def test_no_page_says_none_or_has_inline_code(desk: Desk, path: str) -> None:
    shown = page(desk.user(), path)
    assert not re.search(r">\s*(None|undefined|NaN)\s*<", shown)
    assert " style=" not in shown and " onclick=" not in shown and "<script>" not in shown
