"""The command's entry point: subcommands, and errors as one clear sentence instead of a traceback."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import psycopg2
import typer

from recio import release
from recio.cli import (
    account,
    admin,
    audit,
    calibrate,
    canary,
    care,
    contract,
    doctor,
    gate,
    history,
    host,
    kill,
    latency,
    mode,
    model,
    monitor,
    requests,
    research,
    restoring,
    simulator,
    trade,
)
from recio.contract import ContractError
from recio.contract.settings import SettingsError
from recio.store.db import DEFAULT_DSN
from recio.store.rights import OPERATOR

__all__ = ["app", "main"]

app = typer.Typer(
    help="The trading appliance's operator command.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(restoring.app, name="backup", help="Make, list, verify and restore backups; recover to any moment.")
app.command("status")(host.status)
app.command("logs")(host.logs)
app.command("restart")(host.restart)
app.command("mode")(mode.mode)
app.command("doctor")(doctor.doctor)
app.command("verify")(gate.verify)
app.command("latency")(latency.latency)
app.command("canary")(canary.canary)
app.command("replay")(research.replay)
app.command("backtest")(research.backtest)
app.command("calibrate")(calibrate.calibrate)
app.command("simulator")(simulator.simulator)
app.add_typer(trade.app, name="trade", help="Look at markets; buy, list, show and close trades.")
app.add_typer(monitor.app, name="monitor", help="Strategies side by side: list, enable, disable, set.")
app.add_typer(history.app, name="history", help="Minutes of BTC: fetch, load, see what is missing.")
app.add_typer(model.app, name="model", help="The probability model: build, list, choose a version.")
app.add_typer(kill.kill, name="kill", help="The kill switch: on, off, status.")
app.add_typer(account.account, name="account", help="The account's balance against the ledger.")
app.add_typer(
    audit.app, name="audit", help="Privileged files against their record: what differs, accept what is there."
)
app.add_typer(requests.app, name="requests", help="What the page asked of root, and what became of it.")
app.add_typer(research.app, name="research", help="Runs that the page asked for: the worker, and the list.")
app.add_typer(
    admin.database,
    name="db",
    help="The database: what is slow and why, clean up; roles and migrations (deploy runs these).",
)
care.add_to(admin.database)
app.add_typer(admin.user, name="user", help="The desk's login.")
app.add_typer(admin.keys, name="keys", help="Keys of the simulated exchange.")
app.add_typer(contract.app, name="contract", help="The resource contract: every figure beside what is measured now.")


@app.command("version")
def version(short: Annotated[bool, typer.Option("--short", help="Only the number.")] = False) -> None:
    """Say which release this is."""
    typer.echo(release() if short else f"recio {release()} on Python {sys.version.split()[0]}")


def main() -> None:
    """Run the command; known failures end with a sentence and status 1."""
    if os.geteuid() == 0:  # root is the operator; the database knows root by that name only (pg_ident.conf)
        os.environ.setdefault("RECIO_DSN", f"{DEFAULT_DSN} user={OPERATOR}")
    try:
        app()
    except (ContractError, SettingsError) as error:
        sys.exit(f"recio: {error}")
    except psycopg2.OperationalError as error:
        why = " ".join(str(error).split())
        sys.exit(f"recio: the database does not answer ({why}); try `systemctl status postgresql`, `recio doctor`")
