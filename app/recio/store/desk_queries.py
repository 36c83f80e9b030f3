"""What only the trade page reads: the newest calibration, and every strike of an event with its book."""

from __future__ import annotations

from typing import Any

from recio.store.db import Queries

__all__ = ["all_strikes", "newest_calibration"]

Row = dict[str, Any]


def newest_calibration(db: Queries, user_id: str, mode: str, series_ticker: str) -> Row | None:
    """bins (of the model's YES forecasts), rows, events, strategy and made_at of the newest report of a strategy that a
    monitor runs on this series: forecasts an hour ahead say nothing of a market of 15 minutes. None: there is none."""
    return db.hot_one(
        "SELECT strategy, made_at, report #> '{scores,model,reliability}' AS bins, (report ->> 'rows')::int AS rows,"
        " (report ->> 'events')::int AS events FROM analytics.calibrations WHERE mode = %s AND strategy IN"
        " (SELECT strategy FROM users.monitors WHERE user_id = %s AND series_ticker = %s AND archived_at IS NULL)"
        " ORDER BY made_at DESC, calibration_id DESC LIMIT 1",
        (mode, user_id, series_ticker),
    )


def all_strikes(db: Queries, mode: str, event_ticker: str) -> list[Row]:
    """Every market of an event, lowest strike first, with the best of its book where one is on record."""
    return db.all(
        "SELECT m.market_ticker, m.strike_type, m.floor_strike_e2, m.cap_strike_e2, m.volume_e2, m.close_time, m.series_ticker,"
        " jsonb_path_query_array(b.yes_bids, '$[0 to 4]') AS yes_bids, jsonb_path_query_array(b.no_bids, '$[0 to 4]') AS no_bids,"
        " coalesce(b.valid, false) AS valid, extract(epoch FROM b.received_at)::float8 AS received_s"
        " FROM live_data.markets m LEFT JOIN live_data.books b USING (market_ticker)"
        " WHERE m.mode = %s AND m.event_ticker = %s ORDER BY coalesce(m.floor_strike_e2, m.cap_strike_e2), m.market_ticker",
        (mode, event_ticker),
    )
