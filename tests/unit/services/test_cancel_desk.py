"""The executor's cancels: what each answer becomes, one at a time, and an error in them that harms nothing else."""

from __future__ import annotations

import select
import threading
from datetime import UTC, datetime
from typing import Any

import pytest

from recio.exchange.errors import NotSent, OutcomeUnknown, Refused, Unavailable
from recio.exchange.kalshi.models import CancelAck, OrderView
from recio.services.cancel_desk import CancelDesk, ask

Row = dict[str, Any]
ROW: Row = {
    "cancel_id": 1, "exchange_order_id": "x-1", "market_ticker": "M", "count_e2": 1_000, "filled_e2": 0, "state": "intent",
    "lookups": 0, "not_found": False, "sent_at": datetime.fromtimestamp(1_000, UTC),
}  # fmt: skip
GONE = Refused(404, "not_found", "not found")


def view(status: str, filled_e2: int = 0) -> OrderView:
    return OrderView("x-1", "c-1", "M", "bid", status, 100, 1_000, filled_e2, 0, 0, 0, 0, None, None)


class Exchange:
    """Answers as told; counts what was asked."""

    def __init__(self, cancel: Any = None, order: Any = None) -> None:
        self.answers = {"cancel": cancel, "order": order}
        self.asked: list[str] = []
        self.closed = 0
        self.hold: threading.Event | None = None

    def _answer(self, what: str) -> Any:
        self.asked.append(what)
        if self.hold is not None:
            assert self.hold.wait(10)
        answer = self.answers[what]
        if isinstance(answer, Exception):
            raise answer
        return answer

    def cancel_order(self, order_id: str, market_ticker: str) -> CancelAck:
        assert (order_id, market_ticker) == ("x-1", "M")
        found: CancelAck = self._answer("cancel")
        return found

    def order(self, order_id: str) -> OrderView:
        found: OrderView = self._answer("order")
        return found

    def close(self) -> None:
        self.closed += 1


@pytest.mark.parametrize(
    ("cancel", "order", "state", "reduced_e2", "asked"),
    [
        (CancelAck("x-1", 1_000), None, "cancelled", 1_000, 1),
        (CancelAck("x-1", 400), None, "cancelled", 400, 1),
        (CancelAck("x-1", 0), None, "unknown", None, 1),
        (GONE, view("executed", 1_000), "gone", None, 2),
        (GONE, view("canceled", 300), "gone", None, 2),
        (GONE, view("resting"), "unknown", None, 2),
        (GONE, GONE, "unknown", None, 2),
        (GONE, Unavailable("HTTP 503"), "unknown", None, 2),
        (Refused(409, "MARKET_INACTIVE", "closed"), None, "refused", None, 1),
        (Refused(429, "too_many_requests", ""), None, "refused", None, 1),
        (NotSent("refused"), None, "refused", None, 1),
        (OutcomeUnknown("no answer"), None, "unknown", None, 1),
    ],
)
def test_what_an_answer_becomes(cancel: Any, order: Any, state: str, reduced_e2: int | None, asked: int) -> None:
    exchange = Exchange(cancel, order)
    brought = ask(exchange, ROW, 0.0)
    assert brought.outcome is not None
    assert (brought.outcome.state, brought.outcome.reduced_e2) == (state, reduced_e2), brought.outcome
    assert brought.outcome.reason and exchange.asked == ["cancel", "order"][:asked]
    assert brought.not_found is (cancel is GONE)


@pytest.mark.parametrize(
    ("order", "looks", "state"),
    [
        (view("canceled", 300), 1, "cancelled"),
        (view("resting"), 1, None),
        (GONE, 1, None),
        (Unavailable("HTTP 503"), 0, None),
        (Refused(401, "expired", ""), 0, None),
    ],
)
def test_a_look_never_sends_and_one_that_failed_does_not_count(order: Any, looks: int, state: str | None) -> None:
    exchange = Exchange(order=order)
    brought = ask(exchange, ROW | {"state": "unknown"}, 5.0)
    assert exchange.asked == ["order"] and brought.row["lookups"] == looks
    assert (brought.outcome and brought.outcome.state) == state


