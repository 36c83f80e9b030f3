"""Tickets, trades, quotes, settings, status and history over HTTP against the real database."""

from __future__ import annotations

import csv
import io
import json
import time

import pytest
from webdesk import EVENT, Desk, decide, make_trade

TICKER = f"{EVENT}-T118749.99"
ORDER = {"idempotency_key": "key-0001", "market_ticker": TICKER, "side": "yes", "count": "5", "limit_price": "0.60"}


def test_a_ticket_is_decided_and_repeating_it_gives_the_same_answer(desk: Desk) -> None:
    user = desk.user()
    decide(desk.db)
    first = user.ask("POST", "/api/tickets", ORDER)
    assert first.status == 200, first.body
    assert (first.json["state"], first.json["replayed"], first.json["trade"]["state"]) == ("accepted", False, "pending")
    stored = desk.db.one("SELECT count_e2, limit_price_e4, side, source, mode FROM users.tickets")
    assert stored == {"count_e2": 500, "limit_price_e4": 6000, "side": "yes", "source": "api", "mode": "simulated"}
    again = user.ask("POST", "/api/tickets", ORDER)
    assert again.json == first.json | {"replayed": True}
    as_number = user.ask("POST", "/api/tickets", ORDER | {"count": 5, "limit_price": "0.6"})
    assert as_number.json["replayed"] is True
    other = user.ask("POST", "/api/tickets", ORDER | {"count": "6"})
    assert (other.status, other.error) == (409, "idempotency_key_reused")
    assert user.ask("GET", f"/api/tickets/{ORDER['idempotency_key']}").json["trade_id"] == first.json["trade_id"]
    assert user.ask("GET", "/api/tickets/never-used").status == 404
    count = desk.db.one("SELECT count(*) AS n FROM users.tickets")
    assert count == {"n": 1}


def test_a_repeated_ticket_is_answered_when_its_market_is_long_gone(desk: Desk) -> None:
    user = desk.user()
    decide(desk.db)
    first = user.ask("POST", "/api/tickets", ORDER)
    desk.db.run("DELETE FROM live_data.markets")
    assert user.ask("POST", "/api/tickets", ORDER).json == first.json | {"replayed": True}
    assert user.ask("POST", "/api/tickets", ORDER | {"idempotency_key": "key-0002"}).error == "no_market"


def test_a_refusal_is_an_answer_with_its_reason(desk: Desk) -> None:
    user = desk.user()
    decide(desk.db, "refused", "the kill switch is on")
    answer = user.ask("POST", "/api/tickets", ORDER)
    assert (answer.status, answer.json["state"], answer.json["reason"]) == (200, "refused", "the kill switch is on")


def test_an_undecided_ticket_is_not_lost(desk: Desk) -> None:
    answer = desk.user().ask("POST", "/api/tickets", ORDER)
    assert (answer.status, answer.json["state"]) == (200, "new") and "trade_manager" in answer.json["reason"]
    assert desk.db.one("SELECT state FROM users.tickets") == {"state": "new"}


@pytest.mark.parametrize(
    ("change", "status", "word"),
    [
        ({"count": "0"}, 422, "count"), ({"count": "-1"}, 422, "count"), ({"count": 10**9}, 422, "count"),
        ({"count": "5e3"}, 422, "count"), ({"count": True}, 422, "count"), ({"count": "0.005"}, 422, "count"),
        ({"side": "maybe"}, 422, "side"), ({"limit_price": "1.00"}, 422, "limit_price"),
        ({"limit_price": "0.605"}, 422, "0.6000 or 0.6100"), ({"limit_price": "60"}, 422, "limit_price"),
        ({"limit_price": None}, 422, "limit_price"), ({"market_ticker": "KXBTCSIM-NONE"}, 404, "KXBTCSIM-NONE"),
        ({"market_ticker": "x'; DROP"}, 422, "market_ticker"), ({"idempotency_key": "short"}, 422, "idempotency_key"),
        ({"extra": 1}, 422, "extra"),
    ],
)  # fmt: skip
def test_bad_tickets_get_a_sentence_and_leave_nothing(
    desk: Desk, change: dict[str, object], status: int, word: str
) -> None:
    answer = desk.user().ask("POST", "/api/tickets", ORDER | change)
    assert answer.status == status and word in answer.json["detail"] and answer.json["cure"], answer.body
    assert desk.db.all("SELECT * FROM users.tickets") == []


