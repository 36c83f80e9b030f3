"""Runs as the page shows them: titles, states in words, figures, and several side by side. Pure shaping."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from recio.market.interval import wilson
from recio.trading import catalog
from recio.trading.monitor import changed, settings_of, to_builtins
from recio.trading.settings import SettingError
from recio.trading.strategies import STRATEGIES
from recio.trading.wish import WishError, period_words, read_wish
from recio.web.view import dollars, percent

__all__ = ["LETTERS", "Line", "compared", "differing", "figures", "minute", "sampled", "shown_run", "title"]

Row = dict[str, Any]
LETTERS = "ABCD"  # at most four side by side
_STATES = {"new": "waits", "running": "under way"}
_LOOKS = {"done": "filled", "failed": "error", "running": "pending", "new": "pending", "cancelled": "cancelled"}
_QUIET_S = 20.0


def title(wish: Mapping[str, Any]) -> str:
    """What was asked for, in words."""
    kind = str(wish.get("kind", "run")).capitalize()
    try:
        return f"{kind} of {period_words(read_wish(wish))}"
    except WishError:  # of a release that knew other strategies
        return kind


def shown_run(row: Mapping[str, Any]) -> Row:
    """A run with its title, its state's words and look, and one line of what there is to say."""
    said = row["words"]
    if row["state"] == "new":
        said = "waits for the run before it"
        if row["silent_s"] > _QUIET_S:
            said = "nobody has taken it yet: another run goes, or recio-research.path does not run on the host"
    elif row["state"] == "running" and row["silent_s"] > _QUIET_S:
        said = f"nothing heard of its worker for {row['silent_s']:.0f} s; a new one will close it"
    elif row["state"] == "failed":
        said = f"{row['error']}. {row['cure'][:1].upper()}{row['cure'][1:]}." if row["cure"] else row["error"]
    if row["cancel_at"] is not None and row["state"] in ("new", "running"):
        said = "is being cancelled"
    return dict(row) | {
        "title": title(row["wish"]), "state_words": _STATES.get(row["state"], row["state"]), "look": _LOOKS[row["state"]],
        "said": said, "open": row["state"] in ("new", "running"), "apart": _apart(row["wish"]),
    }  # fmt: skip


def _apart(wish: Mapping[str, Any]) -> str:
    """The first settings that are not the defaults, in words."""
    found = differing(wish)
    said = "; ".join(f"{change.label} {change.after}" for change in found[:3])
    return f"{said}; and {len(found) - 3} more" if len(found) > 3 else said


@dataclass(frozen=True)
class Line:
    """One line of a comparison: what it is, and its value in each run; ``differs`` when not all are the same."""

    label: str
    values: tuple[str, ...]

    @property
    def differs(self) -> bool:
        """Whether the runs differ in it."""
        return len(set(self.values)) > 1


def _day(at_s: float) -> str:
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%d %H:%M")


def figures(summary: Mapping[str, Any]) -> dict[str, str]:
    """A run's figures by their labels, written out. A rate of nothing is not known, never 0."""
    entered, won = summary["entered"], summary["won"]
    rate = "– (no trade)"
    if entered:
        low, high = wilson(won / entered, entered)
        rate = f"{percent(won / entered)} (95 %: {percent(low)} to {percent(high)})"
    paid = summary["paid_e6"]
    return {
        "Result after fees": dollars(summary["pnl_e6"], True),
        "Of what was paid": f"{100 * summary['pnl_e6'] / paid:+.1f} %".replace("-", "−") if paid else "– (nothing was paid)",
        "Trades": f"{entered:,}", "Won": f"{won:,}", "Win rate": rate, "Orders not filled": f"{summary['cancelled']:,}",
        "Paid": dollars(paid), "Fees": dollars(summary["fees_e6"]), "Deepest fall": dollars(summary["drawdown_e6"]),
        "Markets": f"{summary['markets']:,}", "Looks": f"{summary['looks']:,}", "Model": summary["model"],
        "From (UTC)": _day(summary["from_s"]), "To (UTC)": _day(summary["to_s"]),
    }  # fmt: skip


def differing(wish: Mapping[str, Any]) -> list[catalog.Change]:
    """The settings of a wish that differ from its strategy's defaults; none when its strategy is not known (any more)."""
    known = STRATEGIES.get(str(wish.get("strategy")))
    if known is None:
        return []
    return catalog.difference(catalog.MONITOR, to_builtins(known.settings()), _settings(wish))


def _settings(wish: Mapping[str, Any]) -> Row:
    try:
        base = settings_of(wish["strategy"], None)
        return to_builtins(settings_of(wish["strategy"], changed(base, wish["settings"])))
    except SettingError:
        return to_builtins(settings_of(wish["strategy"], None))


def compared(rows: Sequence[Mapping[str, Any]]) -> dict[str, list[Line]]:
    """Runs side by side: ``figures``, and of ``settings`` (with kind, period and strategy) only what differs."""
    made = [figures(row["summary"]) for row in rows]
    lines = [Line(label, tuple(one[label] for one in made)) for label in made[0]]
    asked = [
        Line("Run", tuple(title(row["wish"]) for row in rows)),
        Line("Strategy", tuple(row["wish"]["strategy"] for row in rows)),
    ]
    settings = [_settings(row["wish"]) for row in rows]
    for field in catalog.MONITOR:
        said = tuple(
            f"{catalog.to_shown(field, catalog.value_of(one, field.key))} {field.unit}".strip() or "none" for one in settings
        )  # fmt: skip
        asked.append(Line(field.label if "." not in field.key else f"Stop: {field.label}", said))
    return {"figures": lines, "settings": [line for line in asked if line.differs]}


def sampled(summary: Mapping[str, Any], most: int = 8) -> list[tuple[str, str]]:
    """The equity curve in words: day of the run and result so far, at evenly spaced trades, first and last always."""
    points = summary["equity"]
    if not points:
        return []
    places = sorted({round(n * (len(points) - 1) / max(1, most - 1)) for n in range(most)})
    return [
        (f"{(points[at][0] - summary['from_s']) / 86_400:.1f}", dollars(points[at][1] - summary["start_e6"], True))
        for at in places
    ]


def minute(at_s: float) -> str:
    """A time as a datetime-local field takes it, UTC, whole minutes."""
    return datetime.fromtimestamp(int(at_s) // 60 * 60, UTC).strftime("%Y-%m-%dT%H:%M")
