"""History from the simulator and from files, a model out of it, and the coordinator that changes over to it."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
from conftest import Recio
from stack import Stack, wait_for

from recio.market.model import load
from recio.store.models import active_model, basis_pairs, list_models, train_ranges

pytestmark = pytest.mark.timeout(240)


def day(ago_s: float) -> str:
    return datetime.fromtimestamp(time.time() - ago_s, UTC).strftime("%Y-%m-%dT%H:%M")


def test_a_fetch_is_resumed_and_names_its_gaps(desk: Stack, recio: Recio) -> None:
    since, until = day(3 * 86_400), day(3 * 86_400 - 12 * 3600)
    done = recio("history", "fetch", "--from", since, "--to", until)
    assert done.returncode == 0, done.stderr
    assert "720 candles fetched" in done.stdout
    assert "no minute is missing" in done.stdout
    assert "100 %" in done.stderr
    desk.db.run(
        "DELETE FROM historical_data.btc_candles_1m WHERE at IN"
        " (SELECT at FROM historical_data.btc_candles_1m ORDER BY at OFFSET 100 LIMIT 7)"
    )
    shown = recio("history", "status")
    assert "7 minutes in 1 gaps are not on record" in shown.stdout
    again = recio("history", "fetch", "--from", since, "--to", until)
    assert "713 of them on record" in again.stdout
    assert "7 candles fetched" in again.stdout


def test_a_fetch_that_breaks_off_keeps_what_it_has(desk: Stack, recio: Recio) -> None:
    since, until = day(2 * 86_400), day(2 * 86_400 - 10 * 3600)
    desk.kill("simulator")
    broken = recio("history", "fetch", "--from", since, "--to", until)
    assert broken.returncode == 1
    assert "run it again" in broken.stderr
    desk.simulator()
    assert "600 candles fetched" in recio("history", "fetch", "--from", since, "--to", until).stdout


def test_a_file_is_loaded_without_inventing_minutes(desk: Stack, recio: Recio, tmp_path: Path) -> None:
    file = tmp_path / "minutes.csv"
    rows = [f"{1_700_000_040 + 60 * n},100,101,99,100.5,1" for n in range(30) if n not in (10, 11)]
    file.write_text("timestamp,open,high,low,close,volume\n" + "\n".join(rows) + "\n")
    done = recio("history", "load", str(file))
    assert done.returncode == 0, done.stderr
    assert "28 minutes" in done.stdout
    assert "2 minutes in 1 gaps are not on record" in done.stdout
    assert "0 of them new" in recio("history", "load", str(file)).stdout


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("history", "fetch", "--from", "yesterday"), "--from 'yesterday' is not a time"),
        (("history", "fetch", "--from", "2026-02-02", "--to", "2026-02-01"), "--from lies before --to"),
        (("history", "fetch", "--product", "ETH-USD"), "BTC-USD"),
        (("history", "load", "/nowhere/x.csv"), "No such file"),
        (("model", "build", "--from", "2020-01-01", "--to", "2020-01-02"), "no history"),
        (("model", "use", "emp-none"), "recio model list"),
    ],
)
def test_bad_input_is_one_sentence_and_status_two(recio: Recio, words: tuple[str, ...], says: str) -> None:
    done = recio(*words)
    assert done.returncode == 2, done.stderr
    assert says in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_a_model_is_built_and_the_coordinator_takes_it_over(desk: Stack, recio: Recio) -> None:
    assert recio("history", "fetch", "--from", day(3 * 86_400), "--to", day(86_400)).returncode == 0
    desk.start("btc_price_watchdog", "kalshi_api_watchdog", "unified_production_coordinator")

    def version() -> str:
        table = desk.db.one(
            "SELECT rows FROM live_data.strike_tables WHERE built_at > now() - interval '3 s' AND rows <> '[]'"
            " ORDER BY built_at DESC LIMIT 1"
        )
        rows = [row for row in (table or {}).get("rows", []) if row["probability"] is not None]
        return str(rows[0]["model_version"]) if rows else ""

    assert wait_for("a table by the closed form", version, 60) == "normal-1"
    built = recio("model", "build")
    assert built.returncode == 0, built.stderr
    stored = active_model(desk.db)
    assert stored is not None
    made = load(stored)
    assert wait_for("a table by the new model", lambda: version() == made.version, 60)
    listed = json.loads(recio("model", "list", "--json").stdout)
    assert [(row["version"], row["active"]) for row in listed] == [(made.version, True)]
    assert train_ranges(desk.db) == {made.version: (made.train_from_s, made.train_to_s)}
    row = wait_for(
        "a row with a book",
        lambda: next(
            (
                r
                for t in desk.db.all("SELECT rows FROM live_data.strike_tables")
                for r in t["rows"]
                if r["probability_blend"] is not None
            ),
            None,
        ),
        30,
    )
    low, high = sorted((row["probability"], row["probability_market"]))
    assert low <= row["probability_blend"] <= high
    assert recio("model", "use", "normal-1").returncode == 0
    assert wait_for("the closed form again", lambda: version() == "normal-1", 30)
    assert [row["active"] for row in list_models(desk.db)] == [False]
    assert recio("model", "use", made.version).returncode == 0
    assert wait_for("the model again", lambda: version() == made.version, 30)


def test_the_basis_is_measured_from_settlements_and_whole_minutes(desk: Stack) -> None:
    close = "2026-01-01 00:15:00+00"
    desk.db.run(
        "INSERT INTO live_data.btc_bars_1s SELECT timestamptz '2026-01-01 00:14:01+00' + n * interval '1 s', 1, 1, 1,"
        " 10000000 + n, 1 FROM generate_series(0, 59) n"
    )
    for ticker, at, value in (("A", close, "99990.00"), ("B", close, "99990.00"), ("C", "2026-01-01 00:30+00", "1.00")):
        desk.db.run(
            "INSERT INTO live_data.markets (market_ticker, mode, event_ticker, series_ticker, strike_type, open_time,"
            " close_time, status, expiration_value, updated_at) VALUES (%s, 'simulated', 'E', 'S', 'greater', now(), %s,"
            " 'finalized', %s, now())",
            (ticker, at, value),
        )
    assert basis_pairs(desk.db, "simulated") == [(pytest.approx(10_000_029.5), 9_999_000.0)]
