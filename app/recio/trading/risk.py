"""The limits every order passes, at the intent and again immediately before it is sent. Fail closed.

An entry is refused for every limit it breaks and for every fact that is missing: no data means no. An exit is refused
only for what makes it meaningless or harmful to the holder: nothing held, the market closed, an exit of the same trade
whose outcome is not known. Kill switch, stale data, losses and limits never keep anyone from getting out.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from recio.market.fees import CURRENT, FeeSchedule, taker_fee_e6
from recio.trading.settings import RiskLimits
from recio.units import ONE_DOLLAR_E4

__all__ = ["Intent", "Refusal", "RiskFacts", "check", "order_cost_e6", "sentence"]


class Intent(msgspec.Struct, frozen=True, kw_only=True):
    """An order somebody wants. ``limit_price_e4`` is in terms of ``side``."""

    purpose: str  # entry | exit
    market_ticker: str
    side: str
    count_e2: int
    limit_price_e4: int


class RiskFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What is known at the moment of the check; None is "not known" and refuses entries.

    In the executor the ledger already holds the order's own trade: leave that trade and that order out of open_trades,
    exposure, same_entries and the unknown orders, or it would refuse itself. Ages are seconds since the fact was seen.
    """

    now_s: float
    kill_switch: bool | None = None
    kill_switch_why: str = ""
    entries_allowed: bool | None = None  # the failure detector's conclusion
    entries_blocked_by: str = ""
    exchange_trading: bool | None = None  # exchange_active and trading_active
    exchange_age_s: float | None = None
    market_status: str | None = None
    market_open_s: float | None = None
    market_close_s: float | None = None
    price_age_s: float | None = None
    book_age_s: float | None = None
    book_valid: bool | None = None
    ask_e4: int | None = None  # best ask of the intent's side
    clock_skew_s: float | None = None
    reconcile_age_s: float | None = None  # since the last reconciliation without a difference
    unknown_orders: int | None = None  # on the account, of any trade
    open_trades: int | None = None
    same_entries: int | None = None  # live trades on this strike, side and event
    exposure_e6: int | None = None  # cost and fees of all live trades, pending entries at their limit
    daily_pnl_e6: int | None = None  # since midnight in New York, fees paid, open trades at what they would fetch
    balance_e6: int | None = None
    balance_age_s: float | None = None
    held_e2: int | None = None  # exits: contracts the trade holds, less what unfinished exits may still sell
    unknown_exits: int | None = None  # exits: orders of this trade whose outcome is not known


class Refusal(msgspec.Struct, frozen=True):
    """One reason for a no: the limit's or the missing fact's name, and a sentence."""

    name: str
    why: str


def order_cost_e6(count_e2: int, limit_price_e4: int, fees: FeeSchedule = CURRENT) -> int:
    """What an entry costs with its fee if all of it fills at the limit: better prices cost less, the larger fee nearer
    to 50 cents included (but for the rounding of each further fill)."""
    return count_e2 * limit_price_e4 + taker_fee_e6(count_e2, limit_price_e4, fees)


def sentence(refusals: list[Refusal]) -> str:
    """All reasons as one line for the ticket."""
    return "; ".join(refusal.why for refusal in refusals)


def check(intent: Intent, facts: RiskFacts, limits: RiskLimits, fees: FeeSchedule = CURRENT) -> list[Refusal]:
    """Every reason to refuse this order, the most important first; an empty list allows it."""
    found = list(_order_itself(intent))
    if found:
        return found
    if intent.purpose == "exit":
        return list(_exit(intent, facts))
    return [
        *_switches(facts, limits),
        *_market(facts, limits),
        *_data(facts, limits),
        *_ledger(intent, facts, limits),
        *_money(intent, facts, limits, fees),
    ]


def _dollars(amount_e6: int) -> str:
    return f"{amount_e6 / 1_000_000:.2f} $"


def _missing(name: str, what: str) -> Refusal:
    return Refusal(name, f"{what} is not known")


