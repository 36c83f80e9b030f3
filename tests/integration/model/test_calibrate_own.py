"""The desk's own decisions against their results: joined, scored, kept for the gate, and refused on trained days."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from conftest import Recio
from psycopg2.extras import Json
from stack import Stack

from recio.store.db import Database
from recio.store.models import keep_results, latest_verdict, save_model, settled_decisions
from recio.store.system import prune

pytestmark = pytest.mark.timeout(240)
FIRST = datetime.now(UTC) - timedelta(days=3)  # retention leaves decisions of the last weeks


def decide(
    desk: Stack, number: int, result: str, *, side: str = "yes", kind: str = "sample", version: str = "m1"
) -> None:
    """One decision on a market of its own that ended so."""
    at, ticker = FIRST + timedelta(minutes=15 * number), f"KXBTC15M-TEST{number}-00"
    desk.db.run(
        "INSERT INTO live_data.markets (market_ticker, mode, event_ticker, series_ticker, strike_type, open_time, close_time,"
        " status, result, updated_at) VALUES (%s, 'simulated', %s, 'KXBTC15M', 'greater', %s, %s, 'finalized', %s, now())",
        (ticker, f"E{number}", at, at + timedelta(minutes=10), result),
    )
    desk.db.run(
        "INSERT INTO users.decisions (user_id, mode, at, kind, monitor_id, monitor_version, strategy, model_version,"
        " series_ticker, event_ticker, market_ticker, close_time, side, action, reason, why, probability_model,"
        " probability_market, probability, ask_e4, inputs) VALUES ('0001', 'simulated', %s, %s, 'quarter', 1,"
        " 'quarter_hour', %s, 'KXBTC15M', %s, %s, %s, %s, 'wait', 'x', 'x', 0.9, 0.8, 0.83, 8100, %s)",
        (at, kind, version, f"E{number}", ticker, at + timedelta(minutes=10), side,
         Json({"row": {"yes_ask_e4": 8100, "no_ask_e4": 2100}})),
    )  # fmt: skip


def model_row(version: str, first: datetime, last: datetime) -> dict[str, object]:
    return {
        "version": version, "train_from_s": first.timestamp(), "train_to_s": last.timestamp(), "minutes": 1, "samples": 1,
        "basis_bp": 0.5, "basis_pairs": 0, "source": "test", "content": "{}",
    }  # fmt: skip


def test_without_results_it_says_so(desk: Stack, recio: Recio) -> None:
    decide(desk, 1, "")
    done = recio("calibrate")
    assert done.returncode == 2
    assert "no decision has a result yet" in done.stderr


def test_decisions_are_joined_with_results_and_the_report_is_kept(desk: Stack, recio: Recio) -> None:
    for number in range(20):
        decide(desk, number, "yes" if number % 5 else "no", side="yes" if number % 2 else "no")
    decide(desk, 90, "void")
    decide(desk, 91, "yes", kind="change")
    rows = settled_decisions(desk.db, "0001", "simulated")
    assert len(rows) == 20
    assert {row["no_ask_e4"] for row in rows} == {2100}
    save_model(desk.db, model_row("m1", FIRST - timedelta(days=9), FIRST), activate=False)
    done = recio("calibrate", "--json")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)["quarter_hour"]["report"]
    assert (report["rows"], report["events"], report["model_versions"]) == (20, 20, ["m1"])
    won = [number % 5 > 0 for number in range(20)]
    said = [0.9 if number % 2 else 0.1 for number in range(20)]
    brier = sum((chance - hit) ** 2 for chance, hit in zip(said, won, strict=True)) / 20
    assert report["scores"]["model"]["brier"]["value"] == pytest.approx(brier)
    kept = latest_verdict(desk.db, "simulated", ["quarter_hour", "hourly_hold"])
    assert set(kept) == {"quarter_hour"}
    assert kept["quarter_hour"]["verdict"] == "no edge shown"
    assert kept["quarter_hour"]["report"]["rows"] == 20
    assert "no edge shown" in recio("calibrate").stdout


def test_decisions_inside_their_models_history_are_refused(desk: Stack, recio: Recio) -> None:
    decide(desk, 1, "yes")
    save_model(desk.db, model_row("m1", FIRST, FIRST + timedelta(days=1)), activate=False)
    done = recio("calibrate")
    assert done.returncode == 2
    assert "lies in the history it was built from" in done.stderr
    assert latest_verdict(desk.db, "simulated", ["quarter_hour"]) == {}


def test_results_outlive_their_markets(desk: Stack) -> None:
    for number in range(4):
        decide(desk, number, ("yes", "no", "", "void")[number])
    coordinator = Database("tests", desk.cluster.dsn("unified_production_coordinator"))
    assert keep_results(coordinator) == 2
    assert keep_results(coordinator) == 0
    assert prune(coordinator, 45)["live_data.markets"] == 4  # closed long ago
    coordinator.close()
    assert [row["result"] for row in settled_decisions(desk.db, "0001", "simulated")] == ["yes", "no"]
