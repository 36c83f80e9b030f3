"""Queries of system.spans: what each hop between a tick and an order took. A power cut may lose the last 0.6 s of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from recio.store.db import Database, Queries

__all__ = ["save_spans", "traces"]

Row = dict[str, Any]


def save_spans(db: Database, rows: Sequence[tuple[str, int | None, int | None, int, int]]) -> None:
    """Insert (hop, ticket_id, order_id, began_ns, ended_ns), without waiting for the disk: spans are no ledger."""
    with db.transaction(durable=False):
        db.run_many("INSERT INTO system.spans (hop, ticket_id, order_id, began_ns, ended_ns) VALUES %s", rows)


def traces(db: Queries, minutes: int, limit: int = 5_000) -> list[Row]:
    """One row for each order sent in the last ``minutes``, newest first: order_id, ticket_id and, for every hop on its
    way, began and ended (nanoseconds of the host's monotonic clock) as {hop: [began_ns, ended_ns]} in ``hops``."""
    return db.all(
        "SELECT d.order_id, d.ticket_id,"
        " (SELECT json_object_agg(s.hop, json_build_array(s.began_ns, s.ended_ns)) FROM system.spans s"
        "   WHERE s.order_id = d.order_id OR s.ticket_id = d.ticket_id) AS hops"
        " FROM system.spans d WHERE d.hop = 'decide' AND d.at > now() - make_interval(mins => %s)"
        " AND EXISTS (SELECT FROM system.spans w WHERE w.order_id = d.order_id AND w.hop = 'send')"
        " ORDER BY d.at DESC LIMIT %s",
        (minutes, limit),
    )
