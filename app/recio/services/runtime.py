"""The one runtime under every worker: connect, prove the schema, work, tell the truth, stop.

    start --> connected --> working <--> failing (an error in one round; the 5th in a row ends the process)
      ^                        |
      +---- database gone <----+          (stays alive, unhealthy, tries again; systemd's watchdog stays fed:
                                           restarting would not bring the database back)

A watchdog is fed by finished rounds only, so a hung round is killed by systemd. Health is written by the same loop:
a report that stops being renewed is itself the alarm.
"""

from __future__ import annotations

import gc
import os
import select
import signal
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar

import msgspec
import psycopg2

from recio.contract import Contract, load
from recio.contract.settings import Settings, SettingsError, load_settings
from recio.services import log
from recio.services.health import Check, HealthFile, complaints, sd_notify
from recio.services.spans import Spans, now_ns
from recio.store.db import Database, DatabaseGone, Notification
from recio.store.schema import SchemaMismatch, require_schema

__all__ = ["Context", "Worker", "run"]

_HEALTH_EVERY_S = 2.0
_MAX_FAILURES = 5
_READY_LATEST_S = 20.0
_RETRY_FIRST_S, _RETRY_MOST_S = 0.5, 5.0


class Context(msgspec.Struct):
    """What a worker is given: its installation, the contract and its one database connection."""

    settings: Settings
    contract: Contract
    db: Database


class Worker(ABC):
    """One service's work. Made anew after every lost connection: what must last lies in the database."""

    name: ClassVar[str]
    channels: ClassVar[tuple[str, ...]] = ()
    period_s: ClassVar[float] = 1.0

    def __init__(self, ctx: Context) -> None:
        self.ctx, self.db, self.settings = ctx, ctx.db, ctx.settings
        self.useful_s: float | None = None
        self.woke_ns = 0  # when this round began, by the host's monotonic clock
        self.spans = Spans()  # written after the round

    def start(self) -> None:
        """Once, after the database is there: read state, open feeds."""

    @abstractmethod
    def work(self, notes: Sequence[Notification], now_s: float) -> None:
        """One round: after a notification, a frame, or period_s. Calls self.useful() when it did what it is for."""

    def checks(self, now_s: float) -> list[Check]:
        """What this service proved beyond its useful work."""
        return []

    def sources(self) -> list[int]:
        """File descriptors beside the database's that should start a round."""
        return []

    def due_s(self) -> float:
        """The longest rest before the next round, in seconds, when nothing wakes it."""
        return self.period_s

    def stop(self) -> None:
        """Close feeds; the runtime closes the database."""

    def useful(self, now_s: float) -> None:
        """This round did what the service exists for."""
        self.useful_s = now_s


