"""Closing everything by HTTP: one ticket a trade, an answer a trade, and a repeat closes nothing twice."""

from __future__ import annotations

import threading
import time
from typing import Any

from test_web_tokens import program
from webdesk import Answer, Client, Desk, make_trade

from recio.store.db import Database


def close_all(user: Client, key: str | None = "all-at-once-1", data: Any = None) -> Answer:
    headers = {} if key is None else {"Idempotency_Key": key}
    return user.ask("POST", "/api/trades/close-all", {} if data is None else data, **headers)


def held(desk: Desk, **facts: Any) -> int:
    return make_trade(desk.db, **({"state": "open", "entry_count_e2": 500, "entry_cost_e6": 3_000_000} | facts))


def decider(desk: Desk, refused: int = 0) -> threading.Event:
    """Stands in for trade_manager until the event is set: accepts every close but that of trade ``refused``."""
    ended = threading.Event()

    def work() -> None:
        mine = Database("decider", desk.cluster.dsn("postgres"))
        while not ended.wait(0.02):
            mine.run(
                "UPDATE users.tickets SET decided_at = now(), state = CASE WHEN trade_id = %s THEN 'refused' ELSE 'accepted' END,"
                " reason = CASE WHEN trade_id = %s THEN 'nobody bids' ELSE '' END WHERE state = 'new'",
                (refused, refused),
            )
        mine.close()

    threading.Thread(target=work, daemon=True).start()
    return ended


def tickets_of(desk: Desk) -> list[tuple[str, int, str]]:
    rows = desk.db.all("SELECT kind, trade_id, idempotency_key FROM users.tickets ORDER BY ticket_id")
    return [(row["kind"], row["trade_id"], row["idempotency_key"]) for row in rows]


def test_each_trade_has_its_own_answer_and_the_same_key_closes_nothing_twice(desk: Desk) -> None:
    user = desk.user()
    one, two = held(desk), held(desk, side="no")
    waiting, done = make_trade(desk.db, state="pending"), make_trade(desk.db, state="closed")
    ended = decider(desk, refused=two)
    first = close_all(user, data={"trade_ids": [one, two, waiting, done, one]})
    ended.set()
    assert first.status == 200, first.body
    assert [(t["trade_id"], t["state"], t["reason"]) for t in first.json["trades"]] == [
        (one, "accepted", ""), (two, "refused", "nobody bids"), (waiting, "skipped", "it is pending, not open"),
        (done, "skipped", "it is not live, not open"),
    ]  # fmt: skip
    asked = tickets_of(desk)
    assert asked == [("close", one, f"all-all-at-once-1-{one}"), ("close", two, f"all-all-at-once-1-{two}")]
    again = close_all(user, data={"trade_ids": [one, two, waiting, done, one]})
    assert (again.status, again.headers["idempotent-replayed"], again.json) == (200, "true", first.json)
    assert tickets_of(desk) == asked
    other = close_all(user, data={"trade_ids": [one]})
    assert (other.status, other.error) == (409, "idempotency_key_reused") and tickets_of(desk) == asked
    line = desk.db.one("SELECT actor, detail FROM users.audit_log WHERE action = 'close all trades'")
    assert line == {"actor": "admin", "detail": {"trade_ids": [one, two], "key": "all-at-once-1"}}


def test_a_call_that_broke_half_way_is_carried_to_its_end_and_repeats_no_ticket(desk: Desk) -> None:
    """The first try left a ticket and no answer (a database that went away frees the key); the trade is closing since."""
    user = desk.user()
    one, two = held(desk), held(desk)
    ended = decider(desk)
    assert close_all(user).status == 200
    desk.db.run("DELETE FROM users.api_answers")
    desk.db.run("DELETE FROM users.tickets WHERE trade_id = %s", (two,))
    desk.db.run("UPDATE users.trades SET state = 'closing' WHERE trade_id = %s", (one,))
    again = close_all(user)
    ended.set()
    assert {t["trade_id"]: t["state"] for t in again.json["trades"]} == {one: "accepted", two: "accepted"}
    assert sorted(row[1] for row in tickets_of(desk)) == [one, two]


def test_without_names_every_open_trade_of_this_mode_is_meant(desk: Desk) -> None:
    user = desk.user()
    mine = [held(desk) for _ in range(3)]
    held(desk, mode="live")
    ended = decider(desk)
    answer = close_all(user)
    ended.set()
    assert sorted(t["trade_id"] for t in answer.json["trades"]) == mine and len(tickets_of(desk)) == 3
    nothing = close_all(user, "another-key", {"trade_ids": []})
    assert nothing.json == {"trades": []}


def test_undecided_closes_are_told_as_such_within_seconds(desk: Desk) -> None:
    trade = held(desk)
    began_s = time.monotonic()
    (told,) = close_all(desk.user()).json["trades"]
    assert time.monotonic() - began_s < 6
    assert (told["trade_id"], told["state"]) == (trade, "new") and "trade_manager" in told["reason"]


def test_a_key_is_needed_and_only_who_may_trade_may_close(desk: Desk) -> None:
    held(desk)
    user = desk.user()
    for key in (None, "x" * 71, "short"):
        assert (close_all(user, key).status, close_all(user, key).error) == (422, "invalid_idempotency_key")
    wrong = ({"trade_ids": [0]}, {"trade_ids": ["all"]}, {"trades": []}, {"trade_ids": [1] * 1001})
    for number, data in enumerate(wrong):
        assert close_all(user, f"wrong-{number:04}", data).status == 422, data
    assert (close_all(program(desk, "read")).status, desk.client().ask("POST", "/api/trades/close-all", {}).status) == (
        403,
        401,
    )
    assert tickets_of(desk) == []
