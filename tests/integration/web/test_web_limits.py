"""Rate limits and idempotency over real HTTP: 500 fast clicks reach the ledger no more often than allowed, and none twice."""

from __future__ import annotations

import re
import time
from concurrent.futures import ThreadPoolExecutor

from test_web_tokens import program
from webdesk import EVENT, Desk, make_trade

from recio.web.limits import ORDER

ORDER_BODY = {"market_ticker": f"{EVENT}-T118749.99", "side": "yes", "count": "5", "limit_price": "0.60"}


def test_500_fast_buy_clicks(desk: Desk) -> None:
    """A hundred orders, each clicked five times at once: at most the bucket's share gets through, each key at most once."""
    user = desk.user()
    desk.db.run(
        "CREATE FUNCTION users.refuse_at_once() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        " NEW.state := 'refused'; NEW.reason := 'a test'; RETURN NEW; END $$"
    )
    desk.db.run(
        "CREATE TRIGGER at_once BEFORE INSERT ON users.tickets FOR EACH ROW EXECUTE FUNCTION users.refuse_at_once()"
    )
    try:
        began_s = time.monotonic()
        with ThreadPoolExecutor(25) as pool:
            answers = list(
                pool.map(
                    lambda n: user.ask("POST", "/api/tickets", ORDER_BODY, Idempotency_Key=f"click-{n % 100:04d}"),
                    range(500),
                )
            )
        took_s = time.monotonic() - began_s
    finally:
        desk.db.run("DROP TRIGGER at_once ON users.tickets")
        desk.db.run("DROP FUNCTION users.refuse_at_once()")
    statuses = [answer.status for answer in answers]
    assert set(statuses) == {200, 429}, set(statuses)
    allowed = ORDER.burst + ORDER.per_s * took_s + 1
    assert ORDER.burst <= statuses.count(200) <= allowed, (statuses.count(200), took_s)
    refused = next(answer for answer in answers if answer.status == 429)
    assert refused.error == "rate_limited" and int(refused.headers["retry-after"]) >= 1
    assert refused.headers["ratelimit-policy"] == '"order";q=20;w=5' and refused.headers["ratelimit"].startswith(
        '"order";r=0;t='
    )
    rows = desk.db.all("SELECT idempotency_key, count(*) AS n FROM users.tickets GROUP BY 1")
    assert 0 < len(rows) <= allowed and all(row["n"] == 1 for row in rows)
    new = sum(1 for a in answers if a.status == 200 and not a.json["replayed"])
    assert new == len(rows), "what was answered as new is what the ledger has"
    assert all(
        (a.headers.get("idempotent-replayed") == "true") == a.json["replayed"] for a in answers if a.status == 200
    )


def test_the_kill_switch_and_closing_are_never_refused_by_a_rate_limit(desk: Desk) -> None:
    user = desk.user()
    trade_id = make_trade(desk.db, state="closed")
    with ThreadPoolExecutor(10) as pool:
        switched = list(
            pool.map(lambda n: user.ask("PUT", "/api/settings/kill_switch", {"on": n % 2 == 0}).status, range(120))
        )
        closed = list(
            pool.map(
                lambda n: (
                    user.ask("POST", f"/api/trades/{trade_id}/close", {"idempotency_key": f"close-{n:04d}"}).status
                ),
                range(120),
            )
        )
        others = list(
            pool.map(lambda n: user.ask("PUT", "/api/settings/auto_entry", {"enabled": False}).status, range(120))
        )
    assert set(switched) == {200} and set(closed) == {409} and 429 in others


def test_a_limit_is_each_sessions_own(desk: Desk) -> None:
    one, two = desk.user(), program(desk, "settings")
    while one.ask("PUT", "/api/settings/auto_entry", {"enabled": False}).status == 200:
        pass
    assert two.ask("PUT", "/api/settings/auto_entry", {"enabled": False}).status == 200
    read = one.ask("GET", "/api/price")
    assert read.status == 200 and re.fullmatch(r'"read";r=\d+;t=\d+', read.headers["ratelimit"])


def test_the_header_is_the_bodys_key(desk: Desk) -> None:
    user = desk.user()
    key = {"Idempotency-Key": "header-0001"}
    first = user.ask("POST", "/api/tickets", ORDER_BODY, **key)
    assert first.status == 200 and "idempotent-replayed" not in first.headers
    again = user.ask("POST", "/api/tickets", ORDER_BODY | {"idempotency_key": "header-0001"})
    assert again.json["ticket_id"] == first.json["ticket_id"] and again.headers["idempotent-replayed"] == "true"
    both = user.ask("POST", "/api/tickets", ORDER_BODY | {"idempotency_key": "header-0002"}, **key)
    assert (both.status, both.error) == (422, "invalid_idempotency_key") and "header-0002" in both.json["detail"]
    other = user.ask("POST", "/api/tickets", ORDER_BODY | {"count": "6"}, **key)
    assert (other.status, other.error) == (409, "idempotency_key_reused")
    none = user.ask("POST", "/api/tickets", ORDER_BODY)
    assert none.status == 422 and none.json["errors"] == [{"field": "idempotency_key", "detail": "is missing"}]
    assert user.ask("POST", "/api/tickets", ORDER_BODY, Idempotency_Key="short").status == 422
    assert len(desk.db.all("SELECT * FROM users.tickets")) == 1
