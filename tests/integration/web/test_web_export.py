"""Exports longer than a page of the query, and text that must not become a spreadsheet's formula."""

from __future__ import annotations

import csv
import io
import json

from webdesk import EVENT, Desk

from recio.store import history_queries as past
from recio.store.history_queries import HistoryFilter
from recio.web.history import shown_sums

USER, MODE = "0001", "simulated"


def test_an_export_stops_no_reader_and_takes_no_memory(desk: Desk) -> None:
    desk.db.run(
        "INSERT INTO users.trades (user_id, mode, ticket_id, source, market_ticker, event_ticker, series_ticker, side, state,"
        " count_e2, limit_price_e4, close_time, pnl_e6, reason) SELECT '0001', 'simulated', 1, 'web', %s, %s, 'KXBTCSIM', 'yes',"
        " 'closed', 100, 5000, now(), 0, %s FROM generate_series(1, 1201)",
        (EVENT, EVENT, '=HYPERLINK("x")'),
    )
    user = desk.user()
    got = user.ask("GET", "/history.csv")
    rows = list(csv.DictReader(io.StringIO(got.body.decode())))
    assert len({row["trade_id"] for row in rows}) == len(rows) == 1201, "pages of 500 join without a gap or a double"
    assert all(row["reason"].startswith("'=") for row in rows) and "content-length" not in got.headers
    assert len(json.loads(user.ask("GET", "/history.json").body)["trades"]) == 1201
    figures = shown_sums(past.figures(desk.db, USER, MODE, HistoryFilter())[""][0])
    assert figures["share"] is None and figures["factor"] is None and figures["expectancy_e6"] is None
