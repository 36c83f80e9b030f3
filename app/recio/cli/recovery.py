"""backup wal-setup and backup recover: the continuous archive made ready, and the cluster brought back from it."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from recio.cli.backup import _clear, app, refuse_while_running
from recio.contract import load

if TYPE_CHECKING:
    from recio.backup.recover import Server
    from recio.backup.wal import Wal

__all__ = ["app", "cluster_server"]


@app.command("wal-setup")
def wal_setup() -> None:
    """Make the continuous archive's configuration and repository. The last line is `changed` or `unchanged`."""
    from recio.backup.wal import Wal, setup

    with _clear():
        typer.echo("changed" if setup(Wal.of(load())) else "unchanged")


@app.command("recover")
def recover_cluster(
    to: Annotated[
        str, typer.Option(help="newest, or a moment with its zone like 2026-11-28T04:30:00+00:00.")
    ] = "newest",
    check: Annotated[bool, typer.Option("--check", help="Only check; change nothing.")] = False,
) -> None:
    """Bring the database back from base backup and WAL, to the newest or a given moment. playbooks/restore.yml does the rest too."""
    from datetime import UTC, datetime

    from recio.backup.operations import Place
    from recio.backup.recover import last_archived, parse_moment, recover
    from recio.backup.wal import Wal, info

    contract = load()
    with _clear():
        moment, wal = parse_moment(to), Wal.of(contract)
        bases = info(wal)
        oldest = min((made.stopped_s for made in bases), default=None)
        if oldest is None or (moment is not None and moment.timestamp() <= oldest):
            since = (
                f"{datetime.fromtimestamp(oldest, UTC):%Y-%m-%dT%H:%M:%S+00:00}" if oldest else "never: no base backup"
            )
            sys.exit(f"recio: the archive reaches back to {since}; choose a later moment, or restore a dump")
        typer.echo(f"good: {len(bases)} base backups, WAL up to {last_archived(wal)}")
        if check:
            return
        refuse_while_running(contract)
        with Place.of(contract).repository.locked():
            back = recover(wal, cluster_server(wal), moment, contract.database.name)
        rows = ", ".join(f"{table.partition('.')[2]} {count.rows}" for table, count in back.ledger.tables.items())
        newest = f"{back.newest:%Y-%m-%d %H:%M:%S} UTC" if back.newest else "unknown: it holds no price"
        typer.echo(
            f"recovered from {back.label} in {back.seconds} s; the ledger folds: {rows}; newest price of {newest}"
        )
        typer.echo(
            "what was ordered in the seconds that are lost the exchange knows: once the services run again, `recio account"
            " adopt` shows it and takes it into the ledger"
        )
        if back.aside:
            typer.echo(f"what was there before lies in {back.aside}: remove it when you no longer want it")


def cluster_server(wal: Wal) -> Server:
    """The host's own cluster, by its unit."""
    from recio.backup.errors import BackupError
    from recio.backup.recover import Server

    unit = f"postgresql@{wal.data.parent.name}-{wal.data.name}.service"

    def systemctl(verb: str) -> None:
        done = subprocess.run(["systemctl", verb, unit], capture_output=True, text=True, check=False)  # noqa: S603, S607
        if done.returncode:
            raise BackupError(
                f"systemctl {verb} {unit}: {' '.join(done.stderr.split())}; `journalctl -u {unit}` says why"
            )

    return Server(lambda: systemctl("stop"), lambda: systemctl("start"))
