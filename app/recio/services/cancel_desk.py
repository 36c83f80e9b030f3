"""The executor's cancels of orders this desk did not place, on a connection and in a thread of their own.

An order must never wait for a cancel's answer: the executor's own round only claims and books, both a moment's work in the
database. The thread has its own client and never touches the database; what it brings is booked by the next round. What a
cancel may end in: recio.trading.cancel. An error in here is told and tried again, it never ends the executor's round.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Protocol

from recio.exchange.errors import ExchangeError, NotSent, OutcomeUnknown, Refused
from recio.exchange.kalshi.models import CancelAck, OrderView
from recio.services import log
from recio.services.ledger_port import CancelStore, LedgerDb, Row
from recio.store.db import DatabaseGone
from recio.trading.cancel import CancelState, Outcome, cancel_step, outcome_of_ack, outcome_of_look

__all__ = ["CancelDesk", "CancelGate", "ask"]

_LOOK_S, _SWEEP_S = 2.0, 1.0


class CancelGate(Protocol):
    """The calls by which a cancel reaches the exchange and its end is found."""

    def cancel_order(self, order_id: str, market_ticker: str) -> CancelAck:
        """Take an order off the book, once; recio.exchange.errors says what each failure means."""

    def order(self, order_id: str) -> OrderView:
        """The exchange's record of an order. Refused with status 404 when it lists none."""

    def close(self) -> None:
        """Close the connection."""


class _Brought:
    """What the thread brings: of which cancel, its end (None: look again), and whether the exchange answered 404."""

    def __init__(self, row: Row, outcome: Outcome | None, not_found: bool = False, why: str = "") -> None:
        self.row, self.outcome, self.not_found, self.why = row, outcome, not_found, why


def ask(client: CancelGate, row: Row, age_s: float) -> _Brought:
    """Send a cancel that was claimed just now, once; look one up whose answer was lost. Talks to the exchange only."""
    if row["state"] != "intent":
        return _look(client, row, age_s, row["not_found"])
    try:
        ack = client.cancel_order(row["exchange_order_id"], row["market_ticker"])
    except Refused as refusal:
        if refusal.status != 404:
            return _Brought(row, Outcome(CancelState.REFUSED, f"{refusal}; the order is as it was"))
        found = _look(client, row, age_s, not_found=True)
        unsure = Outcome(CancelState.UNKNOWN, f"{refusal}; what the order came to is being looked up")
        return _Brought(row, found.outcome or unsure, not_found=True)
    except (NotSent, ValueError) as failure:
        return _Brought(row, Outcome(CancelState.REFUSED, f"nothing was sent: {failure}"))
    except OutcomeUnknown as failure:
        return _Brought(row, Outcome(CancelState.UNKNOWN, str(failure)))
    return _Brought(row, outcome_of_ack(row["count_e2"], ack.reduced_by_e2))


def _look(client: CancelGate, row: Row, age_s: float, not_found: bool) -> _Brought:
    status, count_e2, filled_e2 = "", row["count_e2"], row["filled_e2"]
    try:
        view = client.order(row["exchange_order_id"])
        status, count_e2, filled_e2 = view.status, view.initial_count_e2, view.fill_count_e2
    except Refused as refusal:
        if refusal.status != 404:
            return _Brought(row, None, not_found, str(refusal))
    except ExchangeError as failure:  # not known is not the same as not there: it counts as no look
        return _Brought(row, None, not_found, str(failure))
    looks = row["lookups"] + 1
    outcome = outcome_of_look(status, count_e2, filled_e2, looks=looks, age_s=age_s, not_found=not_found)
    return _Brought(row | {"lookups": looks}, outcome, not_found)


