"""History over a ledger of random trades: what the page, the figures, the groups and the exports say against a slow recount."""

from __future__ import annotations

import csv
import io
import os
import random
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from psycopg2.extras import Json
from webdesk import Desk, make_trade

from recio.store import history_queries as past
from recio.store.history_queries import EXITS, GROUPS, HistoryFilter
from recio.store.pool import Pool
from recio.trading.performance import drawdown, longest_losing_streak
from recio.web.history_filter import moment
from recio.web.view import dollars

USER, MODE = "0001", "simulated"
NEW_YORK = ZoneInfo("America/New_York")
TRADES = 160
Row = dict[str, Any]


def _fill_ledger(desk: Desk, rng: random.Random) -> None:
    """Trades of the last 40 days, and some around the night the clocks went back and a month's end."""
    now = datetime.now(UTC)
    special = [
        datetime(2026, 11, 1, 5, 30, tzinfo=UTC),  # 01:30 EDT, the first of two
        datetime(2026, 11, 1, 6, 30, tzinfo=UTC),  # 01:30 EST, the second
        datetime(2026, 11, 1, 3, 59, 59, tzinfo=UTC),  # October's last second in New York
        datetime(2026, 11, 1, 4, 0, tzinfo=UTC),  # November's first
    ]
    desk.db.run(
        "INSERT INTO users.users (user_id, login, password_hash) VALUES ('0002', 'other', 'x') ON CONFLICT DO NOTHING"
    )
    for n in range(TRADES):
        at = special[n] if n < len(special) else now - timedelta(seconds=rng.randrange(3_600, 40 * 86_400))
        end = rng.choice(("settled", "settled", "stopped", "by_hand", "unfilled", "live", "error"))
        side, count = rng.choice(("yes", "no")), 100 * rng.randint(1, 9)
        source = rng.choice(("web", "auto_entry", "api"))
        cost, fees = count * rng.randint(500, 9_500), rng.randrange(0, 90_000)
        facts: Row = {
            "created_at": at, "opened_at": at, "series_ticker": rng.choice(("KXBTCD", "KXBTCSIM")), "side": side,
            "source": source, "count_e2": count, "state": "closed", "ticket_id": 1_000 + n,
            "closed_at": at + timedelta(seconds=rng.randrange(1, 7_200)),
        }  # fmt: skip
        if end in ("settled", "stopped", "by_hand"):
            facts |= {"entry_count_e2": count, "entry_cost_e6": cost, "fees_e6": fees}
        if end == "settled":
            result = rng.choice(("yes", "no"))
            payout = count * 10_000 if result == side else 0
            facts |= {
                "result": result,
                "settlement_value_e4": 10_000 if result == "yes" else 0,
                "pnl_e6": payout - cost - fees,
            }
        elif end in ("stopped", "by_hand"):
            got = count * rng.randint(100, 9_900)
            facts |= {"exit_count_e2": count, "exit_proceeds_e6": got, "pnl_e6": got - cost - fees}
        elif end == "unfilled":
            facts |= {"pnl_e6": 0, "opened_at": None}
        else:
            facts |= {"state": "open" if end == "live" else "error", "closed_at": None}
        trade_id = make_trade(desk.db, **facts)
        if end in ("stopped", "by_hand"):
            for by in ("web",) if end == "by_hand" else rng.choice((("auto_stop",), ("web", "auto_stop"))):
                desk.db.run(
                    "INSERT INTO users.tickets (user_id, mode, idempotency_key, source, kind, trade_id, state)"
                    " VALUES ('0001', 'simulated', %s, %s, 'close', %s, 'accepted')",
                    (f"close-{trade_id}-{by}", by, trade_id),
                )


@pytest.fixture
def ledger(desk: Desk) -> Iterator[tuple[Desk, Pool, list[Row], random.Random]]:
    seed = int(os.environ.get("RECIO_SEED", random.randrange(2**32)))
    print(f"RECIO_SEED={seed}")
    rng = random.Random(seed)
    _fill_ledger(desk, rng)
    rows = desk.db.all(
        "SELECT t.*, EXISTS (SELECT FROM users.tickets c WHERE c.trade_id = t.trade_id AND c.source = 'auto_stop') AS stopped"
        " FROM users.trades t ORDER BY t.trade_id"
    )
    pool = Pool("main_app", desk.cluster.dsn("main_app"))  # with the page's own rights
    yield desk, pool, rows, rng
    pool.close()


