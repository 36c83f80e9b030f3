"""What the system before this one got wrong (domain.md, section 4), as far as the rules are to blame: one test each."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from pg import Cluster
from rulesdesk import RulesDesk

from recio.services.monitor_board import MonitorBoard
from recio.trading.gate import OVERRIDE_WORDS
from recio.trading.monitor import read_monitor
from recio.trading.settings import AutoEntrySettings

CLOSE_ALL = {"stop": {"stop_probability_percent": 100.0, "confirm_after_s": 0.0}}
NEVER = {"stop_probability_percent": 0.0, "momentum_stop": False}


@pytest.fixture
def desk(database: Cluster) -> Iterator[RulesDesk]:
    made = RulesDesk(database)
    yield made
    made.close()


def test_defect_4_several_trades_on_a_ticker_and_each_stop_closes_its_own(desk: RulesDesk) -> None:
    """Two trades on a ticker each took the sum of the position; each stop closed the sum."""
    desk.setting("auto_stop", **NEVER)
    desk.monitor("stopper", **CLOSE_ALL)
    ticker = f"{desk.event}-T1"
    by_hand = desk.trade(ticker, 500)
    watched = desk.trade(ticker, 300, monitor_id="stopper", source="auto_entry")
    worker = desk.protection()
    desk.look(worker)
    note = desk.db.one("SELECT note FROM users.live_trades WHERE trade_id = %s", (watched,))
    assert note and "selling 3 at" in note["note"], "its own three contracts"
    desk.look(worker, later_s=1)
    asked = desk.tickets("close")
    assert [t["trade_id"] for t in asked] == [watched], "only the monitor's own trade, and once"
    assert asked[0]["source"] == "auto_stop"
    seen = {r["trade_id"]: r for r in desk.db.all("SELECT * FROM users.live_trades")}
    assert seen[by_hand]["stop_state"] == "watching"
    assert seen[watched]["stop_state"] == "closing"
    assert seen[by_hand]["pnl_if_closed_e6"] < seen[watched]["pnl_if_closed_e6"] < 0


def test_defect_5_no_second_entry_on_a_strike_side_and_event(desk: RulesDesk) -> None:
    """Four 20-lot orders in 52 s: duplicate check failing open, re-entry never read, cooldown consumed before the test."""
    desk.monitor(cooldown_s=0)
    worker = desk.entry()
    for _ in range(4):  # the ticket is not decided yet
        desk.look(worker)
    assert len(desk.tickets()) == 1
    trade_id = desk.decide("accepted")
    for _ in range(4):  # the trade is live
        desk.look(worker)
    assert desk.why() == {"T1": "live"}
    desk.db.run("UPDATE users.trades SET state = 'closed' WHERE trade_id = %s", (trade_id,))
    for _ in range(4):  # it is over: the event was entered on this side
        desk.look(worker)
    assert desk.why() == {"T1": "entered"}
    worker = desk.entry()  # a restart knows it too
    desk.look(worker)
    assert len(desk.tickets()) == 1
    desk.monitor(cooldown_s=0, allow_reentry=True)  # read without a restart
    desk.look(worker)
    assert len(desk.tickets()) == 2
    assert desk.tickets()[0]["idempotency_key"] != desk.tickets()[1]["idempotency_key"]


def test_defect_5_the_cooldown_is_consumed_by_an_accepted_order_only(desk: RulesDesk) -> None:
    desk.monitor(cooldown_s=3_000)
    worker = desk.entry()
    desk.look(worker)
    desk.decide("refused", "today's loss is too large")
    desk.look(worker)
    assert desk.why() == {"T1": "refused"}
    assert len(desk.tickets()) == 1
    desk.db.run("UPDATE users.tickets SET decided_at = decided_at - interval '11 s'")
    desk.look(worker)
    assert len(desk.tickets()) == 2, "a refused ticket holds nothing back after its ten seconds"
    desk.decide("accepted", ago_s=1)
    second = desk.market("T2")
    desk.table(f"{desk.event}-T1", second)
    desk.look(worker)
    assert desk.why() == {"T1": "live", "T2": "cooldown"}
    desk.db.run("UPDATE users.trades SET created_at = created_at - interval '3000 s'")
    desk.look(worker)
    assert [t["market_ticker"] for t in desk.tickets()] == [f"{desk.event}-T1"] * 2 + [second]


def test_defect_5_two_monitors_do_not_buy_the_same_thing_in_one_look(desk: RulesDesk) -> None:
    desk.monitor("a")
    desk.monitor("b")
    desk.look(desk.entry())
    assert [t["monitor_id"] for t in desk.tickets()] == ["a"]
    assert desk.why("b") == {"T1": "live"}


def test_defect_5_what_is_not_known_does_not_enter(desk: RulesDesk) -> None:
    """The duplicate check fails closed: without its answer there is no look, and no ticket."""
    import psycopg2

    desk.monitor()
    worker = desk.entry()
    desk.db.run("REVOKE SELECT ON users.trades FROM auto_entry_supervisor")
    try:
        with pytest.raises(psycopg2.Error):
            desk.look(worker)
    finally:
        desk.db.run("GRANT SELECT ON users.trades TO auto_entry_supervisor")
    assert desk.tickets() == []
    desk.look(worker)
    assert len(desk.tickets()) == 1


def test_defect_6_a_close_that_was_not_done_is_tried_again_with_the_intention_kept(desk: RulesDesk) -> None:
    """A rejected close stayed closing for ever; a stop tried only once. Over restarts too."""
    desk.setting("auto_stop", **NEVER)
    desk.monitor("stopper", **CLOSE_ALL)
    trade_id = desk.trade(f"{desk.event}-T1", 300, monitor_id="stopper")
    limits = []
    for attempt in range(4):
        worker = desk.protection()  # a new process each time
        if attempt == 1:  # by now the trade looks like a winner: what was to be closed is closed all the same
            desk.monitor("stopper", stop={"stop_probability_percent": 1.0})
        desk.look(worker, later_s=10 * attempt)
        assert len(desk.tickets("close")) == attempt + 1
        desk.look(worker, later_s=10 * attempt + 1)
        assert len(desk.tickets("close")) == attempt + 1, "not again while it is undecided"
        limits.append(desk.tickets("close")[-1]["limit_price_e4"])
        desk.decide("refused", "the exchange said no")
    assert limits == sorted(limits, reverse=True) and len(set(limits)) == 4, "each time at a wider limit"
    incident = desk.db.one("SELECT * FROM system.incidents WHERE closed_at IS NULL")
    assert incident and incident["severity"] == "critical"
    assert f"trade {trade_id}" in incident["key"]
    desk.db.run("UPDATE users.trades SET exit_count_e2 = 100 WHERE trade_id = %s", (trade_id,))
    desk.look(desk.protection(), later_s=60)
    memory = desk.db.one("SELECT note FROM users.live_trades WHERE trade_id = %s", (trade_id,))
    assert memory and "selling 2 at" in memory["note"], "what a part fill left"
    desk.db.run("UPDATE users.trades SET state = 'closed', exit_count_e2 = 300 WHERE trade_id = %s", (trade_id,))
    desk.look(desk.protection(), later_s=70)
    assert desk.db.all("SELECT * FROM system.incidents WHERE closed_at IS NULL") == []
    assert desk.db.all("SELECT * FROM users.live_trades") == []


def test_defect_6_too_late_is_measured_to_the_close_not_from_the_entry(desk: RulesDesk) -> None:
    desk.setting("auto_stop", stop_probability_percent=100.0, confirm_after_s=0.0, min_time_to_close_s=60.0)
    soon = desk.market("T2", closes=datetime.now(UTC) + timedelta(seconds=50))
    late = desk.trade(soon, 300, close_time=datetime.now(UTC) + timedelta(seconds=50), created_at=datetime.now(UTC))
    old = desk.trade(f"{desk.event}-T1", 300, created_at=datetime.now(UTC) - timedelta(hours=1))
    desk.look(desk.protection())
    assert [t["trade_id"] for t in desk.tickets("close")] == [old]
    note = desk.db.one("SELECT note FROM users.live_trades WHERE trade_id = %s", (late,))
    assert note and "too late to stop" in note["note"]


def test_defect_7_the_top_of_the_hour_ends_only_the_trades_of_the_market_that_closed(desk: RulesDesk) -> None:
    """At the top of the hour every open trade was expired, whatever contract it was; closing ones were forgotten."""
    desk.setting("auto_stop", stop_probability_percent=100.0, confirm_after_s=0.0)
    past = datetime.now(UTC) - timedelta(seconds=5)
    ended = desk.market("T2", closes=past)
    settling = desk.trade(ended, 300, close_time=past)
    held = desk.trade(f"{desk.event}-T1", 300)
    closing = desk.trade(f"{desk.event}-T1", 300, state="closing")
    desk.look(desk.protection())
    assert sorted(t["trade_id"] for t in desk.tickets("close")) == [held, closing]
    notes = {r["trade_id"]: r["note"] for r in desk.db.all("SELECT trade_id, note FROM users.live_trades")}
    assert notes[settling] == "the market has closed; it settles by its result"


def test_defect_13_on_a_failure_entries_stop_and_protection_stays_and_nothing_comes_back_by_itself(
    desk: RulesDesk,
) -> None:
    """On a failure auto stop was switched off; on recovery auto entry was switched on by itself."""
    desk.setting("auto_stop", stop_probability_percent=100.0, confirm_after_s=0.0)
    desk.monitor("m", **CLOSE_ALL)
    trade_id = desk.trade(f"{desk.event}-T1", 300, side="no", entry_cost_e6=300 * 500)
    desk.dependencies(False, "kalshi_account_sync is down")
    entry, protection = desk.entry(), desk.protection()
    desk.look(entry)
    desk.look(protection)
    assert desk.tickets("open") == []
    assert desk.why() == {"T1": "blocked"}
    assert [t["trade_id"] for t in desk.tickets("close")] == [trade_id]
    # a monitor switched off in between, and settings nobody can read, end no protection either
    desk.decide("refused")
    desk.monitor("m", enabled=False)
    desk.setting("auto_stop", stop_probability_percent="high")
    desk.look(protection, later_s=5)
    assert len(desk.tickets("close")) == 2
    assert any(check.name == "settings" and not check.ok for check in protection.checks(0.0))
    # recovery: what the user switched off stays off
    desk.setting("auto_entry", enabled=False)
    desk.dependencies(True)
    desk.monitor("m")
    desk.look(entry)
    desk.look(desk.entry())
    assert desk.tickets("open") == []
    assert desk.why() == {"T1": "off"}
    stored = desk.db.one("SELECT value FROM users.settings WHERE name = 'auto_entry'")
    assert stored == {"value": {"enabled": False}}


def test_a_restart_keeps_the_spike_pause_as_it_was(desk: RulesDesk) -> None:
    desk.monitor()
    desk.look(desk.entry())
    assert len(desk.tickets()) == 1, "an hour of calm bars: no pause after the start"
    desk.decide("accepted")
    second = desk.market("T2")
    desk.table(second)
    desk.monitor(cooldown_s=0)
    watching = desk.entry()
    desk.look(watching, momentum_bp=40)
    assert desk.why() == {"T2": "pause"}
    desk.look(watching)
    assert desk.why() == {"T2": "pause"}, "the pause lasts its 15 minutes"
    # the bars hold no such spike (only the momentum above did): without an hour of bars the restart pauses
    desk.db.run("DELETE FROM live_data.btc_bars_1s WHERE at < now() - interval '10 minutes'")
    desk.look(desk.entry())
    assert desk.why() == {"T2": "pause"}
    assert len(desk.tickets()) == 1


def test_settings_that_cannot_be_read_stop_a_monitor_and_open_one_incident(desk: RulesDesk) -> None:
    desk.monitor("good", cooldown_s=0)
    desk.monitor("broken", min_probability_percent=101)
    worker = desk.entry()
    for _ in range(3):
        desk.look(worker)
    assert [t["monitor_id"] for t in desk.tickets()] == ["good"]
    open_ones = desk.db.all("SELECT key, cause FROM system.incidents WHERE closed_at IS NULL")
    assert [row["key"] for row in open_ones] == ["monitor broken cannot run"]
    assert "min_probability_percent" in open_ones[0]["cause"]
    assert any(check.name == "monitors" and not check.ok for check in worker.checks(0.0))
    desk.monitor("broken")
    desk.look(worker)
    assert desk.db.all("SELECT 1 FROM system.incidents WHERE closed_at IS NULL") == []


def test_changes_and_a_sample_a_minute_are_written_and_not_every_look(desk: RulesDesk) -> None:
    desk.monitor(min_probability_percent=100)
    worker = desk.entry()
    for _ in range(5):
        desk.look(worker)
    kinds = [r["kind"] for r in desk.db.all("SELECT kind FROM users.decisions ORDER BY decision_id")]
    assert kinds[0] == "change"
    assert kinds.count("change") == 1
    assert len(kinds) <= 2  # the minute may turn
    desk.look(worker, later_s=60)
    desk.look(worker, later_s=120)
    rows = desk.db.all("SELECT * FROM users.decisions ORDER BY decision_id")
    assert [r["kind"] for r in rows].count("sample") >= 2
    assert rows[0]["probability_model"] == 0.999
    assert rows[0]["reason"] == "probability"
    assert rows[0]["differential_e4"] < rows[0]["raw_differential_e4"]


def test_without_a_shown_edge_auto_entry_does_not_start_in_live_unless_overridden_in_words(desk: RulesDesk) -> None:
    """Mode live itself is refused by this release's settings: the rule is asked as the supervisor asks it."""
    desk.monitor()
    monitor = read_monitor(desk.db.one("SELECT * FROM users.monitors") or {})
    on, live = AutoEntrySettings(enabled=True), MonitorBoard(desk.db, "live", "test")
    live.read_verdicts()
    assert MonitorBoard(desk.db, "simulated", "test").off(monitor, on) == ""
    assert live.off(monitor, on).startswith("no edge shown: it was never calibrated")
    assert live.off(monitor, AutoEntrySettings(enabled=True, live_override="yes")).startswith("no edge shown")
    assert live.off(monitor, AutoEntrySettings(enabled=True, live_override=OVERRIDE_WORDS)) == ""
    desk.look(desk.entry())
    ticket = desk.tickets()[0]
    assert ticket["entry_context"]["why"].endswith("; no edge shown")
