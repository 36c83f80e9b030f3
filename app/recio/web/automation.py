"""Auto entry and auto stop in one sentence each: acting or not, and why; and what every monitor is looking at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from recio.store import web_queries as queries
from recio.store.db import Queries
from recio.trading import catalog
from recio.web import monitors

__all__ = ["JUDGED_MAX_AGE_S", "automation", "entry_sentence", "stop_sentence"]

Row = dict[str, Any]
JUDGED_MAX_AGE_S = 15.0  # the supervisor judges every second or two; older than this it judges nothing
_RANKS = {"enter": 0, "watch": 1, "wait": 2}
_SAID = {"enter": "enters", "watch": "watches", "wait": "waits"}


def entry_sentence(
    settings: Mapping[str, Any], blocked: Sequence[Mapping[str, Any]], found: Sequence[Mapping[str, Any]],
    judged: Sequence[Mapping[str, Any]], age_s: float | None,
) -> tuple[bool, str]:  # fmt: skip
    """(acting, why). ``settings`` by name, ``blocked`` the risk gate's own no to any entry, ``found`` the monitors,
    ``judged`` their newest looks and ``age_s`` the youngest one's age; None: there is none."""
    if not settings["auto_entry"]["enabled"]:
        return False, "Off: nothing is entered without you."
    if settings["kill_switch"]["on"]:
        why = settings["kill_switch"]["why"]
        return False, f"On, but the kill switch stops every entry{f' ({why})' if why else ''}."
    enabled = [row["monitor_id"] for row in found if row["enabled"] and row["archived_at"] is None]
    if not enabled:
        return False, "On, but no monitor is switched on: nothing is entered."
    if blocked:
        return False, f"On, but no entry is possible now: {'; '.join(row['why'] for row in blocked[:2])}."
    own = [row for row in judged if row["monitor_id"] in enabled]
    if not own:
        return False, "On: waits for a fresh strike table of a monitor's series."
    if age_s is None or age_s > JUDGED_MAX_AGE_S:
        return False, f"On, but nobody judges: the newest look is {age_s or 0:.0f} s old (auto_entry_supervisor)."
    first = min(own, key=_rank)
    word = _SAID.get(first["action"], "waits")
    return bool(first["acting"]), f"On: {first['monitor_id']} {word} at {first['market_ticker']}: {first['why']}."


def _rank(row: Mapping[str, Any]) -> tuple[int, float]:
    """What acts before what watches before what waits; then the best differential, an unknown one last."""
    edge = row["differential_e4"]
    return _RANKS.get(row["action"], 3), -(edge if edge is not None else -20_000)


def stop_sentence(settings: Mapping[str, Any], live: Sequence[Mapping[str, Any]]) -> tuple[bool, str]:
    """(acting, why). ``live`` is what the supervisor sees of every live trade. The figures are those of trades made by
    hand: a monitor's trades follow the monitor's own."""
    stop = settings["auto_stop"]
    held = [row for row in live if row["state"] in ("open", "closing") and row["entry_count_e2"] > row["exit_count_e2"]]
    some = f"{len(held)} open trade{'s' if len(held) != 1 else ''}"
    if not stop["enabled"]:
        left = f" {some} unprotected." if held else ""
        return False, f"Off: losing trades stay open until you close them or the market settles.{left}"
    rule = (
        f"sells below {stop['stop_probability_percent']:g} %, confirmed after {stop['confirm_after_s']:g} s,"
        f" until {stop['min_time_to_close_s']:g} s before the close"
    )
    if not held:
        return False, f"On: nothing is held. By hand it {rule}."
    for state, word in (("closing", "sells"), ("confirming", "confirms")):
        busy = [row for row in held if row["stop_state"] == state]
        if busy:
            return True, f"On: it {word} trade {busy[0]['trade_id']}: {busy[0]['note']}."
    unseen = [row for row in held if row["stop_state"] is None]
    if unseen:
        return False, f"On, but trade {unseen[0]['trade_id']} was not looked at yet (active_trade_supervisor)."
    first = min(held, key=lambda row: row["probability"] if row["probability"] is not None else 1.0)
    return False, f"On: watches {some}; by hand it {rule}. Trade {first['trade_id']}: {first['note']}."


def _written(fields: Sequence[catalog.Field], value: Mapping[str, Any]) -> list[dict[str, str]]:
    """A setting's keys as people read them."""
    return [
        {"label": field.label, "value": shown or "none", "unit": field.unit if shown else ""}
        for field in fields
        for shown in [catalog.to_shown(field, value[field.key])]
    ]


def automation(
    db: Queries, user_id: str, settings: Mapping[str, Mapping[str, Any]], blocked: Sequence[Mapping[str, Any]],
    live: Sequence[Mapping[str, Any]], now_s: float,
) -> Row:  # fmt: skip
    """{entry, stop: {acting, why}, monitors, watch}: ``settings`` as shown, each with its value; ``watch`` is what every
    monitor thinks of every market, what acts first."""
    judged = sorted(queries.entry_status(db), key=_rank)
    found = monitors.shown(db, user_id, settings, judged)
    values = {name: setting["value"] for name, setting in settings.items()}
    age_s = min((now_s - row["at"].timestamp() for row in judged), default=None)
    acting, why = entry_sentence(values, blocked, found, judged, age_s)
    stopping, stop_why = stop_sentence(values, live)
    return {
        "entry": {"acting": acting, "why": why, "settings": _written(catalog.AUTO_ENTRY, values["auto_entry"])},
        "stop": {"acting": stopping, "why": stop_why, "settings": _written(catalog.AUTO_STOP, values["auto_stop"])},
        "monitors": [
            {"monitor_id": row["monitor_id"], "strategy": row["strategy"], "series_ticker": row["series_ticker"],
             "enabled": row["enabled"], "why": (row["broken"] and f"Cannot run: {row['broken']}") or row["why"]}
            for row in found if row["archived_at"] is None
        ],
        "watch": judged,
    }  # fmt: skip
