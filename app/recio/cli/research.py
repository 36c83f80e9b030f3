"""replay and backtest: recorded or made-up markets through the code that decides on the desk."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer

from recio.cli.history import bad_input, moment

if TYPE_CHECKING:
    from recio.research.report import RunReport

__all__ = ["backtest", "replay"]

_CANDLES = Path("btc_perp_1m_202201") / "btc-perp-1m.csv"
_DAY_S = 86_400
_FIRST_DAY_S = 1_798_761_600  # 2027-01-01: under the fees in force, and nobody's history
_MADE_UP = (
    "books are made up: makers quote about the simulator's fair value, one second late, with an error of about a cent and"
    " a spread of 1.2 to 3 cents (seed {seed})"
)

Data = Annotated[Path | None, typer.Option(help="A folder with recordings, or a CSV file of one-minute candles.")]
Simulated = Annotated[float, typer.Option(help="Without --data: this many days of the simulator's own path (--seed).")]
Series = Annotated[str, typer.Option(help="KXETH15M, KXSOL15M (recorded books), or KXBTC15M (candles, books made up).")]
Strategy = Annotated[str, typer.Option(help="A strategy by name.")]
Change = Annotated[list[str] | None, typer.Option("--set", help="KEY=VALUE of the strategy's settings. Repeatable.")]
Since = Annotated[str, typer.Option("--from", help="First day or time, UTC.")]
Until = Annotated[str, typer.Option("--to", help="End, UTC.")]
Train = Annotated[float, typer.Option(help="Build the model from this many first days and run on the rest.")]
History = Annotated[
    Path | None, typer.Option(help="Build the model from these minutes (CSV) instead of the closed form.")
]
Out = Annotated[Path | None, typer.Option(help="Folder for report.html, report.json and the CSV files.")]
Seed = Annotated[int, typer.Option(help="Of made-up books and of the bootstrap.")]
AsJson = Annotated[bool, typer.Option("--json", help="For programs.")]


def replay(
    data: Data = None, simulated_days: Simulated = 0.0, series: Series = "KXBTC15M", strategy: Strategy = "quarter_hour",
    change: Change = None, since: Since = "", until: Until = "", train_days: Train = 0.0, history: History = None,
    out: Out = None, seed: Seed = 1, as_json: AsJson = False,
) -> None:  # fmt: skip
    """Walk through recorded or simulated days second by second with a virtual clock: the slow proof of what backtest says."""
    _run(
        _wish("replay", data, simulated_days, series, strategy, change, since, until, train_days, history, seed),
        out,
        as_json,
    )


def backtest(
    data: Data = None, simulated_days: Simulated = 0.0, series: Series = "KXBTC15M", strategy: Strategy = "quarter_hour",
    change: Change = None, since: Since = "", until: Until = "", train_days: Train = 0.0, history: History = None,
    out: Out = None, seed: Seed = 1, as_json: AsJson = False,
) -> None:  # fmt: skip
    """The same decisions as replay, from the seconds that can matter: a month in well under a minute."""
    _run(
        _wish("backtest", data, simulated_days, series, strategy, change, since, until, train_days, history, seed),
        out,
        as_json,
    )


class _Wish(msgspec.Struct, frozen=True, kw_only=True):
    """What to run, checked as far as words go."""

    kind: str
    data: Path | None
    days: float
    series: str
    monitor: Any
    from_s: float | None
    to_s: float | None
    train_days: float
    history: Path | None
    seed: int


def _wish(
    kind: str, data: Path | None, days: float, series: str, strategy: str, change: list[str] | None, since: str, until: str,
    train_days: float, history: Path | None, seed: int,
) -> _Wish:  # fmt: skip
    from recio.trading.settings import SettingError

    from_s, to_s = moment(since, "--from") if since else None, moment(until, "--to") if until else None
    if from_s is not None and to_s is not None and from_s >= to_s:
        bad_input(f"--from {since} does not lie before --to {until}")
    if (data is None) == (days <= 0):
        bad_input("say what to run on: --data FOLDER or FILE, or --simulated-days N")
    if data is None and (since or until or train_days or history):
        bad_input("--from, --to, --train-days and --history are for recordings")
    if data is not None and data.is_dir() and series != "KXBTC15M" and (since or until or train_days):
        bad_input("--from, --to and --train-days are for candles; recorded markets are taken whole")
    try:
        monitor = _monitor(strategy, series, _settings(change))
    except SettingError as error:
        bad_input(str(error))
    return _Wish(
        kind=kind, data=data, days=days, series=series, monitor=monitor, from_s=from_s, to_s=to_s,
        train_days=train_days, history=history, seed=seed,
    )  # fmt: skip


def _progress() -> Callable[[str], None]:
    """Progress on a terminal's error stream, in one line; a log gets none."""

    def show(text: str) -> None:
        typer.echo(f"\r{text:<70}", nl=False, err=True)

    return show if sys.stderr.isatty() else lambda text: None


