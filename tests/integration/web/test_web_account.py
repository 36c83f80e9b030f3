"""The Account page and its API over a real database: both books side by side, long lists, and accepting a balance."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import pytest
from psycopg2.extras import Json
from test_web_openapi import TICKER, filled_desk
from webdesk import PASSWORD, Client, Desk

from recio.store import account
from recio.store.db import Database

MODE = "simulated"
_LINES = "SELECT actor, detail, remote_addr FROM users.audit_log WHERE action = 'accept balance'"
_AGREES = {
    "about": "balance",
    "key": "cash",
    "ledger": "10000000",
    "exchange": "260000000",
    "why": "micro-dollars differ",
}


def deposit(db: Database, *others: dict[str, str]) -> None:
    """Ten dollars were agreed on; the exchange has 260, and the newest comparison says so."""
    account.set_cash_anchor(db, MODE, 10_000_000, 0)
    account.save_balance(db, MODE, 260_000_000, 0)
    db.run(
        "INSERT INTO users.reconciliations (mode, ok, differences) VALUES (%s, false, %s)",
        (MODE, Json([_AGREES, *others])),
    )


def page(user: Client, path: str = "/account") -> str:
    answer = user.ask("GET", path, Accept="text/html")
    assert answer.status == 200, (path, answer.status, answer.body[:300])
    text = re.sub(r"<[^>]+>", " ", answer.body.decode().partition("<main")[2].partition("</main>")[0])
    words = " ".join(text.split())
    assert not re.search(r"\b(undefined|None|NaN)\b", words), words
    return words


def form(user: Client) -> dict[str, str]:
    """What the form on the page would send."""
    raw = user.ask("GET", "/account/accept-balance", Accept="text/html").body.decode()
    hidden = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', raw))
    return {name: hidden[name] for name in ("balance_e6", "cash_e6", "csrf_token")} | {"why": "deposit", "sure": "yes"}


def test_an_empty_account_says_so_in_words(desk: Desk) -> None:
    said = page(desk.user())
    for words in (
        "Never compared", "The exchange’s balance has not been read yet", "not known until the first clean reconciliation",
        "the exchange has not been read yet", "Every order of this desk is finished", "No fill yet", "Nothing settled yet",
        "No balance was taken as right yet", "Transfers between shards", "No comparison in the last 24 hours",
    ):  # fmt: skip
        assert words in said, words
    for path in ("/account/fills", "/account/settlements", "/account/reconciliations"):
        assert page(desk.user(), path)
    found = desk.user().ask("GET", "/api/account").json
    assert found["balance"] is None and found["reconciliation"] is None and found["compared"] == []
    assert found["ledger"]["expected_e6"] is None
    assert [one["name"] for one in found["ledger"]["refusals"]] == ["balance_age", "compared_age"]


def test_both_books_are_shown_and_a_difference_is_said_in_words(desk: Desk) -> None:
    filled_desk(desk)
    desk.db.run("DELETE FROM users.settlements")
    desk.db.run("INSERT INTO users.positions VALUES ('simulated', 'BY-HAND', -200, 1, 1, now())")
    desk.db.run("UPDATE users.positions SET position_e2 = 300 WHERE market_ticker = %s", (TICKER,))
    resting = {
        "about": "order",
        "key": "hand-1",
        "ledger": "none",
        "exchange": "resting 0",
        "why": "w",
        "market": "KX-1",
    }
    gone = resting | {"key": "hand-2", "exchange": "cancelled 0"}
    deposit(desk.db, resting, gone)
    said = page(desk.user())
    for words in (
        "▲ They differ", "Cash $10.00 $260.00 The exchange holds $250.00 more", "▲ differs by 2", "differs: the ledger has none of it",
        "5 YES", "2 NO", "immediate-or-cancel and fill-or-kill orders only", "its answer was lost: trade_executor looks it up",
        "Order hand-1 in KX-1: resting, 0 filled", "bought YES entry 5 60¢",
    ):  # fmt: skip
        assert words in said, words
    assert "Order hand-2 in" not in said, "what is finished does not rest"
    found = desk.user().ask("GET", "/api/account").json
    sides = {one["market_ticker"]: one for one in found["compared"]}
    assert sides[TICKER] | {"note": ""} == {
        "market_ticker": TICKER, "exchange_e2": 300, "ledger_e2": 500, "differs": True, "note": "",
    }  # fmt: skip
    assert found["ledger"]["differs_e6"] is not None and found["reconciliation"]["state"] == "differ"
    assert [one["about"] for one in found["reconciliation"]["told"]] == ["balance", "order", "order"]


def test_old_news_is_not_taken_for_agreement(desk: Desk) -> None:
    desk.db.run(
        "INSERT INTO users.reconciliations (mode, ok, at) VALUES ('simulated', true, now() - interval '2 hours')"
    )
    said = page(desk.user())
    assert "Not known now. The last comparison agreed, but it is older than 180 s: entries wait" in said
    desk.db.run("INSERT INTO users.reconciliations (mode, ok) VALUES ('simulated', true)")
    assert "They agree in every comparison on record" in page(desk.user())
    desk.db.run("UPDATE users.reconciliations SET ok = false WHERE at < now() - interval '1 hour'")
    assert re.search(r"They agree since \d", page(desk.user()))


def test_the_long_lists_page_by_key_and_as_csv(desk: Desk) -> None:
    now = datetime.now(UTC)
    rows = [
        (f"f-{n}", "=hand" if n == 3 else f"x-{n}", f"KX-{n % 3}", "bid", 250, 5_000, 12_345, True, now - timedelta(seconds=n // 2))
        for n in range(120)
    ]  # fmt: skip
    account.record_fills(desk.db, MODE, rows)
    account.record_settlements(desk.db, MODE, [(f"KX-{n}", "yes", 10_000, 100, now) for n in range(60)])
    user = desk.user()
    for name, count in (("fills", 120), ("settlements", 60)):
        ids: list[str] = []
        address = f"/api/account/{name}?limit=50"
        while True:
            answer = user.ask("GET", address)
            ids += [str(row.get("fill_id", row["market_ticker"])) for row in answer.json[name]]
            if answer.json["next_before"] is None:
                assert "link" not in answer.headers
                break
            address = answer.headers["link"].partition("<")[2].partition(">")[0]
            assert quote(answer.json["next_before"], safe="") in address.replace("%2E", ".") or "before=" in address
        assert len(ids) == len(set(ids)) == count
        first = user.ask("GET", f"/account/{name}", Accept="text/html").body.decode()
        (older,) = re.findall(r'href="([^"]+)" rel="next"', first)
        second = user.ask("GET", older.replace("&amp;", "&"), Accept="text/html").body.decode()
        assert "Newest" in second and first != second
        lines = user.ask("GET", f"/account/{name}.csv").body.decode().splitlines()
        assert len(lines) == count + 1
    some = user.ask("GET", "/api/account/fills?limit=500&market=kx-1").json
    assert len(some["fills"]) == 40 and {row["market_ticker"] for row in some["fills"]} == {"KX-1"}
    csv = user.ask("GET", "/account/fills.csv?market=KX-0")
    assert csv.headers["content-disposition"].startswith('attachment; filename="fills-')
    head, *lines = csv.body.decode().splitlines()
    assert (
        head.startswith("fill_id,exchange_order_id,market_ticker,book_side,count,yes_price,fee,") and len(lines) == 40
    )
    assert "f-3,'=hand,KX-0,bid,2.50,0.5000,0.012345,True," in csv.body.decode(), "no cell is taken for a formula"
    said = page(user, "/account/fills?market=NOPE")
    assert "No fill of a market that begins with NOPE." in said


@pytest.mark.parametrize(
    "query",
    [
        "limit=0", "limit=501", "before=x", "before=1", "before=.a", "before=99999999999999999.a", "before=1.%20",
        "market=%00", "market=a%20b", "market=" + "A" * 65,
    ],
)  # fmt: skip
def test_bad_values_are_named(desk: Desk, query: str) -> None:
    user = desk.user()
    for name in ("fills", "settlements"):
        answer = user.ask("GET", f"/api/account/{name}?{query}")
        assert answer.status == 422 and answer.headers["content-type"] == "application/problem+json", (name, query)
    assert user.ask("GET", "/api/account/reconciliations?differing=perhaps").status == 422


# ------------------------------------------------------------------ accepting a balance
def test_a_deposit_is_accepted_by_the_form_without_script(desk: Desk) -> None:
    deposit(desk.db)
    user = desk.user()
    assert "Accept the balance" in page(user)
    answer = user.ask("POST", "/account/accept-balance", form=form(user), Accept="text/html")
    assert (answer.status, answer.headers["location"]) == (303, "/account?said=accepted"), answer.body[-900:]
    said = page(user, "/account?said=accepted")
    assert "Accepted. The next reconciliation" in said and "+$250.00 $260.00 admin: deposit" in said
    assert "there is nothing to accept" in said
    (line,) = desk.db.all(_LINES)
    assert (line["actor"], line["remote_addr"]) == ("admin", "127.0.0.1")
    assert line["detail"] == {"ledger": "10.000000", "exchange": "260.000000", "why": "deposit"}
    assert account.cash_anchor(desk.db, MODE) | {"at": 0} == {"balance_e6": 260_000_000, "cash_e6": 0, "at": 0}  # type: ignore[operator]
    again = user.ask("POST", "/account/accept-balance", form=form_again(user), Accept="text/html")
    assert again.status == 409 and "agree already" in again.body.decode()
    assert len(desk.db.all("SELECT 1 FROM users.cash_anchors")) == 2, "a second press changes nothing"


def form_again(user: Client) -> dict[str, str]:
    return {"balance_e6": "260000000", "cash_e6": "0", "why": "deposit", "sure": "yes", "csrf_token": user.csrf}


def test_the_form_says_what_is_missing_and_keeps_the_reason(desk: Desk) -> None:
    deposit(desk.db)
    user = desk.user()
    good = form(user)
    for change, status, words in (
        ({"why": " "}, 422, "1 to 200 characters"), ({"why": "x" * 201}, 422, "1 to 200 characters"),
        ({"why": "a\x07b"}, 422, "1 to 200 characters"), ({"sure": ""}, 422, "tick that you know"),
        ({"balance_e6": ""}, 422, "without the figures"), ({"cash_e6": "1.5"}, 422, "without the figures"),
        ({"balance_e6": "259000000"}, 409, "changed since you looked"), ({"cash_e6": "5"}, 409, "changed since you looked"),
    ):  # fmt: skip
        answer = user.ask("POST", "/account/accept-balance", form=good | change, Accept="text/html")
        assert answer.status == status and words in answer.body.decode(), (change, answer.status)
        if "why" not in change:
            assert 'value="deposit"' in answer.body.decode(), "what was typed is not lost"
    assert len(desk.db.all("SELECT 1 FROM users.cash_anchors")) == 1 and desk.db.all(_LINES) == []


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        ("UPDATE users.balances SET seen_at = now() - interval '61 s'", "more than 60 s"),
        ("UPDATE users.reconciliations SET at = now() - interval '5 minutes'", "the last reconciliation is 300 s old"),
        ("DELETE FROM users.reconciliations", "never compared"),
        (
            "UPDATE users.reconciliations SET differences = differences || '[{\"about\": \"position\", \"key\": \"T\"}]'",
            "more than the balance differs: position T",
        ),
        (
            "INSERT INTO users.trades (user_id, mode, ticket_id, source, market_ticker, event_ticker, series_ticker, side, state,"
            " count_e2, limit_price_e4, close_time, trade_id) VALUES ('0001', 'simulated', 1, 'web', 'T', 'E', 'S', 'yes',"
            " 'open', 100, 6000, now(), 7); INSERT INTO users.orders (user_id, mode, trade_id, client_order_id, purpose,"
            " market_ticker, side, count_e2, limit_price_e4, state) VALUES ('0001', 'simulated', 7, 'c', 'entry', 'T', 'yes',"
            " 100, 6000, 'unknown')",
            "1 order is not finished",
        ),
        (
            "INSERT INTO users.fills (mode, fill_id, exchange_order_id, market_ticker, book_side, count_e2, yes_price_e4, fee_e6,"
            " is_taker, filled_at) VALUES ('simulated', 'f', 'x', 'T', 'bid', 100, 1, 0, true, now())",
            "may not hold it yet",
        ),
        (
            "INSERT INTO users.fills (mode, fill_id, exchange_order_id, market_ticker, book_side, count_e2, yes_price_e4, fee_e6,"
            " is_taker, filled_at, recorded_at) SELECT 'simulated', 'f', 'x', market_ticker, 'bid', 100, 1, 0, true, now(),"
            " now() - interval '1 minute' FROM live_data.markets LIMIT 1; UPDATE live_data.markets SET close_time = now()",
            "has closed and its result is not on record",
        ),
    ],
)  # fmt: skip
def test_refused_in_words_while_anything_else_is_open(desk: Desk, spoil: str, words: str) -> None:
    deposit(desk.db)
    user = desk.user()
    body = {"why": "deposit", "balance_e6": 260_000_000, "cash_e6": 0}
    sent = form(user)
    desk.db.run(spoil)
    if "recorded_at" in spoil:
        body["cash_e6"] = account.ledger_cash(desk.db, MODE)["cash_e6"]
    answer = user.ask("POST", "/api/account/accept-balance", body)
    assert (answer.status, answer.error) == (409, "balance_not_accepted") and words in answer.json["detail"], (
        answer.json
    )
    shown = user.ask("POST", "/account/accept-balance", form=sent, Accept="text/html")
    assert (
        shown.status == 409
        and words in shown.body.decode()
        and "<button" not in shown.body.decode().partition("<main")[2].partition("</main>")[0]
    )
    assert words in page(user, "/account/accept-balance"), "said before anybody types"
    assert len(desk.db.all("SELECT 1 FROM users.cash_anchors")) == 1, "nothing was changed"
    assert desk.db.all(_LINES) == []


def test_the_api_accepts_what_was_looked_at_behind_a_recent_password(desk: Desk) -> None:
    deposit(desk.db)
    user = desk.user()
    found = user.ask("GET", "/api/account").json
    assert found["ledger"]["refusals"] == [] and found["ledger"]["differs_e6"] == 250_000_000
    body = {"why": "deposit", "balance_e6": found["balance"]["balance_e6"], "cash_e6": found["ledger"]["cash_e6"]}
    desk.db.run("UPDATE users.sessions SET proven_at = now() - interval '11 minutes'")
    desk.app.state.desk.known.forget()
    refused = user.ask("POST", "/api/account/accept-balance", body)
    assert (refused.status, refused.error) == (403, "reauth_required")
    sent = user.ask("GET", "/account/accept-balance", Accept="text/html")
    assert (sent.status, sent.headers["location"]) == (303, "/settings/security/confirm?next=/account/accept-balance")
    assert user.ask("POST", "/api/session/confirm", {"password": PASSWORD}).status == 200
    for wrong in ({"why": ""}, {"why": "x" * 201}, {"balance_e6": "1"}, {"cash_e6": 2**63}, {"more": 1}):
        assert user.ask("POST", "/api/account/accept-balance", body | wrong).status == 422, wrong
    key = {"Idempotency-Key": "accept-0001"}
    assert user.ask("POST", "/api/account/accept-balance", body, **key).json == {
        "accepted": True, "balance_e6": 260_000_000,
    }  # fmt: skip
    assert user.ask("POST", "/api/account/accept-balance", body, **key).headers["idempotent-replayed"] == "true"
    after = user.ask("GET", "/api/account").json["ledger"]
    assert after["agrees"] and after["expected_e6"] == 260_000_000 and after["accepted_at_ms"]


def test_the_pages_role_may_add_an_anchor_and_nothing_else(desk: Desk) -> None:
    mine = Database("tests", desk.cluster.dsn("main_app"))
    for sql in (
        "UPDATE users.cash_anchors SET why = 'x'", "DELETE FROM users.cash_anchors",
        "INSERT INTO users.cash_anchors (mode, balance_e6, cash_e6, why, at) VALUES ('simulated', 1, 1, 'x', '2000-01-01')",
        "INSERT INTO users.cash_anchors (mode, balance_e6, cash_e6, why, made_by) VALUES ('simulated', 1, 1, 'x', 'other')",
        "INSERT INTO users.fills (mode) VALUES ('x')", "INSERT INTO users.settlements (mode) VALUES ('x')",
        "INSERT INTO users.reconciliations (mode, ok) VALUES ('simulated', true)", "UPDATE users.balances SET balance_e6 = 1",
    ):  # fmt: skip
        with pytest.raises(Exception, match="permission denied"):
            mine.run(sql)
    mine.close()
