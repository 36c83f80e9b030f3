"""Taking a resting order off the exchange's book that this desk did not place: when that may be, and what came of it.

Cancelling takes risk away, so nothing that stops entries stops it: no kill switch, no limit, no failing service.

    intent --> sending --> cancelled (so many contracts were taken off) | gone (it had ended before) | refused (nothing was done)
                  |
                  +--> unknown --> the same three, by looking the order up; never sent a second time

the exchange says                                    becomes
200, so many were taken off                          cancelled
200, none were taken off                             unknown: looked up
404, and it does not rest                            looked up: gone, with what it says of the order
any other clear no                                   refused, with the exchange's words
no answer, or one that proves nothing                unknown: looked up
looked up: cancelled                                 cancelled after an answer that was lost; gone after a 404
looked up: filled                                    gone: a cancel came too late, the fills stand
looked up: rests after 5 looks over 20 s             refused: the signature is void after 10 s, it cannot arrive any more
looked up: not listed after 5 looks over 20 s        gone: the exchange keeps no record of it any more
looked up: rests, not listed, or not readable        looked up again
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

import msgspec

from recio.trading.adopt import ForeignOrder
from recio.units import ONE_DOLLAR_E4, format_fixed

__all__ = [
    "OLDEST_READING_S",
    "UNDER_WAY",
    "CancelError",
    "CancelFacts",
    "CancelState",
    "ForeignOrder",
    "Outcome",
    "admit",
    "cancel_step",
    "in_words",
    "outcome_of_ack",
    "outcome_of_look",
]

OLDEST_READING_S = 120.0  # four readings of the account in a row were missed
LOOKS, LOOK_SPAN_S = 5, 20.0


class CancelError(ValueError):
    """The order cannot be cancelled from here; the message says why and what would help."""


class CancelState(StrEnum):
    """What is known of a cancel."""

    INTENT = "intent"
    SENDING = "sending"
    UNKNOWN = "unknown"
    CANCELLED = "cancelled"
    GONE = "gone"
    REFUSED = "refused"


_C = CancelState
_ENDS = frozenset({_C.CANCELLED, _C.GONE, _C.REFUSED})
_STEPS: dict[CancelState, frozenset[CancelState]] = {
    _C.INTENT: frozenset({_C.SENDING}),
    _C.SENDING: _ENDS | {_C.UNKNOWN},
    _C.UNKNOWN: _ENDS,
    _C.CANCELLED: frozenset(),
    _C.GONE: frozenset(),
    _C.REFUSED: frozenset(),
}
UNDER_WAY = frozenset({_C.INTENT, _C.SENDING, _C.UNKNOWN})


def cancel_step(old: CancelState | str, new: CancelState | str) -> CancelState:
    """The new state, if the step exists. Raises ValueError naming both."""
    before, after = CancelState(old), CancelState(new)
    if after not in _STEPS[before]:
        steps = ", ".join(sorted(_STEPS[before])) or f"nothing: {before} is final"
        raise ValueError(f"a cancel cannot go from {before} to {after}; from {before} it may become {steps}")
    return after


class CancelFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What decides whether an order may be cancelled.

    ``reading_age_s``: of the account's last comparison, None: there was none. ``orders``: what it found that the ledger
    does not know. ``own_state``: of this desk's own order of that id, None: it has none. ``former``: the state of the
    newest cancel of the order that reading cannot have seen the end of, None: there is none.
    """

    reading_age_s: float | None
    orders: Sequence[ForeignOrder]
    own_state: str | None = None
    former: str | None = None