class CancelDesk:
    """One cancel at a time, beside the orders."""

    def __init__(
        self,
        db: LedgerDb,
        store: CancelStore,
        client: Callable[[], CancelGate],
        mode: str,
        clock: Callable[[], float] = time.time,
        ticks: Callable[[], float] = time.monotonic,
    ) -> None:
        """``client`` makes a connection for one cancel; it is made, used and closed away from the executor's own."""
        self._db, self._store, self._client, self._mode = db, store, client, mode
        self._clock, self._ticks = clock, ticks
        self._brought: SimpleQueue[_Brought] = SimpleQueue()
        self._wake, self._waker = socket.socketpair()
        self._wake.setblocking(False)
        self._busy = False
        self._looked_s = self._swept_s = float("-inf")
        self.problem = ""  # what went wrong in the last round

    def fileno(self) -> int:
        """Readable when something was brought."""
        return self._wake.fileno()

    def close(self) -> None:
        """Hear no more; an answer still to come is lost, and looked up by whoever comes next."""
        self._wake.close()  # a thread that is still at it keeps its own end, and is not heard

    def round(self, asked: bool) -> None:
        """Book what was brought, then send or look up one; ``asked``: somebody asked for a cancel just now.

        Raises only when the database is gone.
        """
        try:
            self._book()
            if not self._busy and (asked or self._ticks() - self._swept_s >= _SWEEP_S):
                self._swept_s = self._ticks()
                self._next()
                self.problem = ""
        except DatabaseGone:
            raise
        except Exception as failure:
            if getattr(self._db, "closed", False):
                raise
            said = f"{type(failure).__name__}: {failure}"[:300]
            if said != self.problem:
                log.error("cancels failed; orders go on", failure)
            self.problem = said

    # ------------------------------------------------------------------ in the executor's round
    def _next(self) -> None:
        waiting = self._store.unfinished_cancels(self._db, self._mode)
        for row in waiting:
            if row["state"] == "sending":  # and nobody is at it: a former process may have sent it
                why = "the executor was restarted, or broke off, while sending"
                self._finish(row, Outcome(CancelState.UNKNOWN, why))
                self._swept_s = float("-inf")
        if any(row["state"] == "intent" for row in waiting):
            client = self._client()  # before it is claimed: without a key nothing could be sent
            claimed = self._store.claim_cancel(self._db, self._mode)
            if claimed is None:
                client.close()
                return
            log.info("cancel sent", cancel_id=claimed["cancel_id"], order=claimed["exchange_order_id"])
            self._start(client, claimed | {"state": "intent"}, 0.0)
            return
        doubtful = [row for row in waiting if row["state"] == "unknown"]
        if doubtful and self._ticks() - self._looked_s >= _LOOK_S:
            self._looked_s = self._ticks()
            row = min(doubtful, key=lambda one: (one["lookups"], one["cancel_id"]))  # each has its turn
            self._start(self._client(), row, self._clock() - row["sent_at"].timestamp())

    def _book(self) -> None:
        with suppress(BlockingIOError):
            self._wake.recv(512)
        with suppress(Empty):
            while True:
                brought = self._brought.get_nowait()
                self._busy = False
                self._swept_s = float("-inf")
                row, outcome = brought.row, brought.outcome
                if outcome is not None:
                    self._finish(row, outcome, brought.not_found)
                    continue
                self._store.note_cancel_lookup(self._db, row["cancel_id"], row["lookups"])
                if brought.why:
                    log.warning("cancel cannot be looked up yet", cancel_id=row["cancel_id"], why=brought.why)

    def _finish(self, row: Row, outcome: Outcome, not_found: bool = False) -> None:
        before = CancelState.SENDING if row["state"] == "intent" else row["state"]
        state = cancel_step(before, outcome.state)
        told = (self._db, row["cancel_id"], state.value, outcome.reason, outcome.reduced_e2)
        self._store.finish_cancel(*told, not_found=not_found)
        log.info("cancel", cancel_id=row["cancel_id"], state=state.value, reason=outcome.reason)

    # ------------------------------------------------------------------ in the thread, but for its start
    def _start(self, client: CancelGate, row: Row, age_s: float) -> None:
        self._busy = True
        threading.Thread(target=self._run, args=(client, row, age_s), name="cancel", daemon=True).start()

    def _run(self, client: CancelGate, row: Row, age_s: float) -> None:
        try:
            brought = ask(client, row, age_s)
        except Exception as crash:
            log.error("a cancel broke off", crash)
            lost = Outcome(CancelState.UNKNOWN, f"broke off: {type(crash).__name__}: {crash}"[:300])
            brought = _Brought(row, lost if row["state"] == "intent" else None)
        finally:
            client.close()
        self._brought.put(brought)
        with suppress(OSError):  # closed meanwhile
            self._waker.send(b".")
