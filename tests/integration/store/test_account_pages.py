"""The Account page's queries on PostgreSQL: paging by key loses and repeats nothing, searching ends, facts are the ledger's."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from pg import Cluster
from psycopg2.extras import Json

from recio.store import account, account_pages
from recio.store.account_pages import Listed, Mark
from recio.store.db import Database
from recio.trading.balance import BalanceFacts, balance_facts, refusals

NOW = datetime.now(UTC)
USER, MODE = "0001", "simulated"


@pytest.fixture
def db(database: Cluster) -> Iterator[Database]:
    made = Database("tests", database.dsn("postgres"))
    yield made
    made.close()


def fill(db: Database, number: int, ticker: str = "T", ago_s: float = 0.0, order: str = "") -> None:
    row = (
        f"f-{number:04d}",
        order or f"x-{number}",
        ticker,
        "bid",
        100,
        5_000,
        1_000,
        True,
        NOW - timedelta(seconds=ago_s),
    )
    assert account.record_fills(db, MODE, [row]) == 1


def every(db: Database, limit: int, market: str = "") -> tuple[list[str], int]:
    """The ids of all pages, and how many pages there were."""
    ids: list[str] = []
    before: Mark | None = None
    for pages in range(1, 1_000):
        found = account_pages.fills(db, USER, MODE, limit, before, market)
        ids += [row["fill_id"] for row in found.rows]
        assert len(found.rows) <= limit
        if found.more is None:
            return ids, pages
        before = found.more
    raise AssertionError("the pages do not end")


@pytest.mark.parametrize("limit", [1, 3, 7, 50])
def test_pages_lose_and_repeat_nothing_where_moments_are_the_same(db: Database, limit: int) -> None:
    for number in range(20):
        fill(db, number, ago_s=number // 4)  # four fills share every moment
    newest = [f"f-{number:04d}" for moment in range(5) for number in range(4 * moment + 3, 4 * moment - 1, -1)]
    assert every(db, limit) == (newest, -(-20 // limit))


@pytest.mark.parametrize("stretch", [1, 4, 5, 1_000])
def test_a_market_is_found_however_far_back_in_stretches(
    db: Database, monkeypatch: pytest.MonkeyPatch, stretch: int
) -> None:
    monkeypatch.setattr(account_pages, "_STRETCH", stretch)
    monkeypatch.setattr(account_pages, "_STRETCHES", 1)
    for number in range(24):
        fill(db, number, "KXBTCD-1-T5" if number % 10 == 3 else "OTHER", ago_s=number)
    ids, pages = every(db, 2, "KXBTCD-1")
    assert ids == ["f-0003", "f-0013", "f-0023"]
    assert pages >= (24 // stretch if stretch < 24 else 2), "no page looks at more than its stretch"
    first = account_pages.fills(db, USER, MODE, 2, None, "KXBTCD-1")
    assert first.searching == (stretch <= 13), first
    monkeypatch.setattr(account_pages, "_STRETCHES", 100)
    again, fewer = every(db, 2, "KXBTCD-1")
    assert again == ids and fewer <= min(pages, 4), "a page looks on while nothing is found"
    assert every(db, 2, "NOWHERE") == ([], 1)


def test_a_settled_market_is_found_at_once(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(account_pages, "_STRETCH", 3)
    fill(db, 1, "OLD", ago_s=10 * 86_400)
    fill(db, 30, "OLD2", ago_s=10 * 86_400)
    account.record_settlements(db, MODE, [("OLD", "yes", 10_000, 100, NOW - timedelta(days=10))])
    for number in range(2, 30):
        fill(db, number, "NEW", ago_s=number)
    found = account_pages.fills(db, USER, MODE, 5, None, "OLD")
    assert [row["fill_id"] for row in found.rows] == ["f-0001"] and found.more is None
    assert [row["market_ticker"] for row in account_pages.settlements(db, MODE, 5, None, "OLD").rows] == ["OLD"]
    assert account_pages.settlements(db, MODE, 5, None, "NONE") == Listed([], None)


def test_a_fill_names_its_trade_or_nobody(db: Database) -> None:
    db.run(
        "INSERT INTO users.trades (user_id, mode, ticket_id, source, market_ticker, event_ticker, series_ticker, side, state,"
        " count_e2, limit_price_e4, close_time, trade_id) VALUES ('0001', %s, 1, 'web', 'T', 'E', 'S', 'yes', 'open', 100,"
        " 6000, now(), 7)",
        (MODE,),
    )
    db.run(
        "INSERT INTO users.orders (user_id, mode, trade_id, client_order_id, purpose, market_ticker, side, count_e2,"
        " limit_price_e4, state, exchange_order_id) VALUES ('0001', %s, 7, 'c', 'entry', 'T', 'yes', 100, 6000, 'filled', 'ours')",
        (MODE,),
    )
    fill(db, 1, order="ours")
    fill(db, 2, order="by hand")
    rows = account_pages.fills(db, USER, MODE, 5).rows
    assert [(r["fill_id"], r["trade_id"], r["purpose"]) for r in rows] == [
        ("f-0002", None, None),
        ("f-0001", 7, "entry"),
    ]


def outcome(db: Database, ok: bool, ago_s: float) -> None:
    db.run(
        "INSERT INTO users.reconciliations (at, mode, ok, differences) VALUES (now() - %s * interval '1 s', %s, %s, %s)",
        (ago_s, MODE, ok, Json([] if ok else [{"about": "position", "key": "T"}])),
    )


def test_reconciliations_page_by_page_and_since_when(db: Database) -> None:
    nothing = account_pages.reconciled_since(db, MODE)
    assert nothing["since"] is None and nothing["runs"] == 0 and nothing["differed_at"] is None
    for ok, ago_s in ((True, 200_000), (True, 150), (False, 120), (False, 90), (True, 60), (True, 30)):
        outcome(db, ok, ago_s)
    found = account_pages.reconciled_since(db, MODE)
    assert (found["runs"], found["differed"], found["whole"]) == (5, 2, True)
    assert 59 < (datetime.now(UTC) - found["since"]).total_seconds() < 80
    rows, more = account_pages.reconciliations(db, MODE, 4)
    assert [row["ok"] for row in rows] == [True, True, False, False] and more == rows[-1]["reconciliation_id"]
    rows, more = account_pages.reconciliations(db, MODE, 4, more)
    assert [row["ok"] for row in rows] == [True, True] and more is None
    rows, more = account_pages.reconciliations(db, MODE, 1, differing=True)
    assert len(rows) == 1 and more is not None
    rows, more = account_pages.reconciliations(db, MODE, 1, more, differing=True)
    assert len(rows) == 1 and more is None and rows[0]["differences"][0]["about"] == "position"


def facts(db: Database) -> BalanceFacts:
    return balance_facts(account_pages.balance_facts(db, MODE))


def names(db: Database) -> list[str]:
    return [one.name for one in refusals(facts(db))]


def test_the_facts_are_what_is_on_record(db: Database) -> None:
    assert names(db) == ["balance_age", "compared_age"]
    account.save_balance(db, MODE, 10_000_000, 0)
    account.set_cash_anchor(db, MODE, 10_000_000, 0)
    outcome(db, True, 10)
    assert names(db) == ["agrees"]
    account.save_balance(db, MODE, 260_000_000, 0)
    assert names(db) == [] and facts(db).differs_e6 == 250_000_000
    fill(db, 1, "HELD")
    assert names(db) == ["just_moved"], "recorded a moment ago: the balance may not hold it"
    db.run("UPDATE users.fills SET recorded_at = now() - interval '16 s'")
    assert names(db) == [] and facts(db).cash_e6 == -501_000
    db.run("UPDATE users.balances SET seen_at = now() - interval '3 s'")
    assert names(db) == ["just_moved"], "read 13 s after the fill, which is too soon to hold it for certain"
    db.run("UPDATE users.fills SET recorded_at = now() - interval '60 s'")
    db.run(
        "INSERT INTO live_data.markets (market_ticker, mode, event_ticker, series_ticker, strike_type, open_time, close_time,"
        " status, updated_at) VALUES ('HELD', %s, 'E', 'S', 'greater', now() - interval '1 h', now() - interval '1 s',"
        " 'closed', now())",
        (MODE,),
    )
    assert names(db) == ["settling"] and facts(db).settling == ("HELD",)
    account.record_settlements(db, MODE, [("HELD", "no", 0, 0, NOW)])
    db.run("UPDATE users.settlements SET recorded_at = now() - interval '60 s'")
    assert names(db) == []
    outcome(db, False, 5)
    assert names(db) == ["other_differences"]
    db.run("UPDATE users.balances SET seen_at = now() - interval '61 s'")
    assert "balance_age" in names(db)


def test_an_accepted_balance_is_kept_with_its_line_and_what_came_from_outside(db: Database) -> None:
    account.set_cash_anchor(db, MODE, 10_000_000, -1_000_000)
    account_pages.accept_balance(db, MODE, "admin", 259_000_000, -2_000_000, 9_000_000, "deposit")
    first, start = account_pages.anchors(db, MODE)
    assert (first["moved_e6"], first["balance_e6"], first["why"]) == (250_000_000, 259_000_000, "admin: deposit")
    assert start["moved_e6"] is None
    assert [row["moved_e6"] for row in account_pages.anchors(db, MODE, 1)] == [250_000_000]
    line = db.one("SELECT actor, action, detail FROM users.audit_log")
    assert line == {
        "actor": "admin", "action": "accept balance",
        "detail": {"ledger": "9.000000", "exchange": "259.000000", "why": "deposit"},
    }  # fmt: skip
