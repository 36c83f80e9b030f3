"""Orders placed elsewhere that rest on the exchange are cancelled from here: by real services at a real exchange."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
import urllib.request
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from stack import Stack, wait_for
from test_adopt_order import newest, recio, wait_agreed
from test_trade_flow import ask, pick, wait_state

from recio.exchange.kalshi.client import KalshiClient
from recio.exchange.kalshi.models import NewOrder
from recio.store.cancels import cancel_of_ticket
from recio.store.tickets import KeyReused, submit_cancel, submit_close, wait_decided

pytestmark = pytest.mark.timeout(300)
Row = dict[str, Any]
ENDS = ("cancelled", "gone", "refused")


def rest(desk: Stack, client: KalshiClient, how_many: int) -> list[NewOrder]:
    """Orders that rest, one contract at a cent, on a market that stays open; once the desk has read of all of them."""
    row = wait_for(
        "a market that stays open",
        lambda: desk.db.one(
            "SELECT market_ticker FROM live_data.markets m JOIN live_data.books b USING (market_ticker) WHERE mode = 'simulated'"
            " AND close_time > now() + interval '280 s' AND status = 'active' AND jsonb_array_length(b.yes_bids) > 0"
            " AND (b.yes_bids->0->>0)::int BETWEEN 2000 AND 8000 ORDER BY close_time LIMIT 1"
        ),
    )
    made = [
        NewOrder(
            ticker=row["market_ticker"], book_side="bid", count_e2=100, yes_price_e4=100 * (n + 1),
            client_order_id=str(uuid.uuid4()), time_in_force="good_till_canceled",
        )
        for n in range(how_many)
    ]  # fmt: skip
    for order in made:
        client.create_order(order)
    keys = {order.client_order_id for order in made}
    wait_for("the desk has read of them", lambda: keys <= {d.get("key") for d in newest(desk)["differences"]}, 90)
    return made


def ids_of(client: KalshiClient, orders: Sequence[NewOrder]) -> list[str]:
    known = {order.client_order_id: order.order_id for order in client.orders()}
    return [known[order.client_order_id] for order in orders]


def cancel(desk: Stack, order_id: str, key: str = "") -> int:
    """Ask for a cancel; the ticket's id."""
    return submit_cancel(
        desk.db, user_id="0001", mode="simulated", key=key or f"test-{uuid.uuid4()}", source="api", order_id=order_id,
        actor="test",
    ).ticket_id  # fmt: skip


def accepted(desk: Stack, order_id: str) -> int:
    ticket_id = cancel(desk, order_id)
    decided = wait_decided(desk.db, ticket_id, 5.0)
    assert decided["state"] == "accepted", decided["reason"]
    return ticket_id


def ended(desk: Stack, ticket_id: int, *states: str, timeout_s: float = 40.0) -> Row:
    def there() -> Row | None:
        row = cancel_of_ticket(desk.db, ticket_id)
        return row if row and row["state"] in (states or ENDS) else None

    found: Row = wait_for(f"cancel of ticket {ticket_id} {states}", there, timeout_s)
    return found


def faults(desk: Stack, *rows: Row) -> list[Row]:
    """Put these faults in place; what were there, with how often each was committed."""
    url = f"http://127.0.0.1:{desk.port}/admin/faults"
    with urllib.request.urlopen(url) as answer:
        before: list[Row] = json.load(answer)["faults"]
    with urllib.request.urlopen(urllib.request.Request(url, json.dumps({"faults": rows}).encode(), method="PUT")):
        return before


def lost(kind: str, **more: object) -> Row:
    """A fault of cancels only."""
    return {"kind": kind, "path": "*/portfolio/events/orders/*", "method": "DELETE", **more}


def meet(desk: Stack, sent: list[int], *rows: Row) -> None:
    """Put faults in place, and one that never acts but counts every cancel; ``sent`` gets the count of the former one."""
    before = faults(desk, *rows, lost("timeout_before", skip_first=1_000_000))
    sent.extend(row["seen"] for row in before if row["skip_first"])


def buy(desk: Stack) -> Row:
    """A trade that holds something; prices run, an entry is tried again."""
    for _ in range(4):
        bought = ask(desk, pick(desk, 45))
        if bought["state"] == "accepted" and wait_state(desk, bought["trade_id"], "open", "closed")["state"] == "open":
            return bought
    raise AssertionError(f"nothing could be bought: {bought['reason']}")


