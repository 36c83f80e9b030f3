"""monitor: strategies side by side from the command line: list, enable, disable, set."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Annotated, Any

import msgspec
import typer

from recio.contract.settings import load_settings
from recio.store import rules
from recio.store import web_queries as queries
from recio.store.db import Database
from recio.store.web_sessions import settings as stored_settings
from recio.trading.monitor import edited
from recio.trading.settings import SettingError
from recio.web.monitors import shown
from recio.web.switches import complete

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True)
AsJson = Annotated[bool, typer.Option("--json", help="For programs.")]
MonitorId = Annotated[str, typer.Argument(help="The monitor's name, for example hourly.")]


@app.command("list")
def list_monitors(as_json: AsJson = False) -> None:
    """Every monitor: what it runs, whether it is on, and why it waits."""
    db, user_id = Database("recio cli"), load_settings().user_id
    switches = complete(stored_settings(db, user_id))
    found = shown(db, user_id, switches)
    if as_json:
        typer.echo(msgspec.json.encode(found).decode())
        return
    master = "on" if switches["auto_entry"]["value"]["enabled"] else "off"
    typer.echo(f"auto entry, the switch for all: {master}")
    for row in found:
        state = "cannot run" if row["broken"] else "on" if row["enabled"] else "off"
        typer.echo(
            f"{row['monitor_id']:<12} {state:<4} {row['strategy']} on {row['series_ticker']}, version {row['version']}"
        )
        typer.echo(f"             {row['broken'] or row['why']}")
    waiting = queries.entry_status(db)
    for entry in waiting[:20]:
        typer.echo(f"  {entry['monitor_id']:<12} {entry['market_ticker']:<40} {entry['action']}: {entry['why']}")


@app.command("enable")
def enable(monitor_id: MonitorId) -> None:
    """Let a monitor enter (as long as auto entry, the switch for all, is on too)."""
    _change(monitor_id, enabled=True)


@app.command("disable")
def disable(monitor_id: MonitorId) -> None:
    """Stop a monitor's entries; its trades stay protected."""
    _change(monitor_id, enabled=False)


@app.command("set")
def set_(
    monitor_id: MonitorId,
    pairs: Annotated[list[str], typer.Argument(metavar="KEY=VALUE...", help="Stored units; stop.KEY for the stop's.")],
) -> None:
    """Change settings, or make a monitor: recio monitor set mine strategy=hourly_hold series_ticker=KXBTCD."""
    columns: dict[str, Any] = {}
    settings: dict[str, Any] = {}
    for pair in pairs:
        key, equals, text = pair.partition("=")
        if not equals:
            sys.exit(f"recio: {pair!r} is no KEY=VALUE; for example cooldown_s=120")
        (columns if key in ("strategy", "series_ticker") else settings)[key] = _value(key, text)
    _change(monitor_id, settings=settings, **columns)


def _value(key: str, text: str) -> Any:
    """A value as JSON writes it; words that are no JSON are text."""
    if key in ("strategy", "series_ticker"):
        return text
    try:
        return msgspec.json.decode(text.encode())
    except msgspec.DecodeError:
        return text


def _change(monitor_id: str, **changes: Any) -> None:
    db, desk = Database("recio cli"), load_settings()
    before = rules.monitor_row(db, desk.user_id, monitor_id)
    try:
        after = edited(before, monitor_id, desk.series, **changes)
    except SettingError as wrong:
        sys.exit(f"recio: {wrong}")
    if before is not None and all(before[name] == value for name, value in after.items()):
        typer.echo("unchanged")
        return
    with db.transaction():
        for sql, params in rules.monitor_statements(desk.user_id, after, "operator", "set"):
            db.run(sql, params)
    typer.echo(_said(before, after))


def _said(before: Mapping[str, Any] | None, after: Mapping[str, Any]) -> str:
    state = "on" if after["enabled"] else "off"
    what = "changed" if before else "made"
    return f"{what}: {after['monitor_id']} runs {after['strategy']} on {after['series_ticker']}, {state}"
