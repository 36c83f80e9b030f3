"""States of a trade and of an order, and the only steps between them.

TRADE
             first fill            exit order made
   pending ─────────────► open ─────────────────────► closing
    │ │ │                 │ │ ▲   exit over, some left  │ │
    │ │ │                 │ │ └─────────────────────────┘ │
    │ │ │ market closed   │ │ market closed               │ market closed
    │ │ └─────────► expired ◄─────────────────────────────┤
    │ │                │  │                               │
    │ │ nothing bought │  │ result, or sold out before    │ sold out
    │ └────────────► closed ◄─────────────────────────────┘
    │ refused
    └─────────────► error ──► open, expired, closed

error: refused, or facts that contradict each other; reached from every state but closed. It is left only when a
fill or a result turns up after all: fills are the truth. closed is final; expired never becomes open again.

ORDER
  intent ──► sending ──► resting ──► partially_filled ──► filled
    │          │  │         │              │
    │          │  └──► unknown ─► (looked up by client order id: any of resting … refused)
    ▼          ▼                           ▼
  refused   refused                    cancelled
  cancelled

intent is never left but by the executor's claim, or by giving up before anything was sent. Nothing leads back to
intent or sending: an order is sent once. filled, cancelled and refused are final; fills of a cancelled order stay.
"""

from __future__ import annotations

from enum import StrEnum

__all__ = [
    "LIVE_TRADES",
    "ORDER_STEPS",
    "TRADE_STEPS",
    "UNFINISHED_ORDERS",
    "OrderState",
    "TradeState",
    "TransitionError",
    "order_state_of_answer",
    "order_step",
    "trade_after",
    "trade_step",
]


class TradeState(StrEnum):
    """Where a trade stands in its life."""

    PENDING = "pending"
    OPEN = "open"
    CLOSING = "closing"
    EXPIRED = "expired"
    CLOSED = "closed"
    ERROR = "error"


class OrderState(StrEnum):
    """What is known of an order."""

    INTENT = "intent"
    SENDING = "sending"
    RESTING = "resting"
    PARTIALLY_FILLED = "partially_filled"
    FILLED = "filled"
    CANCELLED = "cancelled"
    REFUSED = "refused"
    UNKNOWN = "unknown"


class TransitionError(ValueError):
    """A step the state machine does not have; the message names both states and what is allowed."""


_T, _O = TradeState, OrderState
_ANSWERS = frozenset({_O.RESTING, _O.PARTIALLY_FILLED, _O.FILLED, _O.CANCELLED, _O.REFUSED})

TRADE_STEPS: dict[TradeState, frozenset[TradeState]] = {
    _T.PENDING: frozenset({_T.OPEN, _T.EXPIRED, _T.CLOSED, _T.ERROR}),
    _T.OPEN: frozenset({_T.CLOSING, _T.EXPIRED, _T.CLOSED, _T.ERROR}),
    _T.CLOSING: frozenset({_T.OPEN, _T.EXPIRED, _T.CLOSED, _T.ERROR}),
    _T.EXPIRED: frozenset({_T.CLOSED, _T.ERROR}),
    _T.ERROR: frozenset({_T.OPEN, _T.EXPIRED, _T.CLOSED}),
    _T.CLOSED: frozenset(),
}
ORDER_STEPS: dict[OrderState, frozenset[OrderState]] = {
    _O.INTENT: frozenset({_O.SENDING, _O.REFUSED, _O.CANCELLED}),
    _O.SENDING: _ANSWERS | {_O.UNKNOWN},
    _O.UNKNOWN: _ANSWERS,
    _O.RESTING: frozenset({_O.PARTIALLY_FILLED, _O.FILLED, _O.CANCELLED}),
    _O.PARTIALLY_FILLED: frozenset({_O.FILLED, _O.CANCELLED}),
    _O.FILLED: frozenset(),
    _O.CANCELLED: frozenset(),
    _O.REFUSED: frozenset(),
}
LIVE_TRADES = frozenset({_T.PENDING, _T.OPEN, _T.CLOSING, _T.EXPIRED})
UNFINISHED_ORDERS = frozenset({_O.INTENT, _O.SENDING, _O.RESTING, _O.PARTIALLY_FILLED, _O.UNKNOWN})


