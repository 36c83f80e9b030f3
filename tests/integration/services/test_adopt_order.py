"""An order the exchange has and the ledger does not: entries stop, and `recio account adopt` takes it into the ledger."""

from __future__ import annotations

import subprocess
import sys
import uuid
from typing import Any

import pytest
from stack import Stack, wait_for
from test_trade_flow import ask, pick, wait_state

from recio.exchange.kalshi.client import KalshiClient
from recio.exchange.kalshi.models import NewOrder

pytestmark = pytest.mark.timeout(300)
Row = dict[str, Any]


def order(row: Row, book_side: str, count_e2: int, yes_price_e4: int, *, reduce_only: bool = False) -> NewOrder:
    return NewOrder(
        ticker=row["market_ticker"], book_side=book_side, count_e2=count_e2, yes_price_e4=yes_price_e4,
        client_order_id=str(uuid.uuid4()), reduce_only=reduce_only, order_group_id=None,
    )  # fmt: skip


@pytest.fixture(autouse=True)
def held_to_the_end(desk: Stack) -> None:
    """No stop sells what a test bought: on a market that runs away it would, and this is about the account."""
    desk.db.run(
        "INSERT INTO users.settings (user_id, name, value, changed_by)"
        " VALUES ('0001', 'auto_stop', '{\"enabled\": false}', 'test')"
    )


def newest(desk: Stack) -> Row:
    found = desk.db.one(
        "SELECT ok, differences, reconciliation_id FROM users.reconciliations ORDER BY reconciliation_id DESC LIMIT 1"
    )
    assert found is not None
    return found


def wait_different(desk: Stack, key: str) -> None:
    wait_for("the difference is seen", lambda: any(d.get("key") == key for d in newest(desk)["differences"]), 90)


def wait_agreed(desk: Stack) -> None:
    wait_for("ledger and exchange agree", lambda: newest(desk)["ok"], 90)


def recio(desk: Stack, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "recio.cli", "account", *words]
    env = desk.environment | {"RECIO_DSN": desk.cluster.dsn("recio_operator")}
    return subprocess.run(command, env=env, capture_output=True, text=True, check=False)


def test_what_was_bought_elsewhere_becomes_a_trade_and_settles(desk: Stack, elsewhere: KalshiClient) -> None:
    row = pick(desk, 60)
    bought = order(row, "bid", 300, 9_900)  # at any price: on a busy machine it runs away by more than a few cents
    filled_e2 = elsewhere.create_order(bought).fill_count_e2
    assert filled_e2 > 0
    wait_different(desk, bought.client_order_id)
    for _ in range(2):  # said twice it is done once
        done = recio(desk, "adopt", "--yes", "--order", bought.client_order_id)
        assert (done.returncode, bought.client_order_id in done.stdout) == (0, True), done
    made = desk.db.one(
        "SELECT min(trade_id) AS trade_id, count(*) AS times FROM users.orders WHERE client_order_id = %s",
        (bought.client_order_id,),
    )
    assert made is not None
    assert made["times"] == 1
    held = wait_state(desk, made["trade_id"], "open", "expired", "closed")
    assert (held["side"], held["source"], held["entry_count_e2"]) == ("yes", "adopted", filled_e2)
    wait_agreed(desk)
    assert "no order the ledger does not know" in recio(desk, "adopt", "--yes").stdout
    closed = wait_state(desk, made["trade_id"], "closed", timeout_s=120)
    payout = filled_e2 * (10_000 if closed["result"] == "yes" else 0)
    assert closed["pnl_e6"] == payout - closed["entry_cost_e6"] - closed["fees_e6"]
    assert "log" not in {d["about"] for d in newest(desk)["differences"]}


def test_what_was_sold_elsewhere_is_the_exit_of_the_trade_that_held_it(desk: Stack, elsewhere: KalshiClient) -> None:
    row = pick(desk, 75)
    decided = ask(desk, row)
    held = wait_state(desk, decided["trade_id"], "open")
    sold = order(row, "ask", held["entry_count_e2"], 100, reduce_only=True)
    assert elsewhere.create_order(sold).fill_count_e2 == held["entry_count_e2"]
    wait_different(desk, sold.client_order_id)
    done = recio(desk, "adopt", "--yes")
    assert f"{sold.client_order_id}: trade {held['trade_id']}" in done.stdout, done
    closed = wait_state(desk, held["trade_id"], "closed", timeout_s=30)
    assert (closed["reason"], closed["exit_count_e2"]) == ("sold", held["entry_count_e2"])
    assert closed["pnl_e6"] == closed["exit_proceeds_e6"] - closed["entry_cost_e6"] - closed["fees_e6"]
    wait_agreed(desk)