def admit(order_id: str, facts: CancelFacts, oldest_s: float = OLDEST_READING_S) -> ForeignOrder:
    """The order to be cancelled, by its id at the exchange. Raises CancelError saying why it cannot be."""
    if facts.own_state is not None:
        raise CancelError(
            f"order {order_id} is this desk's own ({facts.own_state}): its orders never rest, the exchange ends them by"
            " itself; close the trade instead"
        )
    if facts.reading_age_s is None:
        raise CancelError("the account has not been read yet; wait for the first comparison of ledger and exchange")
    if not facts.reading_age_s <= oldest_s:  # also for what is no number
        raise CancelError(
            f"the account was last read {facts.reading_age_s:.0f} s ago, more than {oldest_s:g} s: what rests now is not"
            " known; System says what kalshi_account_sync is waiting for"
        )
    found = next((order for order in facts.orders if order.exchange_order_id == order_id), None)
    if found is None:
        raise CancelError(
            f"the account's last reading knows no order {order_id} that this desk did not place; it may have ended"
            " already, or be so new that the next reading, within 30 s, brings it"
        )
    if facts.former is not None:
        if facts.former in UNDER_WAY:
            raise CancelError(f"order {order_id} is being cancelled already; it is never sent twice")
        raise CancelError(
            f"order {order_id} was cancelled or had ended a moment ago; the next reading, within 30 s, shows it"
        )
    if found.status != "resting":
        raise CancelError(f"order {order_id} does not rest any more, it is {found.status}: there is nothing to cancel")
    return found


class Outcome(msgspec.Struct, frozen=True):
    """What became of a cancel; ``reduced_e2``: contracts taken off the book, None where nobody said."""

    state: CancelState
    reason: str
    reduced_e2: int | None = None


def _count(count_e2: int) -> str:
    return f"{count_e2 / 100:g}"


def outcome_of_ack(count_e2: int, reduced_e2: int) -> Outcome:
    """By the exchange's answer: how many it took off, of an order for ``count_e2``."""
    if reduced_e2 <= 0:
        return Outcome(_C.UNKNOWN, f"the exchange answered that {_count(reduced_e2)} were taken off; being looked up")
    return Outcome(_C.CANCELLED, f"{_count(reduced_e2)} of {_count(count_e2)} taken off the book", reduced_e2)


def outcome_of_look(
    status: str, count_e2: int, filled_e2: int, *, looks: int, age_s: float, not_found: bool = False
) -> Outcome | None:
    """By the exchange's record of the order; None: look again.

    ``status``: resting, canceled, executed, or "" when it lists no such order. ``looks``: with this one. ``age_s``: since the
    cancel was sent. ``not_found``: the exchange had answered 404, so whatever ended the order was not this cancel.
    """
    told = f"{_count(filled_e2)} of {_count(count_e2)} filled"
    if status == "executed" or (status == "canceled" and filled_e2 >= count_e2):
        return Outcome(_C.GONE, f"the exchange says executed: {told} before the cancel could take it off")
    if status == "canceled":
        if not_found:
            return Outcome(_C.GONE, f"it had been cancelled before, {told}")
        left_e2 = count_e2 - filled_e2
        return Outcome(
            _C.CANCELLED, f"found cancelled on the exchange, {told}; the answer to the cancel was lost", left_e2
        )
    if looks < LOOKS or age_s < LOOK_SPAN_S:
        return None
    if status == "resting":
        return Outcome(
            _C.REFUSED, f"the cancel did not reach the exchange: the order still rests, {told}; cancel it again"
        )
    if status == "":
        return Outcome(_C.GONE, "it ended: the exchange does not list it any more")
    return None


def in_words(book_side: str, yes_price_e4: int, count_e2: int) -> str:
    """What a resting order would do, as a person reads it: 'buy 10 YES at 32¢, or sell 10 NO at 68¢'. The exchange's one book
    does not tell these two apart: which it is depends on what the account holds."""
    count = _count(count_e2)
    yes, no = (_cents(price) for price in (yes_price_e4, ONE_DOLLAR_E4 - yes_price_e4))
    if book_side == "bid":
        return f"buy {count} YES at {yes}, or sell {count} NO at {no}"
    return f"buy {count} NO at {no}, or sell {count} YES at {yes}"


def _cents(price_e4: int) -> str:
    return f"{format_fixed(price_e4, 2).rstrip('0').rstrip('.')}¢"
