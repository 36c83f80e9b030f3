"""A resting order of another's hand, cancelled from the Account page and by the API; trade_manager's own decision behind it."""

from __future__ import annotations

from typing import Any

import pytest
from psycopg2.extras import Json
from test_web_account import page
from test_web_tokens import program
from webdesk import Desk, decided_for_real, make_trade, resting

from recio.store import cancels
from recio.store.db import Database


def read(desk: Desk, *differences: dict[str, Any], ago: str = "0 s") -> None:
    """What the account's newest reading found."""
    desk.db.run(
        "INSERT INTO users.reconciliations (mode, ok, differences, at) VALUES ('simulated', %s, %s, now() - %s::interval)",
        (not differences, Json(list(differences)), ago),
    )


def executor(desk: Desk) -> Database:
    return Database("trade_executor", desk.cluster.dsn("trade_executor"))


def ask(desk: Desk, order_id: str, key: str, **headers: str) -> Any:
    manager = decided_for_real(desk)
    user = desk.user()
    answer = user.ask("POST", f"/api/account/orders/{order_id}/cancel", {"idempotency_key": key}, **headers)
    manager.join()
    return answer


def test_what_rests_stands_on_the_page_with_a_way_to_cancel_it(desk: Desk) -> None:
    assert "Not known: the account has not been read yet" in page(desk.user())
    read(desk)
    assert "Nothing rests there that this desk did not place" in page(desk.user())
    read(desk, resting("x-1", filled_e2=250), resting("x-2", status="canceled"), resting("x-3", book_side="ask"))
    said = page(desk.user())
    for words in (
        "buy 10 YES at 32¢, or sell 10 NO at 68¢", "2.5 of 10", "buy 10 NO at 68¢, or sell 10 YES at 32¢",
        "needs script, or recio account cancel x-1 on the host",
    ):  # fmt: skip
        assert words in said, words
    raw = desk.user().ask("GET", "/account", Accept="text/html").body.decode()
    assert raw.count("data-cancel=") == 2 and 'data-cancel="x-2"' not in raw
    assert 'aria-label="Cancel: buy 10 YES at 32¢, or sell 10 NO at 68¢ in' in raw
    found = desk.user().ask("GET", "/api/account").json["resting_elsewhere"]
    assert [(one["exchange_order_id"], one["filled_e2"], one["cancel"]) for one in found] == [
        ("x-1", 250, None), ("x-3", 0, None),
    ]  # fmt: skip


def test_a_cancel_is_on_record_before_anything_is_sent_and_told_as_far_as_it_is_known(desk: Desk) -> None:
    read(desk, resting("x-1"))
    desk.db.run(
        "INSERT INTO users.settings (user_id, name, value, changed_by) VALUES ('0001', 'kill_switch', '{\"on\": true}', 't')"
    )
    answer = ask(desk, "x-1", "cancel-0001", X_Forwarded_For="192.0.2.7")
    assert answer.status == 200, answer.body
    assert (answer.json["state"], answer.json["cancel"]["state"], answer.json["replayed"]) == (
        "accepted", "intent", False,
    )  # fmt: skip
    assert "asked for; trade_executor sends it next" in page(desk.user())
    assert "data-cancel=" not in desk.user().ask("GET", "/account", Accept="text/html").body.decode()
    again = desk.user().ask("POST", "/api/account/orders/x-1/cancel", {}, Idempotency_Key="cancel-0001")
    assert again.json["replayed"] is True and again.headers["idempotent-replayed"] == "true"
    other = desk.user().ask("POST", "/api/account/orders/x-2/cancel", {"idempotency_key": "cancel-0001"})
    assert (other.status, other.error) == (409, "idempotency_key_reused")
    second = ask(desk, "x-1", "cancel-0002")
    assert second.json["state"] == "refused" and "never sent twice" in second.json["reason"]
    lines = desk.db.all("SELECT actor, detail, remote_addr FROM users.audit_log WHERE action = 'cancel order'")
    assert len(lines) == 2, "one a ticket, none for a repeat"
    assert (lines[0]["actor"], lines[0]["detail"]) == ("admin", {"exchange_order_id": "x-1"})

    # the executor, with its own role's rights
    mine = executor(desk)
    row = cancels.claim_cancel(mine, "simulated")
    assert row is not None and cancels.claim_cancel(mine, "simulated") is None
    assert "the exchange has not answered yet" in page(desk.user())
    cancels.finish_cancel(mine, row["cancel_id"], "unknown", "outcome unknown: no answer", None)
    cancels.note_cancel_lookup(mine, row["cancel_id"], 2)
    said = page(desk.user())
    assert "not known: its answer was lost, the order is looked up, 2 so far; nothing is sent twice" in said
    assert "cancelled: " not in said
    cancels.finish_cancel(mine, row["cancel_id"], "cancelled", "10 of 10 taken off the book", 1_000)
    said = page(desk.user())
    assert "Nothing rests there that this desk did not place" in said, "the reading is older than its end"
    assert "Newest cancels" in said and "cancelled: 10 of 10 taken off the book" in said
    third = ask(desk, "x-1", "cancel-0003")
    assert third.json["state"] == "refused" and "a moment ago" in third.json["reason"]
    (listed,) = desk.user().ask("GET", "/api/account/cancels").json["cancels"]
    assert (listed["state"], listed["reduced_e2"]) == ("cancelled", 1_000) and listed["done_at_ms"]
    done = desk.user().ask("POST", "/api/account/orders/x-1/cancel", {"idempotency_key": "cancel-0001"}).json
    assert done["cancel"]["state"] == "cancelled", "the same key tells what it came to"
    read(desk, resting("x-1"))  # the exchange has it resting all the same: it stands there again
    assert "data-cancel=" in desk.user().ask("GET", "/account", Accept="text/html").body.decode()
    mine.close()


