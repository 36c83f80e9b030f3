"""Markets whose result is awaited: those the exchange does not know keep no other from being asked for."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from pg import Cluster

from recio.store.db import Database
from recio.store.market_data import markets_wanting_result, save_markets


def closed(number: int) -> dict[str, object]:
    """A market that closed some seconds ago; the lower its number the longer."""
    now = datetime.now(UTC)
    return {
        "market_ticker": f"KXBTCSIM-RESULT-T{number}", "mode": "simulated", "event_ticker": "KXBTCSIM-RESULT",
        "series_ticker": "KXBTCSIM", "title": "x", "strike_type": "greater", "floor_strike_e2": number, "cap_strike_e2": None,
        "open_time": now - timedelta(minutes=9), "close_time": now - timedelta(seconds=100 - number), "status": "active", "result": "",
        "settlement_value_e4": None, "expiration_value": "", "volume_e2": 100, "price_ranges": [], "updated_at": now,
    }  # fmt: skip


def test_those_the_exchange_does_not_know_keep_no_other_waiting(cluster: Cluster) -> None:
    db = Database("kalshi_api_watchdog", cluster.dsn("postgres"))
    db.run("DELETE FROM live_data.markets WHERE event_ticker = 'KXBTCSIM-RESULT'")
    try:
        save_markets(db, [closed(number) for number in range(25)])

        def asked(passed_over: tuple[str, ...] = ()) -> list[int]:
            rows = markets_wanting_result(db, "simulated", passed_over)
            ours = [row["market_ticker"] for row in rows if "-RESULT-T" in row["market_ticker"]]
            return [int(ticker.rpartition("-T")[2]) for ticker in ours]

        first = asked()
        assert first == list(range(20)), "the oldest, twenty at a time"
        unknown = tuple(f"KXBTCSIM-RESULT-T{number}" for number in first)
        assert asked(unknown) == [20, 21, 22, 23, 24]
    finally:
        db.run("DELETE FROM live_data.markets WHERE event_ticker = 'KXBTCSIM-RESULT'")
        db.close()
