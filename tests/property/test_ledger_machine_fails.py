"""The machine must be able to fail: each mistake of the former system, made again on purpose, is caught by it."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

sys.path.insert(0, str(Path(__file__).parent))
from ledger_world import World
from memory_ledger import MemoryLedger
from test_ledger_machine import SEED, LedgerMachine, run

from recio.exchange.errors import OutcomeUnknown
from recio.exchange.kalshi.models import NewOrder, OrderAck
from recio.services import ticket_desk
from recio.services.order_desk import OrderDesk, OrderGate
from recio.trading import folding
from recio.trading.folding import Evidence
from recio.trading.states import OrderState


class _Resends:
    """A client that tries again after a timeout, with a new id."""

    def __init__(self, client: OrderGate) -> None:
        self._client = client
        self.order_by_client_id = client.order_by_client_id

    def create_order(self, new: NewOrder) -> OrderAck:
        try:
            return self._client.create_order(new)
        except OutcomeUnknown:
            again = msgspec.structs.replace(new, client_order_id=new.client_order_id[:-1] + "x")
            return self._client.create_order(again)


class ResendingDesk(OrderDesk):
    def __init__(self, db: Any, store: Any, client: OrderGate, *rest: Any) -> None:
        super().__init__(db, store, _Resends(client), *rest)


class TimeoutIsFailureDesk(OrderDesk):
    def _finish(self, order: Any, state: OrderState, reason: str, **columns: object) -> None:
        super()._finish(order, OrderState.REFUSED if state is OrderState.UNKNOWN else state, reason, **columns)


class CountsTwiceStore(MemoryLedger):
    def record_fills(self, db: Any, mode: str, rows: Sequence[tuple[Any, ...]]) -> int:
        told = [(f"{row[0]} told at {self.clock()}", *row[1:]) for row in rows]
        return super().record_fills(db, mode, told)


def _caught(world: type[World], said: str, histories: int = 600) -> None:
    class Machine(LedgerMachine):
        world_kind = world

    with pytest.raises((AssertionError, BaseExceptionGroup)) as caught:
        run(Machine, histories, SEED, shrink=False)
    errors = caught.value.exceptions if isinstance(caught.value, BaseExceptionGroup) else [caught.value]
    assert any(said in str(error) for error in errors), [str(error)[:300] for error in errors]


def test_a_resent_order_is_caught() -> None:
    class Resending(World):
        order_desk = ResendingDesk

    _caught(Resending, "orders on the exchange the ledger never wrote")


def test_a_timeout_booked_as_a_failure_is_caught() -> None:
    class Failing(World):
        order_desk = TimeoutIsFailureDesk

    _caught(Failing, "ledger holds")


def test_a_fill_counted_twice_is_caught() -> None:
    class Counting(World):
        store_kind = CountsTwiceStore

    _caught(Counting, "fills the exchange does not have")


def test_a_second_close_while_fills_are_owed_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    def held(evidence: Evidence, side: str) -> int:
        return max(0, folding.fold_fill_rows(side, evidence.fills).held_e2)

    def by_state_only(evidence: Evidence, purpose: str) -> bool:
        return any(o["purpose"] == purpose and o["state"] in ("intent", "sending", "unknown") for o in evidence.orders)

    monkeypatch.setattr(ticket_desk, "free_to_sell_e2", held)
    monkeypatch.setattr(ticket_desk, "owes", by_state_only)
    _caught(World, "", 1_500)
