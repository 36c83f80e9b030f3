"""The strike table as the page shows it: each probability with how sure it is, and every strike on demand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from recio.market.interval import certainty
from recio.market.strike_table import Book, StrikeMarket, build
from recio.store.desk_queries import newest_calibration
from recio.store.pool import Queries

__all__ = ["everything", "shown", "with_intervals"]

Row = dict[str, Any]


def with_intervals(rows: Sequence[Mapping[str, Any]], calibration: Mapping[str, Any] | None) -> list[Row]:
    """The rows with ``probability_low`` and ``_high``, of the side BTC is on: null without a calibration to say it."""
    made = []
    for row in rows:
        sure = None
        if calibration:
            sure = certainty(
                calibration["bins"] or [],
                calibration["rows"],
                calibration["events"],
                row.get("probability_yes"),
                row["side"],
            )
        made.append(dict(row) | {
            "probability_low": sure.low if sure else None, "probability_high": sure.high if sure else None,
            "probability_came_true": sure.came_true if sure else None, "probability_events": sure.events if sure else None,
        })  # fmt: skip
    return made


def shown(db: Queries, mode: str, table: Row) -> Row:
    """A strike table's record with intervals by the newest calibration."""
    return table | {"rows": with_intervals(table["rows"], newest_calibration(db, mode))}


def everything(
    markets: Sequence[Mapping[str, Any]], price_e2: int | None, known: Sequence[Mapping[str, Any]], now_s: float
) -> list[Row]:
    """Every strike of an event as rows of the table; those the coordinator made (``known``) as it made them, the others
    without probability: the model is asked only around the price. Without a price there is no side, so no rows."""
    if price_e2 is None or not markets:
        return []
    made = {row["market_ticker"]: dict(row) for row in known}
    books = {
        m["market_ticker"]: Book(m["yes_bids"], m["no_bids"], m["received_s"], m["valid"])
        for m in markets
        if m["received_s"] is not None
    }
    listed = [
        StrikeMarket(
            market_ticker=m["market_ticker"], strike_type=m["strike_type"], floor_strike_e2=m["floor_strike_e2"],
            cap_strike_e2=m["cap_strike_e2"], volume_e2=m["volume_e2"],
        )
        for m in markets
    ]  # fmt: skip
    left_s = max(0.0, markets[0]["close_time"].timestamp() - now_s)
    rows = build(listed, books, price_e2, left_s, None, now_s, below=len(listed), above=len(listed))
    return with_intervals([made.get(row.market_ticker) or row.to_dict() for row in rows], None)
