"""The risk gate as the page shows it: the facts and rules the executor itself uses, never a second computation."""

from __future__ import annotations

from typing import Any, Protocol

import msgspec

from recio.monitoring.kill_file import kill_file_reason
from recio.store.db import Queries
from recio.store.ledger import HotQueries, risk_facts
from recio.store.web_sessions import settings as stored_settings
from recio.trading.facts import facts_from
from recio.trading.limits import blocks, meters
from recio.trading.risk import Intent, check
from recio.trading.settings import RiskLimits, SettingError, read

__all__ = ["Both", "limits", "refusals"]

Row = dict[str, Any]


class Both(Queries, HotQueries, Protocol):
    """A connection that has both: the pool and a service's own do."""


def _limits_of(db: Queries, user_id: str) -> RiskLimits:
    return read(RiskLimits, (stored_settings(db, user_id).get("risk") or {}).get("value"))


def limits(db: Both, user_id: str, mode: str, now_s: float) -> Row:
    """{meters, blocks}: what is used of each limit, and why no entry at all is possible now (empty: some are)."""
    try:
        allowed = _limits_of(db, user_id)
    except SettingError as broken:  # the gate refuses on it too
        return {"meters": [], "blocks": [{"name": "settings", "why": f"the risk settings cannot be read: {broken}"}]}
    facts = facts_from(risk_facts(db, user_id, mode, ""), "", "yes", None, now_s, kill_file_reason())
    return {
        "meters": msgspec.to_builtins(meters(facts, allowed)),
        "blocks": msgspec.to_builtins(blocks(facts, allowed)),
    }


def refusals(
    db: Both, user_id: str, mode: str, market_ticker: str, side: str, count_e2: int, limit_e4: int, now_s: float
) -> list[Row]:
    """Why the gate would refuse this entry now, each with its name and a sentence; empty when it would let it through."""
    try:
        allowed = _limits_of(db, user_id)
    except SettingError as broken:
        return [{"name": "settings", "why": f"the risk settings cannot be read: {broken}"}]
    facts = facts_from(
        risk_facts(db, user_id, mode, market_ticker), market_ticker, side, None, now_s, kill_file_reason()
    )
    intent = Intent(purpose="entry", market_ticker=market_ticker, side=side, count_e2=count_e2, limit_price_e4=limit_e4)
    found: list[Row] = msgspec.to_builtins(check(intent, facts, allowed))
    return found
