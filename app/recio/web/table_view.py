"""The strike table as the page shows it: each probability with how sure it is, and every strike on demand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from recio.market.interval import certainty
from recio.market.strike_table import Book, StrikeMarket, build
from recio.store.db import Queries
from recio.store.desk_queries import newest_calibration

__all__ = ["MAX_AGE_S", "everything", "intervals_of", "shown", "with_intervals"]

Row = dict[str, Any]
MAX_AGE_S = 10.0  # a price or a table older than this is grey on the page, and is not built upon


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


def shown(db: Queries, user_id: str, mode: str, table: Row) -> Row:
    """A strike table's record with intervals by the newest calibration of its series, and whose that is."""
    calibration = newest_calibration(db, user_id, mode, table["series_ticker"])
    return table | intervals_of(table["rows"], calibration)


def intervals_of(rows: Sequence[Mapping[str, Any]], calibration: Mapping[str, Any] | None) -> Row:
    """{rows, calibrated_by}: the rows with their intervals, and the strategy these rest on; None: on none."""
    return {
        "rows": with_intervals(rows, calibration), "calibrated_by": calibration["strategy"] if calibration else None,
    }  # fmt: skip


def everything(
    markets: Sequence[Mapping[str, Any]], price: Mapping[str, Any] | None, table: Mapping[str, Any] | None, now_s: float,
    calibration: Mapping[str, Any] | None = None,
) -> Row:  # fmt: skip
    """{rows, price_e2, price_age_s, why}: every strike of an event as rows of the table; those the coordinator made
    lately as it made them, with intervals, the others without probability: the model is asked only around the price.

    ``why`` says why there are no rows: which side BTC is on, and by how much, only a young price can tell."""
    price_e2, age_s = (price["price_e2"], price["age_s"]) if price else (None, None)
    said: Row = {"price_e2": price_e2, "price_age_s": age_s, "rows": [], "why": ""}
    if price_e2 is None:
        return said | {"why": "no BTC price has arrived yet"}
    if age_s is None or age_s > MAX_AGE_S:
        return said | {"why": f"the BTC price is {age_s or 0:.0f} s old: which side it is on is not known"}
    if not markets:
        return said | {"why": "this event has no markets"}
    young = table is not None and table["age_s"] <= MAX_AGE_S
    known = with_intervals(table["rows"], calibration) if table is not None and young else []
    made = {row["market_ticker"]: row for row in known}
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
    return said | {"rows": [made.get(row.market_ticker) or with_intervals([row.to_dict()], None)[0] for row in rows]}