def _exit_of(row: Row) -> str:
    if row["pnl_e6"] is None:
        return ""
    if not row["entry_count_e2"]:
        return "unfilled"
    if row["exit_count_e2"] < row["entry_count_e2"]:
        return "settled"
    return "stopped" if row["stopped"] else "by_hand"


def _key(row: Row, group: str) -> Any:
    at = row["created_at"].astimezone(NEW_YORK)
    return {
        "hour": at.hour, "weekday": at.isoweekday(), "series": row["series_ticker"], "monitor": row["monitor_id"] or "",
        "side": row["side"], "source": row["source"],
    }[group]  # fmt: skip


def _fits(row: Row, f: HistoryFilter) -> bool:
    live = row["state"] in ("pending", "open", "closing", "expired")
    pnl = row["pnl_e6"]
    return (
        (f.state == "all" or live == (f.state == "live"))
        and f.series in ("", row["series_ticker"]) and f.side in ("", row["side"]) and f.source in ("", row["source"])
        and (not f.outcome or (pnl is not None and (pnl > 0 if f.outcome == "won" else pnl < 0)))
        and (f.since is None or row["created_at"] >= f.since) and (f.until is None or row["created_at"] < f.until)
        and (f.hour is None or _key(row, "hour") == f.hour) and (f.weekday is None or _key(row, "weekday") == f.weekday)
        and f.exit in ("", _exit_of(row))
    )  # fmt: skip


def _recount(rows: list[Row]) -> Row:
    done = [row for row in rows if row["pnl_e6"] is not None and row["entry_count_e2"] > 0]
    pnls = [row["pnl_e6"] for row in done]
    return {
        "trades": len(rows), "finished": len(done), "won": sum(p > 0 for p in pnls), "lost": sum(p < 0 for p in pnls),
        "count_e2": sum(r["entry_count_e2"] for r in rows), "cost_e6": sum(r["entry_cost_e6"] for r in rows),
        "fees_e6": sum(r["fees_e6"] for r in rows), "pnl_e6": sum(pnls), "gain_e6": sum(p for p in pnls if p > 0),
        "loss_e6": sum(p for p in pnls if p < 0), "finished_cost_e6": sum(r["entry_cost_e6"] for r in done),
        "finished_count_e2": sum(r["entry_count_e2"] for r in done),
    }  # fmt: skip


def _random_filter(rng: random.Random) -> HistoryFilter:
    def maybe(*values: Any) -> Any:
        return rng.choice((*[None] * (2 * len(values)), *values))

    day = (datetime.now(NEW_YORK) - timedelta(days=rng.randrange(1, 45))).date().isoformat()
    return HistoryFilter(
        rng.choice(("closed", "all", "live")), maybe("KXBTCD", "KXBTCSIM") or "", maybe("yes", "no") or "",
        maybe("won", "lost") or "", moment(day) if rng.random() < 0.3 else None,
        moment(day, plus=9) if rng.random() < 0.3 else None, weekday=maybe(*range(1, 8)), hour=maybe(*range(24)),
        source=maybe("web", "auto_entry") or "", exit=maybe(*EXITS) or "",
    )  # fmt: skip