def status_of(client: KalshiClient, order_id: str) -> str:
    return client.order(order_id).status


def test_taken_off_while_everything_else_is_stopped(desk: Stack, elsewhere: KalshiClient) -> None:
    desk.db.run(
        "INSERT INTO users.settings (user_id, name, value, changed_by) VALUES ('0001', 'kill_switch', '{\"on\": true}', 'test')"
    )
    orders = rest(desk, elsewhere, 4)
    first, second, before, filled = ids_of(elsewhere, orders)

    # by the command line, as an operator
    listed = recio(desk, "cancel")
    assert listed.returncode == 0 and "4 orders rest that are not this desk's" in listed.stdout, listed
    assert f"{first}  rests since" in listed.stdout and "buy 1 YES at 1¢, or sell 1 NO at 99¢" in listed.stdout
    done = recio(desk, "cancel", first, "--yes")
    assert (done.returncode, "cancelled: 1 of 1 taken off the book" in done.stdout) == (0, True), done
    assert status_of(elsewhere, first) == "canceled"
    again = recio(desk, "cancel", first, "--yes")
    assert again.returncode == 1 and "a moment ago" in again.stderr, again
    nothing = recio(desk, "cancel", "no-such-order", "--yes")
    assert nothing.returncode == 1 and "knows no order no-such-order" in nothing.stderr, nothing
    line = desk.db.one("SELECT detail FROM users.audit_log WHERE action = 'cancel order' ORDER BY audit_id LIMIT 1")
    assert line is not None and line["detail"] == {"exchange_order_id": first}

    # twice at once, and with the same key again
    with desk.db.transaction():
        asked = [cancel(desk, second, f"at-once-{n}") for n in range(2)]
    decided = [wait_decided(desk.db, one, 5.0) for one in asked]
    assert sorted(one["state"] for one in decided) == ["accepted", "refused"], decided
    refused = next(one for one in decided if one["state"] == "refused")
    assert "never sent twice" in refused["reason"] or "a moment ago" in refused["reason"]
    assert cancel(desk, second, "at-once-0") == asked[0]
    with pytest.raises(KeyReused):
        cancel(desk, first, "at-once-0")
    end = ended(desk, next(one["ticket_id"] for one in decided if one["state"] == "accepted"))
    assert (end["state"], end["reduced_e2"]) == ("cancelled", 100)

    # somebody was quicker: cancelled elsewhere, or filled
    elsewhere.cancel_order(before, orders[2].ticker)
    end = ended(desk, accepted(desk, before))
    assert (end["state"], end["not_found"], end["reduced_e2"]) == ("gone", True, None)
    assert "it had been cancelled before, 0 of 1 filled" in end["reason"]
    body = {"ticker": orders[3].ticker, "side": "bid", "price": "0.9900", "count": "1.00"}
    elsewhere._change("POST", f"/portfolio/events/orders/{filled}/amend", json.dumps(body).encode())
    wait_for("it is filled", lambda: status_of(elsewhere, filled) == "executed")
    end = ended(desk, accepted(desk, filled))
    assert (end["state"], end["reduced_e2"]) == ("gone", None) and "1 of 1 filled" in end["reason"]

    # what took nothing off the account is no difference any more; what was filled is, until it is adopted
    only = {orders[3].client_order_id}
    wait_for(
        "only the filled order differs",
        lambda: {d["key"] for d in newest(desk)["differences"] if d["about"] == "order"} == only, 60,
    )  # fmt: skip
    assert recio(desk, "adopt", "--yes").returncode == 0
    wait_agreed(desk)


