"""The probability model: what history it needs, what it keeps, and what it does in the last minute."""

from __future__ import annotations

import subprocess
import sys
import time

import msgspec
import pytest

from recio.market.blend import blend, market_probability
from recio.market.generator import GeneratedPath
from recio.market.model import NORMAL, ModelError, TableModel, load
from recio.market.settlement import Observed
from recio.market.strike_table import Book, StrikeMarket, build
from recio.market.training import DEFAULT_BASIS_BP, measured_basis_bp
from recio.market.training import build as train

PRICE = 10_000_000


def minutes(count: int, first: int = 28_000_000, skip: range = range(0)) -> list[tuple[float, int, int, int, int]]:
    path = GeneratedPath(11)
    rows = []
    for minute in range(first, first + count):
        if minute - first in skip:
            continue
        prices = [path.price_at(minute * 60 + second) for second in (0, 20, 40, 59)]
        rows.append((minute * 60.0, prices[0], max(prices), min(prices), prices[-1]))
    return rows


@pytest.fixture(scope="module")
def model() -> TableModel:
    return train(minutes(2000), "m1")


def test_it_remembers_what_it_was_made_of(model: TableModel) -> None:
    assert model.train_from_s == 28_000_000 * 60
    assert model.train_to_s == (28_000_000 + 2000) * 60
    assert model.was_trained_on(model.train_from_s)
    assert model.was_trained_on(model.train_to_s - 1)
    assert not model.was_trained_on(model.train_to_s)
    assert not NORMAL.was_trained_on(0.0)
    assert model.basis_bp == DEFAULT_BASIS_BP


def test_the_same_history_makes_the_same_bytes(model: TableModel) -> None:
    assert train(minutes(2000), "m1").to_bytes() == model.to_bytes()
    assert train(reversed(minutes(2000)), "m1").to_bytes() == model.to_bytes()


def test_a_hole_takes_samples_away_and_nothing_else(model: TableModel) -> None:
    holed = train(minutes(2000, skip=range(700, 760)), "m2")
    assert 0 < holed.samples < model.samples


@pytest.mark.parametrize(("rows", "says"), [([], "no history"), (minutes(30), "30 minutes of history are too few")])
def test_too_little_history_is_refused(rows: list[tuple[float, int, int, int, int]], says: str) -> None:
    with pytest.raises(ModelError, match=says):
        train(rows, "none")


def test_damaged_tables_are_refused(model: TableModel) -> None:
    with pytest.raises(ModelError, match="recio model build"):
        load(model.to_bytes()[:-30])
    bent = (*model.tables[:3], tuple(reversed(model.tables[3])), *model.tables[4:])
    plain = msgspec.to_builtins(model) | {"tables": bent}
    with pytest.raises(ModelError, match="no distribution"):
        load(msgspec.json.encode(plain))


def test_the_known_part_of_the_last_minute_counts(model: TableModel) -> None:
    def chance(left: float, known: Observed) -> float:
        found = model.probability_yes("greater", PRICE, None, PRICE, left, 9e-5, 60, known, momentum_bp=0)
        assert found is not None
        return found

    high = Observed(50, PRICE + 3_000.0)
    assert chance(10, high) > 0.97  # 50 of 60 values are 30 dollars over the strike
    assert chance(10, Observed(50, PRICE - 3_000.0)) < 0.03
    assert chance(0, Observed(60, PRICE + 1.0)) > 0.5
    decided = model.probability_yes(
        "greater", PRICE, None, PRICE, 0, 9e-5, 60, Observed(60, PRICE + 1.0), basis_sd_e2=0
    )
    assert decided == 1.0


def test_the_basis_makes_it_less_sure(model: TableModel) -> None:
    sure, unsure = (
        model.probability_yes("greater", PRICE - 20_000, None, PRICE, 120, 9e-5, basis_sd_e2=basis)
        for basis in (0.0, 20_000.0)
    )
    assert sure is not None
    assert unsure is not None
    assert 0.5 < unsure < sure


def test_the_basis_is_measured_when_enough_was_seen() -> None:
    assert measured_basis_bp([(PRICE + 100.0, PRICE)] * 19) is None
    assert measured_basis_bp([(PRICE + 100.0, PRICE), (PRICE - 100.0, PRICE)] * 20) == pytest.approx(0.1, rel=1e-3)
    spoiled = [(PRICE + 100.0, float(PRICE))] * 38 + [(PRICE * 1.5, float(PRICE))] * 2
    assert measured_basis_bp(spoiled) == pytest.approx(0.1, rel=1e-3)


def test_a_row_of_the_table_shows_model_market_and_blend(model: TableModel) -> None:
    book = Book([[8800, 100]], [[1000, 100]], received_s=1000.0)
    market = StrikeMarket(market_ticker="M", floor_strike_e2=PRICE - 10_000)
    row = build([market], {"M": book}, PRICE, 600, 9e-5, 1000.0, model=model, momentum_bp=4)[0]
    assert (row.side, row.model_version) == ("yes", "m1")
    assert row.probability_market == 0.89 == market_probability(8800, 9000)
    assert row.probability is not None
    assert row.probability_blend == blend(row.probability, 0.89)
    low = StrikeMarket(market_ticker="M", floor_strike_e2=PRICE + 10_000)
    other = build([low], {"M": book}, PRICE, 600, 9e-5, 1000.0, model=model)[0]
    assert other.side == "no"
    assert other.probability_market == pytest.approx(0.11)
    bare = build([market], {}, PRICE, 600, 9e-5, 1000.0)[0]
    assert (bare.probability_market, bare.probability_blend, bare.model_version) == (None, None, "normal-1")


def test_a_look_up_is_quick(model: TableModel) -> None:
    began = time.perf_counter()
    for step in range(1000):
        model.probability_yes("greater", PRICE, None, PRICE + step, 600, 9e-5, momentum_bp=7)
    assert time.perf_counter() - began < 1.0  # 15 us each on the machine this was written on


def test_a_worker_that_uses_it_stays_lean() -> None:
    code = "import recio.services.unified_production_coordinator, sys; print([m for m in %r if m in sys.modules])"
    heavy = ["numpy", "sqlalchemy", "asyncio", "fastapi", "recio.market.training", "recio.research"]
    done = subprocess.run([sys.executable, "-c", code % heavy], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
