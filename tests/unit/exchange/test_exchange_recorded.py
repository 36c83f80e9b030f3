"""Both parsers against what the real services once sent."""

from __future__ import annotations

import json
import os
from collections import Counter
from pathlib import Path

import pytest

from recio.exchange.coinbase import messages as coinbase
from recio.exchange.kalshi import messages
from recio.exchange.kalshi.book import Books

ROOT = Path(os.environ.get("RECIO_RECORDINGS") or Path(__file__).parents[4] / "shared" / "data")
KALSHI = ROOT / "kalshi_ws_kxbtc_20260418" / "kalshi_ws_frames.jsonl"
COINBASE = ROOT / "coinbase_ws_20210417" / "COINBASE.ws.28.0"
pytestmark = pytest.mark.recorded


def need(path: Path) -> Path:
    if not path.is_file():
        pytest.skip(f"no recording at {path}; set RECIO_RECORDINGS to its folder")
    return path


def test_kalshi_frames_build_books_that_never_cross() -> None:
    books, kinds = Books(), Counter[str]()
    for line in need(KALSHI).read_text().splitlines():
        message = messages.parse_frame(json.loads(line)["raw"], yes_priced=False)
        kinds[type(message).__name__] += 1
        changed = books.apply(message)
        assert changed is None or not changed.crossed
    assert kinds == {"BookSnapshot": 8, "BookDelta": 61, "ErrorFrame": 3, "Subscribed": 2}
    assert books.gaps == 0 and books.stale_by_sid() == {}


def test_coinbase_lines() -> None:
    kinds = Counter[str]()
    for line in need(COINBASE).read_text().splitlines():
        _, separator, data = line.partition(": ")
        if separator and data.startswith("{") and " <- " not in line[:60]:
            message = coinbase.parse_frame(data)
            kinds[type(message).__name__] += 1
            if isinstance(message, coinbase.Tick):
                assert message.price_e2 >= 0 and message.time_s > 1.6e9
    assert kinds["Tick"] == 107 + 97 + 10 and kinds["Subscriptions"] == 3
