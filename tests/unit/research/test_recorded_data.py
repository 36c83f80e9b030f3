"""The real recordings: the report in docs is what they give, and a month fits its minute. Kept outside the project."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from recio.cli.main import app

PROJECT = Path(__file__).parents[3]
ROOT = Path(os.environ.get("RECIO_RECORDINGS", PROJECT.parent / "shared" / "data"))
_CANDLES = ROOT / "btc_perp_1m_202201" / "btc-perp-1m.csv"
_THERE = _CANDLES.is_file() and (ROOT / "kalshi_crypto15m_202608").is_dir()
pytestmark = [
    pytest.mark.recorded,
    pytest.mark.timeout(600),
    pytest.mark.skipif(not _THERE, reason=f"no recordings at {ROOT}; set RECIO_RECORDINGS to their folder"),
]


def test_the_page_in_docs_is_what_the_recordings_give(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["calibrate", "--data", str(ROOT), "--out", str(tmp_path / "calibration.md")])
    assert done.exit_code == 0, done.output
    cure = "run `recio calibrate --data DIR --out docs/calibration.md`"
    assert (tmp_path / "calibration.md").read_text() == (PROJECT / "docs" / "calibration.md").read_text(), cure
    for picture in (tmp_path / "images").iterdir():
        assert picture.read_text() == (PROJECT / "docs" / "images" / picture.name).read_text(), cure


def test_a_month_of_seconds_fits_into_a_minute(tmp_path: Path) -> None:
    words = [
        "backtest",
        "--data",
        str(_CANDLES),
        "--json",
        "--set",
        "model_weight=1",
        "--set",
        "min_probability_percent=70",
    ]
    began = time.process_time()
    done = CliRunner().invoke(app, [*words, "--set", "base_count_e2=1000", "--train-days", "0"])
    took = time.process_time() - began
    assert done.exit_code == 0, done.output
    answer = json.loads(done.stdout)
    assert answer["markets"] == 1995
    assert answer["entered"] > 100
    assert answer["verdicts"]["quarter_hour"].startswith("no edge shown")
    assert took < 60  # of one core; 20 on the machine this was written on


def test_recorded_books_are_replayed(tmp_path: Path) -> None:
    answers = [
        CliRunner().invoke(app, [kind, "--data", str(ROOT), "--series", "KXETH15M", "--json"]).stdout
        for kind in ("replay", "backtest")
    ]
    plain = [json.loads(answer) | {"kind": ""} for answer in answers]
    assert plain[0] == plain[1]
    assert plain[0]["markets"] > 30
    assert plain[0]["pnl_e6"] == plain[0]["cash_e6"] - plain[0]["start_e6"]
