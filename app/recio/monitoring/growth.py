"""How fast the database grows, and when its folder reaches its budget at that pace. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec

from recio.contract import Contract
from recio.contract.model import GrowthRule

__all__ = ["Growth", "complaint", "database_growth", "decisions_kept_days", "forecast", "megabytes"]

DAY_S = 86400.0
_MANY_DAYS = 3650.0  # farther ahead than this nobody looks


class Growth(msgspec.Struct, frozen=True):
    """``mb_per_day`` None: not known, and ``why`` says it. ``days_left`` None: never at this pace, or not known."""

    used_mb: float | None
    budget_mb: int
    mb_per_day: float | None = None
    days_left: float | None = None
    why: str = ""


def forecast(points: Sequence[tuple[float, float]], used_mb: float | None, budget_mb: int, rule: GrowthRule) -> Growth:
    """From (epoch seconds, MB), one an hour, oldest first; ``used_mb`` is what counts against the budget.

    The pace is the median of the slopes between all pairs: one night's import or one clean-up is no pace.
    """
    if used_mb is None or not points:
        return Growth(used_mb, budget_mb, why="no sample yet")
    span_h = (points[-1][0] - points[0][0]) / 3600
    if span_h < rule.samples_min_h:
        left = 0.0 if used_mb >= budget_mb else None
        return Growth(used_mb, budget_mb, None, left, f"samples of {span_h:.0f} h, {rule.samples_min_h} are needed")
    slopes = sorted(
        (later_mb - mb) / (later_s - at_s)
        for n, (at_s, mb) in enumerate(points)
        for later_s, later_mb in points[n + 1 :]
        if later_s > at_s
    )
    per_day = slopes[len(slopes) // 2] * DAY_S
    left = 0.0 if used_mb >= budget_mb else (budget_mb - used_mb) / per_day if per_day > 0 else None
    return Growth(used_mb, budget_mb, per_day, left if left is None or left < _MANY_DAYS else None)


def database_growth(history: tuple[Sequence[tuple[float, float]], str], contract: Contract) -> Growth:
    """Pace and forecast against the budget of the database's folder, from `recio.store.growth.size_history`.

    What counts is the folder as root last read it (the log of changes is in it too), or the database alone where nobody has yet.
    """
    points, read = history
    known = [mb for mb in (megabytes(read), points[-1][1] if points else None) if mb is not None]
    budget_mb = contract.directories["postgresql_data"].size_mb
    return forecast(points, max(known, default=None), budget_mb, contract.upkeep.growth)


def complaint(growth: Growth, rule: GrowthRule, stands: bool) -> str:
    """Why somebody must make room, as a sentence; empty when nobody must. ``stands``: it was said, and ends only at clear_days."""
    left = growth.days_left
    if left is None or left >= (rule.clear_days if stands else rule.warning_days) or growth.used_mb is None:
        return ""
    if left <= 0:
        return f"the database's folder holds {growth.used_mb:,.0f} MB, its budget is {growth.budget_mb:,} MB"
    return (
        f"the database's folder reaches its budget of {growth.budget_mb:,} MB in {left:.0f} days:"
        f" it holds {growth.used_mb:,.0f} MB and grows by {growth.mb_per_day or 0.0:,.1f} MB a day"
    )


def decisions_kept_days(growth: Growth, rule: GrowthRule) -> float:
    """How long decisions that were no entry are kept: shorter the fuller the database's folder is, so that it never fills up.

    Rows removed make room inside the files and do not shrink them, so a folder that came to 80 % stays there, and with it the answer.
    Not known how full: the whole time.
    """
    most, least = rule.decisions_kept_days, rule.decisions_least_days
    used = 0.0 if growth.used_mb is None else growth.used_mb / growth.budget_mb
    start = rule.shorten_from_percent / 100
    share = min(max((used - start) / (1 - start), 0.0), 1.0)
    return most - (most - least) * share


def megabytes(text: str) -> float | None:
    """'1,234.5 MB', as the contract's readings are told, -> 1234.5; None for a sentence."""
    match = re.fullmatch(r"([0-9,]+(?:\.[0-9]+)?) MB", text)
    return float(match[1].replace(",", "")) if match else None