def _settings(change: list[str] | None) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for text in change or ():
        key, equals, value = text.partition("=")
        if not equals:
            bad_input(f"--set takes KEY=VALUE, for example min_probability_percent=90, not {text!r}")
        try:
            found[key] = msgspec.json.decode(value)
        except msgspec.DecodeError:
            found[key] = value
    return found


def _run(wish: _Wish, out: Path | None, as_json: bool) -> None:
    try:
        from recio.research.report import summary_lines, write_report
    except ModuleNotFoundError as missing:
        if missing.name != "numpy":
            raise
        bad_input("replay and backtest need numpy: pip install 'recio[research]'")
    from recio.market.calibration import TrainedOnError
    from recio.research.errors import ResearchError

    show = _progress()
    try:
        report = _report(wish, show)
    except (ResearchError, TrainedOnError) as error:
        bad_input(str(error))
    show("")
    if sys.stderr.isatty():
        typer.echo("\r", nl=False, err=True)
    if out is not None:
        try:
            files = write_report(report, out)
        except OSError as error:
            bad_input(f"--out {out}: {error.strerror}")
        typer.echo(f"written: {', '.join(path.name for path in files)} in {out}", err=True)
    typer.echo(msgspec.json.encode(report).decode() if as_json else "\n".join(summary_lines(report)))


def _report(wish: _Wish, show: Callable[[str], None]) -> RunReport:
    if wish.data is None:
        return _simulated(wish, show)
    if wish.data.is_dir() and wish.series != "KXBTC15M":
        return _recorded(wish, wish.data, show)
    return _path(wish, wish.data / _CANDLES if wish.data.is_dir() else wish.data, show)


def _monitor(strategy: str, series: str, changes: dict[str, Any]) -> Any:
    from recio.trading.monitor import Monitor, changed, settings_of

    settings = settings_of(strategy, None)
    if changes:
        settings = settings_of(strategy, changed(settings, changes))
    return Monitor(monitor_id="research", strategy=strategy, series_ticker=series, enabled=True, settings=settings)


def _recorded(wish: _Wish, data: Path, show: Callable[[str], None]) -> RunReport:
    from recio.research.crypto15m import read_series
    from recio.research.desk import VirtualDesk
    from recio.research.recorded import model_of_file
    from recio.research.report import make_report
    from recio.research.run import ASSUMED_TOP_E2, run_recorded
    from recio.trading.settings import RiskLimits

    history = wish.history
    if history is None and (data / _CANDLES).is_file():
        history = data / _CANDLES
    model = model_of_file(history, f"emp-{history.stem}" if history else "")
    markets, tape = read_series(data, wish.series)
    desk = VirtualDesk([wish.monitor], model, RiskLimits())
    outcome = run_recorded(desk, markets, tape, show)
    return make_report(
        desk, outcome, model, kind=wish.kind, source="recorded looks", series=wish.series, seed=wish.seed,
        assumptions=(
            f"at most {ASSUMED_TOP_E2 // 100} contracts wait at the best price: the recording tells a whole side's depth only",
            "strikes and results are told from the spot and the last quotes; markets where they are not clear are left out",
            f"{len(markets) - len(outcome.results)} of {len(markets)} markets are left out",
        ),
    )  # fmt: skip


