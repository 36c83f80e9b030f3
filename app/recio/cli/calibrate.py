"""calibrate: whether the model was any good, on recorded markets or on this desk's own decisions."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer

from recio.cli.history import bad_input

if TYPE_CHECKING:
    from recio.market.calibration import Forecast, Report
    from recio.market.model import ProbabilityModel
    from recio.research.crypto15m import RecordedMarket

__all__ = ["calibrate"]

_SERIES = ("KXETH15M", "KXSOL15M")
_HISTORY = Path("btc_perp_1m_202201") / "btc-perp-1m.csv"


def calibrate(
    data: Annotated[
        Path | None, typer.Option(help="Folder with recorded markets; default: this desk's decisions.")
    ] = None,
    series: Annotated[list[str] | None, typer.Option(help="A recorded series. Repeatable.")] = None,
    history: Annotated[Path | None, typer.Option(help="Minutes to build the model from (CSV).")] = None,
    out: Annotated[Path | None, typer.Option(help="Write the report as Markdown, pictures beside it.")] = None,
    seed: Annotated[int, typer.Option(help="Of the bootstrap.")] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Log loss, Brier, reliability and edge after fees of model, market and blend; and the verdict."""
    if data is None:
        if series or history or out:
            bad_input("--series, --history and --out are for recorded markets: give --data FOLDER too")
        _own(seed, as_json)
    else:
        _recorded(data, tuple(series or _SERIES), history, out, seed, as_json)


def _recorded(
    data: Path, series: tuple[str, ...], history: Path | None, out: Path | None, seed: int, as_json: bool
) -> None:
    from recio.market.calibration import TrainedOnError
    from recio.market.calibration import calibrate as score
    from recio.research.calibration_page import summary
    from recio.research.crypto15m import read_series
    from recio.research.errors import ResearchError
    from recio.research.recorded import coverage, forecasts, model_of_file
    from recio.trading.gate import verdict

    reports: dict[str, Report] = {}
    counted: dict[str, dict[str, int]] = {}
    recorded: dict[str, list[RecordedMarket]] = {}
    try:
        if history is None and (data / _HISTORY).is_file():
            history = data / _HISTORY
        model = model_of_file(history, f"emp-{history.stem}" if history else "")
        found: dict[str, list[Forecast]] = {}
        for name in series:
            markets, tape = read_series(data, name)
            recorded[name] = markets
            found[name] = list(forecasts(markets, tape, model, name))
            counted[name] = coverage(markets)
            if not found[name]:
                raise ResearchError(f"no market of {name} has a strike, a result and books: there is nothing to score")
        trained = {model.version: (model.train_from_s, model.train_to_s)}
        if len(series) > 1:
            rows = [msgspec.structs.replace(row, strategy="all") for name in series for row in found[name]]
            reports["all"] = score(rows, trained, seed=seed)
        for name in series:
            reports[name] = score(found[name], trained, seed=seed)
        reports.setdefault("all", reports[series[0]])
    except (ResearchError, TrainedOnError) as error:
        bad_input(str(error))
    if out is not None:
        _write(out, series, reports, counted, recorded, model, seed)
    if as_json:
        answer: dict[str, Any] = {
            name: {"report": report, "verdict": verdict(report), "coverage": counted.get(name)}
            for name, report in reports.items()
        }
        typer.echo(msgspec.json.encode(answer).decode())
        return
    for name, report in reports.items():
        if name != "all" or len(series) > 1:
            typer.echo("\n".join(summary(report)))
    for name, counts in counted.items():
        typer.echo(f"{name}: " + ", ".join(f"{what} {count}" for what, count in counts.items()))


def _write(
    out: Path, series: tuple[str, ...], reports: dict[str, Report], counted: dict[str, dict[str, int]],
    recorded: dict[str, list[RecordedMarket]], model: ProbabilityModel, seed: int,
) -> None:  # fmt: skip
    """The page and its pictures, with the same procedure on a market without an edge."""
    from recio.market.blend import MODEL_WEIGHT
    from recio.research.calibration_page import page
    from recio.research.picture import reliability_svg
    from recio.research.placebo import run_placebo

    words = "recio calibrate --data DIR --out docs/calibration.md" + "".join(
        f" --series {name}" for name in series if series != _SERIES
    )
    pictures = {}
    for name, report in reports.items():
        picture = out.parent / "images" / f"calibration-{name}.svg"
        picture.parent.mkdir(parents=True, exist_ok=True)
        picture.write_text(reliability_svg(report, f"{'ETH and SOL' if name == 'all' else name}: said and came true"))
        pictures[name] = f"images/{picture.name}"
    placebo = run_placebo(list(recorded.values()), model, seed=seed)
    out.write_text(page(reports, counted, model, MODEL_WEIGHT, pictures, words, placebo))


def _own(seed: int, as_json: bool) -> None:
    """This desk's decisions against their results; each report is kept for the gate."""
    from recio.contract.settings import load_settings
    from recio.market.calibration import TrainedOnError
    from recio.market.calibration import calibrate as score
    from recio.research.calibration_page import summary
    from recio.store.db import Database
    from recio.store.models import save_calibration, settled_decisions, train_ranges
    from recio.trading.gate import verdict

    db, settings = Database("calibrate"), load_settings()
    by_strategy: dict[str, list[Forecast]] = {}
    for row in settled_decisions(db, settings.user_id, settings.mode):
        forecast = _of_decision(row)
        by_strategy.setdefault(forecast.strategy, []).append(forecast)
    if not by_strategy:
        bad_input("no decision has a result yet: the desk keeps one a minute and market while a monitor watches")
    trained, reports = train_ranges(db), {}
    try:
        for strategy, rows in sorted(by_strategy.items()):
            reports[strategy] = score(rows, trained, seed=seed)
    except TrainedOnError as error:
        bad_input(str(error))
    for strategy, report in reports.items():
        save_calibration(db, settings.mode, strategy, verdict(report).text, msgspec.to_builtins(report))
    if as_json:
        answer = {name: {"report": report, "verdict": verdict(report)} for name, report in reports.items()}
        typer.echo(msgspec.json.encode(answer).decode())
        return
    for report in reports.values():
        typer.echo("\n".join(summary(report)))


def _of_decision(row: dict[str, Any]) -> Forecast:
    """A stored decision (probabilities of its side) as a forecast of YES."""
    from recio.market.calibration import Forecast

    yes = row["side"] == "yes"

    def turned(chance: float) -> float:
        return chance if yes else 1.0 - chance

    return Forecast(
        event=row["event_ticker"],
        strategy=row["strategy"],
        at_s=row["at_s"],
        won=row["result"] == "yes",
        model=turned(row["probability_model"]),
        market=turned(row["probability_market"]),
        blend=turned(row["probability"]),
        yes_ask_e4=row["yes_ask_e4"],
        no_ask_e4=row["no_ask_e4"],
        model_version=row["model_version"],
        entered_side=row["side"] if row["paid_e4"] is not None else "",
        paid_e4=row["paid_e4"],
    )
