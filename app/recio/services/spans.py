"""Where the milliseconds go between a tick and an order: each hop's beginning and end, by the host's monotonic clock.

tick in                                                                                        bytes out
   |--price--|~~~|--table--|~~~|--entry--|~~~|--decide--|~~~|--claim--|--send--|--answer--|
              wake          wake          wake           wake
btc_price_watchdog  coordinator  auto_entry  trade_manager    trade_executor

CLOCK_MONOTONIC is one clock for all processes of a host, so a hop's end and the next one's beginning can be subtracted:
what lies between (``wake``) is commit, notification and the scheduler. Up to the ticket the stamps travel in the price's
and the table's rows; from the ticket on, the ids join the hops. Spans are kept in memory during a round and written
after it: measuring does not slow what is measured.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
import psycopg2

from recio.services import log
from recio.store.db import Database
from recio.store.spans import save_spans

__all__ = ["HOPS", "Leg", "Spans", "legs", "now_ns", "percentile"]

HOPS = ("price", "table", "entry", "decide", "claim", "send")
_ON_THE_WIRE, _FROM_TICK = "send", "price"
_SENSIBLE_NS = 60_000_000_000
_KEEP = 1_000  # a database that is away for long must not fill the memory


def now_ns() -> int:
    """The host's monotonic clock in nanoseconds, the same in every process of this host."""
    return time.monotonic_ns()


class Spans:
    """A service's spans of this round, written after it."""

    def __init__(self) -> None:
        self._rows: list[tuple[str, int | None, int | None, int, int]] = []

    def add(
        self, hop: str, began_ns: int, ended_ns: int, *, ticket_id: int | None = None, order_id: int | None = None
    ) -> None:
        """Note a hop of a ticket or an order."""
        if len(self._rows) < _KEEP:
            self._rows.append((hop, ticket_id, order_id, began_ns, ended_ns))

    def carried(self, stamps_ns: Sequence[int], ticket_id: int) -> None:
        """Note the hops that a strike table's stamps tell of: [tick in, price written, awake, table written]."""
        if len(stamps_ns) == 4:
            self.add("price", stamps_ns[0], stamps_ns[1], ticket_id=ticket_id)
            self.add("table", stamps_ns[2], stamps_ns[3], ticket_id=ticket_id)

    def __bool__(self) -> bool:
        return bool(self._rows)

    def flush(self, db: Database) -> None:
        """Write what was noted; figures that cannot be written are lost, and never stop a service."""
        if self._rows:
            rows, self._rows = self._rows, []
            try:
                save_spans(db, rows)
            except psycopg2.Error as failure:
                if db.closed:
                    raise
                log.warning("spans are lost", count=len(rows), why=failure)


class Leg(msgspec.Struct, frozen=True):
    """One leg of the way, over many orders; milliseconds."""

    name: str
    count: int
    p50_ms: float
    p99_ms: float
    most_ms: float


def percentile(ordered: Sequence[float], share: float) -> float:
    """The value that ``share`` (0 to 1) of an ascending, not empty sequence does not exceed (nearest rank)."""
    return ordered[max(0, min(len(ordered), math.ceil(round(len(ordered) * share, 6))) - 1)]


def legs(traces: Iterable[dict[str, Any]]) -> list[Leg]:
    """Every leg in order, the waits between the hops among them; then the whole from the ticket's decision and, for
    orders that began with a tick, from the tick to the bytes on the wire. A trace that makes no sense (the host was
    restarted in between, and with it the clock) is left out."""
    found: dict[str, list[float]] = {}
    for trace in traces:
        hops: dict[str, Sequence[int]] = trace["hops"]
        parts = _parts(hops)
        if all(0 <= taken < _SENSIBLE_NS for taken in parts.values()):
            for name, taken in parts.items():
                found.setdefault(name, []).append(taken / 1e6)
    order = [part for hop in HOPS for part in (f"wake {hop}", hop)]
    order += ["answer", "tick to wire", "ticket to wire"]
    return [_leg(name, sorted(found[name])) for name in order if name in found]


def _parts(hops: dict[str, Sequence[int]]) -> dict[str, int]:
    """Nanoseconds by leg of one trace."""
    parts: dict[str, int] = {}
    before: int | None = None
    for hop in HOPS:
        if hop not in hops:
            before = None
            continue
        began, ended = hops[hop]
        if before is not None and began != before:
            began = max(began, before)  # found by a round that was under way already
            parts[f"wake {hop}"] = began - before
        parts[hop] = ended - began
        before = ended
    if "answer" in hops:
        parts["answer"] = hops["answer"][1] - hops["answer"][0]
    if _FROM_TICK in hops and _ON_THE_WIRE in hops:
        parts["tick to wire"] = hops[_ON_THE_WIRE][1] - hops[_FROM_TICK][0]
    if "decide" in hops and _ON_THE_WIRE in hops:
        parts["ticket to wire"] = hops[_ON_THE_WIRE][1] - hops["decide"][0]
    return parts


def _leg(name: str, ordered: Sequence[float]) -> Leg:
    return Leg(name, len(ordered), round(percentile(ordered, 0.5), 3), round(percentile(ordered, 0.99), 3), ordered[-1])
