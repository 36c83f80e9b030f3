"""Each limit with what is used of it, from the very facts and rules that refuse an entry. Pure."""

from __future__ import annotations

import msgspec

from recio.trading.risk import Intent, Refusal, RiskFacts, check
from recio.trading.settings import RiskLimits

__all__ = ["Meter", "blocks", "meters"]

# The smallest entry there is: what refuses even this one refuses every entry.
_LEAST = Intent(purpose="entry", market_ticker="", side="yes", count_e2=1, limit_price_e4=1)
# Refusals that are about one market or one order, not about the desk.
_OF_A_MARKET = frozenset({
    "market_status", "market_open", "market_close", "book_age_s", "book_valid", "ask", "same_entries", "max_over_ask",
    "max_price", "max_count", "max_order_cost", "purpose", "side", "count", "limit_price",
})  # fmt: skip


class Meter(msgspec.Struct, frozen=True, kw_only=True):
    """One limit. ``name`` is the refusal's; ``used`` None is "not known", which refuses. ``unit``: e6 (millionths of a
    dollar), count, s (seconds). ``refuses``: the gate says no to every entry because of it, now."""

    name: str
    label: str
    unit: str
    used: float | None
    allowed: float
    refuses: bool


def meters(facts: RiskFacts, limits: RiskLimits) -> list[Meter]:
    """The limits of the whole desk, money first, then the ages every entry needs young."""
    refused = {refusal.name for refusal in check(_LEAST, facts, limits)}
    daily, skew = facts.daily_pnl_e6, facts.clock_skew_s
    rows: tuple[tuple[str, str, str, float | None, float], ...] = (
        ("max_daily_loss", "Loss today", "e6", None if daily is None else max(0, -daily), limits.max_daily_loss_e6),
        ("max_exposure", "At risk", "e6", facts.exposure_e6, limits.max_exposure_e6),
        ("open_trades", "Live trades", "count", facts.open_trades, limits.max_open_trades),
        ("unknown_orders", "Unknown orders", "count", facts.unknown_orders, limits.max_unknown_orders),
        ("price_age_s", "BTC price's age", "s", facts.price_age_s, limits.max_price_age_s),
        ("exchange_age_s", "Exchange heard", "s", facts.exchange_age_s, limits.max_exchange_age_s),
        ("balance_age_s", "Balance's age", "s", facts.balance_age_s, limits.max_balance_age_s),
        ("reconcile_age_s", "Reconciled", "s", facts.reconcile_age_s, limits.max_reconcile_age_s),
        ("clock_skew_s", "Clock's error", "s", None if skew is None else abs(skew), limits.max_clock_skew_s),
    )
    return [
        Meter(name=name, label=label, unit=unit, used=used, allowed=allowed, refuses=name in refused)
        for name, label, unit, used, allowed in rows
    ]


def blocks(facts: RiskFacts, limits: RiskLimits) -> list[Refusal]:
    """Why no entry at all is possible now, whatever the market; empty when some may be."""
    return [refusal for refusal in check(_LEAST, facts, limits) if refusal.name not in _OF_A_MARKET]
