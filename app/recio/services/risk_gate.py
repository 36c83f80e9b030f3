"""The risk gate of the manager and the executor: the database's facts, read now, held against the pure rules."""

from __future__ import annotations

import time
from typing import Any

from recio.contract.settings import Settings
from recio.monitoring.kill_file import kill_file_reason
from recio.store.db import Database
from recio.store.ledger import risk_facts
from recio.store.system import setting
from recio.trading.facts import facts_from
from recio.trading.risk import Intent, RiskFacts, check, sentence
from recio.trading.settings import RiskLimits, SettingError, read

__all__ = ["entry_refusals", "facts_for_entry"]

Row = dict[str, Any]


def entry_refusals(db: Database, settings: Settings, order: Row, already_recorded: int | None = None) -> list[str]:
    """Why this entry must not be made now; empty when it may. ``order`` has market_ticker, side, count_e2 and
    limit_price_e4; ``already_recorded`` is the order's own trade, once the ledger holds it."""
    user_id, mode = settings.user_id, settings.mode
    facts = risk_facts(db, user_id, mode, order["market_ticker"])
    try:
        limits = read(RiskLimits, setting(db, user_id, "risk"))
    except SettingError as broken:
        return [f"the risk settings cannot be read: {broken}"]
    intent = Intent(
        purpose="entry",
        market_ticker=order["market_ticker"],
        side=order["side"],
        count_e2=order["count_e2"],
        limit_price_e4=order["limit_price_e4"],
    )
    refusals = check(intent, facts_for_entry(facts, order, already_recorded), limits)
    return [sentence(refusals)] if refusals else []


def facts_for_entry(row: Row, order: Row, own_trade: int | None = None, now_s: float | None = None) -> RiskFacts:
    """The facts of store.ledger.risk_facts as the rules want them; ``own_trade`` is left out of what is live."""
    now_s = time.time() if now_s is None else now_s
    return facts_from(row, order["market_ticker"], order["side"], own_trade, now_s, kill_file_reason())
