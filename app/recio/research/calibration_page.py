"""The calibration report as a page (Markdown) and as text for a terminal; the same report gives the same bytes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from recio.market.calibration import FORECASTERS, Interval, Report
from recio.market.model import ProbabilityModel
from recio.research.placebo import Placebo
from recio.trading.gate import verdict

__all__ = ["page", "summary"]

_HEAD = """# Calibration on the recorded markets

Made by `{command}`; do not edit. The same recordings give the same page.

**Verdict: {verdict}.**

{why}

What is compared, on each look at a market (at most one a minute, from 14 minutes to one minute before the close):
the **model** ({model}), the **market**'s own middle of bid and ask, and the **blend** of both that the default strategy
uses (log-odds, the model with weight {weight:g}). Lower log loss and Brier scores are better. Intervals hold 95 % of a
bootstrap over events (a market looked at ten times settles once), {resamples} resamples, seed {seed}. Edges are what one
contract a market would have earned after the fee of its day, bought at the ask the first time the differential after fees
reached {min_differential:.2f}c, held to the settlement; filled at the quote that was seen, which is the friendliest possible assumption.
"""

_PLACEBO = """
## The same procedure on a market without any edge

Strikes and results had to be estimated from the same spot the model sees, and only clear results could be told. So the
procedure was run {runs} times over random walks, looked at in the very seconds of the recording, with quotes about the exact
fair value at the recorded spread: there no edge exists before fees. {wrong:.1f} % of the results told there were wrong.

| figure | observed | mean without an edge | 95 % of the runs without an edge |
|---|---|---|---|
{rows}

{said}
"""

_LIMITS = """
## What this cannot show

- The recordings name neither strikes nor results. The strike is the spot's mean over the minute before the opening, the
  result its mean over the last minute, both bridged between bursts of looks, or the last quote when it was sure. Markets
  where that cannot be told are left out, and those were often the close ones: the scores are of the clearer markets.
- The true strike was known to the market and only estimated here, and results are told from the same estimates: both
  favour the model, as the section above measures. The estimate's uncertainty is given to the model as basis.
- Quotes came seldom: within a burst of looks the book stood still while the spot moved on. Only looks with a new quote are
  scored, but how old that quote was when it was first seen is not on record; a stale quote flatters the model too.
- A day and a half of two coins that move together: the events are fewer than their number says.
- The model learnt from BTC in January 2022 what moves look like in units of volatility; nothing of it overlaps what it is
  scored on, and scoring inside of a model's own history is refused.
