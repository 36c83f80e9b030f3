"""Run the simulator: one process, one port, one ready line."""

from __future__ import annotations

import asyncio
import gc
import logging
import signal
import time
from collections.abc import Callable
from pathlib import Path

from aiohttp import web

from recio.exchange.simulator.app import Simulator
from recio.exchange.simulator.auth import Authenticator
from recio.exchange.simulator.core import Exchange
from recio.exchange.simulator.faults import FaultError, Faults, read_faults
from recio.exchange.simulator.fees import FeeSchedule
from recio.exchange.simulator.journal import Journal, JournalError
from recio.exchange.simulator.limits import TIERS
from recio.exchange.simulator.notify import notify
from recio.exchange.simulator.path import PricePath

__all__ = ["CannotRunError", "run"]

log = logging.getLogger(__name__)


class CannotRunError(Exception):
    """Bad input; the text is one sentence with the cure. The command line prints it and exits with 2."""


def run(
    listen: str,
    key_id: str,
    public_key_path: Path,
    *,
    path: PricePath,
    path_label: str = "",
    seed: int = 1,
    speed: float = 1.0,
    state_dir: Path | None = None,
    short_every_s: int = 30,
    fees: FeeSchedule | None = None,
    faults_path: Path | None = None,
    clock: Callable[[], float] = time.time,
    compat: str = "sdk",
    tier: str = "basic",
    lag_ms: int = 0,
    cash_dollars: dict[int, int] | None = None,
) -> int:
    """Serve until SIGTERM or SIGINT; the exit code: 0, or 1 when it had to stop (the log says why).

    ``path`` is the BTC path; ``path_label`` names it in the journal, so that another recording is not taken for the same
    one (default: its type and span, or the seed). At ``speed`` N the path runs N times faster than the wall clock; closes and signatures
    stay on wall time. ``state_dir`` keeps orders, fills, positions, cash and results over restarts. ``compat``: 'spec'
    or 'sdk' (what answers hold beyond the specification); ``tier`` sets the token buckets, '' for none; ``lag_ms`` is how
    far private reads lag; ``cash_dollars`` is what each shard starts with;
    ``faults_path`` is a list of faults to begin with. CannotRunError for bad input.
    """
    if not 0 <= lag_ms <= 60_000:
        raise CannotRunError(f"--lag-ms takes a number from 0 to 60000, not {lag_ms}")
    host, _, port_text = listen.rpartition(":")
    if not host or not port_text.isdigit() or int(port_text) > 65_535:
        raise CannotRunError(f"--listen takes HOST:PORT, for example 127.0.0.1:8090, not {listen!r}")
    if not 0 < speed <= 10_000:
        raise CannotRunError(f"--speed takes a number above 0 and at most 10000, not {speed:g}")
    if tier and tier not in TIERS:
        raise CannotRunError(f"--tier takes one of {', '.join(TIERS)} or none, not {tier!r}")
    if not key_id:
        raise CannotRunError("--key-id is empty; give the id the clients sign with")
    faults = _faults(faults_path, clock)
    authenticator = _authenticator(key_id, public_key_path, faults, clock)
    journal = None
    try:
        if state_dir is not None:
            journal = Journal(state_dir)
        exchange = Exchange(
            path,
            path_label or f"{type(path).__name__} {path.span() or seed}",
            clock,
            seed=seed,
            speed=speed,
            short_every_s=short_every_s,
            journal=journal,
            fees=fees,
            cash_e6=None if cash_dollars is None else {index: 1_000_000 * d for index, d in cash_dollars.items()},
            compat=compat,
        )
        exchange.view.set_lag(lag_ms)
    except (JournalError, ValueError) as problem:
        raise CannotRunError(str(problem)) from problem
    gc.freeze()
    try:
        simulator = Simulator(exchange, authenticator, seed, tier, faults)
        return asyncio.run(_serve(simulator, host.strip("[]"), int(port_text), key_id))
    finally:
        if journal is not None:
            journal.close()


def _faults(path: Path | None, clock: Callable[[], float]) -> Faults:
    try:
        return Faults(*(read_faults(path) if path else ([], None)), clock=clock)
    except FaultError as problem:
        raise CannotRunError(f"--faults {problem}") from problem


def _authenticator(key_id: str, public_key: Path, faults: Faults, clock: Callable[[], float]) -> Authenticator:
    def skewed() -> float:
        """The exchange's clock, wrong when a fault says so."""
        skew = faults.clock_skew()
        return clock() + (skew.offset_s if skew else 0.0)

    try:
        return Authenticator(key_id, public_key.read_bytes(), skewed)
    except (OSError, ValueError) as problem:
        raise CannotRunError(f"cannot use the public key {public_key}: {problem}") from problem


async def _serve(simulator: Simulator, host: str, port: int, key_id: str) -> int:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, simulator.stop.set)
    runner = web.AppRunner(simulator.app, access_log=None, shutdown_timeout=0.5)
    await runner.setup()
    try:
        simulator.begin()
        site = web.TCPSite(runner, host, port)
        try:
            await site.start()
        except OSError as problem:
            raise CannotRunError(f"cannot listen on {host}:{port}: {problem.strerror}; is it in use?") from problem
        addresses = runner.addresses
        shown = addresses[0][1] if addresses else port
        print(f"recio simulator ready on http://{host}:{shown} (key ID {key_id})", flush=True)
        notify("READY=1")
        await simulator.stop.wait()
        notify("STOPPING=1")
    finally:
        simulator.end()
        await runner.cleanup()
    return 1 if simulator.broken else 0
