"""cascading_failure_detector: who fails because of whom, within seconds, and whether entries may go on.

A service that ends and is back within a second was down all the same: its unit counts its restarts, and each is told.
So is a database that was away: nobody could write it down meanwhile, so it is written as soon as it is back.

Its one action is trading-safe: entries stop while a service they rely on is not healthy. It never touches protection,
and never switches anything on that the user switched off.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import ClassVar

from recio.monitoring.dependencies import conclude, restarted
from recio.monitoring.health import Check
from recio.monitoring.status import collect
from recio.services import log
from recio.services.runtime import Context, Worker, run
from recio.store.db import Notification
from recio.store.system import close_incident, open_incident, open_keys, save_dependency_state

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
_HOLD_S = 2.0  # so long must a service be unhealthy before it is an incident; entries stop at once
# Orders wait for what this says: for so long after it stopped them it looks often whether they may go on.
_SOON_FOR_S, _SOON_S = 30.0, 0.5
_DATABASE = "database away"
_DATABASE_CRITICAL_S = 30.0  # away for longer than this, somebody should look even though it is back


class CascadingFailureDetector(Worker):
    """Looks every two seconds, and more often for a while after it stopped entries; concludes, records, tells."""

    name = "cascading_failure_detector"
    period_s = 2.0
    # Of the process, not of the session: a worker is made anew after every lost connection.
    _counts: ClassVar[dict[str, int]] = {}
    _round_s: ClassVar[float | None] = None

    def __init__(self, ctx: Context) -> None:
        super().__init__(ctx)
        self._graph = {name: tuple(service.depends_on) for name, service in ctx.contract.services.items()}
        self._bad_since_s: dict[str, float] = {}  # by the host's monotonic clock
        self._open: set[str] = set()
        self._allowed: bool | None = None
        self._stopped_s = float("-inf")
        self._was_away = False

    def start(self) -> None:
        """Incidents an earlier process left open are this one's to close."""
        keys = open_keys(self.db, self.name)
        self._open = {key.removesuffix(" down") for key in keys if key.endswith(" down")}
        self._was_away = _DATABASE in keys or self._round_s is not None
        if self._round_s is not None:
            away_s = time.monotonic() - self._round_s
            severity = "critical" if away_s > _DATABASE_CRITICAL_S else "warning"
            cause = f"the database did not answer for {away_s:.0f} s; all is read anew"
            open_incident(
                self.db, _DATABASE, severity, cause, "recio logs db_poller; systemctl status 'postgresql@*'", self.name
            )
            log.warning("database was away", seconds=round(away_s, 1))

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
            if not allowed:
                self._stopped_s = time.monotonic()
        for name in self._graph:
            if name in found.roots:
                bad_s = time.monotonic() - self._bad_since_s.setdefault(name, time.monotonic())
                if bad_s >= _HOLD_S and name not in self._open:
                    self._down(name, bad[name])
                continue
            self._bad_since_s.pop(name, None)
            if name in self._open and name not in bad:
                close_incident(self.db, f"{name} down")
                self._open.discard(name)
        # After the others' ends were looked at: what is told now stands at least until the next look.
        self._restarts({s.name: s.restarts for s in status.services}, bad)
        if self._was_away and not bad:
            close_incident(self.db, _DATABASE)
            self._was_away = False
        type(self)._round_s = time.monotonic()
        self.useful(now_s)

    def due_s(self) -> float:
        """Until the next look."""
        soon = not self._allowed and time.monotonic() - self._stopped_s < _SOON_FOR_S
        return _SOON_S if soon else self.period_s

    def _down(self, name: str, why: str) -> None:
        """One incident for a service that does not do its work, until it is proven well again."""
        action = f"recio logs {name}; it restarts by itself, entries wait, protection goes on"
        severity = "critical" if name in _NEEDED_FOR_ENTRY else "warning"
        open_incident(self.db, f"{name} down", severity, f"{name}: {why}", action, self.name)
        self._open.add(name)

    def _restarts(self, counts: Mapping[str, int | None], bad: Mapping[str, str]) -> None:
        """Tell what ended and came back between two looks, this service itself included."""
        # Only systemd's own restarts are counted: a process that begins with a count above zero is what came after an end.
        before = self._counts or {self.name: 0}
        for name, count in restarted(before, counts).items():
            if name not in self._open:
                self._down(
                    name,
                    f"it ended and was restarted, restart {count} of its unit"
                    + (f"; {bad[name]}" if name in bad else ""),
                )
        type(self)._counts = {name: count for name, count in counts.items() if count is not None}

    def checks(self, now_s: float) -> list[Check]:
        """Useful work says it."""
        return []


def main() -> int:
    """Run the service."""
    return run(CascadingFailureDetector)