class Store:
    """users.cancels, in memory."""

    def __init__(self, *rows: Row) -> None:
        self.rows = {row["cancel_id"]: dict(row) for row in rows}
        self.broken: Exception | None = None

    def cancel_facts(self, db: Any, mode: str, order_id: str) -> Row:
        raise NotImplementedError

    insert_cancel: Any = None

    def unfinished_cancels(self, db: Any, mode: str) -> list[Row]:
        if self.broken is not None:
            raise self.broken
        return [dict(row) for row in self.rows.values() if row["state"] in ("intent", "sending", "unknown")]

    def claim_cancel(self, db: Any, mode: str) -> Row | None:
        waiting = [row for row in self.rows.values() if row["state"] == "intent"]
        for row in waiting[:1]:
            row["state"] = "sending"
            return dict(row)
        return None

    def finish_cancel(
        self, db: Any, cancel_id: int, state: str, reason: str, reduced_e2: int | None, not_found: bool = False
    ) -> None:
        self.rows[cancel_id] |= {"state": state, "reason": reason, "reduced_e2": reduced_e2, "not_found": not_found}

    def note_cancel_lookup(self, db: Any, cancel_id: int, lookups: int) -> None:
        self.rows[cancel_id]["lookups"] = lookups


class Rig:
    """A desk over a store and an exchange, with a clock one can move."""

    def __init__(self, store: Store, exchange: Exchange) -> None:
        self.store, self.exchange, self.now_s = store, exchange, 1_000.0
        clock = lambda: self.now_s  # noqa: E731
        self.desk = CancelDesk(None, store, lambda: exchange, "simulated", clock, clock)  # type: ignore[arg-type]

    def heard(self) -> None:
        """Wait until the thread has brought something, and book it."""
        assert select.select([self.desk.fileno()], [], [], 10)[0]
        self.desk.round(asked=False)


def test_one_at_a_time_and_the_round_never_waits_for_the_answer() -> None:
    rig = Rig(Store(ROW, ROW | {"cancel_id": 2}), Exchange(CancelAck("x-1", 1_000)))
    rig.exchange.hold = threading.Event()
    for _ in range(3):
        rig.desk.round(asked=True)
    assert [row["state"] for row in rig.store.rows.values()] == ["sending", "intent"]
    rig.exchange.hold.set()
    rig.heard()
    assert rig.store.rows[1]["state"] == "cancelled"
    rig.heard()
    assert [row["state"] for row in rig.store.rows.values()] == ["cancelled", "cancelled"]
    assert (rig.exchange.asked, rig.exchange.closed) == (["cancel", "cancel"], 2)
    rig.desk.close()


def test_what_a_former_process_left_is_looked_up_and_never_sent_again() -> None:
    rig = Rig(Store(ROW | {"state": "sending"}), Exchange(order=view("resting")))
    rig.desk.round(asked=False)
    assert rig.store.rows[1]["state"] == "unknown"
    for _ in range(4):
        rig.now_s += 5
        rig.desk.round(asked=False)
        rig.heard()
        assert rig.store.rows[1]["state"] == "unknown"
    rig.exchange.answers["order"] = view("canceled")
    rig.now_s += 5
    rig.desk.round(asked=False)
    rig.heard()
    assert (rig.store.rows[1]["state"], rig.store.rows[1]["reduced_e2"]) == ("cancelled", 1_000)
    assert set(rig.exchange.asked) == {"order"}
    rig.desk.close()


def test_a_crash_in_the_thread_leaves_the_cancel_in_doubt() -> None:
    rig = Rig(Store(ROW), Exchange(RuntimeError("boom"), view("canceled")))
    rig.desk.round(asked=True)
    rig.heard()
    assert rig.store.rows[1]["state"] == "unknown" and "boom" in rig.store.rows[1]["reason"]
    rig.heard()  # the look began at once
    assert rig.store.rows[1]["state"] == "cancelled" and rig.exchange.closed == 2
    rig.desk.close()


def test_a_crash_in_the_round_is_told_until_a_sweep_succeeds_and_raises_nothing() -> None:
    rig = Rig(Store(ROW), Exchange(CancelAck("x-1", 1_000)))
    rig.store.broken = RuntimeError("the table is gone")
    rig.desk.round(asked=True)
    assert "the table is gone" in rig.desk.problem
    rig.desk.round(asked=False)  # none is due
    assert "the table is gone" in rig.desk.problem
    rig.store.broken, rig.now_s = None, 1_010.0
    rig.desk.round(asked=False)
    assert rig.desk.problem == ""
    rig.heard()
    assert rig.store.rows[1]["state"] == "cancelled"
    rig.desk.close()


def test_an_answer_after_the_end_of_the_session_is_nobodys() -> None:
    rig = Rig(Store(ROW), Exchange(CancelAck("x-1", 1_000)))
    rig.exchange.hold = threading.Event()
    rig.desk.round(asked=True)
    rig.desk.close()
    rig.exchange.hold.set()
    for thread in threading.enumerate():
        if thread.name == "cancel":
            thread.join(10)
    assert rig.store.rows[1]["state"] == "sending", "the next process looks it up"
