"""kill -9 at every step of the money path, with real processes: no order is lost, none doubled, the cash agrees."""

from __future__ import annotations

import signal
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from stack import Stack, wait_for
from test_trade_flow import ask, pick, trade

from recio.exchange.kalshi.client import KalshiClient
from recio.services.reconciliation import unproven
from recio.store.proof import trades_with_log
from recio.store.tickets import wait_decided

pytestmark = pytest.mark.timeout(900)

# service, step, and how often the exchange must have the order in the end
STEPS = [
    ("trade_manager", "after:INSERT INTO users.trades", 1),
    ("trade_manager", "after:INSERT INTO users.orders", 1),
    ("trade_manager", "after:UPDATE users.tickets", 1),
    ("trade_manager", "commit:UPDATE users.tickets", 1),
    ("trade_executor", "after:UPDATE users.orders SET state = 'sending'", 1),
    ("trade_executor", "before:create_order", 0),
    ("trade_executor", "after:create_order", 1),
    ("trade_executor", "after:UPDATE users.orders SET exchange_order_id", 1),
    ("trade_executor", "commit:UPDATE users.orders SET exchange_order_id", 1),
    ("kalshi_account_sync", "after:INSERT INTO users.fills", 1),
    ("kalshi_account_sync", "commit:INSERT INTO users.fills", 1),
    ("trade_manager", "after:UPDATE users.trades", 1),
]


def client_of(desk: Stack) -> KalshiClient:
    key = (desk.folder / "keys" / "simulated" / "private_key").read_bytes()
    return KalshiClient(f"http://127.0.0.1:{desk.port}/trade-api/v2", desk.key_id, key)


def die_at(desk: Stack, service: str, step: str) -> dict[str, Any]:
    """A ticket whose processing kills ``service`` at ``step``; gives the ticket once the service is back."""
    desk.kill(service)
    dying = str(Path(__file__).parent / "dying.py")
    desk._spawn(service, [sys.executable, dying, service, step], RECIO_DSN=desk.cluster.dsn(service))
    others = [name for name in ("trade_manager", "trade_executor") if name != service]
    desk.wait_healthy(*others)
    process = desk.processes[service]
    seen: list[str] = []

    def fatal() -> dict[str, Any] | None:
        """A ticket that reaches the step. Prices run, books have gaps: a refused one, here or before sending, does not."""
        asked = ask(desk, pick(desk, 25))
        until_s = time.monotonic() + (0 if asked["state"] == "refused" else 10)
        while process.poll() is None and time.monotonic() < until_s:
            time.sleep(0.05)
        seen.append(f"{asked['state']} {asked['reason']}")
        return asked if process.poll() is not None else None

    try:
        ticket = wait_for(f"{service} dies at {step}", fatal, 90)
    except AssertionError as late:
        raise AssertionError(f"{late}: {seen[-5:]}") from None
    assert process.poll() == -signal.SIGKILL, desk.log(service)[-2000:]
    desk.processes.pop(service)
    desk.start(service)
    return wait_decided(desk.db, ticket["ticket_id"], 10.0)


def test_killed_at_every_step_neither_lost_nor_doubled(desk: Stack) -> None:
    desk.db.run("UPDATE users.settings SET value = value || '{\"allow_same_entry\": true}' WHERE name = 'risk'")
    client = client_of(desk)
    cash_e6 = client.balance().balance_e6
    expected: dict[str, int] = {}
    for service, step, times in STEPS:
        desk.wait_healthy("trade_manager", "trade_executor", "kalshi_account_sync")
        ticket = die_at(desk, service, step)
        if ticket["state"] != "accepted":  # the manager died, and the price had gone by when it was back
            assert service == "trade_manager", (service, step, ticket["reason"])
            assert not desk.db.all("SELECT 1 FROM users.trades WHERE ticket_id = %s", (ticket["ticket_id"],))
            continue
        trades = desk.db.all("SELECT trade_id FROM users.trades WHERE ticket_id = %s", (ticket["ticket_id"],))
        assert [row["trade_id"] for row in trades] == [ticket["trade_id"]]
        orders = desk.db.all("SELECT client_order_id FROM users.orders WHERE trade_id = %s", (ticket["trade_id"],))
        assert len(orders) == 1, (service, step, orders)
        done = wait_for(
            f"known after {service} died at {step}",
            lambda key=orders[0]["client_order_id"]: desk.db.one(
                "SELECT * FROM users.orders WHERE client_order_id = %s AND state IN ('filled', 'cancelled', 'refused')",
                (key,),
            ),
            60,
        )
        if "not sent:" not in done["reason"]:
            expected[done["client_order_id"]] = times
    there = [order.client_order_id for order in client.orders()]
    ours = {row["client_order_id"] for row in desk.db.all("SELECT client_order_id FROM users.orders")}
    assert set(there) <= ours
    assert {key: there.count(key) for key in expected} == expected
    assert len(expected) >= len(STEPS) - 3, "too many were refused for their price to prove anything"

    ids = [row["trade_id"] for row in desk.db.all("SELECT trade_id FROM users.trades")]
    wait_for("every trade is final", lambda: all(trade(desk, n)["state"] in ("closed", "error") for n in ids), 120)
    earned = desk.db.one("SELECT coalesce(sum(pnl_e6), 0)::bigint AS e6 FROM users.trades")
    assert earned is not None
    # the result is known a second before the exchange pays
    wait_for("the cash agrees", lambda: client.balance().balance_e6 - cash_e6 == earned["e6"], 20)
    assert unproven(trades_with_log(desk.db, "simulated")) == []
    open_now = desk.db.all("SELECT cause FROM system.incidents WHERE closed_at IS NULL")
    assert open_now == []
    client.close()