def test_a_trade_is_closed_by_a_ticket(desk: Desk) -> None:
    user = desk.user()
    trade_id = make_trade(desk.db, state="open", entry_count_e2=500, entry_cost_e6=3_000_000)
    finished = make_trade(desk.db, state="closed")
    decide(desk.db)
    answer = user.ask("POST", f"/api/trades/{trade_id}/close", {"idempotency_key": "close-01", "limit_price": "0.55"})
    assert (answer.json["state"], answer.json["trade_id"]) == ("accepted", trade_id), answer.body
    assert desk.db.one("SELECT kind, limit_price_e4, trade_id FROM users.tickets") == {
        "kind": "close", "limit_price_e4": 5500, "trade_id": trade_id,
    }  # fmt: skip
    assert user.ask("POST", f"/api/trades/{finished}/close", {"idempotency_key": "close-02"}).error == "trade_finished"
    assert user.ask("POST", "/api/trades/999/close", {"idempotency_key": "close-03"}).error == "no_trade"
    assert user.ask("POST", "/api/trades/0/close", {"idempotency_key": "close-04"}).status == 422


def test_a_quote_walks_the_real_book(desk: Desk) -> None:
    ask = f"/api/quote?market_ticker={TICKER}&side=yes&count=5&limit_price="
    quote = desk.user().ask("GET", f"{ask}0.61").json
    # 3 at 60 c and 2 at 61 c; the fee is rounded up for each fill: 0.07 x 3 x .24 = .0504, 0.07 x 2 x .2379 = .033306
    assert (quote["now"]["count_e2"], quote["now"]["cost_e6"], quote["now"]["fee_e6"]) == (500, 3_020_000, 83_800)
    assert quote["now"]["average_e4"] == 6040 and quote["now"]["max_loss_e6"] == 3_103_800 and quote["book_valid"]
    assert quote["now"]["profit_e6"] == 1_896_200 and quote["worst"]["cost_e6"] == 3_050_000
    short = desk.user().ask("GET", f"{ask}0.60").json
    assert (short["now"]["count_e2"], short["now"]["complete"]) == (300, False)
    nothing = desk.user().ask("GET", f"{ask}0.10").json
    assert (nothing["now"]["count_e2"], nothing["now"]["breakeven_e4"]) == (0, None)
    assert quote["best_ask_e4"] == 6000 and [(level["price_e4"], level["count_e2"], level["taken_e2"]) for level in quote["levels"]] == [
        (6000, 300, 300), (6100, 1000, 200),
    ]  # fmt: skip
    assert (
        quote["model"]["probability"] == 0.6
        and quote["model"]["low"] is None
        and "was ever calibrated" in quote["model"]["why"]
    )
    assert quote["claim"] == "at or above 118,750" and (quote["more_levels"], quote["more_count_e2"]) == (0, 0)
    assert quote["model"]["edge_e4"] == pytest.approx(6000 - 3_103_800 / 500)
    desk.db.run("UPDATE live_data.books SET valid = false")
    broken = desk.user().ask("GET", f"{ask}0.61").json
    assert broken["now"]["count_e2"] == 0 and broken["best_ask_e4"] is None and broken["levels"] == []


def test_what_a_quote_does_not_show_of_the_book_it_counts(desk: Desk) -> None:
    deep = [[4000 - 100 * n, 100] for n in range(12)]
    desk.db.run("UPDATE live_data.books SET no_bids = %s", (json.dumps(deep),))
    quote = desk.user().ask("GET", f"/api/quote?market_ticker={TICKER}&side=yes&count=10&limit_price=0.75").json
    assert len(quote["levels"]) == 8 and quote["now"]["count_e2"] == 1000
    assert (quote["more_levels"], quote["more_count_e2"], quote["more_taken_e2"]) == (4, 400, 200)


