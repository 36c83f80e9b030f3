"""Auto entry and the stop with real services: two monitors side by side, a killed supervisor, a rejected close."""

from __future__ import annotations

import json
import urllib.request
import uuid
from typing import Any

import msgspec
import pytest
from psycopg2.extras import Json
from stack import Stack, wait_for

from recio.store.rules import monitor_statements
from recio.store.tickets import submit_open, wait_decided
from recio.trading.evaluate import recompute

pytestmark = pytest.mark.timeout(240)
Row = dict[str, Any]

# Enters whatever is offered in the middle of the price range: these tests are about how often, not about what.
EAGER: Row = {
    "min_probability_percent": 1, "min_differential_e4": -10_000, "model_weight": 1, "min_volume_e2": 0, "max_ask_e4": 9_800,
    "min_time_to_close_s": 8, "max_time_to_close_s": 3_600, "collar_e4": 1_000, "max_price_age_s": 60,
    "max_book_age_s": 60, "stop": {"enabled": False},
}  # fmt: skip


def put_monitor(desk: Stack, name: str, strategy: str = "hourly_hold", enabled: bool = True, **settings: Any) -> None:
    row = {"monitor_id": name, "strategy": strategy, "series_ticker": "KXBTCSIM", "enabled": enabled,
           "settings": EAGER | settings}  # fmt: skip
    with desk.db.transaction():
        for sql, params in monitor_statements("0001", row, "test", "set"):
            desk.db.run(sql, params)


def put_setting(desk: Stack, name: str, **value: Any) -> None:
    desk.db.run(
        "INSERT INTO users.settings (user_id, name, value, changed_by) VALUES ('0001', %s, %s, 'test')"
        " ON CONFLICT (user_id, name) DO UPDATE SET value = excluded.value, version = settings.version + 1",
        (name, Json(value)),
    )


def calm(desk: Stack) -> None:
    """Bars that prove an hour of calm, up to now: or the fresh desk pauses for 15 minutes, as it should."""
    desk.db.run(
        "INSERT INTO live_data.btc_bars_1s (at, open_e2, high_e2, low_e2, close_e2, ticks)"
        " SELECT g, p, p, p, p, 1 FROM (SELECT price_e2 AS p FROM live_data.btc_price) n,"
        " generate_series(date_trunc('second', now()) - interval '62 minutes', now(), interval '1 second') g"
        " ON CONFLICT (at) DO UPDATE SET close_e2 = excluded.close_e2"
    )


def ready(desk: Stack, **auto: Any) -> None:
    wait_for("a price", lambda: desk.db.one("SELECT 1 FROM live_data.btc_price"))
    calm(desk)
    # The generated price is livelier than Bitcoin: no spike is to end these tests.
    put_setting(desk, "auto_entry", enabled=True, spike_pause_bp=10_000, spike_resume_bp=10_000, **auto)
    desk.start("auto_entry_supervisor")


def accepted(desk: Stack) -> list[Row]:
    return desk.db.all(
        "SELECT * FROM users.tickets WHERE source = 'auto_entry' AND state = 'accepted' ORDER BY ticket_id"
    )


def never_twice(desk: Stack) -> None:
    """No strike and side of an event was bought twice, and no order was doubled."""
    twice = desk.db.all(
        "SELECT market_ticker, side, count(*) FROM users.trades WHERE source = 'auto_entry'"
        " AND (entry_count_e2 > 0 OR state = 'pending') GROUP BY 1, 2 HAVING count(*) > 1"
    )
    assert twice == []
    orders = desk.db.all("SELECT trade_id FROM users.orders WHERE purpose = 'entry' GROUP BY 1 HAVING count(*) > 1")
    assert orders == []


def test_two_monitors_side_by_side_enter_once_each_and_leave_what_they_saw(desk: Stack) -> None:
    put_monitor(desk, "one", cooldown_s=3_000)
    put_monitor(desk, "two", "quarter_hour", cooldown_s=3_000)
    put_monitor(desk, "asleep", enabled=False)
    ready(desk)
    wait_for("both entered", lambda: {t["monitor_id"] for t in accepted(desk)} == {"one", "two"}, 90)
    for _ in range(3):  # some more looks, of tables of other moments
        table = desk.db.one("SELECT max(built_at) AS at FROM live_data.strike_tables")
        wait_for(
            "a newer table", lambda t=table: desk.db.one("SELECT max(built_at) AS at FROM live_data.strike_tables") != t
        )
    tickets = accepted(desk)
    assert sorted(t["monitor_id"] for t in tickets) == ["one", "two"]
    never_twice(desk)
    # the ticket's context is on its trade, and its decision can be made again from its stored inputs
    for ticket in tickets:
        trade = desk.db.one("SELECT * FROM users.trades WHERE ticket_id = %s", (ticket["ticket_id"],))
        decision = desk.db.one("SELECT * FROM users.decisions WHERE ticket_id = %s", (ticket["ticket_id"],))
        assert trade and decision
        assert trade["monitor_id"] == ticket["monitor_id"] == decision["monitor_id"]
        assert trade["entry_context"]["probability_model"] == decision["probability_model"]
        assert decision["model_version"]
        version = desk.db.one(
            "SELECT value FROM users.settings_versions WHERE kind = 'monitor' AND name = %s AND version = %s",
            (decision["monitor_id"], decision["monitor_version"]),
        )
        assert version
        again = recompute(decision["strategy"], version["value"]["settings"], decision["inputs"])
        for name, value in msgspec.structs.asdict(again).items():
            assert decision[name] == (pytest.approx(value) if isinstance(value, float) else value), name

    # and everybody's reason is there to be read: the one that is off, and the ones that cool down
    def said() -> dict[str, set[str]]:
        rows = desk.db.all("SELECT monitor_id, reason FROM live_data.entry_status")
        return {name: {r["reason"] for r in rows if r["monitor_id"] == name} for name in ("one", "two", "asleep")}

    wait_for(
        "why", lambda: "off" in said()["asleep"] and {"cooldown"} & said()["one"] and {"cooldown"} & said()["two"], 40
    )
    samples = desk.db.all("SELECT DISTINCT monitor_id FROM users.decisions WHERE kind <> 'enter'")
    assert {s["monitor_id"] for s in samples} >= {"one", "two", "asleep"}