def trade_step(old: TradeState | str, new: TradeState | str) -> TradeState:
    """The new state, if the step exists; staying is always allowed. Raises TransitionError naming both."""
    before, after = TradeState(old), TradeState(new)
    if before is not after and after not in TRADE_STEPS[before]:
        raise TransitionError(_complaint("trade", before, after, TRADE_STEPS[before]))
    return after


def order_step(old: OrderState | str, new: OrderState | str) -> OrderState:
    """The new state, if the step exists; staying is always allowed. Raises TransitionError naming both."""
    before, after = OrderState(old), OrderState(new)
    if before is not after and after not in ORDER_STEPS[before]:
        raise TransitionError(_complaint("order", before, after, ORDER_STEPS[before]))
    return after


def _complaint(what: str, old: StrEnum, new: StrEnum, allowed: frozenset[TradeState] | frozenset[OrderState]) -> str:
    steps = ", ".join(sorted(allowed)) or f"nothing: {old} is final"
    return f"{what} cannot go from {old} to {new}; from {old} it may become {steps}"


def order_state_of_answer(status: str, count_e2: int, filled_e2: int) -> OrderState:
    """The state an exchange's answer stands for: status resting, canceled or executed, and what was filled.

    Raises ValueError for another status or a fill beyond the order: such an answer proves nothing, treat it as unknown.
    """
    if not 0 <= filled_e2 <= count_e2:
        raise ValueError(f"filled_e2 is {filled_e2} of an order for {count_e2}; that answer cannot be right")
    if status == "executed" or (filled_e2 == count_e2 and status in ("resting", "canceled")):
        return OrderState.FILLED if filled_e2 == count_e2 else OrderState.CANCELLED
    if status == "canceled":
        return OrderState.CANCELLED
    if status == "resting":
        return OrderState.PARTIALLY_FILLED if filled_e2 else OrderState.RESTING
    raise ValueError(f"order status {status!r} is not one of resting, canceled, executed")


def trade_after(
    state: TradeState | str,
    entry_count_e2: int,
    exit_count_e2: int,
    *,
    entry_unfinished: bool,
    exit_unfinished: bool,
    market_closed: bool,
    entry_refused: bool = False,
    result_known: bool = False,
) -> TradeState:
    """Where a trade belongs, from its folded fills and its orders; the one place that decides it.

    ``entry_unfinished``/``exit_unfinished``: an order of that purpose is not final (unknown counts). ``entry_refused``:
    the entry order ended refused. ``result_known``: the exchange has published the market's result and it was booked.
    """
    now = TradeState(state)
    held = entry_count_e2 - exit_count_e2
    if now is TradeState.CLOSED:
        return now
    if held < 0:
        return TradeState.ERROR  # sold more than was bought: a contradiction, or an entry fill yet to come
    if entry_count_e2 == 0:
        return _without_a_fill(now, entry_unfinished, market_closed, entry_refused)
    if result_known or (held == 0 and not entry_unfinished and not exit_unfinished):
        return TradeState.CLOSED
    if market_closed or now is TradeState.EXPIRED:
        return TradeState.EXPIRED
    if exit_unfinished and now in (TradeState.OPEN, TradeState.CLOSING):
        return TradeState.CLOSING
    return TradeState.OPEN


def _without_a_fill(now: TradeState, entry_unfinished: bool, market_closed: bool, refused: bool) -> TradeState:
    if now in (TradeState.OPEN, TradeState.CLOSING):
        return TradeState.ERROR  # it had fills before: they do not vanish
    if entry_unfinished:
        return TradeState.EXPIRED if market_closed else now
    if now is TradeState.ERROR:
        return now
    return TradeState.ERROR if refused else TradeState.CLOSED