def test_a_range_is_not_sold_as_above(desk: Desk) -> None:
    desk.db.run(
        "UPDATE live_data.markets SET strike_type = 'between', cap_strike_e2 = floor_strike_e2 + 25000 WHERE market_ticker = %s",
        (TICKER,),
    )
    ask = f"/api/quote?market_ticker={TICKER}&count=1&limit_price=0.60&side="
    assert desk.user().ask("GET", f"{ask}yes").json["claim"] == "from 118,749.99 to 118,999.99"
    assert desk.user().ask("GET", f"{ask}no").json["claim"] == "below 118,749.99 or above 118,999.99"


def test_a_quote_by_dollars_at_risk_never_risks_more(desk: Desk) -> None:
    user, ask = desk.user(), f"/api/quote?market_ticker={TICKER}&side=yes&limit_price=0.60"
    quote = user.ask("GET", f"{ask}&dollars=10").json  # 16 x 0.60 and 0.2688 of fee; 17 would cost 10.49
    assert (quote["count_e2"], quote["worst"]["max_loss_e6"]) == (1600, 9_868_800)
    poor = user.ask("GET", f"{ask}&dollars=0.5")
    assert poor.status == 422 and "one contract at this limit costs 0.6168 dollars" in poor.json["detail"]
    for both in ("", "&count=1&dollars=1"):
        assert user.ask("GET", f"{ask}{both}").error == "invalid_count"


def test_a_calibration_gives_probabilities_an_interval(desk: Desk) -> None:
    bins = [{"low": 0.5, "high": 0.7, "rows": 1000, "said": 0.6, "came_true": 0.55}]
    report = {"rows": 1000, "events": 100, "scores": {"model": {"reliability": bins}}}
    stored = "INSERT INTO analytics.calibrations (mode, strategy, verdict, report) VALUES ('simulated', %s, 'no edge shown', %s)"
    user = desk.user()
    desk.db.run(stored, ("quarter_hour", json.dumps(report)))  # of no monitor on this series: it says nothing here
    foreign = user.ask("GET", f"/api/strikes?event={EVENT}").json
    assert foreign["calibrated_by"] is None and foreign["rows"][0]["probability_low"] is None
    quoted = user.ask("GET", f"/api/quote?market_ticker={TICKER}&side=yes&count=1&limit_price=0.60").json["model"]
    assert "no strategy on KXBTCSIM was ever calibrated" in quoted["why"] and quoted["calibrated_by"] is None
    desk.db.run(
        "INSERT INTO users.monitors (user_id, monitor_id, strategy, series_ticker, enabled, settings, changed_by)"
        " VALUES ('0001', 'short', 'hourly_hold', 'KXBTCSIM', false, '{}', 'test') ON CONFLICT DO NOTHING"
    )
    desk.db.run(stored, ("hourly_hold", json.dumps(report)))
    table = user.ask("GET", f"/api/strikes?event={EVENT}").json
    row = table["rows"][0]
    assert table["calibrated_by"] == "hourly_hold"
    assert row["probability_low"] < 0.55 < row["probability_high"] and row["probability_events"] == 100
    model = user.ask("GET", f"/api/quote?market_ticker={TICKER}&side=no&count=1&limit_price=0.42").json["model"]
    assert (model["probability"], model["low"], model["high"]) == pytest.approx(
        (0.4, 1 - row["probability_high"], 1 - row["probability_low"])
    )


