"""The ledger's arithmetic: what a trade holds and earned, from its own fills and the exchange's result alone.

Cash of a trade on side s, in micro-dollars:
    entry cost      = sum over entry fills of count x price of s       (price of NO = 1 - YES price)
    exit proceeds   = sum over exit fills of count x price of s
    payout          = contracts left x settlement value of s
    pnl             = payout + exit proceeds - entry cost - all fees
A fill on the book's bid side bought YES, on the ask side sold YES, which is the same as buying NO at 1 - p. So for a
trade on YES bid fills are entries and ask fills exits; for a trade on NO the other way round. Each trade folds only the
fills of its own orders: what else is held on the ticker, and how the exchange nets it, does not matter here.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from recio.units import ONE_DOLLAR_E4

__all__ = [
    "Fill",
    "Folded",
    "LedgerError",
    "Settled",
    "closed_pnl_e6",
    "fold_fills",
    "pnl_if_closed_e6",
    "settle",
    "side_price_e4",
]


class LedgerError(ValueError):
    """Facts that cannot both be true; the message names them. Never patched over: it becomes an incident."""


class Fill(msgspec.Struct, frozen=True, kw_only=True):
    """One execution, as the exchange reports it."""

    fill_id: str
    book_side: str
    count_e2: int
    yes_price_e4: int
    fee_e6: int


class Folded(msgspec.Struct, frozen=True, kw_only=True):
    """A trade's fills, added up."""

    entry_count_e2: int = 0
    entry_cost_e6: int = 0
    exit_count_e2: int = 0
    exit_proceeds_e6: int = 0
    fees_e6: int = 0

    @property
    def held_e2(self) -> int:
        """Contracts still held; negative when more was sold than bought (an incident, or an entry fill yet to come)."""
        return self.entry_count_e2 - self.exit_count_e2

    @property
    def average_entry_e4(self) -> float | None:
        """Mean price paid, for display; None without an entry."""
        return self.entry_cost_e6 / self.entry_count_e2 if self.entry_count_e2 else None

    @property
    def average_exit_e4(self) -> float | None:
        """Mean price got for what was sold, for display; None without an exit."""
        return self.exit_proceeds_e6 / self.exit_count_e2 if self.exit_count_e2 else None


class Settled(msgspec.Struct, frozen=True, kw_only=True):
    """A finished trade: what the exchange paid for the contracts left, and what the whole trade earned."""

    payout_e6: int
    pnl_e6: int


def side_price_e4(side: str, yes_price_e4: int) -> int:
    """The price of a side, from the YES price: NO costs one dollar less it. Raises LedgerError on another side."""
    if side == "yes":
        return yes_price_e4
    if side == "no":
        return ONE_DOLLAR_E4 - yes_price_e4
    raise LedgerError(f"side is {side!r}; a trade holds 'yes' or 'no'")


def fold_fills(side: str, fills: Iterable[Fill]) -> Folded:
    """Add up the fills of one trade's orders, in any order; the same fill told twice counts once.

    Raises LedgerError for one fill id with two contents, an unknown book side, a count that is not positive or a price
    outside 0 to 1 dollar.
    """
    seen: dict[str, Fill] = {}
    sums = [0, 0, 0, 0]
    fees = 0
    for fill in fills:
        known = seen.get(fill.fill_id)
        if known is not None:
            if known != fill:
                raise LedgerError(f"fill {fill.fill_id!r} was reported twice and differently: {known} and {fill}")
            continue
        seen[fill.fill_id] = fill
        if fill.book_side not in ("bid", "ask"):
            raise LedgerError(f"fill {fill.fill_id!r} has book_side {fill.book_side!r}; expected 'bid' or 'ask'")
        if fill.count_e2 <= 0 or not 0 <= fill.yes_price_e4 <= ONE_DOLLAR_E4:
            raise LedgerError(f"fill {fill.fill_id!r} has count_e2 {fill.count_e2} at yes_price_e4 {fill.yes_price_e4}")
        place = 0 if (fill.book_side == "bid") == (side == "yes") else 2
        sums[place] += fill.count_e2
        sums[place + 1] += fill.count_e2 * side_price_e4(side, fill.yes_price_e4)
        fees += fill.fee_e6
    return Folded(
        entry_count_e2=sums[0], entry_cost_e6=sums[1], exit_count_e2=sums[2], exit_proceeds_e6=sums[3], fees_e6=fees
    )


def _yes_value_e4(result: str, settlement_value_e4: int | None) -> int | None:
    """What a YES contract is worth by this result; None for a void market without a value."""
    if result in ("yes", "no"):
        value = ONE_DOLLAR_E4 if result == "yes" else 0
        if settlement_value_e4 is not None and settlement_value_e4 != value:
            raise LedgerError(
                f"result {result!r} means a value of {value}, but settlement_value_e4 is {settlement_value_e4}"
            )
        return value
    if result not in ("scalar", "void"):
        raise LedgerError(f"result is {result!r}; the exchange publishes 'yes', 'no', 'scalar' or 'void'")
    if settlement_value_e4 is None:
        if result == "scalar":
            raise LedgerError("result 'scalar' without a settlement value; wait for it")
        return None
    if not 0 <= settlement_value_e4 <= ONE_DOLLAR_E4:
        raise LedgerError(f"settlement_value_e4 is {settlement_value_e4}; YES settles at 0 to {ONE_DOLLAR_E4}")
    return settlement_value_e4


def settle(folded: Folded, side: str, result: str, settlement_value_e4: int | None = None) -> Settled:
    """Close a trade by the exchange's result for its market; ``settlement_value_e4`` is what YES pays.

    The exchange's revenue figure is not used: netted positions settle with revenue 0. A void market without a value
    gives back what the contracts left had cost; its fees stay paid. Raises LedgerError for contradictory facts and for
    a trade that sold more than it bought.
    """
    held = folded.held_e2
    if held < 0:
        raise LedgerError(
            f"the trade sold {folded.exit_count_e2} and bought {folded.entry_count_e2} (contracts x 100); "
            "fetch the missing entry fills before settling it"
        )
    value = _yes_value_e4(result, settlement_value_e4)
    if value is None:
        side_price_e4(side, 0)
        payout = folded.entry_cost_e6 * held // folded.entry_count_e2 if folded.entry_count_e2 else 0
    else:
        payout = held * side_price_e4(side, value)
    return Settled(payout_e6=payout, pnl_e6=payout + folded.exit_proceeds_e6 - folded.entry_cost_e6 - folded.fees_e6)


def closed_pnl_e6(folded: Folded) -> int:
    """What a trade earned that was sold out before its market closed. Raises LedgerError while it holds anything."""
    if folded.held_e2 != 0:
        raise LedgerError(f"the trade still holds {folded.held_e2} (contracts x 100); it is not closed")
    return folded.exit_proceeds_e6 - folded.entry_cost_e6 - folded.fees_e6


def pnl_if_closed_e6(folded: Folded, proceeds_e6: int, exit_fee_e6: int) -> int:
    """What the trade would have earned if the contracts left fetched ``proceeds_e6`` for ``exit_fee_e6`` now."""
    return folded.exit_proceeds_e6 + proceeds_e6 - folded.entry_cost_e6 - folded.fees_e6 - exit_fee_e6
