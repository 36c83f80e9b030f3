"""The shapes of what stands before and after an order: the quote, the limits, closing everything."""

from __future__ import annotations

from typing import Any

from recio.web.shape import schema

__all__ = ["TICKET_SCHEMAS"]

TICKET_SCHEMAS: dict[str, dict[str, Any]] = {
    "Limits": schema("Each limit with what is used of it, and why no entry is possible now.", """
        meters: []@LimitMeter
        blocks: []@Refusal: empty: entries are possible
        now_ms: int
    """),
    "LimitMeter": schema("One limit, by the facts and rules that refuse an entry.", """
        name: str: as in a refusal
        label: str
        unit: e6|count|s: what used and allowed are in
        used: num?: null: not known, which refuses
        allowed: num
        refuses: bool: every entry is refused because of it now
    """),
    "Refusal": schema("One reason for a no.", "name: str: the limit or the missing fact\nwhy: str"),
    "Quote": schema("What buying would cost from the book on record. Fees are estimates.", """
        market_ticker: str
        side: yes|no
        count_e2: int: contracts
        limit_price_e4: int
        book_age_s: num?: null: there is no book
        book_valid: bool
        best_ask_e4: int?: of the side; null: nobody offers, or the book is not usable
        levels: []@QuoteLevel: the best eight, cheapest first
        more_levels: int: levels beyond these
        more_count_e2: int: contracts offered there
        more_taken_e2: int: contracts this order would take there
        claim: str: what must be true of BTC for the side to win; empty: a kind of market not known here
        now: @QuoteNow
        worst: @QuoteWorst
        model: @QuoteModel
        refusals: []@Refusal: why the risk gate would refuse this very order now; empty: it would not
        now_ms: int
    """),
    "QuoteLevel": schema("One level of the book.", """
        price_e4: int: of the side bought
        count_e2: int: contracts offered there
        taken_e2: int: contracts this order would take
    """),
    "QuoteModel": schema("What the model and the market say of the side, and how sure that is.", """
        probability: num?
        market: num?: the middle of the book
        model_version: str?
        low: num?: of the 95 % interval by the newest calibration
        high: num?
        came_true: num?: the share of forecasts like this that came true
        said_from: num?: such forecasts were between this
        said_to: num?: and this
        events: num?: independent events the interval rests on
        calibrated_by: str?: the strategy whose forecasts it rests on
        why: str: what is not known, and why
        edge_e4: num?: a contract, after the fees of this size
        age_s: num?: of the strike table
    """),
    "QuoteNow": schema("What would fill at once.", """
        count_e2: int: contracts
        complete: bool: the whole count
        average_e4: num?
        worst_e4: int?: the dearest level taken
        cost_e6: int
        fee_e6: int
        max_loss_e6: int
        payout_e6: int: if the side wins
        profit_e6: int
        breakeven_e4: num?
    """),
    "QuoteWorst": schema("The whole count at the limit price.", """
        cost_e6: int
        fee_e6: int
        max_loss_e6: int
        payout_e6: int
        breakeven_e4: num
    """),
    "ClosedAll": schema("What became of every trade asked for.", "trades: []@ClosedOne"),
    "ClosedOne": schema("One trade of a close-all.", """
        trade_id: int
        ticket_id: int?: its close ticket; null: skipped
        state: new|accepted|refused|skipped: new: not decided within 3 s; it is not lost
        reason: str: why it was refused or skipped
    """),
}  # fmt: skip