def test_every_strike_is_shown_and_what_the_model_was_not_asked_is_not_known(desk: Desk) -> None:
    desk.db.run("UPDATE live_data.strike_tables SET rows = jsonb_path_query_array(rows, '$[0]')")
    found = desk.user().ask("GET", f"/api/strikes/all?event={EVENT}").json
    assert [row["probability"] for row in found["rows"]] == [0.6, None, None]
    assert [row["yes_ask_e4"] for row in found["rows"]] == [6000, 6000, 6000]
    assert desk.user().ask("GET", "/api/strikes/all?event=NONE").status == 404
    assert found["why"] == "" and found["price_age_s"] < 10
    desk.db.run("UPDATE live_data.strike_tables SET built_at = now() - interval '1 minute'")
    old = desk.user().ask("GET", f"/api/strikes/all?event={EVENT}").json
    assert [row["probability"] for row in old["rows"]] == [None, None, None], (
        "an old table's forecasts are not shown as now's"
    )
    desk.db.run("UPDATE live_data.btc_price SET received_at = now() - interval '1 minute'")
    blind = desk.user().ask("GET", f"/api/strikes/all?event={EVENT}").json
    assert blind["rows"] == [] and "60 s old" in blind["why"]


def test_trades_come_in_pages_by_key(desk: Desk) -> None:
    user = desk.user()
    made = [make_trade(desk.db, state="closed", pnl_e6=n * 1000, entry_count_e2=100) for n in range(25)]
    make_trade(desk.db, state="closed", mode="live")
    live = make_trade(desk.db, state="open")
    seen, before = [], ""
    while True:
        page = user.ask("GET", f"/api/trades?state=closed&limit=10{before}").json
        seen += [trade["trade_id"] for trade in page["trades"]]
        if page["next_before"] is None:
            break
        before = f"&before={page['next_before']}"
    assert seen == made[::-1], "every trade of this mode once, newest first"
    assert [t["trade_id"] for t in user.ask("GET", "/api/trades").json["trades"]] == [live]
    one = user.ask("GET", f"/api/trades/{live}").json
    assert (
        one["state"] == "open" and one["events"] == [] and one["orders"] == [] and isinstance(one["close_time_ms"], int)
    )
    assert user.ask("GET", "/api/trades?state=closed&limit=0").status == 422
    assert user.ask("GET", "/api/trades/999999").status == 404


def test_settings_are_merged_checked_audited_and_told(desk: Desk) -> None:
    user = desk.user()
    desk.db.listen(["setting"])
    answer = user.ask("PUT", "/api/settings/auto_entry", {"enabled": True, "spike_pause_bp": 50})
    assert answer.status == 200 and answer.json["value"]["spike_pause_bp"] == 50 and answer.json["version"] == 1
    assert user.ask("PUT", "/api/settings/auto_entry", {"spike_resume_bp": 20}).json["value"]["spike_pause_bp"] == 50
    told = []
    until_s = time.monotonic() + 5
    while len(told) < 2 and time.monotonic() < until_s:
        told += [(n.channel, n.payload) for n in desk.db.notifications()]
    assert told == [("setting", "auto_entry")] * 2
    wrong = user.ask("PUT", "/api/settings/auto_entry", {"spike_resume_bp": 51})
    assert wrong.status == 422 and "spike_resume_bp" in wrong.json["detail"]
    assert user.ask("PUT", "/api/settings/auto_entry", {"nonsense": 9}).status == 422
    assert user.ask("PUT", "/api/settings/auto_entry", {}).status == 422
    assert user.ask("PUT", "/api/settings/risk", {"max_open_trades": 1000}).status == 422, (
        "risk limits are not set here"
    )
    assert desk.db.one("SELECT action, detail->>'spike_resume_bp' AS m FROM users.audit_log ORDER BY audit_id DESC LIMIT 1") == {
        "action": "set auto_entry", "m": "20",
    }  # fmt: skip


def test_a_settings_form_is_in_the_pages_units(desk: Desk) -> None:
    user = desk.user()
    form = {"csrf_token": user.csrf, "enabled": "true", "stop_probability_percent": "35.5", "confirm_after_s": "9"}
    assert user.ask("POST", "/settings/auto_stop", form=form).status == 303
    value = user.ask("GET", "/api/settings/auto_stop").json["value"]
    assert (value["stop_probability_percent"], value["confirm_after_s"], value["enabled"]) == (35.5, 9, True)
    bad = user.ask("POST", "/settings/auto_stop", form=form | {"confirm_after_s": "many"}, Accept="text/html")
    assert bad.status == 422 and b"many" in bad.body


