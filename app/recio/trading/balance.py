"""Whether the present balance may be taken as right: after a deposit, a withdrawal or a payment from outside, only then.

Accepting hides nothing but the cash: while orders, results or news are under way, or anything else differs, it is refused.
The page and `recio account accept-balance` ask here; neither decides by itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

__all__ = [
    "COMPARED_WITHIN_S",
    "GRACE_S",
    "OLDEST_S",
    "TOLERANCE_E6",
    "BalanceFacts",
    "Refused",
    "balance_facts",
    "expected_balance",
    "refusals",
]

OLDEST_S = 60.0  # a balance read longer ago is not accepted
COMPARED_WITHIN_S = (
    120.0  # reconciliation runs every half minute; without one this recent nobody knows what else differs
)
GRACE_S = 15.0  # reads lag writes on the exchange's side: reconciliation allows the same
TOLERANCE_E6 = 10_000  # the exchange tells whole cents


class BalanceFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What is known when somebody wants to accept a balance; amounts in micro-dollars, None: not known."""

    balance_e6: int | None  # as the exchange last said
    balance_age_s: float | None
    cash_e6: int  # what all fills and results on record did to the cash
    cash_known: bool  # False: a void market gave back something nobody has told
    anchor_balance_e6: int | None  # the balance last taken as right, and the ledger's cash then
    anchor_cash_e6: int | None
    unfinished: int  # orders without a last word
    moved_age_s: float | None  # since an order was sent or a fill or result was recorded
    settling: tuple[str, ...]  # markets held by the ledger, past their close, whose result is not on record
    compared_age_s: float | None  # since the newest reconciliation; None: there was none
    others: tuple[str, ...]  # what it found to differ beside the balance

    @property
    def expected_e6(self) -> int | None:
        """What the ledger expects the balance to be; None: not known."""
        if self.anchor_balance_e6 is None or self.anchor_cash_e6 is None:
            return None
        anchor = {"balance_e6": self.anchor_balance_e6, "cash_e6": self.anchor_cash_e6}
        return expected_balance(anchor, self.cash_e6 if self.cash_known else None)

    @property
    def differs_e6(self) -> int | None:
        """How much more the exchange has than the ledger expects; None: one of them is not known."""
        expected = self.expected_e6
        return None if expected is None or self.balance_e6 is None else self.balance_e6 - expected

    @property
    def agrees(self) -> bool:
        """Both are known and the same to the cent."""
        return self.differs_e6 is not None and abs(self.differs_e6) <= TOLERANCE_E6


class Refused(msgspec.Struct, frozen=True):
    """One reason why the balance is not accepted now: a word for programs, a sentence with the cure for people."""

    name: str
    why: str


def balance_facts(row: Mapping[str, Any]) -> BalanceFacts:
    """The facts of a row of recio.store.account_pages.balance_facts; ``differences`` is the newest reconciliation's."""
    others = tuple(told for told in map(_named, row["differences"] or ()) if told)
    known = {name: row[name] for name in BalanceFacts.__struct_fields__ if name in row}
    return BalanceFacts(**known | {"others": others, "settling": tuple(row["settling"])})


def _named(difference: Any) -> str:
    """What a difference is about, "" for the balance; one that is not understood is no balance."""
    if not isinstance(difference, Mapping) or "about" not in difference:
        return str(difference)
    return "" if difference["about"] == "balance" else f"{difference['about']} {difference.get('key', '')}".strip()


def expected_balance(anchor: Mapping[str, Any] | None, cash_e6: int | None) -> int | None:
    """What the ledger expects, in micro-dollars, from the newest anchor and today's cash; None: not known."""
    return None if anchor is None or cash_e6 is None else int(anchor["balance_e6"] + cash_e6 - anchor["cash_e6"])


def refusals(facts: BalanceFacts) -> tuple[Refused, ...]:
    """Every reason why the balance cannot be accepted now, the weightiest first; empty: it can."""
    return tuple(Refused(name, why) for name, why in _reasons(facts) if why)


def _reasons(facts: BalanceFacts) -> tuple[tuple[str, str], ...]:
    return (
        ("balance_age", _balance_age(facts)),
        ("agrees", "balance and ledger agree already: there is nothing to accept" if facts.agrees else ""),
        ("unfinished_orders", _unfinished(facts.unfinished)),
        ("settling", _settling(facts.settling)),
        ("compared_age", _compared(facts.compared_age_s)),
        ("other_differences", _others(facts.others)),
        ("just_moved", _moved(facts)),
    )


def _balance_age(facts: BalanceFacts) -> str:
    if facts.balance_e6 is None or facts.balance_age_s is None:
        return "the balance was never read; System says what kalshi_account_sync is waiting for"
    if facts.balance_age_s > OLDEST_S:
        return (
            f"the balance was read {facts.balance_age_s:.0f} s ago, more than {OLDEST_S:g} s;"
            " System says what kalshi_account_sync is waiting for"
        )
    return ""


def _unfinished(count: int) -> str:
    if not count:
        return ""
    subject = "1 order is" if count == 1 else f"{count} orders are"
    return f"{subject} not finished and may still move money; wait until every order has its last word"


def _settling(tickers: tuple[str, ...]) -> str:
    if not tickers:
        return ""
    more = f" and {len(tickers) - 1} more" if len(tickers) > 1 else ""
    return (
        f"{tickers[0]}{more} has closed and its result is not on record: the exchange may have paid; wait until it has"
        " settled here"
    )


def _compared(age_s: float | None) -> str:
    if age_s is None:
        return (
            "ledger and exchange were never compared: nobody knows what else differs; wait for the first reconciliation"
        )
    if age_s > COMPARED_WITHIN_S:
        return (
            f"the last reconciliation is {age_s:.0f} s old, more than {COMPARED_WITHIN_S:g} s: nobody knows what else"
            " differs; System says what kalshi_account_sync is waiting for"
        )
    return ""


def _others(others: tuple[str, ...]) -> str:
    if not others:
        return ""
    more = f" and {len(others) - 1} more" if len(others) > 1 else ""
    return f"more than the balance differs: {others[0]}{more}; clear that up first, or it would be hidden in the cash"


def _moved(facts: BalanceFacts) -> str:
    """The balance must have been read a while after the last thing that moved money, or it may not hold it yet."""
    if facts.moved_age_s is None or facts.balance_age_s is None:
        return ""
    if facts.moved_age_s - facts.balance_age_s >= GRACE_S:
        return ""
    return (
        f"an order, a fill or a result came {max(0.0, facts.moved_age_s):.0f} s ago and the balance may not hold it yet;"
        f" it counts once it is read {GRACE_S:g} s after that"
    )
