"""The kill switch with real processes: by the shell and by a file, at the desk and on the exchange's order group."""

from __future__ import annotations

import re
import subprocess
import sys
import uuid
from typing import Any

import pytest
from stack import Stack, wait_for
from test_killed_anywhere import client_of
from test_trade_flow import ask, pick, wait_state

from recio.exchange.errors import Refused
from recio.exchange.kalshi.models import NewOrder
from recio.store.tickets import submit_close, wait_decided

pytestmark = pytest.mark.timeout(240)


def recio(desk: Stack, *words: str) -> subprocess.CompletedProcess[str]:
    """The operator's command, as the operator's role."""
    dsn = {"RECIO_DSN": desk.cluster.dsn("recio_operator")}
    # not through recio.cli.main: as root that names the installed database
    command = [sys.executable, "-c", "from recio.cli.main import app; app()", *words]
    return subprocess.run(command, env=desk.environment | dsn, capture_output=True, text=True, check=False)


def group(desk: Stack) -> dict[str, Any]:
    row = desk.db.one("SELECT * FROM users.order_groups ORDER BY group_number DESC LIMIT 1")
    assert row is not None
    return row


def bought(desk: Stack) -> int:
    """An open trade; prices run, so it is tried a few times."""
    for _ in range(8):
        ticket = ask(desk, pick(desk, 45))
        if ticket["state"] == "accepted":
            row = wait_state(desk, ticket["trade_id"], "open", "closed", "error")
            if row["state"] == "open":
                return int(row["trade_id"])
    raise AssertionError("eight tickets, no open trade")


def test_by_shell_and_by_file_at_the_desk_and_on_the_exchange(desk: Stack) -> None:
    client = client_of(desk)
    wait_for("a group of the day", lambda: desk.db.all("SELECT 1 FROM users.order_groups"))
    trade_id = bought(desk)
    sent = client._get("/portfolio/orders")["orders"]
    assert {row["order_group_id"] for row in sent} == {group(desk)["order_group_id"]}

    said = recio(desk, "kill", "on")
    assert said.returncode == 2 and "--why" in re.sub(r"\x1b\[[0-9;]*m", "", said.stderr)  # colours cut words in two
    said = recio(desk, "kill", "on", "--why", "smoke in the cellar")
    assert said.returncode == 0, said.stderr
    wait_for("the exchange's group is stopped", lambda: group(desk)["state"] == "triggered")
    assert "the kill switch is on: smoke in the cellar" in ask(desk, pick(desk))["reason"]
    by_hand = NewOrder(
        ticker=pick(desk)["market_ticker"], book_side="bid", count_e2=100, yes_price_e4=9_900,
        client_order_id=str(uuid.uuid4()), order_group_id=group(desk)["order_group_id"],
    )  # fmt: skip
    with pytest.raises(Refused, match="is triggered"):
        client.create_order(by_hand)  # whatever runs amok here: the exchange takes nothing of this group
    status = recio(desk, "kill", "status")
    assert status.returncode == 1 and "on: smoke in the cellar" in status.stdout and "triggered" in status.stdout

    close = submit_close(
        desk.db, user_id="0001", mode="simulated", key=f"close-{uuid.uuid4()}", source="api", trade_id=trade_id
    )
    decided = wait_decided(desk.db, close.ticket_id, 5.0)
    if decided["state"] == "accepted":  # nobody is kept from getting out
        wait_state(desk, trade_id, "closed", "expired", "open", timeout_s=30)
    else:
        assert "kill switch" not in decided["reason"]

    (desk.folder / "KILL").write_text("by file\n")
    off = recio(desk, "kill", "off", "--why", "the fire is out")
    assert off.returncode == 1 and "remove the file" in off.stderr
    assert "KILL is there: by file" in ask(desk, pick(desk))["reason"]
    assert group(desk)["state"] == "triggered"
    (desk.folder / "KILL").unlink()
    wait_for("armed again", lambda: group(desk)["state"] == "open")
    assert bought(desk)
    audit = desk.db.all("SELECT detail FROM users.audit_log WHERE action = 'set kill_switch' ORDER BY audit_id")
    assert [row["detail"]["on"] for row in audit] == [True, False]
    client.close()
