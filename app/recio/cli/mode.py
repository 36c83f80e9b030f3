"""mode: which mode is in force, who chose it, and what a switch to another would need. The switch itself is asked on the page."""

from __future__ import annotations

from datetime import UTC, datetime

import typer

from recio.contract.settings import load_settings
from recio.monitoring import modes
from recio.store.db import Database
from recio.trading.mode_switch import MODES, missing

__all__ = ["mode"]


def mode() -> None:
    """Which mode is in force, who chose it and when, and what keeps this desk from each of the others now."""
    from recio.hostwork.mode import facts  # late: it brings the host's work

    settings, chosen = load_settings(), modes.choice()
    present = settings.mode
    typer.echo(f"mode {present}: {MODES[present].money}")
    if chosen and chosen.mode == present:
        at = datetime.fromtimestamp(chosen.at_s, UTC)
        typer.echo(
            f"chosen on the page by {chosen.by}, {at:%Y-%m-%d %H:%M:%S} UTC; a deploy keeps it (app_mode_force takes the inventory's)"
        )
    else:
        typer.echo("as the deploy put it (app_mode of the inventory)")
    if under_way := _under_way():
        typer.echo(under_way)
    db = Database("recio mode")
    for name in MODES:
        if name == present:
            continue
        found = missing(name, facts(db, settings, present, name))
        typer.echo(f"{name}: " + ("nothing is missing; switch under Settings, Exchange and mode" if not found else ""))
        for one in found:
            typer.echo(f"  {one.detail}; {one.cure}")


def _under_way() -> str:
    try:
        found = modes.switch_under_way()
    except ValueError as wrong:
        return f"a switch is under way, but {wrong}"
    return f"a switch from {found.left} to {found.wanted} is under way (request {found.request_id})" if found else ""
