"""cascading_failure_detector: who fails because of whom, within seconds, and whether entries may go on.

Its one action is trading-safe: entries stop while a service they rely on is not healthy. It never touches protection,
and never switches anything on that the user switched off.
"""

from __future__ import annotations

from collections.abc import Sequence

from recio.monitoring.dependencies import conclude
from recio.monitoring.health import Check
from recio.monitoring.status import collect
from recio.services import log
from recio.services.runtime import Context, Worker, run
from recio.store.db import Notification
from recio.store.system import close_incident, open_incident, save_dependency_state

__all__ = ["CascadingFailureDetector", "main"]

# An entry relies on these: without any one of them it would be blind, unrecorded or unwatched.
_NEEDED_FOR_ENTRY = frozenset(
    {
        "btc_price_watchdog",
        "kalshi_api_watchdog",
        "kalshi_account_sync",
        "trade_manager",
        "trade_executor",
        "active_trade_supervisor",
    }
)
_HOLD = 2  # rounds a service must be unhealthy before it is an incident; entries stop at the first


class CascadingFailureDetector(Worker):
    """Looks every two seconds; concludes, records, tells."""

    name = "cascading_failure_detector"
    period_s = 2.0

    def __init__(self, ctx: Context) -> None:
        super().__init__(ctx)
        self._graph = {name: tuple(service.depends_on) for name, service in ctx.contract.services.items()}
        self._bad_rounds: dict[str, int] = {}
        self._open: set[str] = set()
        self._allowed: bool | None = None

    def start(self) -> None:
        """Incidents an earlier process left open are this one's to close."""
        rows = self.db.all("SELECT key FROM system.incidents WHERE closed_at IS NULL AND seen_by = %s", (self.name,))
        self._open = {row["key"].removesuffix(" down") for row in rows}

    def work(self, notes: Sequence[Notification], now_s: float) -> None:
        """One look at everybody."""
        status = collect(self.ctx.contract, self.settings.mode)
        bad = {s.name: s.reason for s in status.services if not s.healthy and s.name != self.name}
        found = conclude(list(bad), self._graph)
        root = "; ".join(f"{name}: {bad[name]}" for name in found.roots)
        allowed = not (_NEEDED_FOR_ENTRY & bad.keys())
        save_dependency_state(self.db, allowed, root, found.affected)
        if allowed != self._allowed:
            log.info("entries allowed" if allowed else "entries stopped", root_cause=root)
            self._allowed = allowed
        for name in self._graph:
            self._bad_rounds[name] = self._bad_rounds.get(name, 0) + 1 if name in found.roots else 0
            if self._bad_rounds[name] == _HOLD:
                action = f"recio logs {name}; it restarts by itself, entries wait, protection goes on"
                severity = "critical" if name in _NEEDED_FOR_ENTRY else "warning"
                open_incident(self.db, f"{name} down", severity, f"{name}: {bad[name]}", action, self.name)
                self._open.add(name)
            elif name in self._open and name not in bad:
                close_incident(self.db, f"{name} down")
                self._open.discard(name)
        self.useful(now_s)

    def checks(self, now_s: float) -> list[Check]:
        """Useful work says it."""
        return []


def main() -> int:
    """Run the service."""
    return run(CascadingFailureDetector)
