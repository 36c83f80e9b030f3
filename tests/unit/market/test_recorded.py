"""The real month of one-minute candles; kept outside the project."""

from __future__ import annotations

import math
import os
import time
import tracemalloc
from pathlib import Path

import pytest

from recio.market.candles import Recording, read_prices
from recio.market.momentum import momentum_bp
from recio.market.probability import probability_above
from recio.market.settlement import settlement_mean_e2
from recio.market.volatility import blended, realised_by_horizon

_ROOT = Path(os.environ.get("RECIO_RECORDINGS", Path(__file__).parents[3].parent / "shared" / "data"))
FILE = _ROOT / "btc_perp_1m_202201" / "btc-perp-1m.csv"
pytestmark = [
    pytest.mark.recorded,
    pytest.mark.skipif(not FILE.is_file(), reason=f"no recording at {FILE}; set RECIO_RECORDINGS to its folder"),
]


@pytest.fixture(scope="module")
def month() -> Recording:
    with FILE.open(encoding="utf-8") as lines:
        return read_prices(lines, str(FILE))


def test_it_loads_quickly_and_stays_small() -> None:
    tracemalloc.start()
    try:
        began = time.perf_counter()
        with FILE.open(encoding="utf-8") as lines:
            month = read_prices(lines, str(FILE))
        took = time.perf_counter() - began
        size, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(month) == 30_000
    assert month.gaps == []
    assert size < 2_000_000
    assert took < 10  # 0.2 s unobserved; memory tracing slows it


def test_every_minute_keeps_its_four_prices(month: Recording) -> None:
    for at in range(int(month.start_s), int(month.end_s), 60 * 997):
        path = [month.price_at(at + n) for n in range(60)]
        first, high, low, last = month.candle(at)
        assert (path[0], max(path), min(path), path[-1]) == (first, high, low, last)


def test_the_model_runs_on_it_and_its_forecasts_are_not_absurd(month: Recording) -> None:
    def price(at: float) -> int | None:
        return month.price_at(at) if month.start_s <= at <= month.end_s else None

    outcomes: list[tuple[float, bool]] = []
    for at in range(int(month.start_s) + 7200, int(month.end_s) - 900, 60 * 211):
        vol = blended(realised_by_horizon(price, at, (900, 3600), 60))
        mean = settlement_mean_e2(price, at + 600)
        now = price(at)
        assert vol is not None
        assert mean is not None
        assert now is not None
        assert momentum_bp(price, at).total_bp is not None
        for shift in (-30, -10, 0, 10, 30):
            strike = now + round(now * shift * 1e-4)
            outcomes.append((probability_above(now, strike, 600, vol), mean > strike))
    brier = sum((chance - won) ** 2 for chance, won in outcomes) / len(outcomes)
    loss = -sum(math.log(chance if won else 1 - chance) for chance, won in outcomes) / len(outcomes)
    assert brier < 0.20  # a coin's is 0.25
    assert loss < 0.60
