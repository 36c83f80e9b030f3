"""Backtest, replay and the scalar rules: one input, one set of decisions, the same bytes."""

from __future__ import annotations

import subprocess
import sys
from functools import cache
from pathlib import Path

import msgspec
import numpy as np
import pytest
from kit import FIRST_MINUTE, LOOSE, desk, recording
from typer.testing import CliRunner

from recio.cli.main import app
from recio.market.candles import read_prices
from recio.market.history import minute_candles
from recio.market.model import NORMAL, ProbabilityModel
from recio.market.momentum import momentum_bp
from recio.market.probability import NEARLY
from recio.market.settlement import observe
from recio.market.training import build
from recio.market.volatility import blended, realised_by_horizon
from recio.research.desk import START_E6, VirtualDesk
from recio.research.report import make_report, write_report
from recio.research.run import backtest_path, replay_path
from recio.research.tape import QUARTER_S, PathTape, tape_of
from recio.research.vector import model_yes
from recio.trading.evaluate import recompute
from recio.trading.strategies.base import EntryState


@cache
def tape() -> PathTape:
    return tape_of(recording(330), seed=3)


@cache
def trained() -> ProbabilityModel:
    return build(minute_candles(recording(3000, seed=77, first=FIRST_MINUTE - 10_000)), "other-days")


def settings(name: str) -> dict[str, object]:
    return {
        "loose": LOOSE,
        "default": {},
        "reentry": LOOSE | {"allow_reentry": True, "max_time_to_close_s": 840.0},
        "take profit": LOOSE | {"stop": {"take_profit_e4": 9_700}},
        "nervous stop": LOOSE
        | {"stop": {"stop_probability_percent": 60.0, "confirm_after_s": 3.0, "momentum_stop": True}},
        "kelly": LOOSE | {"sizing": "kelly", "max_cost_e6": 20_000_000},
    }[name]


@pytest.mark.parametrize("name", ["loose", "default", "reentry", "take profit", "nervous stop", "kelly"])
@pytest.mark.parametrize("model", ["normal", "tables"])
def test_backtest_is_replay_decision_by_decision(name: str, model: str) -> None:
    chosen = NORMAL if model == "normal" else trained()
    slow, quick = desk(chosen, **settings(name)), desk(chosen, **settings(name))
    whole, part = replay_path(slow, tape(), "KXBTC15M"), backtest_path(quick, tape(), "KXBTC15M")
    assert quick.decisions == slow.decisions
    assert quick.trades == slow.trades
    assert quick.samples == slow.samples
    assert quick.equity == slow.equity
    assert part.results == whole.results
    assert part.looks < whole.looks
    if name != "default":
        assert slow.trades, "nothing was decided, so nothing was compared"


def test_the_hourly_strategy_is_the_same_too() -> None:
    changes = LOOSE | {"strategy": "hourly_hold"}
    slow, quick = desk(**changes), desk(**changes)
    replay_path(slow, tape(), "KXBTC15M")
    backtest_path(quick, tape(), "KXBTC15M")
    assert (quick.decisions, quick.trades) == (slow.decisions, slow.trades)
    assert slow.trades


def test_every_cent_is_accounted_for() -> None:
    made = desk(**LOOSE)
    backtest_path(made, tape(), "KXBTC15M")
    closed = [trade for trade in made.trades if trade.state == "closed"]
    assert {trade.state for trade in made.trades} <= {"closed", "cancelled"}
    assert made.cash_e6 == START_E6 + sum(trade.pnl_e6 for trade in closed)
    for trade in closed:
        sums = trade.folded()
        assert sums.fees_e6 > 0
        assert sums.entry_count_e2 <= trade.count_e2
        assert sums.entry_cost_e6 <= trade.limit_price_e4 * sums.entry_count_e2


def test_the_features_are_those_of_the_services() -> None:
    made = tape()
    source = recording(330)

    def price(at: float) -> int | None:
        return source.price_at(at) if source.start_s <= at <= source.end_s else None

    for at in range(3700, len(made.price), 977):
        now = made.start_s + at
        assert made.price[at] == price(now)
        assert made.momentum[at] == momentum_bp(price, now).total_bp
        vol = blended(realised_by_horizon(price, now))
        assert vol is not None
        assert made.vol[at] == pytest.approx(vol, abs=2e-12)


@pytest.mark.parametrize("model", ["normal", "tables"])
def test_the_arrays_agree_with_the_model(model: str) -> None:
    chosen, made = NORMAL if model == "normal" else trained(), tape()
    source = recording(330)
    at = np.arange(made.first + 1, made.first + QUARTER_S * 4, 53)
    at = at[(at - made.first) % QUARTER_S != 0]
    quick = model_yes(chosen, made, at)
    for index, found in zip(at.tolist(), quick.tolist(), strict=True):
        quarter = (index - made.first) // QUARTER_S
        close = made.first + (quarter + 1) * QUARTER_S
        seen = observe(source.price_at, made.start_s + close, made.start_s + index)
        exact = chosen.probability_yes(
            "greater_or_equal", int(made.strikes[quarter]), None, int(made.price[index]), close - index,
            float(made.vol[index]), observed=seen, momentum_bp=int(made.momentum[index]),
        )  # fmt: skip
        assert exact is not None
        assert min(1 - NEARLY, max(NEARLY, found)) == pytest.approx(exact, abs=1e-6)


