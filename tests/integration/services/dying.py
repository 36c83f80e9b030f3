"""Run a service that kills itself with SIGKILL at a named step: python dying.py SERVICE WHEN:STEP

WHEN:STEP                what is patched
after:SQL PREFIX         the statement was executed; its transaction is still open
commit:SQL PREFIX        the transaction of that statement has been committed
before:create_order      the claim is committed, not a byte was sent
after:create_order       the exchange has answered, nothing was recorded
before:cancel_order      and after:cancel_order: the same for a cancel
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


def patched(when: str, prefix: str) -> Callable[..., None]:
    """A Database that dies at the step. Statements travel in one message: the one after the step waits for death."""
    real, start = Database._send, prefix.encode()

    def send(self: Database, cursor: Any, text: bytes) -> None:
        global _seen
        message = [*self._waiting, text]
        hit = any(_plain(statement).startswith(start) for statement in message)
        _seen = _seen or hit
        if hit and when == "after" and text == b"COMMIT":
            self._waiting, text = message[:-2], message[-2]  # all but the COMMIT
        real(self, cursor, text)
        if (hit and when == "after") or (when == "commit" and _seen and text == b"COMMIT"):
            die()

    return send


def _plain(statement: bytes) -> bytes:
    """What a prepared statement does, at its preparation."""
    return statement.partition(b" AS ")[2] if statement.startswith(b"PREPARE ") else statement


def main() -> None:
    service, point = sys.argv[1], sys.argv[2]
    when, _, step = point.partition(":")
    if step in ("create_order", "cancel_order"):
        real = getattr(KalshiClient, step)

        def dying(self: KalshiClient, *what: Any) -> Any:
            if when == "before":
                die()
            answer = real(self, *what)
            die()
            return answer

        setattr(KalshiClient, step, dying)
    else:
        Database._send = patched(when, step)  # type: ignore[method-assign]
    sys.argv = ["recio.services", service]
    runpy.run_module("recio.services", run_name="__main__")


main()