def test_an_answer_that_never_comes_is_looked_up_and_no_order_waits_for_it(
    desk: Stack, elsewhere: KalshiClient
) -> None:
    orders = rest(desk, elsewhere, 4)
    done, undone, silent, busy = ids_of(elsewhere, orders)
    bought = buy(desk)
    own = desk.db.one("SELECT exchange_order_id FROM users.orders WHERE trade_id = %s", (bought["trade_id"],))
    assert own is not None
    no = wait_decided(desk.db, cancel(desk, own["exchange_order_id"]), 5.0)
    assert no["state"] == "refused" and "this desk's own (filled)" in no["reason"], no

    sent: list[int] = []
    meet(desk, sent, lost("error_after", count=1))
    end = ended(desk, accepted(desk, done))
    assert (end["state"], end["reduced_e2"]) == ("cancelled", 100) and "answer to the cancel was lost" in end["reason"]

    # the exchange takes it off and says nothing for four seconds; an exit asked for meanwhile goes at once
    meet(desk, sent, lost("timeout_after", count=1, hold_s=4.0))
    ticket_id = accepted(desk, silent)
    ended(desk, ticket_id, "sending")
    began_s = time.monotonic()
    submit_close(
        desk.db, user_id="0001", mode="simulated", key=f"close-{uuid.uuid4()}", source="api",
        trade_id=bought["trade_id"], limit_price_e4=100,
    )  # fmt: skip
    wait_for(
        "the exit has an answer",
        lambda: desk.db.one(
            "SELECT 1 FROM users.orders WHERE trade_id = %s AND purpose = 'exit' AND done_at IS NOT NULL",
            (bought["trade_id"],),
        ),
        3.0,
    )
    still = cancel_of_ticket(desk.db, ticket_id)
    assert still is not None and still["state"] == "sending", "the exit was to go while the cancel waits"
    assert time.monotonic() - began_s < 3
    unknown = ended(desk, ticket_id, "unknown", "cancelled")
    assert "outcome unknown" in unknown["reason"] or unknown["state"] == "cancelled"
    assert ended(desk, ticket_id)["state"] == "cancelled"

    # it never arrived: still resting when its signature is void, and then it may be asked for anew
    meet(desk, sent, lost("error_before", count=1))
    end = ended(desk, accepted(desk, undone), timeout_s=60)
    assert end["state"] == "refused" and "still rests" in end["reason"] and end["lookups"] >= 5
    assert status_of(elsewhere, undone) == "resting"
    assert ended(desk, accepted(desk, undone))["state"] == "cancelled"
    meet(desk, sent, lost("rate_limited", count=1))
    end = ended(desk, accepted(desk, busy))
    assert end["state"] == "refused" and "429" in end["reason"]
    assert ended(desk, accepted(desk, busy))["state"] == "cancelled"
    meet(desk, sent)
    assert sum(sent) == 6, f"four orders, two of them asked for again; nothing is sent a second time by itself: {sent}"
    health = desk.report("trade_executor")
    assert health is not None and health.healthy, health


def test_killed_between_sending_and_answer(desk: Stack, elsewhere: KalshiClient) -> None:
    orders = rest(desk, elsewhere, 3)
    cases: list[tuple[str, str, str, Callable[[Row], bool]]] = [
        (ids_of(elsewhere, orders)[0], "trade_executor", "after:cancel_order", lambda end: end["state"] == "cancelled"),
        (ids_of(elsewhere, orders)[1], "trade_executor", "before:cancel_order", lambda end: end["state"] == "refused"),
        (ids_of(elsewhere, orders)[2], "trade_manager", "after:INSERT INTO users.cancels", lambda end: True),
    ]
    for order_id, service, step, right in cases:
        desk.kill(service)
        dying = str(Path(__file__).parent / "dying.py")
        desk._spawn(service, [sys.executable, dying, service, step], RECIO_DSN=desk.cluster.dsn(service))
        desk.wait_healthy(service)
        process: subprocess.Popen[bytes] = desk.processes[service]
        ticket_id = cancel(desk, order_id)
        wait_for(f"{service} dies at {step}", lambda p=process: p.poll() is not None, 30)
        assert process.poll() == -signal.SIGKILL, desk.log(service)[-2000:]
        desk.processes.pop(service)
        desk.start(service)
        decided = wait_decided(desk.db, ticket_id, 20.0)
        if service == "trade_manager" and decided["state"] == "refused":  # back too late for the ticket
            assert "ask again" in decided["reason"], decided
            assert desk.db.all("SELECT 1 FROM users.cancels WHERE ticket_id = %s", (ticket_id,)) == []
            continue
        end = ended(desk, ticket_id, timeout_s=60)
        assert right(end), (step, end)
        assert (status_of(elsewhere, order_id) == "canceled") == (end["state"] == "cancelled"), (step, end)
        made = desk.db.all("SELECT 1 FROM users.cancels WHERE exchange_order_id = %s", (order_id,))
        assert len(made) == 1, (step, made)