def test_the_market_by_http(desk: Desk) -> None:
    user = desk.user()
    price = user.ask("GET", "/api/price").json
    assert price["price_e2"] == 11_860_000 and price["age_s"] < 10
    events = user.ask("GET", "/api/events").json
    assert [e["event_ticker"] for e in events["events"]] == [EVENT] and events["series"]["KXBTCD"] == []
    assert events["series"]["KXBTCSIM"][0]["markets"] == 3
    assert len(user.ask("GET", f"/api/strikes?event={EVENT}").json["rows"]) == 3
    assert user.ask("GET", "/api/strikes?event=NONE").error == "no_strike_table"
    assert user.ask("GET", "/api/bars?seconds=60").json == {"t_s": [], "close_e2": []}
    desk.db.run("DELETE FROM live_data.btc_price")
    missing = user.ask("GET", "/api/price")
    assert (missing.status, missing.error) == (503, "no_price")


def test_status_and_account(desk: Desk) -> None:
    user = desk.user()
    status = user.ask("GET", "/api/status").json
    assert len(status["services"]) == 12 and status["healthy"] is False and status["mode"] == "simulated"
    assert set(status["services"][0]) == {
        "name", "tier", "state", "healthy", "reason", "age_s", "pss_mb", "cpu_percent", "restarts", "open_files", "threads",
    }  # fmt: skip
    account = user.ask("GET", "/api/account").json
    assert account["balance"] is None and account["reconciliation"] is None and account["positions"] == []
    desk.db.run("INSERT INTO users.balances VALUES ('simulated', 1000000000, 0, now())")
    desk.db.run("INSERT INTO users.reconciliations (mode, ok, differences) VALUES ('simulated', false, '[\"a fill\"]')")
    account = user.ask("GET", "/api/account").json
    assert account["balance"]["balance_e6"] == 10**9 and account["reconciliation"]["differences"] == ["a fill"]


def test_history_filters_totals_and_exports_the_same_trades(desk: Desk) -> None:
    user = desk.user()
    for pnl, side in ((500_000, "yes"), (-200_000, "no"), (300_000, "no")):
        make_trade(
            desk.db, state="closed", pnl_e6=pnl, side=side, entry_count_e2=100, entry_cost_e6=600_000, result="yes"
        )
    make_trade(desk.db, state="closed", pnl_e6=7_000_000, series_ticker="KXBTCD", entry_count_e2=100, reason="=cmd()")
    page = user.ask("GET", "/history?series=KXBTCSIM&side=no", Accept="text/html").body.decode()
    assert "+$0.10" in page and "50.0 %" in page and "+$7.00" not in page
    rows = list(csv.DictReader(io.StringIO(user.ask("GET", "/history.csv?series=KXBTCSIM").body.decode())))
    assert [row["pnl"] for row in rows] == ["0.300000", "-0.200000", "0.500000"] and rows[0]["market_ticker"] == TICKER
    everything = user.ask("GET", "/history.csv")
    assert "'=cmd()" in everything.body.decode() and "attachment" in everything.headers["content-disposition"]
    assert user.ask("GET", "/history?outcome=maybe").status == 422
    assert user.ask("GET", "/history?since=2026-02-31").status == 422
    assert user.ask("GET", "/history/999999", Accept="text/html").status == 404


def test_what_is_stored_is_shown_as_text_never_as_markup(desk: Desk) -> None:
    user = desk.user()
    evil = "<script>alert(1)</script>"
    trade_id = make_trade(desk.db, state="error", reason=evil)
    desk.db.run(
        "INSERT INTO users.trade_events (user_id, trade_id, kind, detail) VALUES ('0001', %s, %s, %s)",
        (trade_id, evil, json.dumps({evil: evil})),
    )
    desk.db.run(
        "INSERT INTO system.incidents (key, severity, cause, seen_by) VALUES ('k', 'warning', %s, 'x')", (evil,)
    )
    for path in ("/", "/history", f"/history/{trade_id}", "/system", f"/login?next=/{evil}"):
        body = user.ask("GET", path, Accept="text/html").body.decode()
        assert evil not in body, path