def _order_itself(intent: Intent) -> Iterator[Refusal]:
    if intent.purpose not in ("entry", "exit"):
        yield Refusal("purpose", f"purpose {intent.purpose!r} is neither entry nor exit")
    if intent.side not in ("yes", "no"):
        yield Refusal("side", f"side {intent.side!r} is neither yes nor no")
    if intent.count_e2 <= 0:
        yield Refusal("count", f"the count is {intent.count_e2 / 100:g}; it must be more than 0")
    if not 0 < intent.limit_price_e4 < ONE_DOLLAR_E4:
        yield Refusal("limit_price", f"the limit price {intent.limit_price_e4} is not between 0 and {ONE_DOLLAR_E4}")


def _exit(intent: Intent, facts: RiskFacts) -> Iterator[Refusal]:
    if facts.held_e2 is None:
        yield _missing("held", "what the trade holds")
    elif intent.count_e2 > facts.held_e2:
        free = f"only {facts.held_e2 / 100:g} are free to sell"
        yield Refusal("held", f"the exit is for {intent.count_e2 / 100:g} contracts, {free}")
    if facts.unknown_exits is None:
        yield _missing("unknown_exits", "whether an exit of this trade is in doubt")
    elif facts.unknown_exits > 0:
        yield Refusal("unknown_exits", "an exit of this trade was sent and its outcome is not known yet")
    if facts.market_close_s is not None and facts.now_s >= facts.market_close_s:
        yield Refusal("market_closed", "the market has closed; the trade settles by its result")
    if facts.market_status is not None and facts.market_status not in ("active", "inactive", "initialized"):
        yield Refusal("market_status", f"the market is {facts.market_status}; the trade settles by its result")


def _switches(facts: RiskFacts, limits: RiskLimits) -> Iterator[Refusal]:
    if facts.kill_switch is None:
        yield _missing("kill_switch", "the state of the kill switch")
    elif facts.kill_switch:
        why = f": {facts.kill_switch_why}" if facts.kill_switch_why else ""
        yield Refusal("kill_switch", f"the kill switch is on{why}")
    if facts.entries_allowed is None:
        yield _missing("entries_allowed", "whether all dependencies work")
    elif not facts.entries_allowed:
        cause = facts.entries_blocked_by or "a dependency failed"
        yield Refusal("entries_allowed", f"entries are stopped: {cause}")
    if facts.unknown_orders is None:
        yield _missing("unknown_orders", "whether orders are in doubt")
    elif facts.unknown_orders > limits.max_unknown_orders:
        yield Refusal(
            "unknown_orders", f"{facts.unknown_orders} order(s) with an unknown outcome have to be looked up first"
        )


def _market(facts: RiskFacts, limits: RiskLimits) -> Iterator[Refusal]:
    if facts.exchange_trading is None:
        yield _missing("exchange_trading", "whether the exchange trades")
    elif not facts.exchange_trading:
        yield Refusal("exchange_trading", "the exchange is not trading")
    if facts.market_status is None:
        yield _missing("market_status", "the market's status")
    elif facts.market_status != "active":
        yield Refusal("market_status", f"the market is {facts.market_status}, not active")
    if facts.market_open_s is None:
        yield _missing("market_open", "when the market opens")
    elif facts.now_s < facts.market_open_s:
        yield Refusal("market_open", f"the market opens in {facts.market_open_s - facts.now_s:.0f} s")
    if facts.market_close_s is None:
        yield _missing("market_close", "when the market closes")
    elif facts.now_s >= facts.market_close_s:
        yield Refusal("market_close", f"the market closed {facts.now_s - facts.market_close_s:.0f} s ago")
    elif facts.market_close_s - facts.now_s < limits.min_time_to_close_s:
        left = facts.market_close_s - facts.now_s
        yield Refusal("market_close", f"the market closes in {left:.1f} s, less than {limits.min_time_to_close_s:g} s")


_AGES = (
    ("price_age_s", "max_price_age_s", "the BTC price"),
    ("book_age_s", "max_book_age_s", "the order book"),
    ("exchange_age_s", "max_exchange_age_s", "the exchange's status"),
    ("balance_age_s", "max_balance_age_s", "the balance"),
    ("reconcile_age_s", "max_reconcile_age_s", "the last clean reconciliation"),
)


