"""history: minutes of BTC from Coinbase's candles, from the simulator or from a file, for the model to be built from."""

from __future__ import annotations

import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from recio.market.history import holes, minute_candles

__all__ = ["app", "bad_input", "moment"]

app = typer.Typer(no_args_is_help=True)
_CHUNK_MINUTES = 299  # one answer of the exchange: what is on record is kept when a fetch is interrupted
_PAUSE_S = 0.12  # the public limit is 10 requests a second
_SHOWN_GAPS = 10


def bad_input(why: str) -> NoReturn:
    """Bad input ends with one sentence and status 2, as for every command's unknown options."""
    typer.echo(f"recio: {why}", err=True)
    raise typer.Exit(2)


def moment(text: str, option: str) -> float:
    """Epoch seconds of a date or a time (UTC); ends the command when it is neither."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        bad_input(f"{option} {text!r} is not a time; write 2026-08-01 or 2026-08-01T12:00")
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()


def _iso(minute: int) -> str:
    return datetime.fromtimestamp(minute * 60, UTC).strftime("%Y-%m-%d %H:%M")


def _tell_gaps(gaps: list[tuple[int, int]]) -> None:
    if not gaps:
        typer.echo("no minute is missing")
        return
    missing = sum(end - first for first, end in gaps)
    typer.echo(f"{missing} minutes in {len(gaps)} gaps are not on record (no trade, or not served):")
    for first, end in gaps[:_SHOWN_GAPS]:
        typer.echo(f"  {_iso(first)} to {_iso(end)} UTC, {end - first} minutes")
    if len(gaps) > _SHOWN_GAPS:
        typer.echo(f"  and {len(gaps) - _SHOWN_GAPS} more")


def _progress(done: int, total: int, what: str) -> None:
    """One line that moves on a terminal; in a log only the end."""
    if sys.stderr.isatty():
        typer.echo(f"\r{done * 100 // total:3d} %  {what}", nl=done >= total, err=True)
    elif done >= total:
        typer.echo(f"100 %  {what}", err=True)


@app.command("fetch")
def fetch(
    since: Annotated[str, typer.Option("--from", help="First day or time, UTC; default: 30 days ago.")] = "",
    until: Annotated[str, typer.Option("--to", help="End, not included; default: now.")] = "",
    product: Annotated[str, typer.Option(help="Only BTC-USD is what the desk trades on.")] = "BTC-USD",
    url: Annotated[str, typer.Option(help="Coinbase's REST address; default: the installation's.")] = "",
) -> None:
    """Fetch one-minute candles that are not on record yet. Interrupted, the next run goes on where it ended."""
    from recio.contract.settings import load_settings
    from recio.exchange.coinbase.client import CoinbaseClient
    from recio.exchange.errors import ExchangeError
    from recio.store import market_data
    from recio.store.db import Database
    from recio.store.models import known_minutes

    if product != "BTC-USD":
        bad_input(f"--product {product!r}: the history the model is built from is BTC-USD's")
    now_s = time.time()
    end = int(min(moment(until, "--to") if until else now_s, now_s)) // 60
    first = int(moment(since, "--from") if since else now_s - 30 * 86_400) // 60
    if first >= end:
        bad_input(f"there is nothing from {_iso(first)} to {_iso(end)}: --from lies before --to, and both before now")
    db = Database("history")
    client = CoinbaseClient(url or load_settings().coinbase.rest_url)
    wanted = holes(known_minutes(db, first * 60, end * 60), first, end)
    total, got, asked = sum(stop - start for start, stop in wanted), 0, 0
    typer.echo(f"{end - first} minutes from {_iso(first)} to {_iso(end)} UTC, {end - first - total} of them on record")
    try:
        for start, stop in wanted:
            for at in range(start, stop, _CHUNK_MINUTES):
                until_minute = min(stop, at + _CHUNK_MINUTES)
                candles = client.candles(at * 60, until_minute * 60, product_id=product)
                rows = [(float(c.start_s), c.open_e2, c.high_e2, c.low_e2, c.close_e2, 0) for c in candles]
                market_data.save_candles(db, rows)
                got, asked = got + len(rows), asked + until_minute - at
                _progress(asked, total, f"{_iso(until_minute)}  {got} candles")
                time.sleep(_PAUSE_S)
    except ExchangeError as failure:
        typer.echo(f"recio: stopped after {got} candles: {failure}; run it again, it goes on there", err=True)
        raise typer.Exit(1) from None
    finally:
        client.close()
    typer.echo(f"{got} candles fetched")
    _tell_gaps(holes(known_minutes(db, first * 60, end * 60), first, end))


@app.command("load")
def load(file: Annotated[Path, typer.Argument(help="One-minute candles or ticks (CSV).")]) -> None:
    """Load minutes from a file; those on record stay as they are."""
    from recio.market.candles import CandleError, read_prices
    from recio.store import market_data
    from recio.store.db import Database
    from recio.store.models import known_minutes

    try:
        with file.open(encoding="utf-8") as lines:
            recording = read_prices(lines, str(file), max_gap_minutes=10_000_000)
    except (CandleError, OSError) as error:
        bad_input(f"{error}")
    rows = [(*row, 0) for row in minute_candles(recording)]
    if not rows:
        bad_input(f"{file} holds no whole minute of ticks")
    db = Database("history")
    first, end = int(rows[0][0]) // 60, int(rows[-1][0]) // 60 + 1
    before = len(known_minutes(db, first * 60, end * 60))
    for at in range(0, len(rows), 5_000):
        market_data.save_candles(db, rows[at : at + 5_000])
        _progress(min(at + 5_000, len(rows)), len(rows), "of the file")
    known = known_minutes(db, first * 60, end * 60)
    typer.echo(f"{len(rows)} minutes from {_iso(first)} to {_iso(end)} UTC, {len(known) - before} of them new")
    _tell_gaps(holes(known, first, end))


@app.command("status")
def status() -> None:
    """What is on record, and where it has holes."""
    from recio.store.db import Database
    from recio.store.models import known_minutes

    known = known_minutes(Database("history"), 0, time.time())
    if not known:
        typer.echo("no history yet; `recio history fetch`")
        return
    first, end = min(known), max(known) + 1
    typer.echo(f"{len(known)} minutes from {_iso(first)} to {_iso(end)} UTC")
    _tell_gaps(holes(known, first, end))
