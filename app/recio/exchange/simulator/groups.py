"""Order groups: a limit on what a set of orders may trade in any fifteen seconds.

open --(matched in 15 s >= limit, or triggered by the member)--> triggered --(reset)--> open
A triggered group holds no resting orders and takes no new ones.
"""

from __future__ import annotations

import msgspec

__all__ = ["WINDOW_MS", "OrderGroup"]

WINDOW_MS = 15_000


class OrderGroup(msgspec.Struct):
    """A group and what it traded lately: (time in ms, count) of each match, oldest first."""

    group_id: str
    limit_e2: int
    is_triggered: bool = False
    matched: list[tuple[int, int]] = msgspec.field(default_factory=list)

    def matched_e2(self, now_ms: int) -> int:
        """Contracts matched in the window that ends now; older matches are forgotten."""
        self.matched = [(at_ms, count) for at_ms, count in self.matched if at_ms > now_ms - WINDOW_MS]
        return sum(count for _, count in self.matched)

    def is_hit_by(self, count_e2: int, now_ms: int) -> bool:
        """Count a match; whether the limit is reached with it."""
        self.matched.append((now_ms, count_e2))
        return self.matched_e2(now_ms) >= self.limit_e2
