"""How good forecasts were, and what acting on them would have earned after fees: the model, the market's middle, the blend.

Every forecast is of YES of one market. Rows of one event are not independent (a market looked at ten times settles
once), so intervals come from a bootstrap over events, never over rows, from a seed. What an edge is worth is measured on
entries, at most one an event and forecaster: the first row where probability less ask less fee reaches the threshold, one
contract at the ask, held to the settlement. The market's middle can never say that, so it has no entries of its own.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping, Sequence

import msgspec

from recio.market.fees import schedule_at, taker_fee_e6
from recio.units import ONE_DOLLAR_E4

__all__ = [
    "FORECASTERS",
    "Bin",
    "Edge",
    "Forecast",
    "Interval",
    "Report",
    "Score",
    "TrainedOnError",
    "calibrate",
    "entry_of",
    "require_unseen",
]

FORECASTERS = ("model", "market", "blend")
_NEARLY = 1e-6
_BINS = 10
_SHARE = 0.95


class TrainedOnError(ValueError):
    """A forecast would be scored on the history its model was built from; the message names both."""


class Forecast(msgspec.Struct, frozen=True, kw_only=True):
    """What was believed of YES at one moment, what could be bought then, and how it ended."""

    event: str  # what settles together
    strategy: str
    at_s: float
    won: bool  # YES was the result
    model: float
    market: float
    blend: float
    yes_ask_e4: int | None = None
    no_ask_e4: int | None = None
    model_version: str = "normal-1"
    entered_side: str = ""  # the strategy did enter here: yes or no …
    paid_e4: int | None = None  # … at this price


class Interval(msgspec.Struct, frozen=True):
    """A figure and the range that holds 95 % of its bootstrap; ``low`` and ``high`` are None for too few events."""

    value: float
    low: float | None = None
    high: float | None = None


class Bin(msgspec.Struct, frozen=True):
    """Forecasts between two probabilities: how many, what they said on average and how often it came true."""

    low: float
    high: float
    rows: int
    said: float
    came_true: float


class Score(msgspec.Struct, frozen=True, kw_only=True):
    """One forecaster. Lower is better; a coin has Brier 0.25 and log loss 0.693."""

    log_loss: Interval
    brier: Interval
    reliability: tuple[Bin, ...]


class Edge(msgspec.Struct, frozen=True, kw_only=True):
    """What entries earned a contract, fees paid, in 1/10,000 dollar."""

    entries: int
    events: int
    won: int
    paid_e4: float  # mean
    fee_e4: float  # mean
    mean_e4: Interval  # after fees
    total_e4: int


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """One strategy's calibration; JSON by msgspec."""

    strategy: str
    rows: int
    events: int
    from_s: float
    to_s: float
    model_versions: tuple[str, ...]
    scores: dict[str, Score]
    brier_model_less_market: Interval
    brier_blend_less_market: Interval
    edges: dict[str, Edge]  # by forecaster, and "strategy": what it really entered
    min_differential_e4: int
    resamples: int
    seed: int


def require_unseen(forecasts: Sequence[Forecast], trained: Mapping[str, tuple[float, float]]) -> None:
    """TrainedOnError when a forecast lies in [from, to) of its own model's history (version -> range)."""
    for row in forecasts:
        span = trained.get(row.model_version)
        if span is not None and span[0] <= row.at_s < span[1]:
            raise TrainedOnError(
                f"a forecast at {row.at_s:.0f} by model {row.model_version!r} lies in the history it was built from "
                f"({span[0]:.0f} to {span[1]:.0f}); score it on other days, or build a model that ends before them"
            )


def entry_of(probability: float, row: Forecast, min_differential_e4: int) -> tuple[str, int] | None:
    """(side, ask) of the entry this probability of YES calls for: the better side after the fee, if any reaches the threshold."""
    found: tuple[int, str, int] | None = None
    for side, chance, ask in (("yes", probability, row.yes_ask_e4), ("no", 1.0 - probability, row.no_ask_e4)):
        if ask is None or not 0 < ask < ONE_DOLLAR_E4:
            continue
        after = round(chance * ONE_DOLLAR_E4) - ask - _fee_e4(ask, row.at_s)
        if after >= min_differential_e4 and (found is None or after > found[0]):
            found = (after, side, ask)
    return None if found is None else found[1:]