def test_figures_groups_and_curve_are_what_a_slow_recount_says(ledger: Any) -> None:
    _, pool, rows, rng = ledger
    filters = [HistoryFilter(state="all"), HistoryFilter(), *(_random_filter(rng) for _ in range(60))]
    for wanted in filters:
        fitting = [row for row in rows if _fits(row, wanted)]
        found = past.figures(pool, USER, MODE, wanted, tuple(GROUPS))
        assert found[""] == [_recount(fitting) | {"key": ""}], wanted
        for group in GROUPS:
            parts: dict[Any, list[Row]] = {}
            for row in fitting:
                parts.setdefault(_key(row, group), []).append(row)
            assert found[group] == [_recount(parts[key]) | {"key": key} for key in sorted(parts)], (group, wanted)
        done = sorted(
            (r for r in fitting if r["pnl_e6"] is not None and r["entry_count_e2"] > 0),
            key=lambda r: (r["closed_at"] or r["created_at"], r["trade_id"]),
        )
        pnls = [row["pnl_e6"] for row in done]
        curve, fall = past.curve(pool, USER, MODE, wanted, points=10_000), drawdown(pnls)
        assert [p["equity_e6"] for p in curve["points"]] == [sum(pnls[: n + 1]) for n in range(len(pnls))], wanted
        highest = [max(0, *(sum(pnls[: n + 1]) for n in range(upto))) for upto in range(1, len(pnls) + 1)]
        assert [p["fall_e6"] for p in curve["points"]] == [
            top - p["equity_e6"] for top, p in zip(highest, curve["points"], strict=True)
        ]
        assert (curve["drawdown_e6"], curve["trough_n"] or 0, curve["peak_n"] or 0) == (
            fall.amount_e6,
            fall.trough,
            fall.peak,
        )
        thin = past.curve(pool, USER, MODE, wanted, points=3)
        assert {p["n"] for p in thin["points"]} >= {n for n in (thin["peak_n"], thin["trough_n"]) if n}, (
            "both ends are drawn"
        )
        assert curve["losing_streak"] == longest_losing_streak(pnls)
        assert (curve["points"][-1]["equity_e6"] if pnls else 0) == found[""][0]["pnl_e6"], "curve and totals are one"


def test_every_part_of_a_filter_splits_the_whole(ledger: Any) -> None:
    _, pool, rows, rng = ledger
    for _ in range(8):
        base = replace(_random_filter(rng), outcome="", exit="", hour=None, weekday=None, side="")

        def sums(wanted: HistoryFilter) -> Row:
            return past.figures(pool, USER, MODE, wanted)[""][0]

        whole = sums(base)
        for parts in (
            [replace(base, side=side) for side in ("yes", "no")], [replace(base, hour=hour) for hour in range(24)],
            [replace(base, weekday=day) for day in range(1, 8)],
        ):  # fmt: skip
            for name in ("trades", "won", "lost", "pnl_e6", "fees_e6", "cost_e6"):
                assert sum(sums(part)[name] for part in parts) == whole[name], (name, parts[0])
        ended = [sums(replace(base, exit=exit_)) for exit_ in EXITS]
        assert sum(part["pnl_e6"] for part in ended) == whole["pnl_e6"]
        assert sum(part["finished"] for part in ended) == whole["finished"]
    assert {_exit_of(row) for row in rows} == {"", *EXITS}, "the sample has every end"


def test_the_two_half_hours_of_the_night_the_clocks_go_back_are_one_hour(ledger: Any) -> None:
    desk, _, rows, _ = ledger
    twice = [
        row["trade_id"]
        for row in rows
        if _key(row, "hour") == 1 and row["created_at"].astimezone(NEW_YORK).date().isoformat() == "2026-11-01"
    ]
    assert len(twice) >= 2
    got = desk.user().ask("GET", "/history.json?state=all&since=2026-11-01&until=2026-11-01&hour=1").json["trades"]
    assert sorted(trade["trade_id"] for trade in got) == twice
    october = desk.user().ask("GET", "/history.json?state=all&until=2026-10-31").json["trades"]
    assert [t["created_at"] for t in october].count("2026-11-01T03:59:59.000Z") + [
        t["created_at"] for t in october
    ].count("2026-11-01T03:59:59Z") == 1, "October's last second is October's"


