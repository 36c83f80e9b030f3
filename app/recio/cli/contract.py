"""contract: every figure of the resource contract beside what this host measures now."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import msgspec
import psycopg2
import typer

from recio.contract import load
from recio.contract.clauses import clause_of, figures
from recio.contract.settings import load_settings
from recio.monitoring.held import DatabaseFacts, Held, hold
from recio.store.db import Database
from recio.store.system import database_facts

__all__ = ["app"]

app = typer.Typer(help="The resource contract.", invoke_without_command=True)
_MARKS = {True: ("ok ", "green"), False: ("OUT", "red"), None: ("  ?", "yellow")}


@app.callback()
def report(
    context: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
    only_out: Annotated[bool, typer.Option("--out", help="Only what is out of contract or not known.")] = False,
    rules: Annotated[bool, typer.Option("--all", help="Rules and words too, which no host has a reading for.")] = False,
) -> None:
    """Every figure, what holds the host to it, and what is measured now. Exit status 1 when any is exceeded."""
    if context.invoked_subcommand is not None:
        return
    contract, settings = load(), load_settings()
    wanted = figures(contract)
    if not as_json:
        typer.echo(f"measuring {len(wanted)} figures ...", err=True)
    found = hold(contract, wanted, settings.mode, _database(settings.mode, list(contract.postgresql.settings)))
    if as_json:
        rows = {path: {"figure": wanted[path], **msgspec.to_builtins(held)} for path, held in found.items()}
        typer.echo(msgspec.json.format(msgspec.json.encode(rows)).decode())
    else:
        _print(wanted, {p: h for p, h in found.items() if rules or h.is_reading}, only_out, len(found))
    raise typer.Exit(1 if any(held.holds is False for held in found.values()) else 0)


def _database(mode: str, settings: list[str]) -> DatabaseFacts | None:
    try:
        return msgspec.convert(database_facts(Database("recio contract"), mode, settings), DatabaseFacts)
    except psycopg2.Error as failure:
        print(f"recio: the database does not answer: {' '.join(str(failure).split())}", file=sys.stderr)
        return None


def _print(wanted: dict[str, Any], found: dict[str, Held], only_out: bool, in_all: int) -> None:
    section = ""
    for path, held in found.items():
        if only_out and held.holds:
            continue
        head, _, rest = path.partition(".")
        if head != section:
            section = head
            typer.secho(f"\n{head}", bold=True)
        text, colour = _MARKS[held.holds]
        figure = ", ".join(map(str, wanted[path])) if isinstance(wanted[path], list | tuple) else str(wanted[path])
        line = f"{typer.style(text, fg=colour)} {rest or head:<48} {figure:<24.40} {held.measured}"
        if held.holds is False:
            line += f"   (held by: {clause_of(path).enforced_by})"
        typer.echo(line)
    counts = {key: sum(held.holds is key for held in found.values()) for key in _MARKS}
    rest_of = f"; {in_all - len(found)} are rules, without a reading (--all)" if len(found) < in_all else ""
    typer.echo(
        f"\n{counts[True]} hold, {counts[False]} are out of contract, {counts[None]} are not known here{rest_of}."
        f" Of {in_all} figures."
    )


@app.command("check")
def check(path: Annotated[str, typer.Argument(help="The file; default the installed one.")] = "") -> None:
    """Load and validate a contract; exit status 1 with what is wrong."""
    found = load(path or None)
    typer.echo(
        f"{len(found.services)} services, {found.memory.python_total_mb} MB for all: the contract holds together"
    )