- One contract at the quote, without latency: a real order would do worse.
"""


def _day(at_s: float) -> str:
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%d %H:%M")


def _spread(found: Interval, scale: float = 1.0, digits: int = 4, sign: str = "") -> str:
    value = f"{found.value * scale:{sign}.{digits}f}"
    if found.low is None or found.high is None:
        return value
    return f"{value} ({found.low * scale:{sign}.{digits}f} to {found.high * scale:{sign}.{digits}f})"


def summary(report: Report) -> list[str]:
    """The figures of one strategy as lines for a terminal, the verdict first."""
    found = verdict(report)
    lines = [
        f"{report.strategy}: {found.text}. {found.why}.",
        f"  {report.rows} forecasts of {report.events} events, {_day(report.from_s)} to {_day(report.to_s)} UTC,"
        f" model {', '.join(report.model_versions)}",
    ]
    for who in FORECASTERS:
        score = report.scores[who]
        lines.append(f"  {who:<7} log loss {_spread(score.log_loss)}   Brier {_spread(score.brier)}")
    lines.append(
        f"  Brier, model less market: {_spread(report.brier_model_less_market, sign='+')} (above 0: the market is better)"
    )
    for who, edge in report.edges.items():
        lines.append(
            f"  edge of {who}: {edge.entries} entries, {edge.won} won, mean paid {edge.paid_e4 / 100:.2f}c,"
            f" after fees {_spread(edge.mean_e4, 0.01, 2, '+')}c each"
        )
    return lines


def page(
    reports: Mapping[str, Report],
    counted: Mapping[str, Mapping[str, int]],
    model: ProbabilityModel,
    weight: float,
    pictures: Mapping[str, str],
    command: str,
    placebo: Placebo,
) -> str:
    """The whole page; ``reports`` by series, the combined one under "all"; ``pictures`` are links."""
    whole = reports["all"]
    found = verdict(whole)
    better = whole.brier_model_less_market
    who = "the market's own price was the better forecast" if better.value > 0 else "the model was the better forecast"
    sure = better.low is not None and better.high is not None and (better.low > 0) == (better.high > 0)
    why = (
        f"{found.why[0].upper()}{found.why[1:]}. By Brier score {who} "
        f"(model less market {_spread(better, sign='+')}), {'clearly' if sure else 'but the interval holds zero'}. "
        "What the same procedure shows on a market without any edge is measured further down, and is the yardstick."
    )
    trained = f"`{model.version}`"
    if model.train_to_s:
        trained += f", built from {_day(model.train_from_s)} to {_day(model.train_to_s)} UTC"
    text = [
        _HEAD.format(
            command=command, verdict=found.text, why=why, model=trained, weight=weight, resamples=whole.resamples,
            seed=whole.seed, min_differential=whole.min_differential_e4 / 100,
        )
    ]  # fmt: skip
    for name, report in reports.items():
        text.append(f"\n## {'Both series together' if name == 'all' else name}\n")
        text.append(f"![Reliability]({pictures[name]})\n" if name in pictures else "")
        text.extend(_figures(report, counted.get(name)))
    text.append(_placebo(whole, placebo))
    text.append(_LIMITS)
    return "\n".join(line.rstrip() for line in "\n".join(text).splitlines()) + "\n"


def _placebo(report: Report, placebo: Placebo) -> str:
    """Observed figures beside what the procedure shows when there is nothing to be found."""
    rows = (
        ("Brier, model less market", report.brier_model_less_market, placebo.brier_model_less_market, 1.0, 4, ""),
        ("edge of entries by the model", report.edges["model"].mean_e4, placebo.edge_model_e4, 0.01, 2, "c"),
        ("edge of entries by the blend", report.edges["blend"].mean_e4, placebo.edge_blend_e4, 0.01, 2, "c"),
    )
    lines, inside = [], []
    for name, found, made_up, scale, digits, unit in rows:
        cut = len(made_up) // 40
        low, high = made_up[cut] * scale, made_up[-1 - cut] * scale
        mean = sum(made_up) / len(made_up) * scale
        value = found.value * scale
        inside.append(low <= value <= high)
        lines.append(
            f"| {name} | {value:+.{digits}f}{unit} | {mean:+.{digits}f}{unit} | {low:+.{digits}f} to {high:+.{digits}f}{unit} |"
        )
    said = (
        "All of them lie inside what the procedure finds where nothing is to be found: **what looks like an edge above is "
        "what the recording does to a fair market.**"
        if all(inside)
        else "Not all of them lie inside what the procedure finds where nothing is to be found; read the limits below first."
    )
    return _PLACEBO.format(runs=placebo.runs, wrong=placebo.wrong_results * 100, rows="\n".join(lines), said=said)


def _figures(report: Report, counted: Mapping[str, int] | None) -> Sequence[str]:
    lines = [f"{report.rows} forecasts of {report.events} events, {_day(report.from_s)} to {_day(report.to_s)} UTC."]
    if counted:
        lines.append("On record: " + ", ".join(f"{name} {count}" for name, count in counted.items()) + ".")
    lines += ["", "| forecaster | log loss | Brier |", "|---|---|---|"]
    for who in FORECASTERS:
        score = report.scores[who]
        lines.append(f"| {who} | {_spread(score.log_loss)} | {_spread(score.brier)} |")
    lines.append(f"| model less market | | {_spread(report.brier_model_less_market, sign='+')} |")
    lines.append(f"| blend less market | | {_spread(report.brier_blend_less_market, sign='+')} |")
    lines += [
        "",
        "| entries by | number | won | mean paid | fee | after fees, each | in all |",
        "|---|---|---|---|---|---|---|",
    ]
    for who, edge in report.edges.items():
        lines.append(
            f"| {who} | {edge.entries} | {edge.won} | {edge.paid_e4 / 100:.2f}c | {edge.fee_e4 / 100:.2f}c |"
            f" {_spread(edge.mean_e4, 0.01, 2, '+')}c | {edge.total_e4 / 10_000:+.2f} $ |"
        )
    lines += ["", "| said | model: rows, said, came true | market | blend |", "|---|---|---|---|"]
    for index in range(10):
        cells = []
        for who in FORECASTERS:
            found = [b for b in report.scores[who].reliability if round(b.low * 10) == index]
            cells.append(
                f"{found[0].rows}, {found[0].said * 100:.1f} %, {found[0].came_true * 100:.1f} %" if found else ""
            )
        lines.append(f"| {index * 10} to {index * 10 + 10} % | {' | '.join(cells)} |")
    lines.append("")
    return lines
