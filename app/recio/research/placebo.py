"""What the recorded calibration would show if the market were perfectly fair: the same looks at made-up markets.

Strikes and results are estimated from the same spot the model sees, and clear results are kept while close ones are
not: that alone can look like an edge. So the whole procedure is run over random walks looked at in the very seconds of
the recording, with quotes about the exact fair value (which knows the true strike) at the recorded spread. What it shows
there is not an edge, it is the procedure; an observed figure inside that range shows nothing.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence

import msgspec

from recio.market.calibration import Forecast, calibrate
from recio.market.model import ProbabilityModel
from recio.market.probability import variance_s
from recio.research.crypto15m import Look, RecordedMarket, SpotTape, judge
from recio.research.recorded import forecasts

__all__ = ["Placebo", "run_placebo"]

_START_E4, _VOL = 20_000_000, 5e-5
_SPOT_EVERY_S = 8  # how often the recorded spot moves


class Placebo(msgspec.Struct, frozen=True, kw_only=True):
    """Over all runs, sorted: differences of Brier scores and edges (1/10,000 dollar a contract)."""

    runs: int
    wrong_results: float  # share of the scored markets whose told result is not the true one
    brier_model_less_market: tuple[float, ...]
    edge_model_e4: tuple[float, ...]
    edge_blend_e4: tuple[float, ...]


def run_placebo(
    series: Sequence[Sequence[RecordedMarket]], model: ProbabilityModel, runs: int = 40, seed: int = 1
) -> Placebo:
    """``runs`` made-up recordings of the same looks; every series has a walk of its own."""
    less: list[float] = []
    edges: dict[str, list[float]] = {"model": [], "blend": []}
    wrong = scored = 0
    for run in range(runs):
        rows: list[Forecast] = []
        for place, markets in enumerate(series):
            made, truth, tape = _made_up(markets, random.Random(f"{seed}/{run}/{place}"))  # noqa: S311
            rows.extend(forecasts(made, tape, model, "placebo"))
            told = [market for market in made if market.result and market.strike_e4 is not None]
            scored += len(told)
            wrong += sum(1 for market in told if market.result != truth[market.market_ticker])
        if not rows:
            continue
        report = calibrate(rows, resamples=2, seed=seed)
        less.append(report.brier_model_less_market.value)
        for who, found in edges.items():
            found.append(report.edges[who].mean_e4.value)
    return Placebo(
        runs=runs,
        wrong_results=wrong / max(1, scored),
        brier_model_less_market=tuple(sorted(less)),
        edge_model_e4=tuple(sorted(edges["model"])),
        edge_blend_e4=tuple(sorted(edges["blend"])),
    )


class _Walk:
    """A driftless walk by the second."""

    def __init__(self, first_s: int, seconds: int, rng: random.Random) -> None:
        self._first, price = first_s, float(_START_E4)
        self._price = [price]
        for _ in range(seconds):
            price *= 1.0 + _VOL * rng.gauss(0.0, 1.0)
            self._price.append(price)

    def at(self, second: float) -> float:
        return self._price[int(second) - self._first]

    def mean(self, end_s: float) -> float:
        end = int(end_s) - self._first
        return sum(self._price[end - 59 : end + 1]) / 60


def _made_up(
    markets: Sequence[RecordedMarket], rng: random.Random
) -> tuple[list[RecordedMarket], dict[str, str], SpotTape]:
    first = int(min(market.close_s - 1000 for market in markets))
    last = int(max(max(market.close_s, market.looks[-1].at_s) for market in markets)) + 2
    walk = _Walk(first, last - first, rng)
    truth: dict[str, str] = {}
    looks: dict[str, list[Look]] = {}
    points: dict[float, int] = {}
    for market in markets:
        strike = walk.mean(market.close_s - 900)
        truth[market.market_ticker] = "yes" if walk.mean(market.close_s) >= strike else "no"
        quote: tuple[int | None, int | None] = (None, None)
        made = looks[market.market_ticker] = []
        for look in market.looks:
            if look.at_s < first + _SPOT_EVERY_S:
                continue
            spot = round(walk.at(int(look.at_s) // _SPOT_EVERY_S * _SPOT_EVERY_S))
            if look.fresh:
                quote = _quote(_fair(walk, strike, market.close_s, look.at_s), look)
            made.append(msgspec.structs.replace(look, yes_bid_e4=quote[0], yes_ask_e4=quote[1], spot_e4=spot))
            points[look.at_s] = spot
    tape = SpotTape(sorted(points.items()))
    told = [judge(market.market_ticker, market.series_ticker, looks[market.market_ticker], tape) for market in markets]
    return told, truth, tape


def _fair(walk: _Walk, strike: float, close_s: float, at_s: float) -> float:
    """The chance of YES of somebody who knows strike, price and volatility exactly."""
    left = close_s - at_s
    if left <= 0:
        return 1.0 if walk.mean(close_s) >= strike else 0.0
    price = walk.at(at_s)
    known = max(0, 60 - math.ceil(left))
    known_sum = sum(walk.at(close_s - 59 + n) for n in range(known))
    unknown = 60 - known
    mean = (known_sum + unknown * price) / 60
    sd = _VOL * price * math.sqrt(variance_s(left - unknown + 1, unknown)) * unknown / 60
    return 0.5 * math.erfc((strike - mean) / (max(sd, 1e-9) * math.sqrt(2.0)))


def _quote(fair: float, look: Look) -> tuple[int | None, int | None]:
    """Bid and ask about the fair value, as far apart as they were recorded."""
    apart = (look.yes_ask_e4 or 10_000) - (look.yes_bid_e4 or 0)
    bid = round(fair * 10_000 - apart / 2)
    return (bid if bid > 0 else None), (bid + apart if bid + apart < 10_000 else None)
