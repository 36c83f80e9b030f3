"""A run from its input to its report: made-up days, a path of minutes, or recorded markets. The command and the worker call the same."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import msgspec

from recio.market.candles import CandleError, read_prices
from recio.market.generator import GeneratedPath
from recio.market.history import holes, minute_candles
from recio.market.model import NORMAL, ModelError, ProbabilityModel
from recio.market.recording import MINUTE_S, Recording, iso
from recio.market.training import build
from recio.research.crypto15m import read_series
from recio.research.desk import VirtualDesk
from recio.research.errors import ResearchError
from recio.research.recorded import model_of_file
from recio.research.report import RunReport, make_report
from recio.research.run import ASSUMED_TOP_E2, backtest_path, replay_path, run_recorded
from recio.research.tape import QUARTER_S, PathTape, tape_of, tape_of_path
from recio.trading.monitor import Monitor
from recio.trading.settings import RiskLimits
from recio.trading.wish import DAY_S, Wish, monitor_of

__all__ = [
    "CANDLES",
    "Bounds",
    "Progress",
    "read_minutes",
    "run_days",
    "run_file",
    "run_markets",
    "run_minutes",
    "run_wish",
    "stored",
]

CANDLES = Path("btc_perp_1m_202201") / "btc-perp-1m.csv"  # of a folder of recordings
_FIRST_DAY_S = 1_798_761_600  # 2027-01-01: under the fees in force, and nobody's history
_MADE_UP = (
    "books are made up: makers quote about the simulator's fair value, one second late, with an error of about a cent and"
    " a spread of 1.2 to 3 cents (seed {seed})"
)
_BRIDGED = 5  # missing minutes that a straight line may stand for, as in files
Progress = Callable[[str], None]
Candles = Iterable[tuple[float, int, int, int, int]]


class Bounds(msgspec.Struct, frozen=True, kw_only=True):
    """The part of a recording to run: epoch seconds (None: its end), and the days the model is built from first."""

    from_s: float | None = None
    to_s: float | None = None
    train_days: float = 0.0


def run_wish(wish: Wish, candles: Candles, show: Progress) -> RunReport:
    """A wish of the page; ``candles`` are the stored minutes of its period, asked for only with source history."""
    monitor = monitor_of(wish)
    if wish.source == "simulated":
        return run_days(wish.kind, monitor, wish.days or 0.0, wish.seed, show)
    bounds = Bounds(from_s=wish.from_s, to_s=wish.to_s, train_days=wish.train_days)
    return run_minutes(wish.kind, monitor, stored(candles, wish), NORMAL, bounds, wish.seed, show)


def stored(candles: Candles, wish: Wish) -> Recording:
    """The minutes of a wish as a recording. ResearchError names what is missing and how it is fetched."""
    rows = {int(row[0]) // MINUTE_S: row[1:] for row in candles}
    name = "stored minutes"
    if not rows:
        raise ResearchError(f"no minute of this period is stored; {_fetch(wish)}")
    first, end = min(rows), max(rows) + 1
    wanted_first, wanted_end = (wish.from_s or 0) // MINUTE_S, (wish.to_s or 0) // MINUTE_S
    if first > wanted_first + _BRIDGED or end < wanted_end - _BRIDGED:
        raise ResearchError(f"of this period only {_iso(first)} to {_iso(end)} UTC is stored; {_fetch(wish)}")
    gap = next((gap for gap in holes(rows, first, end) if gap[1] - gap[0] > _BRIDGED), None)
    if gap is not None:
        raise ResearchError(
            f"{gap[1] - gap[0]} minutes from {_iso(gap[0])} UTC on are not stored, and at most {_BRIDGED} are bridged;"
            f" {_fetch(wish)}, or choose a period without them"
        )
    lines = (
        f"{minute * MINUTE_S},{','.join(f'{v // 100}.{v % 100:02d}' for v in rows[minute])}" for minute in sorted(rows)
    )
    try:
        return read_prices(lines, name, max_gap_minutes=_BRIDGED)
    except CandleError as error:  # a stored minute whose prices contradict each other
        raise ResearchError(str(error)) from None


def _iso(minute: int) -> str:
    return iso(minute * MINUTE_S)[:16]


def _fetch(wish: Wish) -> str:
    return f"run `recio history fetch --from {_iso((wish.from_s or 0) // MINUTE_S)[:10]}` on the host"


def run_days(kind: str, monitor: Monitor, days: float, seed: int, show: Progress) -> RunReport:
    """Days of the path the simulated exchange walks, from a fixed day on: the same seed gives the same days."""
    name = f"simulated path, seed {seed}"
    tape = tape_of_path(GeneratedPath(seed), name, _FIRST_DAY_S, days, seed=seed, progress=show)
    return _run(kind, monitor, tape, NORMAL, name, seed, (_MADE_UP.format(seed=seed),), show)


def run_minutes(
    kind: str,
    monitor: Monitor,
    recording: Recording,
    model: ProbabilityModel,
    bounds: Bounds,
    seed: int,
    show: Progress,
) -> RunReport:
    """A path of one-minute candles; with ``train_days`` on a model of the first days. ResearchError says what is in the way."""
    from_s = bounds.from_s
    if bounds.train_days:
        until_s = recording.start_s + bounds.train_days * DAY_S
        from_s = max(from_s or 0.0, until_s)
        show("building the model")
        try:
            model = build(
                (row for row in minute_candles(recording) if row[0] < until_s), f"emp-first-{bounds.train_days:g}-days"
            )
        except ModelError as error:
            raise ResearchError(f"--train-days {bounds.train_days:g}: {error}") from None
    tape = tape_of(recording, seed=seed, from_s=from_s, to_s=bounds.to_s, progress=show)
    opens_s = tape.start_s + tape.first
    if model.train_from_s < opens_s + QUARTER_S * tape.quarters and opens_s < model.train_to_s:
        raise ResearchError(
            f"model {model.version!r} was built from minutes of this very run: it would be scored on what it learnt; "
            "take --train-days N, or other minutes for --history"
        )
    assumptions = (
        _MADE_UP.format(seed=seed),
        "the path between minutes is the recording's deterministic interpolation; the index is taken to be this price",
    )
    return _run(kind, monitor, tape, model, recording.name, seed, assumptions, show)


def _run(
    kind: str, monitor: Monitor, tape: PathTape, model: ProbabilityModel, source: str, seed: int, assumptions: tuple[str, ...],
    show: Progress,
) -> RunReport:  # fmt: skip
    desk = VirtualDesk([monitor], model, RiskLimits())
    outcome = (replay_path if kind == "replay" else backtest_path)(desk, tape, monitor.series_ticker, show)
    show("calibration")
    return make_report(
        desk, outcome, model, kind=kind, source=source, series=monitor.series_ticker, seed=seed, assumptions=assumptions
    )


def read_minutes(file: Path) -> Recording:
    """A file of one-minute candles. ResearchError when it cannot be used."""
    try:
        with file.open(encoding="utf-8") as lines:
            return read_prices(lines, file.name)
    except CandleError as error:
        raise ResearchError(str(error)) from None
    except OSError as error:
        raise ResearchError(f"cannot read {file}: {error.strerror}") from None


def run_file(
    kind: str, monitor: Monitor, file: Path, history: Path | None, bounds: Bounds, seed: int, show: Progress
) -> RunReport:
    """A file of minutes, on the closed form or on a model of another file's minutes."""
    model = model_of_file(history, f"emp-{history.stem}" if history else "")
    return run_minutes(kind, monitor, read_minutes(file), model, bounds, seed, show)


def run_markets(
    kind: str, monitor: Monitor, data: Path, series: str, history: Path | None, seed: int, show: Progress
) -> RunReport:
    """A folder of recorded markets with their books, taken whole."""
    if history is None and (data / CANDLES).is_file():
        history = data / CANDLES
    model = model_of_file(history, f"emp-{history.stem}" if history else "")
    markets, tape = read_series(data, series)
    desk = VirtualDesk([monitor], model, RiskLimits())
    outcome = run_recorded(desk, markets, tape, show)
    told: Any = (
        f"at most {ASSUMED_TOP_E2 // 100} contracts wait at the best price: the recording tells a whole side's depth only",
        "strikes and results are told from the spot and the last quotes; markets where they are not clear are left out",
        f"{len(markets) - len(outcome.results)} of {len(markets)} markets are left out",
    )
    return make_report(
        desk, outcome, model, kind=kind, source="recorded looks", series=series, seed=seed, assumptions=told
    )
