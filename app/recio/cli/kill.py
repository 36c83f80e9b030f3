"""kill: the kill switch from the shell. It stops entries at once and never keeps anyone from getting out."""

from __future__ import annotations

import getpass
import os
import sys
from typing import Annotated

import typer
from psycopg2.extras import Json

from recio.monitoring.kill_file import kill_file_reason
from recio.services.kill_switch import kill_reason
from recio.store.db import Database
from recio.store.system import setting
from recio.trading.settings import KillSwitch, to_dict

__all__ = ["kill"]

kill = typer.Typer(no_args_is_help=True)
_USER = "0001"


def _switch(on: bool, why: str) -> None:
    """Store the switch, tell the services, keep who did it: one transaction."""
    db = Database("recio kill")
    who = f"operator {os.environ.get('SUDO_USER') or getpass.getuser()}"
    value = to_dict(KillSwitch(on=on, why=why))
    with db.transaction():
        db.run(
            "INSERT INTO users.settings (user_id, name, value, changed_by) VALUES (%s, 'kill_switch', %s, %s)"
            " ON CONFLICT (user_id, name) DO UPDATE SET value = excluded.value, changed_by = excluded.changed_by,"
            " version = settings.version + 1, changed_at = now()",
            (_USER, Json(value), who),
        )
        db.run(
            "INSERT INTO users.audit_log (actor, action, detail) VALUES (%s, 'set kill_switch', %s)", (who, Json(value))
        )
        db.notify("setting", "kill_switch")


@kill.command("on")
def kill_on(why: Annotated[str, typer.Option("--why", help="The reason; every refusal repeats it.")]) -> None:
    """Stop entries now: at the intent, in the executor, and on the exchange by its order group."""
    if not why.strip():
        sys.exit("recio: say why with --why; every refusal will repeat it")
    _switch(True, why.strip()[:200])
    typer.echo("kill switch on: no entry is sent; open trades stay protected and can be closed")


@kill.command("off")
def kill_off(why: Annotated[str, typer.Option("--why", help="Why it is safe again; goes into the audit log.")]) -> None:
    """Arm again, on the exchange too."""
    if not why.strip():
        sys.exit("recio: say with --why what makes it safe again; it goes into the audit log")
    _switch(False, why.strip()[:200])
    by_file = kill_file_reason()
    if by_file is not None:
        sys.exit(f"recio: the setting is off, but entries stay stopped: {by_file}; remove the file to arm again")
    typer.echo("kill switch off: entries are possible again, under all limits")


@kill.command("status")
def kill_status() -> None:
    """Whether entries are stopped, by what, and what the exchange's order group does. Exit status 1 when stopped."""
    db = Database("recio kill")
    why = kill_reason(db, _USER)
    typer.echo("off" if why is None else f"on: {why}")
    stored = setting(db, _USER, "kill_switch")
    if why is not None and stored and stored.get("on") and kill_file_reason():
        typer.echo("(by file and by setting: both have to go)")
    group = db.one("SELECT order_group_id, state, why FROM users.order_groups ORDER BY group_number DESC LIMIT 1")
    if group is not None:
        typer.echo(
            f"order group {group['order_group_id']}: {group['state']}{' (' + group['why'] + ')' if group['why'] else ''}"
        )
    raise typer.Exit(0 if why is None else 1)
