"""`recio requests run`: takes what waits, one by one, under a lock; refuses what it does not know; tells every outcome."""

from __future__ import annotations

import sys
import time

from recio.contract import Contract
from recio.hostwork import exchange_key, mode
from recio.hostwork.audit.record import Audit
from recio.hostwork.job import Job, WorkFailed
from recio.hostwork.registry import HANDLERS, WRITES
from recio.monitoring.exchange_keys import sweep_secrets
from recio.monitoring.requests import MAX_AGE_S, BadRequest, parse
from recio.store import requests
from recio.store.db import Database

__all__ = ["run_requests"]


def run_requests(db: Database, contract: Contract) -> int:
    """Do everything that waits; gives how many. Another worker at it: 0, and that one finds ours too."""
    if not requests.try_lock(db):
        return 0
    if said := mode.mend(db, contract):
        print(f"the worker before this one did not come to an end: {said}", flush=True)
        _take_over("mode")
    for of in exchange_key.mend():
        print(
            f"the worker before this one did not come to an end: the former key of mode {of} is in force again",
            flush=True,
        )
        _take_over("set_exchange_key")
    done = 0
    while True:
        requests.expire(db, MAX_AGE_S)
        sweep_secrets(MAX_AGE_S, time.time())  # what nobody took is of no use any more
        row = requests.take(db)
        if row is None:
            return done
        done += 1
        ok, result = _do(db, contract, row)
        _take_over(row["kind"])  # also of work that failed half way
        print(
            f"request {row['request_id']} {row['kind']} of {row['asked_by']}: {'done' if ok else 'FAILED'}: {result}",
            flush=True,
        )
        requests.finish(db, row, ok, result)


def _take_over(kind: str) -> None:
    """What this kind of work changed is right from now on."""
    if patterns := WRITES.get(kind):
        try:
            Audit().take_over(patterns, "the page's requests")
        except OSError as failure:  # the next night's look names the files
            print(f"the record of privileged files was not brought up to date: {failure}", file=sys.stderr, flush=True)


def _do(db: Database, contract: Contract, row: requests.Row) -> tuple[bool, str]:
    def say(text: str) -> None:
        print(f"request {row['request_id']}: {text}", flush=True)
        requests.progress(db, row["request_id"], text)

    try:
        args = parse(row["kind"], row["args"])  # as if the page had checked nothing
        return True, HANDLERS[row["kind"]](Job(row["request_id"], args, contract, db, say))
    except (BadRequest, WorkFailed) as refused:
        return False, str(refused)
    except Exception as failure:
        print(f"request {row['request_id']}: {failure!r}", file=sys.stderr, flush=True)
        what = " ".join(str(failure).split())[:400] or type(failure).__name__
        return False, f"broke off: {what}; the host's log has more (journalctl -u recio-requests)"
