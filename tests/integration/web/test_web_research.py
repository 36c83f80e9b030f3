"""Research from the page to the report: the real page, the real worker's process, a real database."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg2
import pytest
from webdesk import ROOT, Client, Desk

from recio.store.db import Database
from recio.store.research_runs import MAX_OPEN

LOOSE = {"min_probability_percent": 60, "model_weight": 1, "min_differential_e4": 25}
SHORT: dict[str, Any] = {"kind": "backtest", "strategy": "quarter_hour", "days": 0.1, "seed": 3, "settings": LOOSE}
LONG = SHORT | {"kind": "replay", "days": 2.5}
pytestmark = pytest.mark.timeout(500)


class Bench:
    """The page, and workers started as systemd would."""

    def __init__(self, desk: Desk, folder: Path) -> None:
        self.desk, self.folder = desk, folder
        self.user = desk.user()
        self.environment = os.environ | {
            "PYTHONPATH": str(ROOT / "app"), "RECIO_DSN": desk.cluster.dsn("recio_research"), "RECIO_RESEARCH": str(folder / "reports"),
        }  # fmt: skip
        self.workers: list[subprocess.Popen[str]] = []

    def worker(self, *more: str) -> subprocess.Popen[str]:
        """`recio research work`."""
        words = [sys.executable, "-m", "recio.cli", "research", "work", *more]
        self.workers.append(
            subprocess.Popen(words, env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        )
        return self.workers[-1]

    def start(self, wish: dict[str, Any]) -> int:
        answer = self.user.ask("POST", "/api/research/runs", wish)
        assert answer.status == 200, answer.body
        return int(answer.json["run_id"])

    def run(self, run_id: int) -> dict[str, Any]:
        answer = self.user.ask("GET", f"/api/research/runs/{run_id}")
        assert answer.status == 200, answer.body
        return dict(answer.json)

    def until(self, run_id: int, probe: Callable[[dict[str, Any]], bool], timeout_s: float = 150) -> dict[str, Any]:
        end_s = time.monotonic() + timeout_s
        while time.monotonic() < end_s:
            row = self.run(run_id)
            if probe(row):
                return row
            time.sleep(0.1)
        raise AssertionError(f"run {run_id} after {timeout_s} s: {row}")

    def finished(self, run_id: int) -> dict[str, Any]:
        return self.until(run_id, lambda row: row["state"] not in ("new", "running"), 240)


@pytest.fixture
def bench(desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    (tmp_path / "run" / "main_app").mkdir(parents=True)
    monkeypatch.setenv("RECIO_RUN_DIR", str(tmp_path / "run"))
    monkeypatch.setenv("RECIO_RESEARCH", str(tmp_path / "reports"))
    made = Bench(desk, tmp_path)
    yield made
    for worker in made.workers:
        worker.kill()
        worker.wait()


def audit(desk: Desk) -> list[str]:
    return [
        row["action"]
        for row in desk.db.all("SELECT action FROM users.audit_log WHERE action LIKE '%%research' ORDER BY audit_id")
    ]


def test_a_run_from_the_wish_to_the_commands_own_report(bench: Bench) -> None:
    run_id = bench.start(SHORT)
    assert (bench.folder / "run" / "main_app" / "research.trigger").exists(), "the path unit is told"
    assert bench.run(run_id)["state"] == "new"
    assert bench.worker().wait(240) == 0
    row = bench.finished(run_id)
    assert (row["state"], row["percent"], row["error"]) == ("done", 100, "")
    assert row["summary"]["markets"] == 9 and row["summary"]["equity"], "so loose that something was entered"
    report = bench.user.ask("GET", f"/api/research/runs/{run_id}/report")
    words = ["backtest", "--simulated-days", "0.1", "--seed", "3", "--out", str(bench.folder / "cli")]
    for key, value in LOOSE.items():
        words += ["--set", f"{key}={value}"]
    subprocess.run([sys.executable, "-m", "recio.cli", *words], env=bench.environment, check=True, capture_output=True)
    for path in (bench.folder / "cli").iterdir():
        assert path.read_bytes() == (bench.folder / "reports" / row["report"] / path.name).read_bytes(), path.name
    assert report.body == (bench.folder / "cli" / "report.json").read_bytes()
    assert row["report_bytes"] == sum(path.stat().st_size for path in (bench.folder / "cli").iterdir())
    page = bench.user.ask("GET", f"/research/runs/{run_id}/download/report.html", Accept="text/html")
    policy = page.headers["content-security-policy"]
    assert page.status == 200 and "sandbox" in policy and "default-src 'none'" in policy and "script" not in policy
    kept = bench.user.ask("GET", f"/research/runs/{run_id}/download/trades.csv")
    assert "attachment" in kept.headers["content-disposition"] and kept.headers["content-type"].startswith("text/csv")
    shown = bench.user.ask("GET", f"/research/runs/{run_id}", Accept="text/html").body.decode()
    assert "Result after fees" in shown and "Probability at least" in shown and "None" not in shown
    assert audit(bench.desk) == ["ask research"]


def test_progress_is_told_and_cancel_takes_less_than_two_seconds(bench: Bench) -> None:
    first, second = bench.start(LONG), bench.start(SHORT)
    worker = bench.worker()
    row = bench.until(first, lambda row: row["percent"] > 0)
    assert row["state"] == "running" and row["words"] and row["silent_s"] < 5
    began_s = time.monotonic()
    assert bench.user.ask("POST", f"/api/research/runs/{first}/cancel").status == 200
    row = bench.finished(first)
    took_s = time.monotonic() - began_s
    print(f"cancelled {took_s:.2f} s after it was asked for")
    assert row["state"] == "cancelled" and row["cancel_by"] == "admin"
    assert took_s < 2
    assert bench.finished(second)["state"] == "done", "the next one goes on"
    assert worker.wait(120) == 0
    assert not list((bench.folder / "reports").glob(".new-*"))
    again = bench.user.ask("POST", f"/api/research/runs/{first}/cancel")
    assert (again.status, again.error) == (409, "run_ended")
    assert audit(bench.desk) == ["ask research", "ask research", "cancel research"]


def test_one_that_waits_is_cancelled_while_another_goes(bench: Bench) -> None:
    first, second = bench.start(LONG), bench.start(SHORT)
    bench.worker()
    bench.until(first, lambda row: row["state"] == "running")
    bench.user.ask("POST", f"/api/research/runs/{second}/cancel")
    assert bench.until(second, lambda row: row["state"] == "cancelled", 10)["started_at_ms"] is None
    assert bench.run(first)["state"] == "running"


def _child_of(worker: subprocess.Popen[str]) -> int:
    end_s = time.monotonic() + 60
    while time.monotonic() < end_s:
        text = Path(f"/proc/{worker.pid}/task/{worker.pid}/children").read_text().split()
        if text:
            return int(text[0])
        time.sleep(0.05)
    raise AssertionError("the worker has no child")


def test_a_killed_run_fails_with_words_and_the_worker_goes_on(bench: Bench) -> None:
    first, second = bench.start(LONG), bench.start(SHORT)
    worker = bench.worker()
    bench.until(first, lambda row: row["state"] == "running" and row["percent"] > 0)
    os.kill(_child_of(worker), signal.SIGKILL)
    row = bench.finished(first)
    assert row["state"] == "failed" and "SIGKILL" in row["error"] and row["cure"]
    assert bench.finished(second)["state"] == "done"


def test_a_killed_worker_leaves_nothing_running_for_ever(bench: Bench) -> None:
    run_id = bench.start(LONG)
    worker = bench.worker()
    bench.until(run_id, lambda row: row["percent"] > 0)
    child = _child_of(worker)
    worker.kill()
    worker.wait()
    trigger = bench.folder / "run" / "main_app" / "research.trigger"
    trigger.unlink()
    bench.desk.db.run("UPDATE analytics.research_runs SET beat_at = now() - interval '1 minute'")
    page = bench.user.ask("GET", "/research", Accept="text/html").body.decode()
    assert "nothing heard of its worker" in page
    assert trigger.exists(), "looking wakes a new worker"
    bench.worker().wait(120)
    row = bench.run(run_id)
    assert row["state"] == "failed" and "worker ended" in row["error"] and row["cure"] == "start it again"
    end_s = time.monotonic() + 60
    while Path(f"/proc/{child}").exists() and time.monotonic() < end_s:
        time.sleep(0.1)
    assert not Path(f"/proc/{child}").exists(), "its child ends by itself: nobody reads what it says"


def test_what_systemd_says_of_an_end_is_told(bench: Bench) -> None:
    run_id = bench.start(SHORT)
    bench.desk.db.run("UPDATE analytics.research_runs SET state = 'running', started_at = now(), beat_at = now()")
    bench.environment["SERVICE_RESULT"] = "oom-kill"
    assert bench.worker("--close").wait(120) == 0
    row = bench.run(run_id)
    assert "oom-kill" in row["error"] and "shorter period" in row["cure"]


def test_two_workers_at_once_are_one(bench: Bench) -> None:
    run_id = bench.start(LONG)
    bench.worker()
    bench.until(run_id, lambda row: row["state"] == "running")
    assert bench.worker().wait(120) == 0, "the second has nothing to do"
    assert bench.run(run_id)["state"] == "running"


def test_history_that_is_stored_is_run_and_what_is_not_is_refused(bench: Bench) -> None:
    wish = {
        "kind": "backtest",
        "source": "history",
        "strategy": "quarter_hour",
        "from": "2026-11-01",
        "to": "2026-11-01T06:00",
    }
    none = bench.user.ask("POST", "/api/research/runs", wish)
    assert (none.status, none.error) == (422, "invalid_run") and "recio history fetch" in none.json["detail"]
    bench.desk.db.run(
        "INSERT INTO historical_data.btc_candles_1m (at, open_e2, high_e2, low_e2, close_e2, ticks)"
        " SELECT t, p, p + 900, p - 900, p + 100, 60 FROM (SELECT t, 11800000 + (10000 * sin(extract(epoch FROM t) / 900))::int AS p"
        " FROM generate_series('2026-11-01 00:00+00'::timestamptz, '2026-11-01 08:00+00', '1 minute') t) x"
    )
    outside = bench.user.ask("POST", "/api/research/runs", wish | {"from": "2026-10-15"})
    assert outside.status == 422 and outside.json["errors"][0]["field"] == "from"
    good = bench.start(wish | {"settings": LOOSE})
    bench.desk.db.run(
        "DELETE FROM historical_data.btc_candles_1m WHERE at = '2026-11-01 07:10+00'"
        " OR at BETWEEN '2026-11-01 07:20+00' AND '2026-11-01 07:40+00'"
    )
    holed = bench.start(wish | {"to": "2026-11-01T08:00"})
    bench.worker().wait(240)
    assert bench.run(good)["state"] == "done" and bench.run(good)["summary"]["source"] == "stored minutes"
    row = bench.run(holed)
    assert row["state"] == "failed" and "21 minutes from 2026-11-01 07:20 UTC on are not stored" in row["error"], row[
        "error"
    ]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"days": 32}, "days"),
        ({"strategy": "nobody"}, "strategy"),
        ({"settings": {"x": 1}}, "settings"),
        ({"from": "then"}, "from"),
    ],
)
def test_a_wish_out_of_bounds_is_a_422_that_names_the_field(bench: Bench, change: dict[str, Any], field: str) -> None:
    answer = bench.user.ask("POST", "/api/research/runs", SHORT | change)
    assert answer.status == 422 and answer.json["errors"][0]["field"] == field, answer.body
    assert not bench.desk.db.all("SELECT run_id FROM analytics.research_runs")


def test_only_so_many_wait(bench: Bench) -> None:
    for _ in range(MAX_OPEN):
        bench.start(SHORT)
    answer = bench.user.ask("POST", "/api/research/runs", SHORT)
    assert (answer.status, answer.error) == (409, "research_busy")


@pytest.mark.parametrize(
    ("role", "statement"),
    [
        ("main_app", "UPDATE analytics.research_runs SET state = 'done'"),
        ("main_app", "UPDATE analytics.research_runs SET report = 'run-000001'"),
        ("main_app", "DELETE FROM analytics.research_runs"),
        ("main_app", "INSERT INTO analytics.research_runs (user_id, wish, asked_by, state) VALUES ('0001', '{}', 'x', 'done')"),
        ("recio_research", "INSERT INTO analytics.research_runs (user_id, wish, asked_by) VALUES ('0001', '{}', 'x')"),
        ("recio_research", "UPDATE analytics.research_runs SET wish = '{}'"),
        ("recio_research", "SELECT * FROM users.trades"),
        ("recio_research", "SELECT * FROM users.balances"),
        ("recio_research", "INSERT INTO users.tickets DEFAULT VALUES"),
        ("recio_research", "SELECT * FROM users.users"),
    ],
)  # fmt: skip
def test_neither_side_can_do_more_than_its_own(desk: Desk, role: str, statement: str) -> None:
    db = Database("tests", desk.cluster.dsn(role))
    with pytest.raises(psycopg2.errors.InsufficientPrivilege):
        db.run(statement)
    db.close()


def test_a_row_that_a_taken_over_page_wrote_is_refused_by_the_worker(bench: Bench) -> None:
    page = Database("tests", bench.desk.cluster.dsn("main_app"))
    for wish in ({"kind": "shell"}, SHORT | {"source": "simulated", "days": 4000}, SHORT | {"out": "/etc"}):
        page.run(
            "INSERT INTO analytics.research_runs (user_id, wish, asked_by) VALUES ('0001', %s, 'someone')",
            (json.dumps(wish),),
        )
    page.close()
    assert bench.worker().wait(120) == 0
    rows = bench.user.ask("GET", "/api/research/runs").json["runs"]
    assert [row["state"] for row in rows] == ["failed"] * 3
    assert all(row["error"] for row in rows)


def done(desk: Desk, count: int = 2) -> list[int]:
    """Finished runs, made by hand: what the page shows of them."""
    summary = {
        "series": "KXBTC15M", "source": "simulated path, seed 1", "model": "normal-1", "from_s": 1_798_761_600, "to_s": 1_798_848_000,
        "markets": 96, "looks": 9, "entered": 3, "won": 2, "cancelled": 1, "pnl_e6": -2_130_000, "fees_e6": 30_000, "paid_e6": 2_400_000,
        "drawdown_e6": 2_500_000, "start_e6": 1_000_000_000, "verdict": "no edge shown: too few", "assumptions": ["made up"],
        "hours": [{"hour": 9, "trades": 3, "won": 2, "pnl_e6": -2_130_000}],
        "equity": [[1_798_770_000, 999_000_000], [1_798_800_000, 997_870_000]],
    }  # fmt: skip
    ids = []
    for n in range(count):
        wish = {"kind": "backtest", "source": "simulated", "strategy": "quarter_hour", "settings": {"min_probability_percent": 90 + n},
                "days": 1.0, "from_s": None, "to_s": None, "train_days": 0.0, "seed": 1}  # fmt: skip
        row = desk.db.one(
            "INSERT INTO analytics.research_runs (user_id, wish, asked_by, state, started_at, beat_at, finished_at, summary, report,"
            " report_bytes, percent) VALUES ('0001', %s, 'admin', 'done', now(), now(), now(), %s, 'run-000001', 5, 100) RETURNING run_id",
            (json.dumps(wish), json.dumps(summary | {"pnl_e6": -2_130_000 + n})),
        )
        assert row is not None
        ids.append(int(row["run_id"]))
    return ids


def test_runs_are_laid_side_by_side(desk: Desk) -> None:
    first, second = done(desk)
    user = desk.user()
    page = user.ask("GET", f"/research/compare?run={first}&run={second}", Accept="text/html")
    text = page.body.decode()
    assert page.status == 200 and "Probability at least" in text and "90 %" in text and "91 %" in text
    assert "Ask at most" not in text, "what is the same is not listed as different"
    for query, said in (
        ("run=1", "1 runs were chosen"),
        (f"run={first}&run=999", "here is no run 999"),
        ("run=x", "valid integer"),
    ):
        answer = user.ask("GET", f"/research/compare?{query}", Accept="text/html")
        assert answer.status in (404, 422) and said in answer.body.decode(), query
    missing = user.ask("GET", f"/research/runs/{first}/download/trades.csv")
    assert (missing.status, missing.error) == (404, "no_report")
    for bad in ("passwd", "..%2f..%2fetc%2fpasswd", "report.HTML"):
        assert user.ask("GET", f"/research/runs/{first}/download/{bad}").status in (404, 422), bad


def test_the_form_starts_a_run_and_says_what_is_wrong(desk: Desk) -> None:
    user: Client = desk.user()
    page = user.ask("GET", "/research?start_from=strategy:hourly_hold", Accept="text/html").body.decode()
    assert 'name="strategy" value="hourly_hold"' in page and "none yet" in page
    form = {"csrf_token": user.csrf, "kind": "backtest", "source": "simulated", "days": "2", "seed": "7", "strategy": "hourly_hold",
            "from": "", "to": "", "train_days": "0", "min_probability_percent": "91"}  # fmt: skip
    for change, said in (
        ({"days": "99"}, "0.05 to 31"),
        ({"days": "x"}, "is not a number"),
        ({"min_probability_percent": "101"}, "100"),
        ({"strategy": "zz"}, "not known"),
    ):
        answer = user.ask("POST", "/research/runs", form=form | change, Accept="text/html")
        assert answer.status == 422 and said in answer.body.decode(), (change, answer.body.decode()[:500])
    answer = user.ask("POST", "/research/runs", form=form)
    assert (answer.status, answer.headers["location"]) == (303, "/research?asked=1#runs")
    row = desk.db.one("SELECT wish FROM analytics.research_runs")
    assert row is not None and row["wish"]["settings"]["min_probability_percent"] == 91 and row["wish"]["days"] == 2
    again = user.ask("GET", "/research?start_from=run:1", Accept="text/html").body.decode()
    assert 'name="seed" value="7"' in again and 'value="91"' in again


def test_without_a_reports_folder_it_fails_with_the_cure(bench: Bench) -> None:
    (bench.folder / "reports").write_text("a file where a folder should be")
    run_id = bench.start(SHORT)
    assert bench.worker().wait(120) == 0
    row = bench.run(run_id)
    assert row["state"] == "failed" and "cannot be written" in row["error"] and row["cure"]
