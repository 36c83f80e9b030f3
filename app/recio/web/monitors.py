"""The monitors as the page and the API show them: what each is, how it is set, and why it waits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from recio.store import rules
from recio.store import web_queries as queries
from recio.store.db import Queries
from recio.trading.monitor import settings_of, to_builtins
from recio.trading.settings import SettingError
from recio.trading.strategies import STRATEGIES

__all__ = ["shown", "strategies", "why"]

Row = dict[str, Any]


def why(row: Mapping[str, Any], switches: Mapping[str, Any], entries: Sequence[Mapping[str, Any]]) -> str:
    """One sentence: what this monitor does now, or the nearest it comes to doing something."""
    if row["archived_at"] is not None:
        return "Archived: it enters nothing; what it still holds keeps its stop."
    if not switches["auto_entry"]["value"]["enabled"]:
        return "Waits: auto entry is off for all monitors."
    if not row["enabled"]:
        return "Off."
    own = [entry for entry in entries if entry["monitor_id"] == row["monitor_id"]]
    if not own:
        return f"Waits: there is no fresh strike table of {row['series_ticker']}."
    ranks = {"enter": 0, "watch": 1, "wait": 2}
    first = min(
        own,
        key=lambda e: (ranks[e["action"]], -(e["differential_e4"] if e["differential_e4"] is not None else -20_000)),
    )
    said = {"enter": "Enters", "watch": "Watches", "wait": "Waits"}[first["action"]]
    return f"{said}: {first['market_ticker']}: {first['why']}."


def shown(
    db: Queries, user_id: str, switches: Mapping[str, Any], entries: Sequence[Mapping[str, Any]] | None = None
) -> list[Row]:
    """Every monitor with complete settings, its strategy's sentence, its reason, and ``broken`` when it cannot run.

    ``entries`` are the newest looks where somebody has read them already."""
    entries = queries.entry_status(db) if entries is None else entries
    found = []
    for row in rules.monitor_rows(db, user_id):
        broken = ""
        try:
            settings = to_builtins(settings_of(row["strategy"], row["settings"]))
        except SettingError as error:
            settings, broken = row["settings"], str(error)
        known = STRATEGIES.get(row["strategy"])
        more = {"about": known.about if known else "", "why": why(row, switches, entries), "broken": broken}
        found.append(row | {"settings": settings} | more)
    return found


def strategies() -> list[Row]:
    """What a monitor can run, with the defaults."""
    return [
        {"strategy": known.name, "about": known.about, "defaults": to_builtins(known.settings())}
        for known in STRATEGIES.values()
    ]