@pytest.mark.parametrize(
    ("state", "words"), [("gone", "too late: it was filled"), ("refused", "not cancelled: it was")]
)
def test_an_end_that_is_no_cancel_is_told_as_such(desk: Desk, state: str, words: str) -> None:
    read(desk, resting("x-1"))
    assert ask(desk, "x-1", "cancel-0001").json["state"] == "accepted"
    mine = executor(desk)
    row = cancels.claim_cancel(mine, "simulated")
    assert row is not None
    cancels.finish_cancel(mine, row["cancel_id"], state, "it was filled", None, not_found=state == "gone")
    mine.close()
    said = page(desk.user())
    assert words in said and "cancelled: it" not in said.replace("not cancelled: it", "")
    again = ask(desk, "x-1", "cancel-0002").json
    assert again["state"] == ("accepted" if state == "refused" else "refused")


def test_what_must_not_be_cancelled_is_refused_with_the_reason(desk: Desk) -> None:
    assert "has not been read yet" in ask(desk, "x-1", "cancel-0001").json["reason"]
    read(desk, resting("x-1"), ago="200 s")
    assert "was last read 200 s ago" in ask(desk, "x-1", "cancel-0002").json["reason"]
    read(desk, resting("x-1"), resting("x-own"), resting("x-2", client_order_id="c-own"))
    assert "knows no order x-9" in ask(desk, "x-9", "cancel-0003").json["reason"]
    trade_id = make_trade(desk.db, state="open")
    for number, (client_id, exchange_id) in enumerate((("c-a", "x-own"), ("c-own", None))):
        desk.db.run(
            "INSERT INTO users.orders (user_id, mode, trade_id, client_order_id, purpose, market_ticker, side, count_e2,"
            " limit_price_e4, state, exchange_order_id) VALUES ('0001', 'simulated', %s, %s, 'entry', 'M', 'yes', 500, 6000,"
            " 'sending', %s)",
            (trade_id, client_id, exchange_id),
        )
        answer = ask(desk, ("x-own", "x-2")[number], f"cancel-01{number}0")
        assert "this desk's own (sending)" in answer.json["reason"], answer.body
    assert desk.db.all("SELECT 1 FROM users.cancels") == []


def test_the_call_is_checked_before_anything_is_asked(desk: Desk) -> None:
    user = desk.user()
    path = "/api/account/orders/x-1/cancel"
    assert user.ask("POST", path, {}).error == "invalid_idempotency_key"
    assert user.ask("POST", path, {"idempotency_key": "cancel-0001", "count": 1}).status == 422
    assert user.ask("POST", "/api/account/orders/a%20b/cancel", {"idempotency_key": "cancel-0001"}).status == 422
    assert user.ask("POST", path, {"idempotency_key": "cancel-0001"}, X_CSRF_Token="wrong").status == 403
    assert program(desk, "read").ask("POST", path, {"idempotency_key": "cancel-0001"}).error == "scope"
    assert desk.client().ask("POST", path, {"idempotency_key": "cancel-0001"}).status == 401
    assert desk.db.all("SELECT 1 FROM users.tickets") == []
    read(desk, resting("x-1"))
    manager = decided_for_real(desk)
    answer = program(desk, "trade").ask("POST", path, {"idempotency_key": "cancel-0001"})
    manager.join()
    assert answer.status == 200 and answer.json["state"] == "accepted"
    assert "ratelimit" not in answer.headers, "a way out is never refused for how busy the page is"
