#!/usr/bin/env python3
"""Measures the model and research on this machine: building, looking up, a month's backtest by the second, calibration."""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(PROJECT / "app"), str(PROJECT / "scripts")]

from recio.market.calibration import calibrate  # noqa: E402
from recio.market.candles import Recording, read_prices  # noqa: E402
from recio.market.generator import GeneratedPath  # noqa: E402
from recio.market.history import minute_candles  # noqa: E402
from recio.market.model import TableModel, load  # noqa: E402
from recio.market.training import build  # noqa: E402
from recio.research.desk import VirtualDesk  # noqa: E402
from recio.research.recorded import forecasts, model_of_file  # noqa: E402
from recio.research.report import make_report, write_report  # noqa: E402
from recio.research.run import backtest_path  # noqa: E402
from recio.research.tape import tape_of  # noqa: E402
from recio.trading.monitor import Monitor, changed, settings_of  # noqa: E402
from recio.trading.settings import RiskLimits  # noqa: E402

Row = tuple[str, str, str, str]
MONTH_MIN, LOOKUPS = 30_000, 20_000
RECORDINGS = Path(os.environ.get("RECIO_RECORDINGS", PROJECT.parent / "shared" / "data"))
BUSY = {"model_weight": 1.0, "min_probability_percent": 60.0, "base_count_e2": 1000, "cooldown_s": 0.0}


def timed(call: Callable[[], Any]) -> tuple[Any, float]:
    """(what it gave, processor seconds of this one process)."""
    began = time.process_time()
    found = call()
    return found, time.process_time() - began


def month() -> tuple[Recording, str]:
    """30,000 minutes: the recorded ones where they are, else generated."""
    file = RECORDINGS / "btc_perp_1m_202201" / "btc-perp-1m.csv"
    if file.is_file():
        with file.open(encoding="utf-8") as lines:
            return read_prices(lines, file.name), "recorded January 2022"
    path, lines_ = GeneratedPath(1), ["timestamp,open,high,low,close,volume"]
    for minute in range(29_000_000, 29_000_000 + MONTH_MIN):
        prices = [path.price_at(minute * 60 + second) / 100 for second in (0, 20, 40, 59)]
        lines_.append(f"{minute * 60},{prices[0]},{max(prices)},{min(prices)},{prices[-1]},1")
    return read_prices(lines_, "generated.csv"), "generated, seed 1"


def model_rows(recording: Recording) -> Iterator[Row]:
    """Building, size, loading and looking up."""
    rows = list(minute_candles(recording))
    model, took = timed(lambda: build(rows, "bench"))
    yield "model: build", f"{took:.2f} s", "", f"{len(rows)} minutes, {model.samples} samples"
    data = model.to_bytes()
    loads = [timed(lambda: load(data))[1] * 1000 for _ in range(20)]
    yield "model: load", f"{statistics.median(loads):.2f} ms", f"{max(loads):.2f} ms", f"{len(data) / 1024:.0f} kB"
    yield "model: look up", f"{look_up_us(model):.1f} us", "", f"{LOOKUPS} calls, one strike"


def look_up_us(model: TableModel) -> float:
    """Microseconds of one probability."""

    def all_of_them() -> None:
        for step in range(LOOKUPS):
            model.probability_yes("greater", 10_000_000, None, 9_990_000 + step, 600, 9e-5, momentum_bp=5)

    return timed(all_of_them)[1] / LOOKUPS * 1e6


def backtest_rows(recording: Recording, source: str) -> Iterator[Row]:
    """A month of seconds against 15-minute markets: by the default settings, and by ones that trade all the time."""
    for name, changes in (("default settings", {}), ("busy settings", BUSY)):
        plain = settings_of("quarter_hour", None)
        monitor = Monitor(
            monitor_id="bench", strategy="quarter_hour", series_ticker="KXBTC15M", enabled=True,
            settings=settings_of("quarter_hour", changed(plain, changes)),
        )  # fmt: skip

        def run(monitor: Monitor = monitor) -> tuple[int, int]:
            first = recording.start_s + 3 * 86_400
            model = build((row for row in minute_candles(recording) if row[0] < first), "bench")
            tape = tape_of(recording, from_s=first)
            desk = VirtualDesk([monitor], model, RiskLimits())
            outcome = backtest_path(desk, tape, "KXBTC15M")
            report = make_report(
                desk, outcome, model, kind="backtest", source=source, series="KXBTC15M", assumptions=()
            )
            with tempfile.TemporaryDirectory() as folder:
                write_report(report, Path(folder))
            return outcome.looks, len(desk.trades)

        (looks, orders), took = timed(run)
        yield f"backtest: {name}", f"{took:.1f} s", "", f"goal 60 s, one core; {source}, {looks} looks, {orders} orders"


def calibration_rows() -> Iterator[Row]:
    """The recorded quarters, read, forecast and scored."""
    from recio.research.crypto15m import read_series

    if not (RECORDINGS / "kalshi_crypto15m_202608").is_dir():
        yield "calibration", "", "", f"no recordings at {RECORDINGS}"
        return

    def run() -> int:
        model = model_of_file(RECORDINGS / "btc_perp_1m_202201" / "btc-perp-1m.csv")
        count = 0
        for series in ("KXETH15M", "KXSOL15M"):
            markets, tape = read_series(RECORDINGS, series)
            count += calibrate(list(forecasts(markets, tape, model, series))).rows
        return count

    count, took = timed(run)
    yield "calibration: ETH and SOL", f"{took:.2f} s", "", f"{count} forecasts, 2000 resamples, with the model's build"


def rows() -> Iterator[Row]:
    """Everything, for a table."""
    recording, source = month()
    yield from model_rows(recording)
    yield from backtest_rows(recording, source)
    yield from calibration_rows()


def main() -> int:
    """Measure and print."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    from trialhost.summary import table

    print(table([("measure", "value", "worst", "note"), *rows()]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