class _Loop:
    def __init__(self, kind: type[Worker]) -> None:
        self.kind = kind
        self.settings, self.contract = load_settings(), load()
        self.health = HealthFile(kind.name, self.settings.mode)
        self.max_age_s = self.contract.services[kind.name].health.max_work_age_s
        self.began_s = time.monotonic()
        self.useful_s: float | None = None
        self.failures, self.last_failure = 0, ""
        self.ready, self.stopping = False, False
        self.retry_s = _RETRY_FIRST_S
        self._wrote_s, self._said_healthy = float("-inf"), False
        self._wake_read, self._wake_write = os.pipe()
        os.set_blocking(self._wake_write, False)
        signal.set_wakeup_fd(self._wake_write, warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)

    def _stop(self, _number: int, _frame: object) -> None:
        self.stopping = True

    def say(self, checks: Sequence[Check], force: bool = False) -> None:
        """Feed the watchdog, and write the report when it is due: at once when it says another thing than the last one."""
        sd_notify("WATCHDOG=1")
        if not self.ready and time.monotonic() - self.began_s > _READY_LATEST_S:
            self.say_ready("waiting")
        healthy = not complaints(checks)
        force = force or healthy != self._said_healthy
        self._said_healthy = healthy
        if force or time.monotonic() - self._wrote_s >= _HEALTH_EVERY_S:
            self._wrote_s = time.monotonic()
            report = self.health.write(checks, self.useful_s)
            sd_notify(f"STATUS={'healthy' if report.healthy else report.reason[:200]}")

    def say_ready(self, status: str) -> None:
        """READY=1, once. Readiness only means: the process runs. Health says whether it works."""
        self.ready = True
        sd_notify("READY=1", f"STATUS={status}")

    def own_checks(self, worker: Worker, now_s: float) -> list[Check]:
        """The checks every service has: fresh useful work, and no failing round."""
        age_s = None if worker.useful_s is None else now_s - worker.useful_s
        fresh = age_s is not None and age_s <= self.max_age_s
        said = "none yet" if age_s is None else f"last {age_s:.0f} s ago"
        why = "" if fresh else f"{said}, allowed {self.max_age_s:g} s"
        return [
            Check("work", fresh, why, age_s),
            Check("rounds", not self.failures, f"{self.failures} failed in a row: {self.last_failure}"),
            *worker.checks(now_s),
        ]

    def rest(self, worker: Worker, db: Database) -> None:
        """Until the next round is due; a long rest is no silence, the report is renewed meanwhile."""
        until_s = time.monotonic() + (0 if db.pending else worker.due_s())
        while not self.stopping:
            left_s = until_s - time.monotonic()
            if self.wait([db.fileno(), *worker.sources()], min(max(left_s, 0.0), _HEALTH_EVERY_S)):
                return
            if time.monotonic() >= until_s:
                return
            self.say(self.own_checks(worker, time.time()))

    def wait(self, fds: Sequence[int], timeout_s: float) -> bool:
        """Sleep until a descriptor is readable or a signal came (True), or the time is over (False)."""
        ready, _, _ = select.select([self._wake_read, *fds], [], [], timeout_s)
        if self._wake_read in ready:
            os.read(self._wake_read, 512)
        return bool(ready)

    def session(self) -> None:
        """From a fresh connection to its loss or the stop."""
        db = Database(self.kind.name)
        worker: Worker | None = None
        try:
            require_schema(db)
            got = db.one("SELECT pg_try_advisory_lock(hashtext(%s)) AS mine", (f"recio:{self.kind.name}",))
            if not got or not got["mine"]:
                raise AlreadyRunningError(self.kind.name)
            db.listen(self.kind.channels)
            worker = self.kind(Context(self.settings, self.contract, db))
            worker.useful_s = self.useful_s
            worker.start()
            while not self.stopping:
                worker.woke_ns, now_s = now_ns(), time.time()
                self.round(worker, db, now_s)
                worker.spans.flush(db)
                self.useful_s = worker.useful_s
                self.retry_s = _RETRY_FIRST_S
                self.say(self.own_checks(worker, time.time()))
                if not self.ready:
                    self.say_ready("working")
                self.rest(worker, db)
        finally:
            if worker is not None:
                worker.stop()
            db.close()

    def round(self, worker: Worker, db: Database, now_s: float) -> None:
        """One round; a failure is kept for health, the fifth in a row ends the process."""
        try:
            worker.work(db.notifications(), now_s)
            self.failures = 0
        except DatabaseGone:
            raise
        except Exception as failure:
            if db.closed:  # a server that dies mid-query raises a plain DatabaseError
                raise psycopg2.InterfaceError(f"connection lost: {failure}") from failure
            self.failures += 1
            self.last_failure = f"{type(failure).__name__}: {failure}"[:300]
            log.error("round failed", failure, service=self.kind.name, in_a_row=self.failures)
            if self.failures >= _MAX_FAILURES:
                self.say(self.own_checks(worker, time.time()), force=True)
                raise
            self.wait([], min(5.0, 0.25 * 2**self.failures))


class AlreadyRunningError(RuntimeError):
    """Another process holds this service's lock in the database."""

    def __init__(self, name: str) -> None:
        super().__init__(f"another {name} holds the service's lock in the database; stop it first")


def run(kind: type[Worker]) -> int:
    """Run a worker until SIGTERM; gives the exit status."""
    loop = _Loop(kind)
    gc.set_threshold(*loop.contract.python_gc)
    gc.collect()
    gc.freeze()
    log.info("starting", service=kind.name, mode=loop.settings.mode)
    while not loop.stopping:
        try:
            loop.session()
        except (
            *DatabaseGone,
            SchemaMismatch,
            AlreadyRunningError,
            SettingsError,
        ) as gone:  # the last: no key to sign with
            why = " ".join(str(gone).split())[:300]
            log.warning("no session", service=kind.name, why=why, retry_s=loop.retry_s)
            # Between half and all of it, or twelve services would come back to a slow server in the same instant, again and again.
            until_s = time.monotonic() + loop.retry_s * (0.5 + os.urandom(1)[0] / 510)
            while not loop.stopping and time.monotonic() < until_s:
                loop.say([Check("key" if isinstance(gone, SettingsError) else "database", False, why)])
                loop.wait([], min(1.0, max(0.0, until_s - time.monotonic())))
            loop.retry_s = min(loop.retry_s * 2, _RETRY_MOST_S)
    sd_notify("STOPPING=1")
    log.info("stopped", service=kind.name)
    return 0
