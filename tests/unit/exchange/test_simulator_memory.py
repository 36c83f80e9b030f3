"""What the simulator must not let grow, and what it must never forget however long it runs."""

from __future__ import annotations

import pytest

from recio.exchange.simulator import ws
from recio.exchange.simulator.core import Exchange
from recio.exchange.simulator.used_ids import UsedIds
from recio.market.generator import GeneratedPath


def test_used_ids_are_kept_for_ever_in_little_room() -> None:
    used = UsedIds()
    for number in range(10_000):
        used.add(f"order-{number}")
        used.add(f"order-{number}")  # again: counted once
    assert len(used) == 10_000
    assert all(f"order-{number}" in used for number in range(10_000))
    assert not any(f"other-{number}" in used for number in range(10_000))
    again = UsedIds()
    again.add_digests(used.digests())
    assert again == used
    assert "order-77" in again
    again.add("one more")
    assert again != used


def test_the_hub_forgets_when_it_told_tickers_long_ago(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ws, "_MANY_TOLD", 500)
    now = [1_795_478_405.0]
    exchange = Exchange(GeneratedPath(1), "memory", lambda: now[0], seed=1)
    hub, most, ever = ws.Hub(exchange), 0, set[str]()
    for _ in range(720):  # an hour, of markets that come and go every half minute
        now[0] += 5.0
        exchange.tick()
        hub.flush(exchange.now_ms())
        most, ever = max(most, len(hub._told_ms)), ever | set(hub._told_ms)
    assert most <= 500 < len(ever)  # it kept all of them, 1,800 an hour
    assert exchange.markets
