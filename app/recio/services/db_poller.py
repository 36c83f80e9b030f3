"""db_poller: is the database quick, connected within the contract's pool, and does its change feed arrive."""

from __future__ import annotations

import time
from collections.abc import Sequence

import psycopg2
from psycopg2.extensions import make_dsn

from recio.monitoring.growth import complaint, database_growth
from recio.monitoring.health import Check
from recio.services import log
from recio.services.runtime import Context, Worker, run
from recio.store.db import Database, Notification, dsn_from_environment
from recio.store.growth import size_history
from recio.store.system import (
    archive_state,
    close_incident,
    database_sample,
    open_incident,
    open_keys,
    save_database_details,
    slow_statements,
)

__all__ = ["DbPoller", "main"]

_LAG_MAX_MS = 1000.0
_LONG_TX_S = 60.0
_DETAILS_S = 60.0
_ARCHIVE_GRACE_S = 75.0
_ARCHIVE_FAILED_LOOKS = 2
_GROWTH_S = 600.0
_GROWTH = "database growth"


class DbPoller(Worker):
    """Samples the database; measures how long a notification takes to come back."""

    name = "db_poller"
    channels = ("db_poller_echo",)
    period_s = 10.0

    def __init__(self, ctx: Context) -> None:
        super().__init__(ctx)
        self._sent: dict[str, float] = {}
        self._sampled_s = float("-inf")
        self._detailed_s = float("-inf")
        self._growth_looked_s = float("-inf")
        self._archive_failed = 0
        self._lag_ms: float | None = None
        self._connections = 0

    def work(self, notes: Sequence[Notification], now_s: float) -> None:
        """Note the echo that came; when a sample is due, take it and send the next echo."""
        for note in notes:
            sent = self._sent.pop(note.payload, None)
            if sent is not None:
                self._lag_ms = 1000.0 * (time.monotonic() - sent)
        if time.monotonic() - self._sampled_s < self.period_s - 0.5:
            return
        self._sampled_s = time.monotonic()
        if self._sent:  # the echo before this one never came
            self._lag_ms = None
        row = database_sample(self.db, self._lag_ms)
        if time.monotonic() - self._detailed_s >= _DETAILS_S:
            self._detailed_s = time.monotonic()
            save_database_details(self.db, self._slow())
        if time.monotonic() - self._growth_looked_s >= _GROWTH_S:
            self._growth_looked_s = time.monotonic()
            self._growth()
        self._connections = row["connections"]
        pool = self.ctx.contract.pool
        self._incident(
            "database connections",
            self._connections > pool.max,
            f"{self._connections} connections, the contract allows {pool.max}",
            "recio logs main_app; look for clients that do not belong here",
        )
        self._incident(
            "database long transaction",
            row["longest_tx_s"] > _LONG_TX_S,
            f"a transaction is open for {row['longest_tx_s']:.0f} s; it holds back vacuum",
            "SELECT * FROM pg_stat_activity ORDER BY xact_start; end the session that forgot it",
        )
        self._archive()
        key = f"{now_s:.3f}"
        self._sent = {key: time.monotonic()}
        self.db.notify("db_poller_echo", key)
        self.useful(now_s)

    def _archive(self) -> None:
        """Late is what a lost disk would cost; that it fails is known at once, and again when the next segment is through."""
        state = archive_state(self.db) or {"silent_s": 0.0, "timeout_s": 0.0, "failing": None}
        # One failure may be the server's own restart: the archiver tries thrice within two seconds.
        self._archive_failed = self._archive_failed + 1 if state["failing"] else 0
        late = state["silent_s"] > state["timeout_s"] + _ARCHIVE_GRACE_S
        cause = (
            f"WAL segment {state['failing']} cannot be archived"
            if state["failing"]
            else f"nothing was archived for {state['silent_s']:.0f} s"
        )
        self._incident(
            "archive of the WAL is late",
            late or self._archive_failed >= _ARCHIVE_FAILED_LOOKS,
            f"{cause}: a lost disk would cost what came since",
            "systemctl reload postgresql wakes it; else journalctl -u 'postgresql@*' says why, and recio backup list",
        )

    def _growth(self) -> None:
        """Whether the folder reaches its budget soon. What an earlier process had said stands until there is room again."""
        rule = self.ctx.contract.upkeep.growth
        wrong = complaint(
            database_growth(size_history(self.db), self.ctx.contract), rule, _GROWTH in open_keys(self.db, self.name)
        )
        cure = "the System page names the largest tables (Database, Vacuum); raise directories.postgresql_data with a larger disk"
        self._incident(_GROWTH, bool(wrong), wrong, cure)

    def _slow(self) -> list[dict[str, object]] | None:
        """The slowest statements, read in the maintenance database; None where they are not counted or not told."""
        dsn, name = dsn_from_environment(), self.ctx.contract.database.name
        try:
            db = Database(f"{self.name} statements", make_dsn(dsn, dbname="postgres"))
            try:
                return slow_statements(db, name)
            finally:
                db.close()
        except psycopg2.Error as failure:
            log.warning("slow statements not read", why=" ".join(str(failure).split())[:200])
            return None

    def _incident(self, key: str, wrong: bool, cause: str, action: str) -> None:
        if wrong:
            open_incident(self.db, key, "warning", cause, action, self.name)
        else:
            close_incident(self.db, key)

    def checks(self, now_s: float) -> list[Check]:
        """The change feed works: the last echo came back, soon."""
        if self._lag_ms is None:
            return [Check("change feed", False, "no notification has come back yet")]
        slow = self._lag_ms > _LAG_MAX_MS
        return [Check("change feed", not slow, f"a notification took {self._lag_ms:.0f} ms" if slow else "")]


def main() -> int:
    """Run the service."""
    return run(DbPoller)
