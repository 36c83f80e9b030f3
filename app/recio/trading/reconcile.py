"""Compare the exchange's records with the ledger: every difference is named with both numbers, none is patched.

A list that could not be read is None and makes the comparison incomplete; it never means "nothing there". What changed
in the last ``grace_s`` seconds is left alone: reads lag behind writes.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

import msgspec

from recio.trading.states import OrderState

__all__ = ["Difference", "ExchangeRecords", "LedgerRecords", "OrderRecord", "Reconciliation", "reconcile"]


class OrderRecord(msgspec.Struct, frozen=True, kw_only=True):
    """An order, by its client order id. ``state`` as in OrderState; ``filled_e2`` in contracts x 100."""

    client_order_id: str
    market_ticker: str
    state: str
    filled_e2: int
    changed_s: float = 0.0


class ExchangeRecords(msgspec.Struct, frozen=True, kw_only=True):
    """What the exchange said; None: the query failed or was not finished."""

    orders: Sequence[OrderRecord] | None
    fills: Mapping[str, int] | None  # fill id -> count_e2
    positions: Mapping[str, int] | None  # ticker -> contracts x 100, + YES, - NO
    balance_e6: int | None
    touched_s: Mapping[str, float] = {}  # ticker -> its newest fill


class LedgerRecords(msgspec.Struct, frozen=True, kw_only=True):
    """What the ledger holds."""

    orders: Sequence[OrderRecord]
    fills: Mapping[str, int]
    positions: Mapping[str, int]  # from folded fills of live trades: YES held less NO held
    balance_e6: int | None = None  # what it should be; None: not compared
    settling: frozenset[str] = frozenset()  # tickers past their close: the exchange may have paid and emptied them
    touched_s: Mapping[str, float] = {}  # ticker -> last local event
    edge: frozenset[str] = frozenset()  # orders and fills near the start of the time compared: may be in one list only
    ended: frozenset[str] = frozenset()  # orders of others that this desk cancelled: known, though not in the ledger


class Difference(msgspec.Struct, frozen=True):
    """One disagreement: what about (order, fill, position, balance), which one, and both figures."""

    about: str
    key: str
    ledger: str
    exchange: str
    why: str


class Reconciliation(msgspec.Struct, frozen=True, kw_only=True):
    """``ok`` only when everything was read and nothing differs."""

    differences: tuple[Difference, ...] = ()
    unread: tuple[str, ...] = ()
    waiting: tuple[str, ...] = ()  # keys that differ but changed a moment ago

    @property
    def ok(self) -> bool:
        """Whether this may count as a clean reconciliation."""
        return not self.differences and not self.unread


def reconcile(
    exchange: ExchangeRecords,
    ledger: LedgerRecords,
    now_s: float,
    *,
    grace_s: float = 5.0,
    balance_tolerance_e6: int = 10_000,
    foreign: Collection[str] = (),
) -> Reconciliation:
    """Compare. Only records of the same stretch of time are given; ``balance_tolerance_e6`` allows for whole cents.

    ``foreign`` are orders the ledger was asked for after the exchange had told of them: an order of ours is written before
    it is sent, so they are somebody else's for certain and need no grace.
    """
    found: list[Difference] = []
    waiting: list[str] = []
    unread = tuple(name for name in ("orders", "fills", "positions") if getattr(exchange, name) is None) + (
        ("balance",) if exchange.balance_e6 is None and ledger.balance_e6 is not None else ()
    )

    def differ(about: str, key: str, ours: object, theirs: object, why: str, changed_s: float) -> None:
        if now_s - changed_s < grace_s:
            waiting.append(f"{about} {key}")
        else:
            found.append(Difference(about, key, str(ours), str(theirs), why))

    if exchange.orders is not None:
        _orders(exchange.orders, ledger.orders, ledger.edge, ledger.ended, frozenset(foreign), differ)
    # Either side may have learnt something while the other was being read.
    newest = max((*ledger.touched_s.values(), *exchange.touched_s.values()), default=0.0)
    if exchange.fills is not None:
        _fills(exchange.fills, ledger.fills, ledger.edge, newest, differ)
    if exchange.positions is not None:
        for ticker in sorted(exchange.positions.keys() | ledger.positions.keys()):
            ours, theirs = ledger.positions.get(ticker, 0), exchange.positions.get(ticker, 0)
            if ours == theirs or (ticker in ledger.settling and theirs == 0):
                continue
            why = "contracts held (x 100, + YES, - NO) differ"
            changed = max(ledger.touched_s.get(ticker, 0.0), exchange.touched_s.get(ticker, 0.0))
            differ("position", ticker, ours, theirs, why, changed)
    cash = (ledger.balance_e6, exchange.balance_e6)
    if cash[0] is not None and cash[1] is not None and abs(cash[1] - cash[0]) > balance_tolerance_e6:
        # A market past its close may have been paid already, and the ledger has not heard of it yet.
        differ("balance", "cash", *cash, "micro-dollars differ", now_s if ledger.settling else newest)
    return Reconciliation(differences=tuple(found), unread=unread, waiting=tuple(waiting))


class _Differ(Protocol):
    def __call__(self, about: str, key: str, ours: object, theirs: object, why: str, changed_s: float) -> None:
        """Note a difference, or that it waits for its grace to end."""


_FINAL = {OrderState.FILLED, OrderState.CANCELLED, OrderState.REFUSED}
# Without a fill: not sent yet, refused, in doubt, or cancelled by an answer that made no order (fill-or-kill).
_MAYBE_NOT_THERE = {
    OrderState.INTENT,
    OrderState.SENDING,
    OrderState.REFUSED,
    OrderState.UNKNOWN,
    OrderState.CANCELLED,
}


def _orders(
    theirs: Sequence[OrderRecord],
    ours: Sequence[OrderRecord],
    edge: frozenset[str],
    ended: frozenset[str],
    foreign: frozenset[str],
    differ: _Differ,
) -> None:
    there = {order.client_order_id: order for order in theirs}
    here = {order.client_order_id: order for order in ours}
    for key in sorted(here.keys() | there.keys()):
        mine, other = here.get(key), there.get(key)
        if key in edge and (mine is None or other is None):
            continue
        if mine is None and other is not None:
            if key in ended and other.state == OrderState.CANCELLED and not other.filled_e2:
                continue  # nothing was bought or sold, and how it ended is on record
            why = "an order the ledger does not know; was it placed by hand?"
            changed_s = float("-inf") if key in foreign else other.changed_s
            differ("order", key, "none", f"{other.state} {other.filled_e2}", why, changed_s)
        elif mine is not None and other is None:
            if mine.state not in _MAYBE_NOT_THERE or mine.filled_e2:
                why = "an order the exchange does not know"
                differ("order", key, f"{mine.state} {mine.filled_e2}", "none", why, mine.changed_s)
        elif mine is not None and other is not None and _disagree(mine, other):
            changed = max(mine.changed_s, other.changed_s)
            why = "state or filled count (x 100) differ"
            differ("order", key, f"{mine.state} {mine.filled_e2}", f"{other.state} {other.filled_e2}", why, changed)


def _disagree(mine: OrderRecord, other: OrderRecord) -> bool:
    if mine.state == OrderState.UNKNOWN:
        return False  # the lookup resolves it; that is not a difference
    final = mine.state in _FINAL or other.state in _FINAL
    return mine.filled_e2 != other.filled_e2 or (final and mine.state != other.state)


def _fills(
    theirs: Mapping[str, int], ours: Mapping[str, int], edge: frozenset[str], changed_s: float, differ: _Differ
) -> None:
    for key in sorted(theirs.keys() | ours.keys()):
        mine, other = ours.get(key), theirs.get(key)
        if mine != other and not (key in edge and None in (mine, other)):
            why = "a fill (contracts x 100) is not the same in both"
            shown = ["none" if count is None else count for count in (mine, other)]
            differ("fill", key, shown[0], shown[1], why, changed_s)
