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

Data = Annotated[Path, typer.Option(help="A folder with recordings, or a CSV file of one-minute candles.")]
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
    data: Data, series: Series = "KXBTC15M", strategy: Strategy = "quarter_hour", change: Change = None,
    since: Since = "", until: Until = "", train_days: Train = 0.0, history: History = None, out: Out = None,
    seed: Seed = 1, as_json: AsJson = False,
) -> None:  # fmt: skip
    """Walk through recorded days second by second with a virtual clock: the slow proof of what backtest says."""
    _run("replay", data, series, strategy, change, since, until, train_days, history, out, seed, as_json)


def backtest(
    data: Data, series: Series = "KXBTC15M", strategy: Strategy = "quarter_hour", change: Change = None,
    since: Since = "", until: Until = "", train_days: Train = 0.0, history: History = None, out: Out = None,
    seed: Seed = 1, as_json: AsJson = False,
) -> None:  # fmt: skip
    """The same decisions as replay, from the seconds that can matter: a month in well under a minute."""
    _run("backtest", data, series, strategy, change, since, until, train_days, history, out, seed, as_json)


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


def _run(
    kind: str, data: Path, series: str, strategy: str, change: list[str] | None, since: str, until: str,
    train_days: float, history: Path | None, out: Path | None, seed: int, as_json: bool,
) -> None:  # fmt: skip
    try:
        from recio.research.report import summary_lines, write_report
    except ModuleNotFoundError as missing:
        if missing.name != "numpy":
            raise
        bad_input("replay and backtest need numpy: pip install 'recio[research]'")
    from recio.market.calibration import TrainedOnError
    from recio.research.errors import ResearchError
    from recio.trading.settings import SettingError

    show = _progress()
    from_s, to_s = moment(since, "--from") if since else None, moment(until, "--to") if until else None
    if from_s is not None and to_s is not None and from_s >= to_s:
        bad_input(f"--from {since} does not lie before --to {until}")
    try:
        monitor = _monitor(strategy, series, _settings(change))
        if data.is_dir() and series != "KXBTC15M":
            if since or until or train_days:
                bad_input("--from, --to and --train-days are for candles; recorded markets are taken whole")
            report = _recorded(kind, data, series, monitor, history, seed, show)
        else:
            file = data / _CANDLES if data.is_dir() else data
            report = _path(kind, file, series, monitor, history, seed, show, (from_s, to_s, train_days))
    except (ResearchError, SettingError, TrainedOnError) as error:
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
    if as_json:
        typer.echo(msgspec.json.encode(report).decode())
    else:
        typer.echo("\n".join(summary_lines(report)))


def _monitor(strategy: str, series: str, changes: dict[str, Any]) -> Any:
    from recio.trading.monitor import Monitor, changed, settings_of

    settings = settings_of(strategy, None)
    if changes:
        settings = settings_of(strategy, changed(settings, changes))
    return Monitor(monitor_id="research", strategy=strategy, series_ticker=series, enabled=True, settings=settings)


def _recorded(
    kind: str, data: Path, series: str, monitor: Any, history: Path | None, seed: int, show: Callable[[str], None]
) -> RunReport:
    from recio.research.crypto15m import read_series
    from recio.research.desk import VirtualDesk
    from recio.research.recorded import model_of_file
    from recio.research.report import make_report
    from recio.research.run import ASSUMED_TOP_E2, run_recorded
    from recio.trading.settings import RiskLimits

    if history is None and (data / _CANDLES).is_file():
        history = data / _CANDLES
    model = model_of_file(history, f"emp-{history.stem}" if history else "")
    markets, tape = read_series(data, series)
    desk = VirtualDesk([monitor], model, RiskLimits())
    outcome = run_recorded(desk, markets, tape, show)
    return make_report(
        desk, outcome, model, kind=kind, source="recorded looks", series=series, seed=seed,
        assumptions=(
            f"at most {ASSUMED_TOP_E2 // 100} contracts wait at the best price: the recording tells a whole side's depth only",
            "strikes and results are told from the spot and the last quotes; markets where they are not clear are left out",
            f"{len(markets) - len(outcome.results)} of {len(markets)} markets are left out",
        ),
    )  # fmt: skip


def _path(
    kind: str, file: Path, series: str, monitor: Any, history: Path | None, seed: int, show: Callable[[str], None],
    span: tuple[float | None, float | None, float],
) -> RunReport:  # fmt: skip
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

    from_s, to_s, train_days = span
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
    tape = tape_of(recording, seed=seed, from_s=from_s, to_s=to_s, progress=show)
    opens_s = tape.start_s + tape.first
    if model.train_from_s < opens_s + QUARTER_S * tape.quarters and opens_s < model.train_to_s:
        raise ResearchError(
            f"model {model.version!r} was built from minutes of this very run: it would be scored on what it learnt; "
            "take --train-days N, or other minutes for --history"
        )
    desk = VirtualDesk([monitor], model, RiskLimits())
    outcome = (replay_path if kind == "replay" else backtest_path)(desk, tape, series, show)
    show("calibration")
    return make_report(
        desk, outcome, model, kind=kind, source=file.name, series=series, seed=seed,
        assumptions=(
            "books are made up: makers quote about the simulator's fair value, one second late, with an error of about a"
            f" cent and a spread of 1.2 to 3 cents (seed {seed})",
            "the path between minutes is the recording's deterministic interpolation; the index is taken to be this price",
        ),
    )  # fmt: skip
