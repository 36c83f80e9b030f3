"""From a row of the database's facts to what the risk rules ask for: one adapter for the manager, the executor and the page."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from recio.market.book_math import ask_e4
from recio.trading.risk import RiskFacts
from recio.trading.settings import KillSwitch, SettingError, read

__all__ = ["DEPENDENCIES_MAX_AGE_S", "facts_from"]

DEPENDENCIES_MAX_AGE_S = 15.0


def _epoch(text: str | None) -> float | None:
    return None if text is None else datetime.fromisoformat(text).timestamp()


def _float(value: Any) -> float | None:
    return None if value is None else float(value)


def _kill_switch(value: Mapping[str, Any] | None, kill_file: str | None) -> tuple[bool | None, str]:
    """On or not, and why; None, which refuses, for a setting that cannot be read."""
    if kill_file is not None:
        return True, kill_file
    try:
        switch = read(KillSwitch, value)  # never set by the user is off
    except SettingError:
        return None, ""
    return switch.on, switch.why


def facts_from(
    row: Mapping[str, Any], market_ticker: str, side: str, own_trade: int | None, now_s: float, kill_file: str | None
) -> RiskFacts:
    """The facts of store.ledger.risk_facts as the rules want them. ``own_trade`` is left out of what is live;
    ``kill_file`` is why a file stops entries, None when there is none. A market that is not known refuses by itself."""
    others = [t for t in row["live_trades"] if t["trade_id"] != own_trade]
    market, exchange, balance = row["market"] or {}, row["exchange"] or {}, row["balance"] or {}
    dependencies, reconciled = row["dependencies"] or {}, row["reconciliation"] or {}
    killed, why = _kill_switch(row["kill_switch"], kill_file)
    believed = dependencies.get("age_s", 1e9) <= DEPENDENCIES_MAX_AGE_S
    opposite = row["no_bids"] if side == "yes" else row["yes_bids"]
    return RiskFacts(
        now_s=now_s,
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
        same_entries=sum(t["market_ticker"] == market_ticker and t["side"] == side for t in others),
        exposure_e6=sum(t["exposure_e6"] for t in others),
        daily_pnl_e6=row["pnl_today_e6"] + row["pnl_live_e6"],
        balance_e6=balance.get("balance_e6"),
        balance_age_s=_float(balance.get("age_s")),
    )
