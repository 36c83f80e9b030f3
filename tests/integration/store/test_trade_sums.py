"""The sums the database keeps are the trades' sums, whatever happens to the trades; and figures from them are those counted."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pg import Cluster

from recio.store import history_queries as past
from recio.store import ledger
from recio.store.db import Database
from recio.store.history_queries import GROUPS, HistoryFilter
from recio.store.pool import Pool

USER, MODE = "0001", "simulated"
STATES = ("pending", "open", "closing", "closed", "expired", "error")
NEAR = datetime(2026, 11, 1, 3, 30, tzinfo=UTC)  # the night New York's clocks go back is within reach

state = st.fixed_dictionaries({
    "state": st.sampled_from(STATES), "entry_count_e2": st.sampled_from((0, 100, 700)), "exit_count_e2": st.sampled_from((0, 100, 700)),
    "entry_cost_e6": st.integers(0, 10**9), "fees_e6": st.integers(0, 10**6), "pnl_e6": st.none() | st.integers(-(10**9), 10**9),
})  # fmt: skip
kind = st.fixed_dictionaries({
    "series_ticker": st.sampled_from(("KXBTCD", "KXBTC15M")), "side": st.sampled_from(("yes", "no")),
    "source": st.sampled_from(("web", "auto_entry")), "monitor_id": st.sampled_from((None, "one", "two")),
    "mode": st.sampled_from((MODE, MODE, "demo")), "created_at": st.integers(0, 400).map(lambda n: NEAR + timedelta(minutes=30 * n)),
})  # fmt: skip
step = st.one_of(
    st.tuples(st.just("new"), kind, state),
    st.tuples(st.just("change"), st.integers(0, 30), state),  # a fill, a close, a void, a correction long after
    st.tuples(st.just("rename"), st.integers(0, 30), kind),
    st.tuples(st.just("gone"), st.integers(0, 30), st.just({})),
)
wish = st.builds(
    HistoryFilter, state=st.sampled_from(("closed", "all")), series=st.sampled_from(("", "KXBTCD")), side=st.sampled_from(("", "no")),
    outcome=st.sampled_from(("", "won", "lost")), weekday=st.none() | st.integers(1, 7), hour=st.none() | st.integers(0, 23),
    monitor=st.sampled_from(("", "one")), strategy=st.sampled_from(("", "", "hourly_hold")), source=st.sampled_from(("", "web")),
    exit=st.sampled_from(("", "settled", "unfilled")),
)  # fmt: skip


@pytest.fixture(scope="module")
def desk(cluster: Cluster) -> Iterator[tuple[Database, Database, Pool]]:
    """The owner, trade_manager and main_app, each with its own rights."""
    owner, manager = Database("tests", cluster.dsn("postgres")), Database("trade_manager", cluster.dsn("trade_manager"))
    owner.run("TRUNCATE users.users RESTART IDENTITY CASCADE")
    owner.run("INSERT INTO users.users (user_id, login, password_hash) VALUES ('0001', 'admin', 'unset')")
    owner.run(
        "INSERT INTO users.monitors (user_id, monitor_id, strategy, series_ticker, changed_by)"
        " VALUES ('0001', 'one', 'hourly_hold', 'KXBTCD', 'test') ON CONFLICT DO NOTHING"
    )
    pool = Pool("main_app", cluster.dsn("main_app"))
    yield owner, manager, pool
    pool.close()
    manager.close()
    owner.close()


def _apply(owner: Database, manager: Database, steps: list[Any]) -> None:
    made: list[int] = []
    for what, which, facts in steps:
        if what == "new":
            row = {
                "user_id": USER, "ticket_id": 1, "market_ticker": "M", "event_ticker": "E", "strike_e2": 1, "count_e2": 700,
                "limit_price_e4": 5_000, "close_time": NEAR,
            }  # fmt: skip
            made.append(ledger.insert_trade(manager, row | which | facts))
        elif made:
            trade_id = made[which % len(made)]
            if what == "gone":  # no service may; the owner could
                owner.run("DELETE FROM users.trades WHERE trade_id = %s", (trade_id,))
            else:
                ledger.update_trade(manager, USER, trade_id, facts)


_CELLS = (
    "user_id, mode, weekday, hour, series_ticker, monitor_id, side, source, ending, outcome,"
    " trades, count_e2, cost_e6, fees_e6, pnl_e6"
)


def _rows(owner: Database, table: str) -> list[dict[str, Any]]:
    return owner.all(f"SELECT {_CELLS} FROM {table} WHERE trades <> 0 ORDER BY {_CELLS}")


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(step, max_size=25), wishes=st.lists(wish, min_size=4, max_size=4))
def test_the_kept_sums_are_the_trades_sums(
    desk: tuple[Database, Database, Pool], steps: list[Any], wishes: list[HistoryFilter]
) -> None:
    owner, manager, pool = desk
    owner.run("TRUNCATE users.trades CASCADE")
    assert not owner.all("SELECT FROM users.trade_sums"), "a ledger emptied leaves no sums"
    _apply(owner, manager, steps)
    assert _rows(owner, "users.trade_sums") == _rows(owner, "users.trade_sums_anew")
    zero = owner.all("SELECT * FROM users.trade_sums WHERE trades = 0")
    assert not any(row[name] for row in zero for name in ("count_e2", "cost_e6", "fees_e6", "pnl_e6"))
    for wanted in (HistoryFilter(), HistoryFilter(state="all"), *wishes):
        assert wanted.kept(USER, MODE) is not None
        counted = past.figures(pool, USER, MODE, wanted, tuple(GROUPS), one_by_one=True)
        assert past.figures(pool, USER, MODE, wanted, tuple(GROUPS)) == counted, wanted


@pytest.mark.parametrize(
    "wanted",
    [
        HistoryFilter(since=NEAR), HistoryFilter(until=NEAR), HistoryFilter(state="live"), HistoryFilter(exit="stopped"),
        HistoryFilter(exit="by_hand"),
    ],
)  # fmt: skip
def test_what_the_sums_do_not_know_is_counted(wanted: HistoryFilter) -> None:
    assert wanted.kept(USER, MODE) is None


def test_a_change_undone_leaves_no_trace(desk: tuple[Database, Database, Pool]) -> None:
    owner, manager, _ = desk
    with pytest.raises(RuntimeError, match="undone"), manager.transaction():
        ledger.update_trade(manager, USER, _closed(manager), {"pnl_e6": -5})
        assert manager.one("SELECT 1 AS sent")  # what waited for the next statement is in the database
        raise RuntimeError("undone")
    assert _rows(owner, "users.trade_sums") == _rows(owner, "users.trade_sums_anew")


def _closed(manager: Database) -> int:
    return ledger.insert_trade(manager, {
        "user_id": USER, "mode": MODE, "ticket_id": 1, "source": "web", "market_ticker": "M", "event_ticker": "E",
        "series_ticker": "KXBTCD", "strike_e2": 1, "side": "yes", "state": "closed", "count_e2": 700, "limit_price_e4": 5_000,
        "close_time": NEAR, "entry_count_e2": 100, "entry_cost_e6": 500_000, "pnl_e6": 7,
    })  # fmt: skip


@pytest.mark.parametrize("role", ["main_app", "trade_manager", "kalshi_account_sync"])
def test_no_service_writes_the_sums(cluster: Cluster, role: str) -> None:
    db = Database(role, cluster.dsn(role))
    with pytest.raises(psycopg2.errors.InsufficientPrivilege):
        db.run("UPDATE users.trade_sums SET pnl_e6 = 0")
    db.close()
