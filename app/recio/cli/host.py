"""status, logs, restart: what runs, what it said, and starting it again in order."""

from __future__ import annotations

import subprocess
import sys
from typing import Annotated

import msgspec
import typer

from recio.cli.story import tell
from recio.contract import load
from recio.contract.settings import load_settings
from recio.monitoring.status import ServiceStatus, Status, collect
from recio.store.db import Database

__all__ = ["logs", "print_status", "restart", "status"]


def _age(age_s: float | None) -> str:
    if age_s is None:
        return "-"
    return f"{age_s:.0f} s" if age_s < 120 else f"{age_s / 60:.0f} min"


def _line(service: ServiceStatus, width: int) -> str:
    mark = typer.style("ok ", fg="green") if service.healthy else typer.style("BAD", fg="red", bold=True)
    memory = f"{service.pss_mb:6.1f}" if service.pss_mb is not None else "     -"
    cpu = f"{service.cpu_percent:5.1f}" if service.cpu_percent is not None else "    -"
    files = "-" if service.open_files is None else service.open_files
    threads = "-" if service.threads is None else service.threads
    restarts = "-" if service.restarts is None else service.restarts
    return (
        f"{mark} {service.name:<{width}} {service.tier:<8} {service.state:<10} {_age(service.age_s):>7}"
        f" {memory} {cpu} {files:>5} {threads:>3} {restarts:>3}  {service.reason}"
    ).rstrip()


def print_status(found: Status, budget_mb: int) -> None:
    """The table a person reads at 3 a.m."""
    width = max((len(s.name) for s in found.services), default=4)
    typer.echo(f"    {'service':<{width}} tier     state       worked    PSS   cpu% files thr  re  why not")
    for service in found.services:
        typer.echo(_line(service, width))
    known = [s.pss_mb for s in found.services if s.pss_mb is not None]
    well = sum(s.healthy for s in found.services)
    total = f"{sum(known):.0f} MB of {budget_mb} MB" if len(known) == len(found.services) else "not known for all"
    typer.echo(
        f"{well} of {len(found.services)} proved their function. Memory (PSS) {total}."
        f" Mode {found.mode}, release {found.version}."
    )


def status(as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False) -> None:
    """What each service has proven, and how long ago. Exit status 1 unless all are healthy."""
    contract, settings = load(), load_settings()
    found = collect(contract, settings.mode)
    if as_json:
        typer.echo(msgspec.json.encode(found).decode())
    else:
        print_status(found, contract.memory.python_total_mb)
    raise typer.Exit(0 if found.healthy else 1)


def _unit(service: str) -> str:
    names = [*load().services, "simulator"]
    if service not in names:
        sys.exit(f"recio: there is no service {service!r}; there are: all, {', '.join(names)}")
    return f"recio-{service}.service"


def logs(
    service: Annotated[str, typer.Argument(help="A service, or all.")] = "all",
    lines: Annotated[int, typer.Option("--lines", "-n", help="How many lines back.")] = 100,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on as they come.")] = False,
    since: Annotated[str, typer.Option(help="For example '1 hour ago'.")] = "",
    trade: Annotated[
        int, typer.Option(help="A trade's whole way: the ledger's events and every line that names it.")
    ] = 0,
) -> None:
    """What the services said, from the journal."""
    if trade:
        tell(Database("recio logs"), load_settings().user_id, trade)
        return
    which = ["--unit", "recio-*"] if service == "all" else ["--unit", _unit(service)]
    command = ["journalctl", "--no-pager", "--output", "short-iso", "--lines", str(lines), *which]
    command += ["--follow"] if follow else []
    command += ["--since", since] if since else []
    raise typer.Exit(subprocess.run(command, check=False).returncode)  # noqa: S603


def restart(service: Annotated[str, typer.Argument(help="A service, or all (in order).")]) -> None:
    """Restart one service, or all in their order. Says what became of it."""
    unit = "recio.target" if service == "all" else _unit(service)
    done = subprocess.run(["systemctl", "restart", unit], capture_output=True, text=True, check=False)  # noqa: S603, S607
    if done.returncode:
        sys.exit(f"recio: restart of {unit} failed: {done.stderr.strip()}; see `recio logs {service}`")
    typer.echo(f"{unit} restarted; `recio status` shows when each has proven itself again")
