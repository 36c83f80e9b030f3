"""main_app: the page, the API and the stream, in one process that proves over its own port that it answers."""

from __future__ import annotations

import gc
import sys
import threading
import time
from collections.abc import Sequence

from recio.contract import load
from recio.contract.settings import load_settings
from recio.services import log
from recio.services.health import Check, HealthFile, sd_notify
from recio.store.db import Database, DatabaseGone
from recio.store.schema import SchemaMismatch, require_schema
from recio.web.memory import tame_malloc
from recio.web.server import serve

__all__ = ["main"]

_STACK_BYTES = 512 * 1024  # a thread's stack counts against the unit's address space whether it is used or not


class _Health:
    """Turns the server's proofs into the report, READY=1 and the watchdog's food."""

    def __init__(self, mode: str) -> None:
        self._file = HealthFile("main_app", mode)
        self._ready = False
        self._useful_s: float | None = None

    def __call__(self, checks: Sequence[Check], answers: bool) -> None:
        """Once every two seconds, from the proving thread."""
        schema = self._schema() if all(check.ok for check in checks) else None
        if schema is not None:
            checks = [*checks, schema]
        if all(check.ok for check in checks):
            self._useful_s = time.time()
        report = self._file.write(checks, self._useful_s)
        if answers and not self._ready:
            self._ready = True
            gc.collect()
            gc.freeze()
            sd_notify("READY=1")
        states = [f"STATUS={'healthy' if report.healthy else report.reason[:200]}"]
        if answers:  # a lost database is known upstream: restarting the page would not bring it back
            states.append("WATCHDOG=1")
        sd_notify(*states)

    _schema_ok = False

    def _schema(self) -> Check | None:
        """The schema's revision, until it has been seen right once: a migration restarts every service."""
        if self._schema_ok:
            return None
        try:
            db = Database("main_app schema")
            try:
                require_schema(db)
            finally:
                db.close()
        except (SchemaMismatch, *DatabaseGone) as failure:
            return Check("schema", False, " ".join(str(failure).split())[:300])
        self._schema_ok = True
        return None


def main() -> int:
    """Serve until SIGTERM; gives the exit status."""
    settings, contract = load_settings(), load()
    gc.set_threshold(*contract.python_gc)
    threading.stack_size(_STACK_BYTES)
    tame_malloc()
    sys.setswitchinterval(0.001)  # a request changes threads four times; 5 ms each time is what it would wait
    log.info("starting", service="main_app", mode=settings.mode, listen=settings.web_listen)
    serve(settings, contract, _Health(settings.mode))
    sd_notify("STOPPING=1")
    log.info("stopped", service="main_app")
    return 0