def test_a_stored_decision_is_made_again_from_its_inputs(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the services store of a decision is its EntryState: what the desk decided comes out of it again."""
    from recio.research import desk as module
    from recio.trading.evaluate import evaluate_entries, states

    checked: list[str] = []

    def checking(monitor: object, table: object, context: object) -> list[object]:
        found = evaluate_entries(monitor, table, context)  # type: ignore[arg-type]
        for state, decision in zip(states(table, context), found, strict=True):  # type: ignore[arg-type]
            if decision.reason in ("closed", "window"):
                continue
            stored = msgspec.json.decode(msgspec.json.encode(state))
            assert msgspec.convert(stored, EntryState).row == state.row
            again = recompute(monitor.strategy, msgspec.to_builtins(monitor.settings), stored)  # type: ignore[attr-defined]
            assert again == decision
            checked.append(decision.action)
        return found  # type: ignore[return-value]

    monkeypatch.setattr(module, "evaluate_entries", checking)
    backtest_path(desk(**LOOSE), tape(), "KXBTC15M")
    assert checked.count("enter") >= 5


def test_the_same_run_writes_the_same_bytes(tmp_path: Path) -> None:
    folders = []
    for name in ("one", "two"):
        made: VirtualDesk = desk(trained(), **LOOSE)
        outcome = backtest_path(made, tape_of(recording(330), seed=3), "KXBTC15M")
        report = make_report(
            made, outcome, trained(), kind="backtest", source="x", series="KXBTC15M", assumptions=("none",)
        )
        write_report(report, tmp_path / name)
        folders.append({path.name: path.read_bytes() for path in (tmp_path / name).iterdir()})
    assert folders[0] == folders[1]
    assert set(folders[0]) == {"report.json", "report.html", "trades.csv", "decisions.csv", "hours.csv", "equity.csv"}
    page = folders[0]["report.html"].decode()
    assert "Equity" in page
    assert "edge shown" in page
    assert "<script" not in page
    plain = msgspec.json.decode(folders[0]["report.json"])
    assert plain["pnl_e6"] == sum(row["pnl_e6"] for row in plain["hours"])
    assert folders[0]["trades.csv"].count(b"\n") == len(plain["trades"]) + 1


def test_another_seed_is_another_market() -> None:
    assert not np.array_equal(tape().yes_bid, tape_of(recording(330), seed=4).yes_bid)


def test_quotes_are_never_crossed_and_the_bids_stay_inside() -> None:
    made = tape()
    inside = slice(made.first, made.first + made.quarters * QUARTER_S)
    assert np.all(made.yes_bid[inside] < made.yes_ask[inside])
    for at in range(made.first, made.first + 900, 61):
        yes, no = made.ladders(at)
        for ladder in (yes, no):
            assert all(0 < price < 10_000 and size > 0 for price, size in ladder)
            assert [price for price, _ in ladder] == sorted((price for price, _ in ladder), reverse=True)


def test_ticks_are_refused_in_a_sentence() -> None:
    from recio.research.errors import ResearchError

    ticks = read_prices(["timestamp,price", "1740000000,100", "1740000060,101"], "ticks.csv")
    with pytest.raises(ResearchError, match="one-minute candles"):
        tape_of(ticks)
    with pytest.raises(ResearchError, match="no whole quarter"):
        tape_of(recording(70))


@pytest.mark.parametrize(
    "module",
    ["recio.services.__main__", "recio.services.auto_entry_supervisor", "recio.services.main_app", "recio.cli.main"],
)
def test_no_service_imports_numpy_or_research(module: str) -> None:
    code = f"import sys; sys.argv=['x']; import importlib; importlib.import_module({module!r}); "
    code += "print([m for m in sys.modules if m == 'numpy' or m.startswith('recio.research')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "[]", done.stderr


def test_simulated_days_replay_as_they_backtest() -> None:
    answers = []
    for kind in ("replay", "backtest"):
        words = [kind, "--simulated-days", "0.1", "--seed", "4", "--json", "--set", "model_weight=1"]
        done = CliRunner().invoke(app, [*words, "--set", "min_probability_percent=60"])
        assert done.exit_code == 0, done.output
        answers.append(msgspec.json.decode(done.stdout.encode()))
    slow, quick = answers
    assert slow["decisions"] == quick["decisions"]
    assert slow["trades"] == quick["trades"]
    assert slow["trades"]
    assert slow["markets"] == 9
