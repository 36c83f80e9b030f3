"""A trade's log as a timeline, and the book at its entry as rows: what its page shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import zip_longest
from typing import Any

__all__ = ["book_of", "story"]

_LEVELS = 5


def story(events: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The events with ``after_ms``, the time since the one before (None for the first)."""
    found: list[dict[str, Any]] = []
    last = None
    for event in events:
        after = None if last is None else round((event["at"] - last).total_seconds() * 1000)
        found.append({**event, "after_ms": after})
        last = event["at"]
    return found


def book_of(entry: Mapping[str, Any] | None) -> list[tuple[list[int] | None, list[int] | None]] | None:
    """(YES bid, NO bid) by level as (price_e4, count_e2), best first; None when no book was kept with the decision."""
    inputs = (entry or {}).get("inputs") or {}
    yes, no = inputs.get("yes_bids"), inputs.get("no_bids")
    if yes is None or no is None:
        return None
    return list(zip_longest(yes[:_LEVELS], no[:_LEVELS]))
