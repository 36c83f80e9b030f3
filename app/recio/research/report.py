"""What a run gave: equity, drawdown, fees, calibration, a table by the hour; as JSON, CSV and one HTML page.

The same run gives the same bytes: no dates of now, no dictionary without an order, figures in whole units.
"""

from __future__ import annotations

import csv
import html
import io
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec

from recio.market.calibration import FORECASTERS, Report, calibrate
from recio.market.model import ProbabilityModel
from recio.research.desk import LATENCY_S, START_E6, VirtualDesk
from recio.research.moments import Trade
from recio.research.picture import line_svg, reliability_svg
from recio.research.run import Outcome
from recio.trading.gate import verdict

__all__ = ["HourRow", "RunReport", "make_report", "summary_lines", "write_report"]

_NEW_YORK = ZoneInfo("America/New_York")


class HourRow(msgspec.Struct, frozen=True):
    """Trades by the hour of their close in New York."""

    hour: int
    trades: int
    won: int
    pnl_e6: int
    fees_e6: int


class TradeRow(msgspec.Struct, frozen=True):
    """One trade, flat."""

    number: int
    monitor: str
    market_ticker: str
    side: str
    decided_s: float
    closed_s: float
    state: str
    count_e2: int
    limit_price_e4: int
    entry_count_e2: int
    entry_cost_e6: int
    exit_count_e2: int
    exit_proceeds_e6: int
    fees_e6: int
    pnl_e6: int
    how: str


class RunReport(msgspec.Struct, frozen=True, kw_only=True):
    """Everything about one run. Money in micro-dollars; times are epoch seconds."""

    kind: str
    source: str
    series: str
    strategies: tuple[str, ...]
    model: str
    from_s: float
    to_s: float
    markets: int
    looks: int
    entered: int
    cancelled: int
    won: int
    pnl_e6: int
    fees_e6: int
    paid_e6: int
    start_e6: int
    cash_e6: int
    drawdown_e6: int  # the deepest fall of equity under an earlier height
    hours: tuple[HourRow, ...]
    trades: tuple[TradeRow, ...]
    decisions: tuple[dict[str, object], ...]
    equity: tuple[tuple[float, int], ...]
    calibration: dict[str, Report]
    verdicts: dict[str, str]
    assumptions: tuple[str, ...]


def make_report(
    desk: VirtualDesk,
    outcome: Outcome,
    model: ProbabilityModel,
    *,
    kind: str,
    source: str,
    series: str,
    assumptions: Sequence[str],
    seed: int = 1,
) -> RunReport:
    """Fold a finished run. TrainedOnError when the model was built from what was run."""
    trades = tuple(_row(trade) for trade in desk.trades)
    closed = [trade for trade in trades if trade.state == "closed"]
    forecasts = desk.forecasts(outcome.results, model.version)
    trained = {model.version: (model.train_from_s, model.train_to_s)}
    scored = {}
    for strategy in sorted({row.strategy for row in forecasts}):
        scored[strategy] = calibrate(
            [row for row in forecasts if row.strategy == strategy], trained, resamples=500, seed=seed
        )
    return RunReport(
        kind=kind,
        source=source,
        series=series,
        strategies=tuple(monitor.strategy for monitor in desk.monitors),
        model=model.version,
        from_s=outcome.from_s,
        to_s=outcome.to_s,
        markets=len(outcome.results),
        looks=outcome.looks,
        entered=len(closed),
        cancelled=sum(1 for trade in trades if trade.state == "cancelled"),
        won=sum(1 for trade in closed if trade.pnl_e6 > 0),
        pnl_e6=sum(trade.pnl_e6 for trade in closed),
        fees_e6=sum(trade.fees_e6 for trade in closed),
        paid_e6=sum(trade.entry_cost_e6 for trade in closed),
        start_e6=START_E6,
        cash_e6=desk.cash_e6,
        drawdown_e6=_drawdown(desk.equity),
        hours=_hours(closed),
        trades=trades,
        decisions=tuple(desk.decisions),
        equity=tuple(desk.equity),
        calibration=scored,
        verdicts={strategy: f"{verdict(report).text}: {verdict(report).why}" for strategy, report in scored.items()},
        assumptions=(
            f"an order meets the book {LATENCY_S:g} s after its decision, up to its limit; what is left is cancelled",
            "its own effect on the book afterwards is not simulated; fees are those of the day",
            *assumptions,
        ),
    )


def _row(trade: Trade) -> TradeRow:
    sums = trade.folded()
    return TradeRow(
        trade.number, trade.monitor, trade.market_ticker, trade.side, trade.decided_s, trade.closed_s, trade.state,
        trade.count_e2, trade.limit_price_e4, sums.entry_count_e2, sums.entry_cost_e6, sums.exit_count_e2,
        sums.exit_proceeds_e6, sums.fees_e6, trade.pnl_e6, trade.how,
    )  # fmt: skip


def _drawdown(equity: Sequence[tuple[float, int]]) -> int:
    highest, deepest = START_E6, 0
    for _, value in equity:
        highest = max(highest, value)
        deepest = max(deepest, highest - value)
    return deepest


