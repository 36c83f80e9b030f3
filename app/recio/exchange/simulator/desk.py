"""The member's desk: everything a member may do that changes something. Rejected, or done, journaled and told."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from recio.exchange.simulator.groups import OrderGroup
from recio.exchange.simulator.journal import Change
from recio.exchange.simulator.market import SHARD, SimMarket
from recio.exchange.simulator.orders import Order, Rejected
from recio.exchange.simulator.shards import DESCRIPTIONS, Transfer

if TYPE_CHECKING:
    from recio.exchange.simulator.core import Exchange

__all__ = ["KEEP_EXPIRY", "Desk"]

KEEP_EXPIRY = -1
_MAX_GROUPS = 100_000


class Desk:
    """Orders, order groups, transfers."""

    def __init__(self, exchange: Exchange) -> None:
        """Act on this exchange."""
        self._exchange, self._engine = exchange, exchange.engine

    # ------------------------------------------------------------------ orders
    def place(self, order: Order, reduce_only: bool = False, shard: int | None = None) -> Order:
        """Take an order in. What it used up (a FOK's client id) is on disk also when Rejected says no.

        ``shard`` None or -1 routes by the ticker; another one than the market's does not know the market.
        """
        exchange = self._exchange
        market = exchange.markets.get(order.ticker)
        self._require_shard(SHARD if shard in (None, -1) else shard)
        if market is None or shard not in (None, -1, SHARD):
            raise Rejected(400, "market_not_found", "market not found", order.ticker)
        self._engine.require_new(order.client_order_id)
        self._require_trading(market)
        self._require_price(market, order.price_e4)
        first_touch = not market.touched
        market.touched = True
        try:
            return self._engine.submit(order, reduce_only)
        finally:
            # Also on a refusal: the client id of a killed FOK is gone, and self-trade may have cancelled orders.
            used = order.client_order_id in self._engine.client_ids
            market.touched = used or not first_touch
            changes: list[Change] = [{"k": "cid", "id": order.client_order_id}] if used else []
            if first_touch and used:
                changes.append(exchange.memory.market_change(market))
            exchange.publish([], changes)

    def cancel(self, order_id: str) -> tuple[Order, int]:
        """Take an order off the book; returns it and the count taken off. Rejected 404 when it does not rest."""
        order = self._resting(order_id)
        reduced_e2 = self._engine.cancel(order_id)
        self._exchange.publish([])
        return order, reduced_e2

    def cancel_all(self) -> None:
        """Take everything off that may still be taken off."""
        for order in self._engine.resting():
            if self._is_open(self._exchange.markets[order.ticker]) and self._exchange.exchange_active:
                self._engine.cancel(order.order_id)
        self._exchange.publish([])

    def amend(
        self, order_id: str, price_e4: int, total_e2: int, client_order_id: str | None, expires_s: int | None
    ) -> tuple[Order, int, int]:
        """Change a resting order; returns it, what it traded by that, and the cost of that.

        ``total_e2`` counts what is filled already; ``expires_s`` KEEP_EXPIRY leaves the expiry, None removes it.
        """
        order = self._resting(order_id)
        market = self._exchange.markets[order.ticker]
        self._require_trading(market)
        self._require_price(market, price_e4)
        kept = order.expires_s if expires_s == KEEP_EXPIRY else expires_s
        new_id = client_order_id or order.client_order_id
        cost_before_e6 = order.taker_cost_e6
        traded_e2 = self._engine.amend(order, price_e4, total_e2, new_id, kept)
        self._exchange.publish([], [{"k": "cid", "id": new_id}])
        return order, traded_e2, order.taker_cost_e6 - cost_before_e6

    def decrease(self, order_id: str, reduce_by_e2: int | None, reduce_to_e2: int | None) -> Order:
        """Take contracts off a resting order, by or to a count. By all (or more) cancels it."""
        order = self._resting(order_id)
        to_e2 = max(0, order.remaining_e2 - reduce_by_e2) if reduce_by_e2 is not None else reduce_to_e2 or 0
        if to_e2 > order.remaining_e2:
            details = f"reduce_to {to_e2 / 100:.2f} is more than the {order.remaining_e2 / 100:.2f} that rest"
            raise Rejected(400, "invalid_order_size", "invalid order size", details)
        self._engine.decrease(order, to_e2)
        self._exchange.publish([])
        return order

    def _resting(self, order_id: str) -> Order:
        """An order of ours that rests in a market where something may still be changed."""
        order = self._engine.orders.get(order_id)
        if order is None or order.status != "resting":
            raise Rejected(404, "not_found", "not found")
        if not self._exchange.exchange_active:
            raise Rejected(400, "exchange_paused", "exchange is paused")
        market = self._exchange.markets[order.ticker]
        if not self._is_open(market):
            raise Rejected(400, "MARKET_INACTIVE", "market is not active", f"{market.ticker} is {market.status}")
        return order

    # ------------------------------------------------------------------ groups
    def create_group(self, limit_e2: int) -> OrderGroup:
        """Open an order group."""
        if len(self._engine.groups) >= _MAX_GROUPS:
            raise Rejected(400, "bad_request", "bad request", f"no more than {_MAX_GROUPS} order groups at a time")
        self._require_shard(SHARD)
        group = OrderGroup(str(uuid.uuid4()), limit_e2)
        self._engine.groups[group.group_id] = group
        self._engine.tell_group("created", group)
        self._exchange.publish([])
        return group

    def group(self, group_id: str) -> OrderGroup:
        """A group of ours. Rejected 404."""
        group = self._engine.groups.get(group_id)
        if group is None:
            raise Rejected(404, "not_found", "not found")
        return group

    def delete_group(self, group_id: str) -> None:
        """Cancel its orders and forget it."""
        group = self.group(group_id)
        self._engine.cancel_group(group_id)
        del self._engine.groups[group_id]
        self._engine.tell_group("deleted", group)
        self._exchange.publish([])

    def trigger_group(self, group_id: str) -> None:
        """Stop it by hand."""
        self._engine.trigger(self.group(group_id))
        self._exchange.publish([])

    def reset_group(self, group_id: str) -> None:
        """Open it again and forget what it matched."""
        group = self.group(group_id)
        group.is_triggered = False
        group.matched.clear()
        self._engine.tell_group("reset", group)
        self._exchange.publish([])

    def limit_group(self, group_id: str, limit_e2: int) -> None:
        """Give it another limit; one that is already reached triggers it."""
        group = self.group(group_id)
        group.limit_e2 = limit_e2
        self._engine.tell_group("limit_updated", group)
        if group.matched_e2(self._exchange.now_ms()) >= limit_e2 and not group.is_triggered:
            self._engine.trigger(group)
        self._exchange.publish([])

    # ------------------------------------------------------------------ cash
    def transfer(self, source: int, destination: int, amount_e6: int, client_id: str) -> Transfer:
        """Move cash between shards, at once."""
        memory, shards = self._exchange.memory, self._exchange.shards
        done = shards.transfer(source, destination, amount_e6, client_id, self._exchange.now_ms())
        self._exchange.publish([], [memory.account_change(), memory.transfer_change(done)])
        return done

    def allocate(self, percents: dict[int, int]) -> None:
        """Wish shares of free cash by shard; none ends the rebalancing."""
        if percents and (set(percents) - set(DESCRIPTIONS) or sum(percents.values()) != 100):
            raise Rejected(400, "bad_request", "bad request", "allocations must name known shards and total 100")
        self._exchange.shards.allocation = percents
        self._exchange.publish([], [self._exchange.memory.account_change()])

    # ------------------------------------------------------------------ what must hold
    def _is_open(self, market: SimMarket) -> bool:
        return market.status == "active" and self._exchange.clock() < market.definition.close_s

    def _require_trading(self, market: SimMarket) -> None:
        if not (self._exchange.exchange_active and self._exchange.trading_active):
            raise Rejected(400, "trading_paused", "trading is paused")
        if not self._is_open(market):
            raise Rejected(400, "MARKET_INACTIVE", "market is not active", f"{market.ticker} is {market.status}")

    def _require_price(self, market: SimMarket, price_e4: int) -> None:
        if not market.is_on_grid(price_e4):
            raise Rejected(400, "invalid_price", "invalid price", f"{price_e4 / 10_000:.4f} is not on the grid")

    def _require_shard(self, index: int | None) -> None:
        if index not in DESCRIPTIONS:
            raise Rejected(400, "bad_request", "bad request", f"there is no exchange index {index}")
        self._exchange.shards.require_funded(index)
