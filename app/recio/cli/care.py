"""db slow, explain, vacuum, reindex: an operator's look at the database and the work by hand, beside a desk that trades."""

from __future__ import annotations

import json
import os
import sys
import time
from typing import Annotated

import typer

from recio.contract import load
from recio.store import care
from recio.store.db import Database
from recio.store.system import slow_statements

__all__ = ["add_to"]

_WHOLE = 100_000  # characters: no statement of ours is longer
_SUPERUSER = "dbname={name} host=/var/run/postgresql user=postgres"


def _connected(name: str) -> Database:
    """As the database's superuser, which the database lets root in as (pg_ident.conf)."""
    if os.geteuid() != 0:
        sys.exit("recio: only root may look into the database like this: sudo recio db …")
    return Database("recio db", _SUPERUSER.format(name=name))


def slow(
    most: Annotated[int, typer.Option("--most", min=1, max=100, help="How many.")] = 10,
    as_json: Annotated[bool, typer.Option("--json", help="For programs, with the whole statement.")] = False,
) -> None:
    """The statements that took the most time, with the number by which `recio db explain` knows them."""
    rows = slow_statements(_connected("postgres"), load().database.name, most, _WHOLE)
    if rows is None:
        sys.exit(
            "recio: this server counts no statements (pg_stat_statements is not there): deploy again, which brings it"
        )
    if as_json:
        typer.echo(json.dumps(rows))
        return
    typer.echo(f"{'calls':>9} {'mean ms':>9} {'max ms':>9} {'total s':>8}  number, role, statement")
    for row in rows:
        figures = f"{row['calls']:>9} {row['mean_ms']:>9.2f} {row['max_ms']:>9.1f} {row['total_ms'] / 1000:>8.1f}"
        typer.echo(f"{figures}  {row['query_id']} {row['role']}")
        typer.echo(f"{'':>39} {row['query'][:200]}")


def explain(query_id: Annotated[str, typer.Argument(help="Its number, as `recio db slow` lists it.")]) -> None:
    """How PostgreSQL would find what a statement asks for. The statement itself is not run."""
    name = load().database.name
    try:
        lines = care.explain(_connected("postgres"), _connected(name), query_id)
    except care.CareError as wrong:
        sys.exit(f"recio: {wrong}")
    typer.echo("\n".join(lines))


def vacuum(table: Annotated[str, typer.Argument(help="schema.table; all of them without.")] = "") -> None:
    """Give dead rows' room back and count anew. Autovacuum does it by itself; this is for the impatient. Nobody waits for it."""
    began_s = time.monotonic()
    try:
        care.vacuum(_connected(load().database.name), table or None)
    except care.CareError as wrong:
        sys.exit(f"recio: {wrong}")
    typer.echo(f"{table or 'all tables'} vacuumed and analyzed in {time.monotonic() - began_s:.1f} s")


def reindex(table: Annotated[str, typer.Argument(help="schema.table, as users.trades_0001.")]) -> None:
    """Build a table's indexes anew, concurrently: whoever writes to it meanwhile goes on."""
    began_s = time.monotonic()
    try:
        given_back_mb = care.reindex(_connected(load().database.name), table)
    except care.CareError as wrong:
        sys.exit(f"recio: {wrong}")
    typer.echo(
        f"the indexes of {table} are new, {given_back_mb:+.1f} MB given back, in {time.monotonic() - began_s:.1f} s"
    )


def add_to(app: typer.Typer) -> None:
    """Register the four."""
    for command in (slow, explain, vacuum, reindex):
        app.command(command.__name__)(command)
