"""From the database's facts to the pure risk rules: the one adapter both the manager and the executor use."""

from __future__ import annotations

import time
from datetime import datetime
from typing import Any

from recio.contract.settings import Settings
from recio.market.book_math import ask_e4
from recio.monitoring.kill_file import kill_file_reason
from recio.store.db import Database
from recio.store.ledger import risk_facts
from recio.store.system import setting
from recio.trading.risk import Intent, RiskFacts, check, sentence
from recio.trading.settings import KillSwitch, RiskLimits, SettingError, read

__all__ = ["entry_refusals", "facts_for_entry"]

Row = dict[str, Any]
_DEPENDENCIES_MAX_AGE_S = 15.0


def _epoch(text: str | None) -> float | None:
    return None if text is None else datetime.fromisoformat(text).timestamp()


def _float(value: Any) -> float | None:
    return None if value is None else float(value)


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


def _kill_switch(value: Row | None) -> tuple[bool | None, str]:
    """On or not, and why; None, which refuses, for a setting that cannot be read."""
    by_file = kill_file_reason()
    if by_file is not None:
        return True, by_file
    try:
        switch = read(KillSwitch, value)  # never set by the user is off
    except SettingError:
        return None, ""
    return switch.on, switch.why


def facts_for_entry(row: Row, order: Row, own_trade: int | None = None, now_s: float | None = None) -> RiskFacts:
    """The facts of store.ledger.risk_facts as the rules want them; ``own_trade`` is left out of what is live."""
    others = [t for t in row["live_trades"] if t["trade_id"] != own_trade]
    market, exchange, balance = row["market"] or {}, row["exchange"] or {}, row["balance"] or {}
    dependencies, reconciled = row["dependencies"] or {}, row["reconciliation"] or {}
    killed, why = _kill_switch(row["kill_switch"])
    believed = dependencies.get("age_s", 1e9) <= _DEPENDENCIES_MAX_AGE_S
    opposite = row["no_bids"] if order["side"] == "yes" else row["yes_bids"]
    return RiskFacts(
        now_s=time.time() if now_s is None else now_s,
        kill_switch=killed,
        kill_switch_why=why,
        entries_allowed=bool(dependencies["entries_allowed"]) if believed else None,
        entries_blocked_by=str(dependencies.get("root_cause", "")),
        exchange_trading=exchange["exchange_active"] and exchange["trading_active"] if exchange else None,
        exchange_age_s=_float(exchange.get("age_s")),
        market_status=market.get("status"),
        market_open_s=_epoch(market.get("open_time")),
        market_close_s=_epoch(market.get("close_time")),
        price_age_s=_float(row["price_age_s"]),
        book_age_s=_float(row["book_age_s"]),
        book_valid=row["book_valid"],
        ask_e4=ask_e4(opposite) if opposite is not None else None,
        clock_skew_s=_float(exchange.get("clock_skew_s")),
        reconcile_age_s=_float(reconciled.get("age_s")),
        unknown_orders=row["unknown_orders"],
        open_trades=len(others),
        same_entries=sum(t["market_ticker"] == order["market_ticker"] and t["side"] == order["side"] for t in others),
        exposure_e6=sum(t["exposure_e6"] for t in others),
        daily_pnl_e6=row["pnl_today_e6"] + row["pnl_live_e6"],
        balance_e6=balance.get("balance_e6"),
        balance_age_s=_float(balance.get("age_s")),
    )
