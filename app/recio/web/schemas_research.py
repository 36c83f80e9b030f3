"""The shapes of research: what there is to run on, runs, reports."""

from __future__ import annotations

from typing import Any

from recio.web.shape import schema

__all__ = ["RESEARCH_SCHEMAS"]

RESEARCH_SCHEMAS: dict[str, dict[str, Any]] = {
    "ResearchData": schema("What there is to run on.", """
        history_first_ms: int?: the first stored minute of BTC; null: none is stored
        history_last_ms: int?: the newest
        min_days: num: of a run
        max_days: map num: of a run, by kind
        strategies: []@Strategy
    """),
    "RunAsked": schema("Written down; its progress is in GET /api/research/runs/{run_id}.", "run_id: int"),
    "ResearchRuns": schema("Newest first.", "runs: []@ResearchRun\nnext_before: int?: before of the next page; null on the last"),
    "ResearchRun": schema("A replay or backtest that was asked for.", """
        run_id: int
        wish: map any: what was asked for, complete: kind, source, strategy, settings, days, from_s, to_s, train_days, seed
        asked_by: str
        asked_at_ms: int
        cancel_at_ms: int?: when its end was asked for
        cancel_by: str?
        state: new|running|done|failed|cancelled
        percent: int: how far it is
        words: str: what it does now
        started_at_ms: int?
        beat_at_ms: int?: when its worker last said that it lives
        finished_at_ms: int?
        summary: map any?: figures of a run that is done; the equity curve (time, micro-dollars) with one run only
        report: str?: its report's name
        report_bytes: int?
        report_gone_at_ms: int?: when the report was dropped for space; the figures stay
        error: str: what went wrong
        cure: str: and what to do
        silent_s: num: since its worker, or who asked, was last heard
        took_s: num?: since it began; null: it has not
    """),
    "ResearchReport": schema("A whole report.", """
        kind: str
        source: str
        series: str
        strategies: []str
        model: str
        from_s: num
        to_s: num
        markets: int
        looks: int
        entered: int: trades
        cancelled: int: orders not filled
        won: int
        pnl_e6: int: after fees
        fees_e6: int
        paid_e6: int
        start_e6: int
        cash_e6: int
        drawdown_e6: int: the deepest fall under an earlier height
        hours: []any: by the hour of the close in New York
        trades: []any
        decisions: []any
        equity: []any: time and cash after each closed trade
        calibration: map any: by strategy
        verdicts: map str
        assumptions: []str
    """),
}  # fmt: skip
