"""replay and backtest: recorded or made-up markets through the code that decides on the desk; and the page's worker."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer

from recio.cli.history import bad_input, moment

if TYPE_CHECKING:
    from recio.research.report import RunReport

__all__ = ["app", "backtest", "replay"]

app = typer.Typer(no_args_is_help=True)

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
    from recio.research.execute import CANDLES, Bounds, run_days, run_file, run_markets

    if wish.data is None:
        return run_days(wish.kind, wish.monitor, wish.days, wish.seed, show)
    if wish.data.is_dir() and wish.series != "KXBTC15M":
        return run_markets(wish.kind, wish.monitor, wish.data, wish.series, wish.history, wish.seed, show)
    bounds = Bounds(from_s=wish.from_s, to_s=wish.to_s, train_days=wish.train_days)
    file = wish.data / CANDLES if wish.data.is_dir() else wish.data
    return run_file(wish.kind, wish.monitor, file, wish.history, bounds, wish.seed, show)


def _monitor(strategy: str, series: str, changes: dict[str, Any]) -> Any:
    from recio.trading.monitor import Monitor, changed, settings_of

    settings = settings_of(strategy, None)
    if changes:
        settings = settings_of(strategy, changed(settings, changes))
    return Monitor(monitor_id="research", strategy=strategy, series_ticker=series, enabled=True, settings=settings)


@app.command("work")
def work(
    close: Annotated[bool, typer.Option("--close", help="Only fail what a worker that is gone left running.")] = False,
) -> None:
    """Do what the page asked for, one run after the other, then end. systemd's: recio-research.path starts it."""
    from recio.research.worker import close_left
    from recio.research.worker import work as take
    from recio.store.db import Database

    db = Database("research")
    if close:
        close_left(db, os.environ.get("SERVICE_RESULT", ""))
    else:
        take(db)


@app.command("list")
def list_runs() -> None:
    """The newest runs that the page asked for, and what became of them."""
    from recio.contract.settings import load_settings
    from recio.store.db import Database
    from recio.store.research_runs import runs

    for row in runs(Database("research"), load_settings().user_id, 20):
        said = row["error"] or (f"{row['percent']} % {row['words']}" if row["state"] == "running" else "")
        if row["summary"]:
            said = f"{row['summary']['entered']} trades, {row['summary']['pnl_e6'] / 1e6:+.2f} $"
        what = f"{row['wish'].get('kind', '?')} {row['wish'].get('strategy', '?')}"
        typer.echo(
            f"{row['run_id']:>5} {row['asked_at']:%Y-%m-%d %H:%M:%S} {row['state']:<9} {what:<24} {row['asked_by']}  {said}"
        )
