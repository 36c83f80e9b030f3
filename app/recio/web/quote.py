"""What a ticket would cost now: the book level by level, the fee, what can be lost and won, and what is left by the model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from recio.market.book_math import asks, buy
from recio.market.fees import order_fee_e6, taker_fee_e6
from recio.market.interval import certainty
from recio.trading.sizing import affordable_e2, whole
from recio.trading.ticket import MAX_COUNT_E2, TicketError, count_e2_of
from recio.units import ONE_DOLLAR_E4

__all__ = ["model_view", "quote_of", "size_e2"]

Row = dict[str, Any]
_SHOWN_LEVELS = 8


def size_e2(count: str, dollars: str, limit_e4: int) -> int:
    """The count asked for: as written, or as many whole contracts as lose at most ``dollars`` at the limit, fee included.

    Raises TicketError naming the field and the cure."""
    if bool(count.strip()) == bool(dollars.strip()):
        raise TicketError("count", "give either a count of contracts or the dollars at risk, for example count=5")
    if count.strip():
        return count_e2_of(count)
    budget_e6 = count_e2_of(dollars, field="dollars") * 10_000  # two decimals: cents
    found = whole(affordable_e2(MAX_COUNT_E2, limit_e4, budget_e6))
    if not found:
        one = 100 * limit_e4 + taker_fee_e6(100, limit_e4)
        raise TicketError(
            "dollars", f"is {dollars}; one contract at this limit costs {one / 1e6:.4f} dollars with its fee"
        )
    return found


def quote_of(market_ticker: str, side: str, count_e2: int, limit_e4: int, book: Mapping[str, Any] | None) -> Row:
    """The figures of one purchase. A book that is missing or has a gap offers nothing: its levels are not shown."""
    usable = book is not None and book["valid"]
    against = (book["no_bids"] if side == "yes" else book["yes_bids"]) if book is not None and usable else []
    walk = buy(against, count_e2, limit_e4)
    taken = dict(walk.levels)
    fee_e6 = order_fee_e6((level, part) for level, part in walk.levels)
    paid_e6, worst_fee_e6 = walk.amount_e6 + fee_e6, taker_fee_e6(count_e2, limit_e4)
    payout_e6 = walk.filled_e2 * ONE_DOLLAR_E4
    ladder = asks(against)
    hidden = ladder[_SHOWN_LEVELS:]
    return {
        "market_ticker": market_ticker, "side": side, "count_e2": count_e2, "limit_price_e4": limit_e4,
        "book_age_s": book["age_s"] if book is not None else None, "book_valid": bool(usable),
        "best_ask_e4": ladder[0][0] if ladder else None,
        "levels": [
            {"price_e4": price, "count_e2": there, "taken_e2": taken.get(price, 0)} for price, there in ladder[:_SHOWN_LEVELS]
        ],
        "more_levels": len(hidden), "more_count_e2": sum(there for _, there in hidden),
        "more_taken_e2": sum(taken.get(price, 0) for price, _ in hidden),
        "now": {
            "count_e2": walk.filled_e2, "complete": walk.complete, "average_e4": walk.average_e4,
            "worst_e4": walk.worst_e4, "cost_e6": walk.amount_e6, "fee_e6": fee_e6, "max_loss_e6": paid_e6,
            "payout_e6": payout_e6, "profit_e6": payout_e6 - paid_e6,
            "breakeven_e4": paid_e6 / walk.filled_e2 if walk.filled_e2 else None,
        },
        "worst": {
            "cost_e6": count_e2 * limit_e4, "fee_e6": worst_fee_e6, "max_loss_e6": count_e2 * limit_e4 + worst_fee_e6,
            "payout_e6": count_e2 * ONE_DOLLAR_E4,
            "breakeven_e4": (count_e2 * limit_e4 + worst_fee_e6) / count_e2,
        },
    }  # fmt: skip


def model_view(
    side: str, quote: Mapping[str, Any], row: Mapping[str, Any] | None, table: Mapping[str, Any] | None,
    calibration: Mapping[str, Any] | None, series: str = "",
) -> Row:  # fmt: skip
    """What the model and the market say of ``side``, how sure the model is, and the edge a contract after the fees of
    this size (what fills now; the limit where nothing does). ``why`` names what is not known; ``calibrated_by`` is the
    strategy whose forecasts the interval rests on: one of a monitor on this ``series``."""
    yes = row.get("probability_yes") if row else None
    own = None if yes is None else (yes if side == "yes" else 1.0 - yes)
    market = row.get("probability_market") if row else None
    if market is not None and row is not None and row["side"] != side:
        market = 1.0 - market
    even_e4 = quote["now"]["breakeven_e4"]
    even_e4 = quote["worst"]["breakeven_e4"] if even_e4 is None else even_e4
    sure = (
        certainty(calibration["bins"] or [], calibration["rows"], calibration["events"], yes, side)
        if calibration
        else None
    )
    why = ""
    if own is None:
        why = "the model says nothing of this strike now" if row else "this strike is not in the strike table"
    elif calibration is None:
        why = f"no interval: no strategy on {series or 'this series'} was ever calibrated"
    elif sure is None:
        why = "no interval: no forecast like this one was ever settled"
    return {
        "probability": own, "market": market, "model_version": row.get("model_version") if row else None,
        "low": sure.low if sure else None, "high": sure.high if sure else None,
        "came_true": sure.came_true if sure else None, "said_from": sure.said_from if sure else None,
        "said_to": sure.said_to if sure else None, "events": sure.events if sure else None, "why": why,
        "calibrated_by": calibration["strategy"] if calibration and sure else None,
        "edge_e4": None if own is None else own * ONE_DOLLAR_E4 - even_e4,
        "age_s": table["age_s"] if table else None,
    }  # fmt: skip