def _hours(trades: Sequence[TradeRow]) -> tuple[HourRow, ...]:
    found: dict[int, list[TradeRow]] = {}
    for trade in trades:
        hour = datetime.fromtimestamp(trade.closed_s, UTC).astimezone(_NEW_YORK).hour
        found.setdefault(hour, []).append(trade)
    return tuple(
        HourRow(
            hour, len(rows), sum(1 for row in rows if row.pnl_e6 > 0), sum(row.pnl_e6 for row in rows),
            sum(row.fees_e6 for row in rows),
        )
        for hour, rows in sorted(found.items())
    )  # fmt: skip


def _money(amount_e6: int) -> str:
    return f"{amount_e6 / 1e6:,.2f} $"


def _day(at_s: float) -> str:
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%d %H:%M")


def summary_lines(report: RunReport) -> list[str]:
    """The run in a few lines, the verdicts first."""
    lines = [f"{strategy}: {text}" for strategy, text in report.verdicts.items()]
    lines.append(
        f"{report.kind} of {report.source}, {report.series}: {report.markets} markets from {_day(report.from_s)} to"
        f" {_day(report.to_s)} UTC, {report.looks} looks, model {report.model}"
    )
    lines.append(
        f"{report.entered} trades, {report.won} won, {report.cancelled} orders not filled; paid {_money(report.paid_e6)},"
        f" fees {_money(report.fees_e6)}, result {_money(report.pnl_e6)}, deepest fall {_money(report.drawdown_e6)}"
    )
    return lines


def write_report(report: RunReport, folder: Path) -> list[Path]:
    """report.json, report.html, trades.csv, decisions.csv, hours.csv and equity.csv in a folder; gives their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    decisions = [list(row.values()) for row in report.decisions]
    titles = ["at_s", "monitor", "market", "decision", "side", "count_e2", "limit_price_e4", "why"]
    files = {
        "report.json": msgspec.json.format(msgspec.json.encode(report)).decode() + "\n",
        "report.html": _page(report),
        "trades.csv": _csv(
            list(TradeRow.__struct_fields__), [list(msgspec.structs.astuple(row)) for row in report.trades]
        ),
        "decisions.csv": _csv(titles, decisions),
        "hours.csv": _csv(
            list(HourRow.__struct_fields__), [list(msgspec.structs.astuple(row)) for row in report.hours]
        ),
        "equity.csv": _csv(["at_s", "equity_e6"], [list(row) for row in report.equity]),
    }
    for name, text in files.items():
        (folder / name).write_text(text)
    return [folder / name for name in files]


def _csv(titles: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(titles)
    writer.writerows(rows)
    return out.getvalue()


def _table(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    head = "".join(f'<th scope="col">{html.escape(title)}</th>' for title in titles)
    body = "".join("<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>\n" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>\n{body}</tbody></table>\n"


_STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;max-width:60em;margin:2em auto;padding:0 1em;color:#222;background:#fff}"
    "table{border-collapse:collapse;margin:1em 0}td,th{border:1px solid #ccc;padding:.2em .6em;text-align:right}"
    "th{background:#f3f3f3}svg{max-width:100%}.verdict{font-weight:bold}"
)


def _page(report: RunReport) -> str:
    """One file that needs nothing else: no script, no other address."""
    title = f"{report.kind.capitalize()} of {report.source}: {report.series}"
    points = [(at_s, value / 1e6) for at_s, value in report.equity]
    parts = [
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{html.escape(title)}</title>'
        f"<style>{_STYLE}</style></head><body>\n<h1>{html.escape(title)}</h1>\n",
        *(
            f'<p class="verdict">{html.escape(name)}: {html.escape(text)}</p>\n'
            for name, text in report.verdicts.items()
        ),
        *(f"<p>{html.escape(line)}</p>\n" for line in summary_lines(report)[len(report.verdicts) :]),
        "<h2>Assumed</h2>\n<ul>" + "".join(f"<li>{html.escape(line)}</li>" for line in report.assumptions) + "</ul>\n",
        "<h2>Equity</h2>\n"
        + (line_svg(points, "Equity after each closed trade", "$") if points else "<p>No trade.</p>\n"),
        "<h2>By the hour of the close, New York</h2>\n",
        _table(
            ["hour", "trades", "won", "result", "fees"],
            [[f"{r.hour:02d}", str(r.trades), str(r.won), _money(r.pnl_e6), _money(r.fees_e6)] for r in report.hours],
        ),
    ]
    for strategy, scored in report.calibration.items():
        parts.append(
            f"<h2>Calibration: {html.escape(strategy)}</h2>\n<p>{scored.rows} forecasts of {scored.events} events.</p>\n"
        )
        parts.append(
            _table(
                ["forecaster", "log loss", "Brier"],
                [[who, _spread(scored, who, "log_loss"), _spread(scored, who, "brier")] for who in FORECASTERS],
            )
        )
        parts.append(reliability_svg(scored, "Said and came true"))
    parts.append("</body></html>\n")
    return "".join(parts)


def _spread(scored: Report, who: str, what: str) -> str:
    found = getattr(scored.scores[who], what)
    span = "" if found.low is None else f" ({found.low:.4f} to {found.high:.4f})"
    return f"{found.value:.4f}{span}"
