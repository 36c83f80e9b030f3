"""Run a service that kills itself with SIGKILL at a named step: python dying.py SERVICE WHEN:STEP

WHEN:STEP                what is patched
after:SQL PREFIX         the statement was executed; its transaction is still open
commit:SQL PREFIX        the transaction of that statement has been committed
before:create_order      the claim is committed, not a byte was sent
after:create_order       the exchange has answered, nothing was recorded
"""

from __future__ import annotations

import os
import runpy
import signal
import sys
from collections.abc import Callable
from typing import Any

from recio.exchange.kalshi.client import KalshiClient
from recio.store.db import Database

_seen = False


def die() -> None:
    """kill -9, by oneself."""
    os.kill(os.getpid(), signal.SIGKILL)


def patched(method: str, when: str, prefix: str) -> Callable[..., Any]:
    """A verb of Database that dies at the step."""
    real = getattr(Database, method)

    def verb(self: Database, sql: str, *params: Any) -> Any:
        global _seen
        done = real(self, sql, *params)
        if sql.startswith(prefix):
            _seen = True
            if when == "after":
                die()
        if when == "commit" and _seen and sql == "COMMIT":
            die()
        return done

    return verb


def main() -> None:
    service, point = sys.argv[1], sys.argv[2]
    when, _, step = point.partition(":")
    if step == "create_order":
        real = KalshiClient.create_order

        def create_order(self: KalshiClient, new: Any) -> Any:
            if when == "before":
                die()
            answer = real(self, new)
            die()
            return answer

        KalshiClient.create_order = create_order  # type: ignore[method-assign]
    else:
        for method in ("run", "one"):
            setattr(Database, method, patched(method, when, step))
    sys.argv = ["recio.services", service]
    runpy.run_module("recio.services", run_name="__main__")


main()
