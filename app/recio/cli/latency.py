"""latency: where the milliseconds go between a tick and an order's bytes on the wire."""

from __future__ import annotations

from typing import Annotated

import msgspec
import typer

from recio.services.spans import Leg, legs
from recio.store.db import Database
from recio.store.spans import traces

__all__ = ["latency"]

_MEANS = {
    "price": "tick in, until the price's row is written",
    "table": "coordinator: the event's strike table",
    "entry": "auto entry: rules, ticket committed",
    "decide": "manager: risk, trade and intent committed",
    "claim": "executor: the claim committed",
    "send": "executor: risk again, signature, bytes out",
    "answer": "the exchange's answer, on record",
    "tick to wire": "the whole way",
    "ticket to wire": "from the manager's awakening",
}


def _print(found: list[Leg], minutes: int) -> None:
    if not found:
        typer.echo(
            f"No order was sent in the last {minutes} minutes; `recio latency --minutes 1440` looks further back."
        )
        return
    typer.echo(f"{'leg':<16}{'orders':>8}{'p50 ms':>10}{'p99 ms':>10}{'most ms':>10}  what")
    for leg in found:
        what = _MEANS.get(leg.name, "commit, notification, scheduler")
        typer.echo(f"{leg.name:<16}{leg.count:>8}{leg.p50_ms:>10.2f}{leg.p99_ms:>10.2f}{leg.most_ms:>10.2f}  {what}")


def latency(
    minutes: Annotated[int, typer.Option("--minutes", "-m", min=1, max=1440, help="How far back.")] = 60,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """What each hop took from the tick to the order's bytes on the wire, over the last orders."""
    db = Database("recio latency")
    try:
        found = legs(traces(db, minutes))
    finally:
        db.close()
    if as_json:
        typer.echo(msgspec.json.encode({"minutes": minutes, "legs": found}).decode())
    else:
        _print(found, minutes)
