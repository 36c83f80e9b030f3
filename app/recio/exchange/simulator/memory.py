"""What the journal holds: the exchange's state as changes, written, read back, and pruned.

Kept for ever: cash, the client ids that were used. Kept for KEEP_SETTLED_S after the settlement (and never more than
KEEP_ROWS): orders, fills, positions and settlements of settled markets; what is older is gone, and
GET /historical/cutoff says so.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any

import msgspec

from recio.exchange.simulator.account import Position, Settlement
from recio.exchange.simulator.groups import OrderGroup
from recio.exchange.simulator.journal import Change
from recio.exchange.simulator.market import SimMarket
from recio.exchange.simulator.orders import Event, Fill, GroupChanged, Order, OrderChanged
from recio.exchange.simulator.path import PathClock
from recio.exchange.simulator.shards import Transfer

if TYPE_CHECKING:
    from recio.exchange.simulator.core import Exchange, MarketEvent

__all__ = ["KEEP_ROWS", "KEEP_SETTLED_S", "Memory"]

log = logging.getLogger(__name__)

KEEP_SETTLED_S = 7 * 86_400
KEEP_ROWS = 20_000


class Memory:
    """Turns state into changes and changes into state."""

    def __init__(self, exchange: Exchange, label: str) -> None:
        """``label`` names the price path: with another one, time starts anew."""
        self._exchange, self._label = exchange, label
        self.path_clock: PathClock | None = None

    # ------------------------------------------------------------------ writing
    def market_change(self, market: SimMarket) -> Change:
        """A market the member traded."""
        return _row("market", market)

    def transfer_change(self, transfer: Transfer) -> Change:
        """A transfer between shards."""
        return _row("transfer", transfer)

    def account_change(self) -> Change:
        """Cash everywhere, and the fees taken."""
        engine, shards = self._exchange.engine, self._exchange.shards
        return {
            "k": "account",
            "cash_e6": engine.account.cash_e6,
            "fees_e6": engine.fees_taken_e6,
            "elsewhere": {str(index): amount for index, amount in shards.elsewhere_e6.items()},
            "funded": sorted(shards.funded),
            "allocation": {str(index): percent for index, percent in shards.allocation.items()},
        }

    def changes(
        self, events: Iterable[Event], groups: Iterable[GroupChanged], told: Iterable[MarketEvent]
    ) -> list[Change]:
        """What must be on disk before these are told."""
        exchange = self._exchange
        changes: list[Change] = []
        touched: set[str] = set()
        for event in events:
            if isinstance(event, OrderChanged):
                changes.append(_row("order", event.order))
            elif isinstance(event, Fill):
                changes.append(_row("fill", event))
                touched.add(event.ticker)
        for group_event in groups:
            group = exchange.engine.groups.get(group_event.group_id)
            changes.append(_row("group", group) if group else {"k": "group_gone", "id": group_event.group_id})
        for market_event in told:
            if market_event.market.touched:
                changes.append(self.market_change(market_event.market))
                if market_event.kind == "settled":
                    touched.add(market_event.market.ticker)
                    changes += [
                        _row("settlement", row)
                        for row in exchange.settlements[-200:]
                        if row.ticker == market_event.market.ticker
                    ]
        if touched:
            changes.append(self.account_change())
            held = exchange.engine.account.positions
            changes += [_row("position", held[t]) for t in sorted(touched) if t in held]
        return changes

    def picture(self) -> Iterable[Change]:
        """The whole state as changes, in the order they are to be restored."""
        exchange, engine = self._exchange, self._exchange.engine
        yield {"k": "clock", "label": self._label, "v": msgspec.to_builtins(self.path_clock)}
        yield self.account_change()
        yield from (self.market_change(market) for market in exchange.markets.values() if market.touched)
        rows: tuple[tuple[str, Iterable[msgspec.Struct]], ...] = (
            ("transfer", exchange.shards.transfers),
            ("group", engine.groups.values()),
            ("position", engine.account.positions.values()),
            ("order", engine.orders.values()),
            ("fill", engine.fills),
            ("settlement", exchange.settlements),
        )
        for kind, values in rows:
            for value in values:
                yield _row(kind, value)
        for some in _batched(engine.client_ids.digests(), 1_000):
            yield {"k": "cids", "v": some}

    # ------------------------------------------------------------------ reading
    def restore(self, change: Change) -> None:
        """Take one change back in."""
        exchange, engine = self._exchange, self._exchange.engine
        kind = change["k"]
        if kind == "clock":
            if change["label"] == self._label:
                self.path_clock = msgspec.convert(change["v"], PathClock)
            else:
                log.warning(
                    "the journal's price path was %s, now it is %s: prices start anew", change["label"], self._label
                )
        elif kind == "account":
            engine.account.cash_e6, engine.fees_taken_e6 = change["cash_e6"], change["fees_e6"]
            if "elsewhere" in change:  # journals of before there were shards have none
                exchange.shards.elsewhere_e6.update({int(i): e6 for i, e6 in change["elsewhere"].items()})
                exchange.shards.funded = set(change["funded"])
                exchange.shards.allocation = {int(i): percent for i, percent in change["allocation"].items()}
        elif kind == "group_gone":
            engine.groups.pop(change["id"], None)
        elif kind == "cids":
            engine.client_ids.add_digests(change["v"])
        elif kind == "cid":  # journals of before the ids were kept as digests
            engine.client_ids.add(change["id"])
        else:
            self._restore_row(kind, change["v"])

    def _restore_row(self, kind: str, row: dict[str, Any]) -> None:
        exchange, engine = self._exchange, self._exchange.engine
        if kind == "market":
            market = msgspec.convert(row, SimMarket)
            exchange.markets[market.ticker] = market
        elif kind == "position":
            position = msgspec.convert(row, Position)
            engine.account.positions[position.ticker] = position
        elif kind == "order":
            order = msgspec.convert(row, Order)
            engine.orders[order.order_id] = order
        elif kind == "fill":
            engine.fills.append(msgspec.convert(row, Fill))
        elif kind == "settlement":
            exchange.settlements.append(msgspec.convert(row, Settlement))
        elif kind == "group":
            group = msgspec.convert(row, OrderGroup)
            engine.groups[group.group_id] = group
        elif kind == "transfer":
            exchange.shards.transfers.append(msgspec.convert(row, Transfer))

    # ------------------------------------------------------------------ forgetting
    def cutoff_s(self) -> float:
        """Markets that were settled before this are forgotten, with their orders, fills and positions."""
        settled = self._exchange.settlements
        oldest_kept_s = settled[-KEEP_ROWS].at_ms / 1000 if len(settled) > KEEP_ROWS else 0.0
        return max(self._exchange.clock() - KEEP_SETTLED_S, oldest_kept_s)

    def prune(self) -> None:
        """Forget markets of ours that were settled before the cutoff, and the oldest of too many ended orders."""
        exchange, engine = self._exchange, self._exchange.engine
        cutoff_ms = int(self.cutoff_s() * 1000)
        old = {m.ticker for m in exchange.markets.values() if m.touched and m.settled_ms and m.settled_ms < cutoff_ms}
        for ticker in old:
            exchange.drop(exchange.markets[ticker])
            engine.account.positions.pop(ticker, None)
        excess = len(engine.orders) - KEEP_ROWS
        for order_id, order in list(engine.orders.items()) if old or excess > 0 else ():
            ended = order.status != "resting" and not engine.account.position_e2(order.ticker)
            if order.ticker in old or (excess > 0 and ended):
                del engine.orders[order_id]
                excess -= 1
        if old or len(engine.fills) > KEEP_ROWS:
            engine.fills = [fill for fill in engine.fills if fill.ticker not in old][-KEEP_ROWS:]
            exchange.settlements = [row for row in exchange.settlements if row.ticker not in old][-KEEP_ROWS:]
        if exchange.view.lag_ms:
            exchange.view.set_lag(exchange.view.lag_ms)  # it must not remember what is forgotten


def _batched(values: Iterable[int], size: int) -> Iterator[list[int]]:
    """The values in lists of at most ``size``."""
    source = iter(values)
    while some := list(islice(source, size)):
        yield some


def _row(kind: str, value: Any) -> Change:
    return {"k": kind, "v": msgspec.to_builtins(value)}
