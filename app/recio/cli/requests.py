"""requests: what the page asked of root. The first word is systemd's, started by recio-requests.path; the second is cron's."""

from __future__ import annotations

import os
import sys

import msgspec
import typer

from recio.contract import load
from recio.store.db import Database

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True)


@app.command("run")
def run() -> None:
    """Do what the page asked for, one request after the other; says every outcome. Root's."""
    from recio.hostwork.worker import run_requests  # late: it brings the backup's modules

    if os.geteuid() != 0:
        sys.exit("recio: requests are done by root (systemctl start recio-requests.service)")
    run_requests(Database("recio requests"), load())


@app.command("list")
def list_requests() -> None:
    """The newest requests and what became of them."""
    from recio.store.requests import newest

    for row in newest(Database("recio requests"), 20):
        said = row["result"] or row["progress"]
        typer.echo(
            f"{row['request_id']:>5} {row['asked_at']:%Y-%m-%d %H:%M:%S} {row['kind']:<16} {row['state']:<8} {row['asked_by']}  {said}"
        )


@app.command("measure")
def measure() -> None:
    """Read every figure of the contract the traffic by source and the updates that wait; cron does it every ten minutes."""
    from recio.contract.clauses import figures
    from recio.contract.settings import load_settings
    from recio.monitoring import traffic, updates
    from recio.monitoring.held import DatabaseFacts, hold
    from recio.store.system import database_facts, readings, save_readings

    contract, settings, db = load(), load_settings(), Database("recio measure")
    wanted = figures(contract)
    facts = msgspec.convert(database_facts(db, settings.mode, list(contract.postgresql.settings)), DatabaseFacts)
    found = {path: held for path, held in hold(contract, wanted, settings.mode, facts).items() if held.is_reading}
    before, counted = readings(db), traffic.count()
    rates = traffic.rates(before["counters"] if before else {}, counted, before["age_s"] if before else 0.0)
    rows = {
        path: {"figure": wanted[path], "measured": held.measured, "holds": held.holds} for path, held in found.items()
    }
    updates.keep(updates.look(updates.read_updates()))
    save_readings(db, msgspec.to_builtins(rows), rates, counted)
    out = sum(held.holds is False for held in found.values())
    typer.echo(f"{len(found)} figures read, {out} out of contract")