def _data(facts: RiskFacts, limits: RiskLimits) -> Iterator[Refusal]:
    for fact, limit, what in _AGES:
        age, most = getattr(facts, fact), getattr(limits, limit)
        if age is None:
            yield _missing(fact, f"the age of {what}")
        elif not age <= most:  # a NaN is refused too
            yield Refusal(fact, f"{what} is {age:.1f} s old, more than {most:g} s")
    if facts.book_valid is None:
        yield _missing("book_valid", "whether the order book is whole")
    elif not facts.book_valid:
        yield Refusal("book_valid", "the order book has a gap and waits for a snapshot")
    if facts.clock_skew_s is None:
        yield _missing("clock_skew_s", "the clock's difference to the exchange")
    elif not abs(facts.clock_skew_s) <= limits.max_clock_skew_s:
        skew = f"{facts.clock_skew_s:.1f} s from the exchange's, more than {limits.max_clock_skew_s:g} s"
        yield Refusal("clock_skew_s", f"the clock differs by {skew}")


def _ledger(intent: Intent, facts: RiskFacts, limits: RiskLimits) -> Iterator[Refusal]:
    if intent.count_e2 > limits.max_count_e2:
        most = f"{limits.max_count_e2 / 100:g}"
        yield Refusal("max_count", f"{intent.count_e2 / 100:g} contracts are more than the {most} allowed in one order")
    if facts.open_trades is None:
        yield _missing("open_trades", "how many trades are live")
    elif facts.open_trades >= limits.max_open_trades:
        yield Refusal("open_trades", f"{facts.open_trades} trades are live, at most {limits.max_open_trades} may be")
    if facts.same_entries is None:
        yield _missing("same_entries", "whether this strike and side is held already")
    elif facts.same_entries > 0 and not limits.allow_same_entry:
        yield Refusal("same_entries", f"a live trade on {intent.market_ticker} {intent.side.upper()} exists already")


def _money(intent: Intent, facts: RiskFacts, limits: RiskLimits, fees: FeeSchedule) -> Iterator[Refusal]:
    cost = order_cost_e6(intent.count_e2, intent.limit_price_e4, fees)
    if intent.limit_price_e4 > limits.max_price_e4:
        limit, most = f"{intent.limit_price_e4 / 1e4:.4f} $", f"{limits.max_price_e4 / 1e4:.4f} $"
        yield Refusal("max_price", f"the limit {limit} is over the highest price allowed, {most}")
    if facts.ask_e4 is None:
        yield _missing("ask", "the best ask")
    elif intent.limit_price_e4 > facts.ask_e4 + limits.max_over_ask_e4:
        yield Refusal(
            "max_over_ask",
            f"the limit {intent.limit_price_e4 / 1e4:.4f} $ is more than {limits.max_over_ask_e4 / 1e4:.4f} $ "
            f"over the best ask {facts.ask_e4 / 1e4:.4f} $",
        )
    if cost > limits.max_order_cost_e6:
        most = _dollars(limits.max_order_cost_e6)
        yield Refusal("max_order_cost", f"the order may cost {_dollars(cost)}, more than {most}")
    if facts.exposure_e6 is None:
        yield _missing("exposure", "the exposure of the live trades")
    elif facts.exposure_e6 + cost > limits.max_exposure_e6:
        yield Refusal(
            "max_exposure",
            f"{_dollars(facts.exposure_e6)} are at risk; with this order's {_dollars(cost)} it is more than "
            f"{_dollars(limits.max_exposure_e6)}",
        )
    if facts.daily_pnl_e6 is None:
        yield _missing("daily_pnl", "today's profit and loss")
    elif facts.daily_pnl_e6 <= -limits.max_daily_loss_e6:
        lost, most = _dollars(-facts.daily_pnl_e6), _dollars(limits.max_daily_loss_e6)
        yield Refusal("max_daily_loss", f"today's loss is {lost}, the limit is {most}")
    if facts.balance_e6 is None:
        yield _missing("balance", "the balance")
    elif cost > facts.balance_e6:
        yield Refusal("balance", f"the order may cost {_dollars(cost)}, the balance is {_dollars(facts.balance_e6)}")
