"""verify: the health gate. A deploy is green only when every service proved its function."""

from __future__ import annotations

import sys
import time
from typing import Annotated

import typer

from recio.cli.host import print_status
from recio.contract import load
from recio.contract.settings import load_settings
from recio.monitoring.gate import ENDS, WITHIN_S, Gate
from recio.monitoring.status import collect

__all__ = ["verify"]


def verify(
    timeout_s: Annotated[float, typer.Option(help="How long to wait for all of them.")] = 90.0,
    hold_s: Annotated[float, typer.Option(help="All must stay healthy this long.")] = 4.0,
) -> None:
    """Wait until all services prove their function and keep doing so; exit status 1 with the reasons otherwise, and at
    once when one of them ends again and again."""
    contract, settings, gate = load(), load_settings(), Gate()
    until_s, good_since_s, shown = time.monotonic() + timeout_s, None, ""
    while True:
        found = collect(contract, settings.mode)
        now_s = time.monotonic()
        good_since_s = (good_since_s or now_s) if found.healthy else None
        if good_since_s is not None and now_s - good_since_s >= hold_s:
            break
        bad = [f"{s.name} ({s.reason})" for s in found.services if not s.healthy]
        line = f"waiting for {len(bad)}: {'; '.join(bad)}" if bad else "all proven, watching that it lasts"
        if line != shown:
            typer.echo(line, err=True)
            shown = line
        if hopeless := gate.hopeless(found, now_s):
            print_status(found, contract.memory.python_total_mb)
            why = f"{', '.join(hopeless)} ended {ENDS} times within {WITHIN_S:.0f} s and never worked: `recio logs {hopeless[0]}` says why"
            sys.exit(f"recio: {why}")
        if now_s >= until_s:
            print_status(found, contract.memory.python_total_mb)
            sys.exit(f"recio: after {timeout_s:.0f} s not every service has proven its function")
        time.sleep(1.0)
    print_status(found, contract.memory.python_total_mb)
