"""The reader of recorded quarters: what it tells of strikes and results, and what it refuses to tell."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from kit import look, write_series
from typer.testing import CliRunner

from recio.cli.main import app
from recio.market.generator import GeneratedPath
from recio.market.model import NORMAL
from recio.research.crypto15m import RecordedMarket, close_of, read_series
from recio.research.errors import ResearchError
from recio.research.placebo import run_placebo
from recio.research.recorded import coverage, forecasts, scored_looks

CLOSE = datetime(2026, 8, 17, 5, 45, tzinfo=UTC).timestamp()
TICKER = "KXETH15M-26AUG170145-45"


def quarter(close_s: float, ticker: str, end: float, every_s: int = 5) -> list[dict[str, Any]]:
    """A market looked at all the time whose spot goes from 2000 to ``end``."""
    rows = []
    for left in range(900, -30, -every_s):
        share = min(1.0, (900 - left) / 800)
        spot = 2000 + (end - 2000) * share + (left // every_s % 2) * 0.05
        middle = 0.5 + 0.45 * share * (1 if end > 2000 else -1)
        rows.append(
            look(
                ticker, close_s - left, round(middle - 0.005, 3), round(middle + 0.005, 3), spot, yes_depth=500.0 + left
            )
        )
    return rows


def data(tmp_path: Path) -> Path:
    before = [look("KXETH15M-26AUG170130-30", CLOSE - 900 - left, 0.5, 0.51, 2000.0) for left in range(300, 0, -5)]
    return write_series(tmp_path / "data", before + quarter(CLOSE, TICKER, 2010.0))


def market(folder: Path, ticker: str = TICKER) -> RecordedMarket:
    return next(found for found in read_series(folder, "KXETH15M")[0] if found.market_ticker == ticker)


def test_the_close_is_new_yorks() -> None:
    assert close_of(TICKER) == CLOSE
    assert close_of("KXSOL15M-26JAN151200-00") == datetime(2026, 1, 15, 17, tzinfo=UTC).timestamp()
    for bad in ("KXBTCD-26AUG1701-T1", "KXETH15M-26XXX170145-45", ""):
        with pytest.raises(ResearchError):
            close_of(bad)


def test_strike_and_result_come_from_the_minutes_before(tmp_path: Path) -> None:
    found = market(data(tmp_path))
    assert found.strike_e4 == pytest.approx(20_000_000, abs=300)
    assert found.strike_sd_e4 < 2_000  # one basis point
    assert (found.result, found.result_by, found.why) == ("yes", "both", "")
    assert found.strike_known_s <= CLOSE - 890


def test_spot_and_quote_that_disagree_tell_nothing(tmp_path: Path) -> None:
    rows = [look("KXETH15M-26AUG170130-30", CLOSE - 900 - left, 0.5, 0.51, 2000.0) for left in range(300, 0, -5)]
    rows += [row | {"yb": 0.01, "ya": 0.02, "yes_depth": n} for n, row in enumerate(quarter(CLOSE, TICKER, 2010.0))]
    found = market(write_series(tmp_path / "data", rows))
    assert found.result == ""
    assert "spot says yes, the last quote no" in found.why


def test_no_look_near_the_end_is_no_result(tmp_path: Path) -> None:
    rows = [look("KXETH15M-26AUG170130-30", CLOSE - 900 - left, 0.5, 0.51, 2000.0) for left in range(300, 0, -5)]
    rows += [row for row in quarter(CLOSE, TICKER, 2010.0) if row["ts"] < CLOSE - 200]
    found = market(write_series(tmp_path / "data", rows))
    assert (found.result, found.strike_e4 is not None) == ("", True)
    assert found.why.startswith("result not known")
    first = market(tmp_path / "data", "KXETH15M-26AUG170130-30")
    assert first.strike_e4 is None
    assert coverage([found, first])["markets"] == 2
    assert list(forecasts([found, first], read_series(tmp_path / "data", "KXETH15M")[1], NORMAL, "s")) == []


def test_a_repeated_quote_is_not_fresh_and_not_scored(tmp_path: Path) -> None:
    rows = [look("KXETH15M-26AUG170130-30", CLOSE - 900 - left, 0.5, 0.51, 2000.0) for left in range(300, 0, -5)]
    still = [row | {"yb": 0.6, "ya": 0.61, "yes_depth": 9.0} for row in quarter(CLOSE, TICKER, 2010.0)]
    found = market(write_series(tmp_path / "data", rows + still))
    assert [one.fresh for one in found.looks].count(True) == 1
    assert len(list(scored_looks(found))) <= 1
    moving = market(data(tmp_path / "other"))
    scored = list(scored_looks(moving))
    assert 10 <= len(scored) <= 14
    assert len({int(moving.close_s - one.at_s) // 60 for one in scored}) == len(scored)


def test_a_forecast_knows_only_what_was_before_it(tmp_path: Path) -> None:
    """Changing everything after a moment changes no forecast before it."""
    rows = [look("KXETH15M-26AUG170130-30", CLOSE - 900 - left, 0.5, 0.51, 2000.0) for left in range(300, 0, -5)]
    whole = rows + quarter(CLOSE, TICKER, 2010.0)
    cut = CLOSE - 420
    other = [row | {"spot": row["spot"] + 20.0} if row["ts"] > cut else row for row in whole]
    said = []
    for name, lines in (("one", whole), ("two", other)):
        markets, tape = read_series(write_series(tmp_path / name, lines), "KXETH15M")
        said.append(
            {f.at_s: (f.model, f.market, f.blend) for f in forecasts(markets, tape, NORMAL, "s") if f.at_s <= cut}
        )
    assert said[0] == said[1]
    assert said[0]


@pytest.mark.parametrize(
    ("line", "says"),
    [("{", "line 2"), ('{"ticker": 3}', "line 2"), (json.dumps(look(TICKER, 1.0, 0.5, 0.6, 2000.0)), "line 2"),
     (json.dumps(look(TICKER, CLOSE, 1.5, 0.6, 2000.0)), "line 2"), ("\\x00\\xff", "line 2")],
)  # fmt: skip
def test_a_bad_line_is_named(tmp_path: Path, line: str, says: str) -> None:
    folder = write_series(tmp_path / "data", [look(TICKER, CLOSE - 5, 0.5, 0.6, 2000.0)])
    with (folder / "KXETH15M" / "raw_snapshots.jsonl").open("a") as file:
        file.write(line + "\n")
    with pytest.raises(ResearchError, match=says):
        read_series(folder, "KXETH15M")


def test_bad_input_is_one_sentence_and_status_two(tmp_path: Path) -> None:
    folder = data(tmp_path)
    (folder / "KXBTC15M").mkdir()
    (folder / "KXBTC15M" / "trades.jsonl").write_text("")
    (tmp_path / "bad.csv").write_text("timestamp,open,high,low,close,volume\nyesterday,1,1,1,1,1\n")
    cases = [
        (["calibrate", "--data", str(tmp_path / "none")], "there is no folder"),
        (["calibrate", "--data", str(folder), "--series", "KXDOGE15M"], "there are: KXETH15M"),
        (["calibrate", "--data", str(folder), "--series", "KXBTC15M"], "only trades.jsonl"),
        (["calibrate", "--series", "KXETH15M"], "--data"),
        (["calibrate", "--data", str(folder), "--history", str(tmp_path / "x.csv")], "cannot read"),
        (["backtest", "--data", str(tmp_path / "bad.csv")], "is not a time"),
        (["backtest", "--data", str(tmp_path / "no.csv")], "cannot read"),
        (["backtest", "--data", str(folder), "--series", "KXETH15M", "--set", "nonsense=1"], "nonsense"),
        (["backtest", "--data", str(folder), "--series", "KXETH15M", "--set", "nonsense"], "KEY=VALUE"),
        (["backtest", "--data", str(folder), "--series", "KXETH15M", "--strategy", "magic"], "magic"),
        (["backtest", "--data", str(folder), "--series", "KXETH15M", "--from", "2026-01-01"], "for candles"),
        (["backtest"], "say what to run on"),
        (["replay", "--simulated-days", "0.001"], "no quarter of an hour"),
        (["replay", "--simulated-days", "1", "--from", "2026-01-01"], "for recordings"),
        (["replay", "--data", str(folder), "--from", "2026-01-02", "--to", "2026-01-01"], "does not lie before"),
    ]
    for words, says in cases:
        done = CliRunner().invoke(app, words)
        assert done.exit_code == 2, (words, done.output)
        assert says in done.output, words
        assert len(done.stderr.strip().splitlines()) == 1, (words, done.stderr)


def test_calibrate_writes_a_page_and_json(tmp_path: Path) -> None:
    words = ["calibrate", "--data", str(data(tmp_path)), "--series", "KXETH15M"]
    pages = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        done = CliRunner().invoke(app, [*words, "--out", str(tmp_path / name / "calibration.md")])
        assert done.exit_code == 0, done.output
        pages.append((tmp_path / name / "calibration.md").read_bytes())
    assert pages[0] == pages[1]
    assert b"**Verdict: no edge shown.**" in pages[0]
    assert (tmp_path / "one" / "images" / "calibration-KXETH15M.svg").read_text().startswith("<svg")
    answer = json.loads(CliRunner().invoke(app, [*words, "--json"]).stdout)
    assert answer["KXETH15M"]["verdict"]["passed"] is False
    assert answer["KXETH15M"]["report"]["events"] == 1


def test_backtest_of_recorded_quarters_tells_its_assumptions(tmp_path: Path) -> None:
    words = [
        "backtest",
        "--data",
        str(data(tmp_path)),
        "--series",
        "KXETH15M",
        "--out",
        str(tmp_path / "out"),
        "--json",
    ]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    answer = json.loads(done.stdout)
    assert answer["markets"] == 1
    assert any("100 contracts" in line for line in answer["assumptions"])
    assert "at most 100 contracts" in (tmp_path / "out" / "report.html").read_text()


def test_the_placebo_is_the_same_for_a_seed_and_near_fair(tmp_path: Path) -> None:
    path = GeneratedPath(9, anchor_e2=200_000)
    rows: list[dict[str, Any]] = []
    for number in range(8):
        close_s = CLOSE + 900 * number
        hour, minute = divmod(105 + 15 * number, 60)
        ticker = f"KXETH15M-26AUG17{hour:02d}{minute:02d}-{minute:02d}"
        rows += [
            look(
                ticker, close_s - left, 0.4 + left % 7 / 100, 0.42 + left % 7 / 100, path.price_at(close_s - left) / 100
            )
            for left in range(895, 0, -10)
        ]
    markets, _ = read_series(write_series(tmp_path / "data", rows), "KXETH15M")
    one, two = (run_placebo([markets], NORMAL, runs=3, seed=5) for _ in range(2))
    assert one == two
    assert one.wrong_results < 0.2
    assert len(one.edge_blend_e4) == 3