def test_page_and_exports_say_the_same(ledger: Any) -> None:
    desk, _, rows, _ = ledger
    user = desk.user()
    for query in (
        "",
        "side=yes",
        "period=7d&side=no",
        "state=all&hour=07",
        "exit=stopped&period=all",
        "outcome=lost&weekday=mon",
    ):
        page = user.ask("GET", f"/history?{query}", Accept="text/html").body.decode()
        csv_at, json_at = (re.search(rf'href="(/history\.{kind}\?[^"]*)"', page) for kind in ("csv", "json"))
        assert csv_at and json_at
        got = user.ask("GET", csv_at[1].replace("&amp;", "&"))
        assert got.headers["content-type"].startswith("text/csv")
        assert re.fullmatch(r'attachment; filename="trades-\d{8}-\d{6}\.csv"', got.headers["content-disposition"])
        lines = list(csv.DictReader(io.StringIO(got.body.decode())))
        trades = user.ask("GET", json_at[1].replace("&amp;", "&")).json["trades"]
        assert [int(line["trade_id"]) for line in lines] == [trade["trade_id"] for trade in trades]
        matches = re.search(r"<b>([\d,]+)</b> trades? match", page)
        assert matches and int(matches[1].replace(",", "")) == len(trades), query
        done = [t for t in trades if t["pnl_e6"] is not None and t["entry_count_e2"]]
        assert f">{dollars(sum(t['pnl_e6'] for t in done), True)}<" in page, query
        for word in ("undefined", "NaN", "None", "nan "):
            assert word not in re.sub(r"<[^>]*>", " ", page), (query, word)
        if "07" in query:
            assert '<option value="7" selected>' in page
    everything = user.ask("GET", "/history.json").json["trades"]
    assert len(everything) == sum(_fits(row, HistoryFilter()) for row in rows), (
        "an export without dates is of all there is"
    )
    seen, path = [], "/history?state=all&period=all"
    while path:
        page = user.ask("GET", path, Accept="text/html").body.decode()
        seen += [int(n) for n in re.findall(r'<th scope="row" data-label="Trade"><a href="/history/(\d+)"', page)]
        older = re.search(r'href="(/history\?[^"]*)" rel="next"', page)
        path = older[1].replace("&amp;", "&") if older else ""
    assert seen == [row["trade_id"] for row in reversed(rows)], "page after page: each once, newest first"


@pytest.mark.parametrize(
    "query",
    [
        "period=8d",
        "hour=24",
        "weekday=noday",
        "exit=gone",
        "side=maybe",
        "since=2026-13-01",
        "state=x",
        "before=0",
        "monitor=A%27B",
    ],
)
def test_what_is_no_filter_is_refused_with_the_cure(desk: Desk, query: str) -> None:
    user = desk.user()
    for path in ("/history", "/history.csv", "/history.json", "/history/calibration"):
        if not (query.startswith("before") and path != "/history"):
            assert user.ask("GET", f"{path}?{query}").status == 422, path


def test_extreme_dates_are_answered(desk: Desk) -> None:
    user = desk.user()
    assert user.ask("GET", "/history?since=0001-01-01&until=9998-12-31", Accept="text/html").status == 200
    assert user.ask("GET", "/history?until=9999-12-31", Accept="text/html").status == 422


def test_another_users_trade_is_not_there(desk: Desk) -> None:
    mine = make_trade(desk.db, mode="live", state="closed")
    assert desk.user().ask("GET", f"/history/{mine}", Accept="text/html").status == 404, "of another mode"


INPUTS = {
    "row": {"buffer_e2": 7_600, "yes_ask_e4": 6_000, "no_ask_e4": 4_200},
    "yes_bids": [[5_800, 1_000]],
    "no_bids": [],
}


def _decided(desk: Desk, ticket_id: int, n: int, side: str = "yes") -> None:
    desk.db.run(
        "INSERT INTO users.decisions (user_id, mode, at, kind, monitor_id, monitor_version, strategy, model_version,"
        " series_ticker, event_ticker, market_ticker, close_time, side, action, reason, why, probability_model,"
        " probability_market, probability, ask_e4, differential_e4, raw_differential_e4, ticket_id, inputs)"
        " VALUES ('0001', 'simulated', now(), 'enter', 'main', 3, 'differential', 'normal-1', 'KXBTCSIM', %s, %s, now(), %s,"
        " 'enter', 'enter', 'because it was cheap', 0.71, 0.63, 0.68, 6000, 310, 500, %s, %s)",
        (f"E-{n}", f"M-{n}", side, ticket_id, Json(INPUTS)),
    )


