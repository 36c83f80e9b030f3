"""The exchange's shards: separate cash on each. Crypto trades on shard 2, whose cash the engine's account holds."""

from __future__ import annotations

import uuid

import msgspec

from recio.exchange.simulator.engine import Engine
from recio.exchange.simulator.market import SHARD
from recio.exchange.simulator.orders import Rejected

__all__ = ["DESCRIPTIONS", "REBALANCE_S", "Shards", "Transfer"]

DESCRIPTIONS = {0: "default", 1: "combos", SHARD: "crypto", 3: "sports"}
REBALANCE_S = 10.0
_KEEP_TRANSFERS = 10_000
_SMALLEST_MOVE_E6 = 10_000


class Transfer(msgspec.Struct, frozen=True):
    """Cash that moved between shards."""

    transfer_id: str
    client_transfer_id: str
    source: int
    destination: int
    amount_e6: int
    at_ms: int


class Shards:
    """Cash by shard. A shard that never got any does not know the member: 404 user_not_found."""

    def __init__(self, engine: Engine, cash_e6: dict[int, int]) -> None:
        """``cash_e6`` is what each shard starts with; shards left out (or at 0) are not funded."""
        self._engine = engine
        self.elsewhere_e6 = {index: cash_e6.get(index, 0) for index in DESCRIPTIONS if index != SHARD}
        self.funded = {index for index, amount in cash_e6.items() if amount > 0}
        self.transfers: list[Transfer] = []
        self.allocation: dict[int, int] = {}  # percent by shard; empty: no rebalancing
        self._next_rebalance_s = 0.0

    def free_e6(self, index: int) -> int:
        """Cash on a shard that no order holds."""
        if index == SHARD:
            return self._engine.account.cash_e6 - self._engine.locked_e6()
        return self.elsewhere_e6[index]

    def require_funded(self, index: int) -> None:
        """Rejected 404 on a shard that does not know the member."""
        if index not in self.funded:
            raise Rejected(404, "user_not_found", "user not found", f"no funds on exchange index {index}")

    def transfer(self, source: int, destination: int, amount_e6: int, client_id: str, now_ms: int) -> Transfer:
        """Move cash. Rejected for unknown shards, too little cash, a repeated client id."""
        for index in (source, destination):
            if index not in DESCRIPTIONS:
                raise Rejected(400, "bad_request", "bad request", f"there is no exchange shard {index}")
        if source == destination:
            raise Rejected(400, "bad_request", "bad request", "source and destination are the same account")
        if amount_e6 <= 0:
            raise Rejected(400, "bad_request", "bad request", "amount must be positive")
        if client_id and any(t.client_transfer_id == client_id and t.source == source for t in self.transfers):
            raise Rejected(409, "transfer_already_exists", "transfer already exists", client_id)
        if self.free_e6(source) < amount_e6:
            raise Rejected(
                400, "insufficient_balance", "insufficient balance",
                f"shard {source} has {self.free_e6(source) / 1e6:.4f} free, needs {amount_e6 / 1e6:.4f}",
            )  # fmt: skip
        self._add(source, -amount_e6)
        self._add(destination, amount_e6)
        done = Transfer(str(uuid.uuid4()), client_id, source, destination, amount_e6, now_ms)
        self.transfers.append(done)
        del self.transfers[:-_KEEP_TRANSFERS]
        return done

    def rebalance(self, now_s: float) -> bool:
        """Every ten seconds bring free cash to the wished shares; whether anything moved."""
        if not self.allocation or now_s < self._next_rebalance_s:
            return False
        self._next_rebalance_s = now_s + REBALANCE_S
        total_e6 = sum(self.free_e6(index) for index in DESCRIPTIONS)
        moved = False
        for index in DESCRIPTIONS:
            if index == SHARD:
                continue  # it takes what the others leave, and gives what they lack
            missing_e6 = total_e6 * self.allocation.get(index, 0) // 100 - self.free_e6(index)
            missing_e6 = min(missing_e6, self.free_e6(SHARD))
            if abs(missing_e6) >= _SMALLEST_MOVE_E6:
                self._add(SHARD, -missing_e6)
                self._add(index, missing_e6)
                moved = True
        return moved

    def _add(self, index: int, amount_e6: int) -> None:
        if amount_e6 > 0:
            self.funded.add(index)
        if index == SHARD:
            self._engine.account.cash_e6 += amount_e6
        else:
            self.elsewhere_e6[index] += amount_e6
