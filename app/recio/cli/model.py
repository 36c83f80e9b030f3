"""model: build the probability model from history, list its versions, choose one. Cron builds one every night."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Annotated

import msgspec
import typer

from recio.cli.history import bad_input, moment

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True)
_DAYS = 60


def _iso(at_s: float) -> str:
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%d %H:%M")


@app.command("build")
def build(
    since: Annotated[str, typer.Option("--from", help=f"First day or time, UTC; default: {_DAYS} days ago.")] = "",
    until: Annotated[str, typer.Option("--to", help="End, not included; default: now.")] = "",
    activate: Annotated[bool, typer.Option(help="Use it from now on.")] = True,
) -> None:
    """Build a version from the history on record. Decisions are scored only outside of the range it was built from."""
    from recio.contract.settings import load_settings
    from recio.market.model import ModelError
    from recio.market.training import build as train
    from recio.market.training import measured_basis_bp
    from recio.store import models
    from recio.store.db import Database

    now_s = time.time()
    to_s = min(moment(until, "--to"), now_s) if until else now_s
    from_s = moment(since, "--from") if since else to_s - _DAYS * 86_400
    if from_s >= to_s:
        bad_input(f"there is nothing from {_iso(from_s)} to {_iso(to_s)}: --from lies before --to, and both before now")
    db = Database("model")
    version = "emp-" + datetime.fromtimestamp(now_s, UTC).strftime("%Y%m%dT%H%M%S")
    began_s = time.monotonic()
    candles = models.candles(db, from_s, to_s)
    pairs = models.basis_pairs(db, load_settings().mode)
    basis = measured_basis_bp(pairs)
    try:
        made = train(candles, version, basis_bp=basis)
    except ModelError as refused:
        bad_input(f"from {_iso(from_s)} to {_iso(to_s)} UTC: {refused}")
    models.save_model(
        db,
        {
            "version": version,
            "train_from_s": made.train_from_s,
            "train_to_s": made.train_to_s,
            "minutes": len(candles),
            "samples": made.samples,
            "basis_bp": made.basis_bp,
            "basis_pairs": len(pairs) if basis is not None else 0,
            "source": f"historical_data.btc_candles_1m, {len(candles)} minutes",
            "content": made.to_bytes().decode(),
        },
        activate=activate,
    )
    said = f"measured on {len(pairs)} settlements" if basis is not None else f"assumed, {len(pairs)} settlements seen"
    typer.echo(
        f"{version}: {len(candles)} minutes from {_iso(made.train_from_s)} to {_iso(made.train_to_s)} UTC, {made.samples}"
        f" samples, basis {made.basis_bp:.2f} bp ({said}), {len(made.to_bytes()) / 1024:.0f} kB,"
        f" {time.monotonic() - began_s:.1f} s{', in use' if activate else ''}"
    )


@app.command("list")
def list_versions(as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False) -> None:
    """Every version, newest first, with the history it was built from."""
    from recio.store import models
    from recio.store.db import Database

    rows = models.list_models(Database("model"))
    if as_json:
        typer.echo(msgspec.json.encode(rows).decode())
        return
    if not any(row["active"] for row in rows):
        typer.echo("in use: normal-1, the closed form")
    for row in rows:
        basis = f"basis {row['basis_bp']:.2f} bp {'measured' if row['basis_pairs'] else 'assumed'}"
        mark = "in use" if row["active"] else ""
        typer.echo(
            f"{row['version']:<22} {row['train_from']:%Y-%m-%d %H:%M} to {row['train_to']:%Y-%m-%d %H:%M}"
            f" {row['minutes']:>7} min  {basis}  {mark}"
        )


@app.command("use")
def use(version: Annotated[str, typer.Argument(help="A version of `recio model list`, or normal-1.")]) -> None:
    """Use another version from now on; normal-1 is the closed form."""
    from recio.store import models
    from recio.store.db import Database

    if not models.use_model(Database("model"), None if version == "normal-1" else version):
        bad_input(f"there is no model {version!r} with its tables; `recio model list` shows what there is")
    typer.echo(f"in use: {version}")
