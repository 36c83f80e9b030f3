"""simulator: the local exchange, on the appliance and stand-alone."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Annotated, NoReturn

import typer

__all__ = ["simulator"]


def _bad_input(why: str) -> NoReturn:
    """Bad input ends with status 2, as for every command's unknown options."""
    typer.echo(f"recio: {why}", err=True)
    raise typer.Exit(2)


def simulator(
    key_id: Annotated[str, typer.Option(help="The key id clients must name.")],
    public_key: Annotated[Path, typer.Option(help="PEM of the public key their signatures must fit.")],
    listen: Annotated[str, typer.Option(help="HOST:PORT for REST, WebSocket and Coinbase.")] = "127.0.0.1:8090",
    prices: Annotated[Path | None, typer.Option(help="One-minute candles or ticks (CSV) to replay.")] = None,
    seed: Annotated[int, typer.Option(help="Of the generated path and of makers and takers.")] = 1,
    speed: Annotated[float, typer.Option(help="How many times faster the price path runs.")] = 1.0,
    state: Annotated[Path | None, typer.Option(help="Folder of the journal; without one, memory only.")] = None,
    compat: Annotated[str, typer.Option(help="sdk, or spec: without fields the specification deprecates.")] = "sdk",
    tier: Annotated[str, typer.Option(help="Of the rate limits: basic, advanced, expert, … or none.")] = "basic",
    lag_ms: Annotated[int, typer.Option(help="How many milliseconds private reads lag.")] = 0,
    faults: Annotated[Path | None, typer.Option(help="What to do wrong (YAML, JSON); also PUT /admin/faults.")] = None,
    fund: Annotated[
        list[str] | None, typer.Option(help="SHARD=DOLLARS at the very start; crypto trades on 2. Repeatable.")
    ] = None,
) -> None:
    """Serve a Kalshi- and Coinbase-shaped exchange with verified signatures; BTC generated or recorded."""
    from recio.exchange.simulator.command import CannotRunError, run
    from recio.exchange.simulator.path import PricePath
    from recio.market.candles import CandleError, read_prices
    from recio.market.generator import GeneratedPath

    if not public_key.is_file():
        _bad_input(f"no public key at {public_key}; make a pair with `recio keys ensure --dir FOLDER`")
    path: PricePath = GeneratedPath(seed)
    label = f"generated, seed {seed}"
    if prices is not None:
        try:
            text = prices.read_text()
            path = read_prices(text.splitlines(), str(prices), seed=seed)
        except (CandleError, OSError, UnicodeDecodeError) as error:
            _bad_input(f"--prices {prices}: {error}")
        label = f"recorded, sha256 {hashlib.sha256(text.encode()).hexdigest()[:16]}"
    try:
        cash = {int(shard): int(dollars) for shard, _, dollars in (text.partition("=") for text in fund or ())}
    except ValueError:
        _bad_input(f"--fund takes SHARD=DOLLARS, for example 0=10000, not {' '.join(fund or ())!r}")
    try:
        status = run(
            listen, key_id, public_key, path=path, path_label=label, seed=seed, speed=speed, state_dir=state,
            compat=compat, tier="" if tier == "none" else tier, lag_ms=lag_ms, cash_dollars=cash or None,
            faults_path=faults,
        )  # fmt: skip
    except CannotRunError as error:
        _bad_input(str(error))
    raise typer.Exit(status)