def _simulated(wish: _Wish, show: Callable[[str], None]) -> RunReport:
    """Days of the path the simulated exchange walks, from a fixed day on: the same seed gives the same days."""
    from recio.market.generator import GeneratedPath
    from recio.market.model import NORMAL
    from recio.research.desk import VirtualDesk
    from recio.research.report import make_report
    from recio.research.run import backtest_path, replay_path
    from recio.research.tape import tape_of_path
    from recio.trading.settings import RiskLimits

    tape = tape_of_path(
        GeneratedPath(wish.seed),
        f"simulated path, seed {wish.seed}",
        _FIRST_DAY_S,
        wish.days,
        seed=wish.seed,
        progress=show,
    )
    desk = VirtualDesk([wish.monitor], NORMAL, RiskLimits())
    outcome = (replay_path if wish.kind == "replay" else backtest_path)(desk, tape, wish.series, show)
    return make_report(
        desk,
        outcome,
        NORMAL,
        kind=wish.kind,
        source=tape.name,
        series=wish.series,
        seed=wish.seed,
        assumptions=(_MADE_UP.format(seed=wish.seed),),
    )


def _path(wish: _Wish, file: Path, show: Callable[[str], None]) -> RunReport:
    from recio.market.candles import CandleError, read_prices
    from recio.market.history import minute_candles
    from recio.market.model import ModelError
    from recio.market.training import build
    from recio.research.desk import VirtualDesk
    from recio.research.errors import ResearchError
    from recio.research.recorded import model_of_file
    from recio.research.report import make_report
    from recio.research.run import backtest_path, replay_path
    from recio.research.tape import QUARTER_S, tape_of
    from recio.trading.settings import RiskLimits

    from_s, train_days, history = wish.from_s, wish.train_days, wish.history
    try:
        with file.open(encoding="utf-8") as lines:
            recording = read_prices(lines, file.name)
    except CandleError as error:
        raise ResearchError(str(error)) from None
    except OSError as error:
        raise ResearchError(f"cannot read {file}: {error.strerror}") from None
    model = model_of_file(history, f"emp-{history.stem}" if history else "")
    if train_days:
        from_s = max(from_s or 0.0, recording.start_s + train_days * _DAY_S)
        rows = (row for row in minute_candles(recording) if row[0] < recording.start_s + train_days * _DAY_S)
        try:
            model = build(rows, f"emp-first-{train_days:g}-days")
        except ModelError as error:
            raise ResearchError(f"--train-days {train_days:g}: {error}") from None
    tape = tape_of(recording, seed=wish.seed, from_s=from_s, to_s=wish.to_s, progress=show)
    opens_s = tape.start_s + tape.first
    if model.train_from_s < opens_s + QUARTER_S * tape.quarters and opens_s < model.train_to_s:
        raise ResearchError(
            f"model {model.version!r} was built from minutes of this very run: it would be scored on what it learnt; "
            "take --train-days N, or other minutes for --history"
        )
    desk = VirtualDesk([wish.monitor], model, RiskLimits())
    outcome = (replay_path if wish.kind == "replay" else backtest_path)(desk, tape, wish.series, show)
    show("calibration")
    return make_report(
        desk, outcome, model, kind=wish.kind, source=file.name, series=wish.series, seed=wish.seed,
        assumptions=(
            _MADE_UP.format(seed=wish.seed),
            "the path between minutes is the recording's deterministic interpolation; the index is taken to be this price",
        ),
    )  # fmt: skip