def _fee_e4(ask_e4: int, at_s: float) -> int:
    """Fee of one contract in 1/10,000 dollar, rounded up."""
    return -(-taker_fee_e6(100, ask_e4, schedule_at(at_s)) // 100)


def calibrate(
    forecasts: Sequence[Forecast],
    trained: Mapping[str, tuple[float, float]] | None = None,
    *,
    min_differential_e4: int = 25,
    resamples: int = 2000,
    seed: int = 1,
) -> Report:
    """Score one strategy's forecasts. ValueError without any or with several strategies; TrainedOnError, see require_unseen."""
    strategies = {row.strategy for row in forecasts}
    if len(strategies) != 1:
        raise ValueError(
            f"calibrate one strategy at a time, with rows; got {len(forecasts)} rows of {sorted(strategies)}"
        )
    require_unseen(forecasts, trained or {})
    ordered = sorted(forecasts, key=lambda row: (row.at_s, row.event))
    events = {name: index for index, name in enumerate(dict.fromkeys(row.event for row in ordered))}
    draws = _draws(len(events), resamples, seed)
    columns: dict[str, list[tuple[float, float]]] = {}  # per event: (sum, count)
    for who in FORECASTERS:
        columns[f"{who} log"] = _sums(ordered, events, lambda row, who=who: _log_loss(_of(row, who), row.won))  # type: ignore[misc]
        columns[f"{who} brier"] = _sums(ordered, events, lambda row, who=who: (_of(row, who) - row.won) ** 2)  # type: ignore[misc]
    for who in ("model", "blend"):
        columns[f"{who} less"] = [
            (own[0] - market[0], own[1])
            for own, market in zip(columns[f"{who} brier"], columns["market brier"], strict=True)
        ]
    scores = {
        who: Score(
            log_loss=_interval(columns[f"{who} log"], draws),
            brier=_interval(columns[f"{who} brier"], draws),
            reliability=_reliability([(_of(row, who), row.won) for row in ordered]),
        )
        for who in FORECASTERS
    }
    return Report(
        strategy=strategies.pop(),
        rows=len(ordered),
        events=len(events),
        from_s=ordered[0].at_s,
        to_s=ordered[-1].at_s,
        model_versions=tuple(sorted({row.model_version for row in ordered})),
        scores=scores,
        brier_model_less_market=_interval(columns["model less"], draws),
        brier_blend_less_market=_interval(columns["blend less"], draws),
        edges=_edges(ordered, events, draws, min_differential_e4),
        min_differential_e4=min_differential_e4,
        resamples=resamples,
        seed=seed,
    )


def _of(row: Forecast, who: str) -> float:
    chance: float = getattr(row, who)
    return chance


def _log_loss(probability: float, won: bool) -> float:
    return -math.log(max(_NEARLY, probability if won else 1.0 - probability))


def _sums(
    rows: Sequence[Forecast], events: Mapping[str, int], value: Callable[[Forecast], float]
) -> list[tuple[float, float]]:
    sums, counts = [0.0] * len(events), [0] * len(events)
    for row in rows:
        sums[events[row.event]] += value(row)
        counts[events[row.event]] += 1
    return list(zip(sums, map(float, counts), strict=True))


def _draws(events: int, resamples: int, seed: int) -> list[list[int]]:
    """Which events each resample is made of."""
    rng = random.Random(seed)  # noqa: S311 - a bootstrap, not a secret
    return [rng.choices(range(events), k=events) for _ in range(resamples)]


def _interval(per_event: Sequence[tuple[float, float]], draws: Sequence[Sequence[int]]) -> Interval:
    """The mean over rows and its percentile interval over events; no interval for fewer than two events with rows."""
    total, count = sum(pair[0] for pair in per_event), sum(pair[1] for pair in per_event)
    if not count:
        return Interval(0.0)
    if sum(1 for pair in per_event if pair[1]) < 2:
        return Interval(total / count)
    found = []
    for draw in draws:
        drawn = sum(per_event[index][1] for index in draw)
        if drawn:
            found.append(sum(per_event[index][0] for index in draw) / drawn)
    found.sort()
    out = (1.0 - _SHARE) / 2.0
    return Interval(
        total / count, found[int(out * len(found))], found[min(len(found) - 1, int((1.0 - out) * len(found)))]
    )


def _reliability(pairs: Sequence[tuple[float, bool]]) -> tuple[Bin, ...]:
    bins = []
    for index in range(_BINS):
        low, high = index / _BINS, (index + 1) / _BINS
        inside = [pair for pair in pairs if min(_BINS - 1, int(pair[0] * _BINS)) == index]
        if inside:
            said = sum(chance for chance, _ in inside) / len(inside)
            bins.append(Bin(low, high, len(inside), said, sum(won for _, won in inside) / len(inside)))
    return tuple(bins)


def _edges(
    rows: Sequence[Forecast], events: Mapping[str, int], draws: Sequence[Sequence[int]], min_differential_e4: int
) -> dict[str, Edge]:
    entries: dict[str, list[tuple[Forecast, str, int]]] = {}
    for who in ("model", "blend"):
        seen: set[str] = set()
        entries[who] = []
        for row in rows:
            found = None if row.event in seen else entry_of(_of(row, who), row, min_differential_e4)
            if found is not None:
                seen.add(row.event)
                entries[who].append((row, *found))
    entries["strategy"] = [(r, r.entered_side, r.paid_e4) for r in rows if r.entered_side and r.paid_e4 is not None]
    return {who: _edge(found, events, draws) for who, found in entries.items() if found or who != "strategy"}


def _edge(
    entries: Sequence[tuple[Forecast, str, int]], events: Mapping[str, int], draws: Sequence[Sequence[int]]
) -> Edge:
    sums, counts = [0.0] * len(events), [0] * len(events)
    won = paid = fees = total = 0
    for row, side, ask in entries:
        is_won = row.won == (side == "yes")
        fee = _fee_e4(ask, row.at_s)
        earned = (ONE_DOLLAR_E4 if is_won else 0) - ask - fee
        won, paid, fees, total = won + is_won, paid + ask, fees + fee, total + earned
        sums[events[row.event]] += earned
        counts[events[row.event]] += 1
    size = max(1, len(entries))
    return Edge(
        entries=len(entries),
        events=sum(1 for count in counts if count),
        won=won,
        paid_e4=paid / size,
        fee_e4=fees / size,
        mean_e4=_interval(list(zip(sums, map(float, counts), strict=True)), draws),
        total_e4=total,
    )
