"""Made-up recordings and desks for the tests of research."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from recio.market.candles import Recording, read_prices
from recio.market.generator import GeneratedPath
from recio.market.model import NORMAL, ProbabilityModel
from recio.research.desk import VirtualDesk
from recio.trading.monitor import Monitor, changed, settings_of
from recio.trading.settings import RiskLimits

FIRST_MINUTE = 29_000_000  # February 2025
LOOSE: dict[str, Any] = {
    "model_weight": 1.0,
    "min_probability_percent": 60.0,
    "min_differential_e4": 25,
    "base_count_e2": 1000,
    "cooldown_s": 0.0,
}


def minutes_csv(count: int, seed: int = 5, first: int = FIRST_MINUTE) -> str:
    """One-minute candles of a generated path as a file's text."""
    path = GeneratedPath(seed)
    lines = ["timestamp,open,high,low,close,volume"]
    for minute in range(first, first + count):
        prices = [path.price_at(minute * 60 + second) / 100 for second in (0, 12, 30, 48, 59)]
        lines.append(f"{minute * 60},{prices[0]},{max(prices)},{min(prices)},{prices[-1]},1")
    return "\n".join(lines) + "\n"


def recording(count: int, seed: int = 5, first: int = FIRST_MINUTE) -> Recording:
    """The same as a recording."""
    return read_prices(minutes_csv(count, seed, first).splitlines(), "made-up.csv")


def monitor(series: str = "KXBTC15M", strategy: str = "quarter_hour", **changes: Any) -> Monitor:
    """One monitor that is on."""
    settings = settings_of(strategy, changed(settings_of(strategy, None), changes))
    return Monitor(monitor_id="research", strategy=strategy, series_ticker=series, enabled=True, settings=settings)


def desk(
    model: ProbabilityModel = NORMAL, series: str = "KXBTC15M", strategy: str = "quarter_hour", **changes: Any
) -> VirtualDesk:
    """A fresh desk with it."""
    return VirtualDesk([monitor(series, strategy, **changes)], model, RiskLimits())


def write_series(folder: Path, rows: list[dict[str, Any]], series: str = "KXETH15M") -> Path:
    """A recorded series as the reader expects it; gives the folder for --data."""
    place = folder / series
    place.mkdir(parents=True)
    (place / "raw_snapshots.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def look(ticker: str, at_s: float, bid: float, ask: float, spot: float, **more: Any) -> dict[str, Any]:
    """One line of a recording."""
    plain = {
        "ticker": ticker, "series": "KXETH15M", "ts": at_s, "yb": bid, "ya": ask, "mid": (bid + ask) / 2, "spot": spot,
        "spot_ok": 1, "btc_mid": None, "yes_depth": 500.0, "no_depth": 400.0, "book_imb": 0.0, "n_trades_60s": 0,
    }  # fmt: skip
    return plain | more