def test_a_refused_ticket_consumes_no_cooldown_and_shared_limits_hold(desk: Stack) -> None:
    put_setting(desk, "risk", max_open_trades=0, max_over_ask_e4=5000, max_price_age_s=60, max_book_age_s=60)
    put_monitor(desk, "one", cooldown_s=3_000)
    ready(desk)

    def refused() -> list[Row]:
        return desk.db.all("SELECT * FROM users.tickets WHERE source = 'auto_entry' AND state = 'refused'")

    wait_for("a refusal", refused, 60)
    assert "at most 0 may be" in refused()[0]["reason"]
    wait_for("it says so", lambda: desk.db.all("SELECT 1 FROM live_data.entry_status WHERE why LIKE 'refused: %'"), 20)
    put_setting(desk, "risk", max_open_trades=1, max_over_ask_e4=5000, max_price_age_s=60, max_book_age_s=60)
    wait_for("an entry in spite of the refusals", lambda: accepted(desk), 60)  # the cooldown is 50 minutes
    assert len(accepted(desk)) == 1


def test_a_killed_supervisor_does_not_enter_again(desk: Stack) -> None:
    put_monitor(desk, "one", cooldown_s=0)
    put_monitor(desk, "two", "quarter_hour", cooldown_s=0)
    ready(desk)
    for _ in range(6):  # in the middle of whatever it is doing
        before = len(accepted(desk))
        wait_for("another entry", lambda n=before: len(accepted(desk)) > n, 60)
        desk.kill("auto_entry_supervisor")
        calm(desk)
        desk.start("auto_entry_supervisor")
    wait_for("decided", lambda: not desk.db.all("SELECT 1 FROM users.tickets WHERE state = 'new'"))
    never_twice(desk)


def test_a_rejected_close_is_tried_until_flat_also_after_a_kill(desk: Stack) -> None:
    """v2 defect 6: a rejected close stayed closing for ever, and a stop tried only once."""
    from test_trade_flow import pick, wait_state

    # A stop at 100 %: every trade is to be closed at once. The collar opens only with the retries.
    put_setting(
        desk, "auto_stop", stop_probability_percent=100, confirm_after_s=0, min_time_to_close_s=0, retry_after_s=0.5,
        exit_collar_e4=1, max_price_age_s=60, max_book_age_s=60,
    )  # fmt: skip
    desk.kill("active_trade_supervisor")
    row = pick(desk, 60)
    ticket = submit_open(
        desk.db, user_id="0001", mode="simulated", key=f"test-{uuid.uuid4()}", source="api",
        market_ticker=row["market_ticker"], side="yes", count_e2=300, limit_price_e4=min(9500, row["yes_ask_e4"] + 2000),
    )  # fmt: skip
    decided = wait_decided(desk.db, ticket.ticket_id, 5.0)
    assert decided["state"] == "accepted", decided["reason"]
    opened = wait_state(desk, decided["trade_id"], "open")
    desk.kill("trade_executor")  # the exit is decided but not sent: the supervisor is killed while it waits
    desk.start("active_trade_supervisor")
    wait_for("an exit is asked", lambda: desk.db.all("SELECT 1 FROM users.tickets WHERE source = 'auto_stop'"), 30)
    desk.kill("active_trade_supervisor")
    memory = desk.db.one("SELECT memory FROM users.live_trades WHERE trade_id = %s", (opened["trade_id"],))
    assert memory and memory["memory"]["state"] == "closing"
    assert memory["memory"]["attempts"] >= 1
    # And the exchange refuses the first two exits outright.
    faults = {"faults": [{"kind": "unfunded_shard", "count": 5}]}
    request = urllib.request.Request(
        f"http://127.0.0.1:{desk.port}/admin/faults", json.dumps(faults).encode(), method="PUT"
    )  # fmt: skip
    urllib.request.urlopen(request, timeout=10).close()  # noqa: S310 - the simulator of this test
    desk.start("active_trade_supervisor", "trade_executor")
    closed = wait_state(desk, opened["trade_id"], "closed", timeout_s=90)
    assert closed["reason"] == "sold", closed["reason"]
    exits = desk.db.all("SELECT state FROM users.orders WHERE purpose = 'exit' ORDER BY order_id")
    assert [x["state"] for x in exits].count("refused") >= 2, exits
    sold = desk.db.one(
        "SELECT sum(acked_count_e2) AS sold FROM users.orders WHERE purpose = 'exit' AND trade_id = %s",
        (opened["trade_id"],),
    )
    assert sold and sold["sold"] == closed["entry_count_e2"]
