"""A trade's whole way in one list: the ledger's events and every service's journal lines that name it, in time's order."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import typer

from recio.store.db import Database
from recio.store.ledger import events_of_trade, orders_of_trade, trade_by_id

__all__ = ["Line", "journal_of", "merged", "names_it", "tell"]

Line = tuple[datetime, str, str]  # when (UTC), who, what
_BEFORE, _AFTER = timedelta(minutes=1), timedelta(minutes=10)


def names_it(trade_id: int, ticket_id: int, orders: Iterable[Mapping[str, Any]]) -> re.Pattern[str]:
    """What a journal line must hold to be about this trade: our log's fields, or an order's id on the wire."""
    numbers = [rf"\btrade_id={trade_id}\b", rf"\bticket_id={ticket_id}\b", rf"\btrade {trade_id}\b"]
    for order in orders:
        numbers.append(rf"\border_id={order['order_id']}\b")
        numbers += [re.escape(str(order[key])) for key in ("client_order_id", "exchange_order_id") if order[key]]
    return re.compile("|".join(numbers))


def journal_of(lines: Iterable[str], wanted: re.Pattern[str]) -> list[Line]:
    """The journal's JSON lines that name the trade. A line that is no JSON or no text is not about a trade."""
    found = []
    for line in lines:
        try:
            entry = json.loads(line)
        except ValueError:
            continue
        message = entry.get("MESSAGE")
        if isinstance(message, str) and wanted.search(message):
            at = datetime.fromtimestamp(int(entry["__REALTIME_TIMESTAMP"]) / 1e6, UTC)
            who = str(entry.get("_SYSTEMD_UNIT", "?")).removeprefix("recio-").removesuffix(".service")
            found.append((at, who, message))
    return found


def merged(events: Iterable[Mapping[str, Any]], journal: Iterable[Line]) -> list[Line]:
    """Both in time's order; the ledger's line first where both have the same microsecond."""
    ledger = [
        (event["at"], "ledger", " ".join([event["kind"], *(f"{k}={v}" for k, v in event["detail"].items() if v not in ("", None))]))
        for event in events
    ]  # fmt: skip
    return sorted([*ledger, *journal], key=lambda line: line[0])


def tell(db: Database, user_id: str, trade_id: int) -> None:
    """Print it; exits with one sentence when there is no such trade."""
    trade = trade_by_id(db, user_id, trade_id)
    if trade is None:
        sys.exit(f"recio: there is no trade {trade_id}; `recio trade list` shows them")
    since = trade["created_at"] - _BEFORE
    until = (trade["closed_at"] or datetime.now(UTC)) + _AFTER
    stamp = "%Y-%m-%d %H:%M:%S UTC"
    command = ["journalctl", "--unit", "recio-*", "--output", "json", "--no-pager"]
    command += ["--since", since.strftime(stamp), "--until", until.strftime(stamp)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        typer.echo(f"recio: the journal does not answer, only the ledger does: {done.stderr.strip()}", err=True)
    wanted = names_it(trade_id, trade["ticket_id"], orders_of_trade(db, user_id, trade_id))
    before: datetime | None = None
    for at, who, what in merged(events_of_trade(db, user_id, trade_id), journal_of(done.stdout.splitlines(), wanted)):
        step = "" if before is None else f"+{(at - before).total_seconds():.3f} s"
        typer.echo(f"{at:%H:%M:%S.%f}  {step:>11}  {who:<26} {what}")
        before = at
