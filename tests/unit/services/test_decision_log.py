"""Which decisions are kept, and that markets which have closed are not remembered."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from recio.services.decisions import DecisionLog

MONITOR: Any = SimpleNamespace(monitor_id="m")


def decision(ticker: str, action: str = "wait", probability: float | None = 0.5) -> Any:
    return SimpleNamespace(
        market_ticker=ticker, action=action, reason="edge", side="yes", probability_model=probability
    )


def test_a_change_of_mind_is_kept_and_a_sample_a_minute() -> None:
    log = DecisionLog()
    assert log.kind(MONITOR, decision("A"), 0.0) == "change"
    assert log.kind(MONITOR, decision("A"), 1.0) == ""
    assert log.kind(MONITOR, decision("A"), 61.0) == "sample"
    assert log.kind(MONITOR, decision("A", "skip"), 62.0) == "change"
    assert log.kind(MONITOR, decision("A", "wait"), 63.0) == "", "a value that trembles on a threshold fills no disk"
    assert log.kind(MONITOR, decision("B", probability=None), 63.0) == "", "nobody looked at it"


def test_a_day_of_short_markets_is_not_remembered() -> None:
    log = DecisionLog()
    for second in range(0, 86_400, 30):
        log.kind(MONITOR, decision(f"M{second}"), float(second))
        log.kind(MONITOR, decision("one that lasts all day"), float(second))
    assert len(log._last) < 100, "30-second markets of twenty minutes at most"
    assert log.kind(MONITOR, decision("one that lasts all day"), 86_401.0) == "sample"
