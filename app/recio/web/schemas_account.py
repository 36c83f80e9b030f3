"""The shapes of what /api/account answers, in the short hand of recio.web.shape."""

from __future__ import annotations

from typing import Any

from recio.web.shape import schema

__all__ = ["ACCOUNT_SCHEMAS"]

_FILL = """
    fill_id: str
    market_ticker: str
    book_side: bid|ask: bid bought YES, ask sold YES
    count_e2: int: contracts
    yes_price_e4: int
    fee_e6: int
    is_taker: bool
    filled_at_ms: int
"""
_SETTLEMENT = """
    market_ticker: str
    result: str
    settlement_value_e4: int?: of a YES contract; null: void
    revenue_e6: int?
    settled_at_ms: int
"""
_CANCEL = """
    cancel_id: int
    user_id: str
    mode: str
    ticket_id: int
    exchange_order_id: str
    client_order_id: str
    market_ticker: str
    book_side: bid|ask
    yes_price_e4: int
    count_e2: int: contracts
    filled_e2: int: contracts, before it was asked
    rests_since_ms: int
    state: intent|sending|unknown|cancelled|gone|refused: unknown: being looked up; gone: it had ended before
    reduced_e2: int?: contracts taken off the book; null: not known, or none
    reason: str: what the exchange said
    not_found: bool: the exchange answered 404
    lookups: int
    created_at_ms: int
    sent_at_ms: int?
    done_at_ms: int?
"""

ACCOUNT_SCHEMAS: dict[str, dict[str, Any]] = {
    "Account": schema("The account as the exchange has it, and whether the ledger agrees.", """
        mode: str
        now_ms: int
        today: @Today
        balance: @Balance?: null: never seen
        ledger: @LedgerCash
        positions: []@Position: as the exchange reports them
        compared: []@ComparedPosition: every market that exchange or ledger holds
        reconciliation: @Reconciliation?: null: never compared
        resting_orders: []@UnfinishedOrder: every order that is not finished, unknown ones too
        resting_elsewhere: []@ForeignOrder: what rests there and is not this desk's, by the last comparison
        fills: []@Fill: the newest 20
        settlements: []@Settlement: the newest 20
    """),
    "Balance": schema("Cash.", "balance_e6: int\nportfolio_e6: int\nseen_at_ms: int\nage_s: num"),
    "LedgerCash": schema("What the ledger expects the cash to be.", """
        cash_e6: int: what all fills and results did to it
        cash_known: bool: false: a void market gave back something nobody has told
        expected_e6: int?: null: not known
        differs_e6: int?: how much more the exchange has
        agrees: bool: both are known and the same to the cent
        accepted_at_ms: int?: when a balance was last taken as right
        reserved_e6: int: what unfinished entries may still cost at their limits, before fees
        refusals: []@Refusal: why the balance cannot be accepted now; empty: it can
    """),
    "Position": schema("A position as the exchange reports it.", """
        market_ticker: str
        position_e2: int: contracts; above 0 YES, below 0 NO
        exposure_e6: int
        fees_e6: int
        seen_at_ms: int
        age_s: num
    """),
    "ComparedPosition": schema("A market's position in both books; contracts, above 0 YES, below 0 NO.", """
        market_ticker: str
        exchange_e2: int?: null: not read
        ledger_e2: int: what the fills on record add up to
        differs: bool: now; reconciliation allows both sides 15 s to hear of a fill
        note: str
    """),
    "Reconciliation": schema("The last comparison of ledger and exchange.", """
        at_ms: int
        ok: bool
        differences: any: as they were found
        age_s: num
        state: never|old|agree|differ: what it is worth now; old: it is older than limit_s
        since_ms: int?: since when the outcome has been the same
        limit_s: num: the limit max_reconcile_age_s; past it entries wait
        told: []@Difference: the differences in words
    """),
    "Difference": schema("One difference in words.", """
        about: str: balance, position, order, fill
        title: str
        ledger: str
        exchange: str
        text: str: what it means
        cure: str
        market_ticker: str: of an order; else empty
    """),
    "ReconciliationRun": schema("The outcome of one comparison.", """
        reconciliation_id: int
        at_ms: int
        ok: bool
        differences: any
        told: []@Difference
    """),
    "Reconciliations": schema("Outcomes, newest first; kept for seven days.", """
        now_ms: int
        reconciliations: []@ReconciliationRun
        next_before: int?: before of the next page; null on the last
    """),
    "UnfinishedOrder": schema("An order that is not finished.", """
        order_id: int
        trade_id: int
        market_ticker: str
        purpose: entry|exit
        side: yes|no
        count_e2: int: contracts
        acked_count_e2: int: contracts, by the exchange's answer
        limit_price_e4: int
        state: intent|sending|resting|partially_filled|unknown
        reason: str
        lookups: int: of an unknown order
        created_at_ms: int
    """),
    "ForeignOrder": schema("An order that rests on the exchange and is not this desk's.", """
        exchange_order_id: str: what POST /api/account/orders/{exchange_order_id}/cancel takes
        client_order_id: str
        market_ticker: str
        book_side: bid|ask: bid buys YES or sells NO
        yes_price_e4: int
        count_e2: int: contracts
        filled_e2: int: contracts, by the last comparison
        words: str: what it would do
        rests_since_ms: int
        under_way: bool: it is being cancelled
        cancel: @Cancel?: the newest cancel of it that did not end it; null: none
    """),
    "Cancel": schema("A cancel of an order that was not this desk's.", _CANCEL),
    "Cancels": schema("Newest first.", "now_ms: int\ncancels: []@Cancel"),
    "CancelAsked": schema("What became of a ticket to cancel.", """
        ticket_id: int
        state: new|accepted|refused: new: not decided within 3 s; it is not lost
        replayed: bool: this key had been used for this very request before
        reason: str: why it was refused
        cancel: @Cancel?: null: refused, or not decided
    """),
    "Fill": schema("A fill.", _FILL),
    "ListedFill": schema("A fill, and whose it was.", _FILL + """
        exchange_order_id: str
        recorded_at_ms: int: when the ledger heard of it
        trade_id: int?: null: not by an order of this desk
        purpose: entry|exit?
    """),
    "Fills": schema("Fills, newest first.", """
        now_ms: int
        fills: []@ListedFill
        next_before: str?: before of the next page; null on the last
    """),
    "Settlement": schema("A settled market.", _SETTLEMENT),
    "ListedSettlement": schema("A settled market.", _SETTLEMENT + "    recorded_at_ms: int: when the ledger heard of it\n"),
    "Settlements": schema("Results, newest first.", """
        now_ms: int
        settlements: []@ListedSettlement
        next_before: str?: before of the next page; null on the last
    """),
    "BalanceAccepted": schema("The balance was taken as right.", "accepted: bool\nbalance_e6: int"),
}  # fmt: skip
