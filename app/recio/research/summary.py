"""What the page keeps of a run: its figures, a thinned equity curve, what was assumed. Small enough for a row. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from recio.research.report import RunReport

__all__ = ["CURVE_POINTS", "summarised", "thinned"]

CURVE_POINTS = 400


def thinned(points: Sequence[tuple[float, int]], most: int = CURVE_POINTS) -> list[tuple[int, int]]:
    """At most ``most`` points (epoch seconds, micro-dollars): of every stretch its lowest and highest, first and last always.

    A picture of it shows the same peaks and falls as the whole; the whole is in the report's equity.csv.
    """
    if len(points) <= most:
        return [(round(at_s), value) for at_s, value in points]
    stretches = max(1, (most - 2) // 2)
    inner, kept = len(points) - 2, {0, len(points) - 1}
    for n in range(stretches):
        part = range(1 + n * inner // stretches, 1 + (n + 1) * inner // stretches)
        if part:
            kept |= {min(part, key=lambda at: points[at][1]), max(part, key=lambda at: points[at][1])}
    return [(round(points[at][0]), points[at][1]) for at in sorted(kept)]


def summarised(report: RunReport) -> dict[str, Any]:
    """Figures as plain data. Money in micro-dollars, times in epoch seconds."""
    return {
        "series": report.series, "source": report.source, "model": report.model, "from_s": round(report.from_s),
        "to_s": round(report.to_s), "markets": report.markets, "looks": report.looks, "entered": report.entered,
        "won": report.won, "cancelled": report.cancelled, "pnl_e6": report.pnl_e6, "fees_e6": report.fees_e6,
        "paid_e6": report.paid_e6, "drawdown_e6": report.drawdown_e6, "start_e6": report.start_e6,
        "verdict": "; ".join(report.verdicts.values()) or "not scored: no decision was made that could be",
        "assumptions": list(report.assumptions),
        "hours": [{"hour": h.hour, "trades": h.trades, "won": h.won, "pnl_e6": h.pnl_e6} for h in report.hours],
        "equity": [list(point) for point in thinned(report.equity)],
    }  # fmt: skip