def test_a_trades_page_adds_up_to_the_micro_dollar_and_says_when_the_ledger_does_not(desk: Desk) -> None:
    user = desk.user()
    facts = {
        "state": "closed", "entry_count_e2": 500, "entry_cost_e6": 2_950_000, "exit_count_e2": 200, "ticket_id": 77,
        "exit_proceeds_e6": 1_300_000, "fees_e6": 70_001, "result": "yes", "settlement_value_e4": 10_000, "source": "auto_entry",
        "market_ticker": "M-1",
    }  # fmt: skip
    right = 3_000_000 + 1_300_000 - 2_950_000 - 70_001
    ids = [make_trade(desk.db, **facts, pnl_e6=pnl) for pnl in (right, right + 1)]
    _decided(desk, 77, 1)
    for trade_id in ids:
        desk.db.run(
            "INSERT INTO users.orders (user_id, mode, trade_id, client_order_id, purpose, market_ticker, side, count_e2,"
            " limit_price_e4, state, exchange_order_id) VALUES ('0001', 'simulated', %s, %s, 'entry', 'M-1', 'yes', 500, 6000,"
            " 'filled', %s)",
            (trade_id, f"c-{trade_id}", f"x-{trade_id}"),
        )
        desk.db.run(
            "INSERT INTO users.fills (mode, fill_id, exchange_order_id, market_ticker, book_side, count_e2, yes_price_e4,"
            " fee_e6, is_taker, filled_at) VALUES ('simulated', %s, %s, 'M-1', 'bid', 500, 5900, 70001, true, now())",
            (f"f-{trade_id}", f"x-{trade_id}"),
        )
        for kind, plus in (("entry_intent", 0), ("order_filled", 150)):
            desk.db.run(
                "INSERT INTO users.trade_events (user_id, trade_id, at, kind, detail)"
                " VALUES ('0001', %s, timestamptz '2026-11-20 12:00Z' + %s * interval '1 ms', %s, %s)",
                (trade_id, plus, kind, Json({"limit_price_e4": 6_000})),
            )
    good, bad = (user.ask("GET", f"/history/{n}", Accept="text/html").body.decode() for n in ids)
    for line in ("-$2.950000", "+$1.300000", "+$3.000000", "-$0.070001", "+$1.279999"):
        assert line in good.replace("\u2212", "-"), line
    assert "the ledger and the fees of the fills say the same" in good and "The ledger says otherwise" not in good
    assert "The ledger says otherwise" in bad and "+$1.280000" in bad
    assert "limit price 60¢" in good and "limit_price_e4" not in good
    assert "+150 ms" in good and "because it was cheap" in good and "71.0 %" in good and "58¢" in good
    assert f'rel="next" href="/history/{ids[1]}"' in good and f'rel="prev" href="/history/{ids[0]}"' in bad
    by_hand = make_trade(desk.db, state="open", entry_count_e2=100, entry_cost_e6=500_000, ticket_id=78)
    said = user.ask("GET", f"/history/{by_hand}", Accept="text/html").body.decode()
    assert "Not recorded" in said and "not known before it ends" in said and "not known yet" in said
    unfilled = make_trade(desk.db, state="closed", pnl_e6=0, ticket_id=79)
    assert "Nothing was bought" in user.ask("GET", f"/history/{unfilled}", Accept="text/html").body.decode()


def test_calibration_counts_the_stopped_trades_too_by_their_markets_result(desk: Desk) -> None:
    user = desk.user()
    assert "No edge shown" in user.ask("GET", "/history/calibration", Accept="text/html").body.decode()
    for n in range(12):
        stopped = n % 3 == 0
        end = (
            {"exit_count_e2": 100, "exit_proceeds_e6": 100_000, "pnl_e6": -500_000} if stopped
            else {"result": "yes", "settlement_value_e4": 10_000, "pnl_e6": 400_000}
        )  # fmt: skip
        make_trade(
            desk.db, state="closed", source="auto_entry", ticket_id=500 + n, market_ticker=f"M-{n}", event_ticker=f"E-{n}",
            entry_count_e2=100, entry_cost_e6=600_000, **end,
        )  # fmt: skip
        _decided(desk, 500 + n, n)
        if stopped:
            desk.db.run(
                "INSERT INTO analytics.market_results (mode, market_ticker, close_time, result) VALUES ('simulated', %s, now(), 'no')",
                (f"M-{n}",),
            )
    page = user.ask("GET", "/history/calibration", Accept="text/html").body.decode()
    assert "12 <small>in 12 events" in page, "the four that were stopped are among them"
    assert "4 of these were sold" in page and "+$1.20" in page and "66.7 %" in page
    assert "at least 100 events are needed" in page
    assert f"{0.71**2 * 4 / 12 + 0.29**2 * 8 / 12:.4f}" in page, "the model's Brier score"
