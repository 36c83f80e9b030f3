"""A client that does what a browser or a program would, and the little market the tests trade on."""

from __future__ import annotations

import http.client
import json
import re
import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from pg import Cluster
from psycopg2.extras import Json
from starlette.routing import Route

from recio.services.ticket_desk import TicketDesk
from recio.store import cancels, ledger
from recio.store.db import Database

PASSWORD = "correct horse battery"
ROOT = Path(__file__).resolve().parents[3]
EVENT = "KXBTCSIM-26NOV23174630"


PUBLIC = {
    ("GET", "/login"),
    ("POST", "/login"),
    ("POST", "/api/session"),
    ("GET", "/livez"),
    ("GET", "/readyz"),
    ("GET", "/static/{digest}/{name:path}"),
}


def routes(app: Any) -> list[tuple[str, str]]:
    """Every method and path of the application: its routers' own lists, and all of OpenAPI's."""
    found = {(method.upper(), path) for path, methods in app.openapi()["paths"].items() for method in methods}

    def walk(items: Any) -> None:
        for route in items:
            if isinstance(route, Route):
                found.update((method, route.path) for method in route.methods or ())
            for name in ("routes", "original_router", "router", "app"):
                inner = getattr(route, name, None)
                if inner is not None and inner is not app and not isinstance(route, Route):
                    walk(inner if isinstance(inner, list) else getattr(inner, "routes", []))

    walk(app.router.routes)
    return sorted(found)


def filled(path: str) -> str:
    return re.sub(r"\{name\}", "kill_switch", re.sub(r"\{\w*id\}", "1", re.sub(r"\{[^}]*key\}", "key-12345", path)))


@dataclass
class Answer:
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)

    @property
    def error(self) -> str:
        """The error's code."""
        return str(self.json["code"])


@dataclass
class Client:
    """Keeps the session's cookie and token, like a program following docs/api.md."""

    port: int
    cookie: str = ""
    csrf: str = ""
    address: str = ""
    headers: dict[str, str] = field(default_factory=dict)

    def ask(
        self, method: str, path: str, data: Any = None, *, form: dict[str, str] | None = None, raw: bytes | None = None,
        **headers: str,
    ) -> Answer:  # fmt: skip
        """One request on a connection of its own; ``None`` for a header leaves it out."""
        sent = dict(self.headers)
        if self.cookie:
            sent["Cookie"] = f"__Host-recio_session={self.cookie}"
        if self.csrf:
            sent["X-CSRF-Token"] = self.csrf
        if self.address:
            sent["X-Forwarded-For"] = self.address
        body = raw
        if data is not None:
            body, sent["Content-Type"] = json.dumps(data).encode(), "application/json"
        if form is not None:
            body, sent["Content-Type"] = urlencode(form).encode(), "application/x-www-form-urlencoded"
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        link = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        link.request(method, path, body, sent)
        got = link.getresponse()
        answer = Answer(got.status, {k.lower(): v for k, v in got.getheaders()}, got.read())
        link.close()
        given = answer.headers.get("set-cookie", "")
        if given.startswith("__Host-recio_session="):  # as a browser does: a session goes on under a new cookie
            self.cookie = given.partition("=")[2].partition(";")[0].strip('"')
        return answer

    def log_in(self, password: str = PASSWORD, login: str = "admin") -> Answer:
        """POST /api/session, and remember what it gave."""
        answer = self.ask("POST", "/api/session", {"login": login, "password": password})
        if answer.status == 200:
            self.csrf = answer.json["csrf_token"]
        return answer


@dataclass
class Desk:
    """A running page and its database."""

    port: int
    app: Any
    cluster: Cluster
    db: Database

    def client(self, **facts: Any) -> Client:
        """Somebody without a session."""
        return Client(self.port, **facts)

    def user(self) -> Client:
        """Somebody logged in."""
        client = self.client()
        assert client.log_in().status == 200
        return client


def seed_market(db: Database) -> None:
    """One event with three strikes, a price, a table, a book."""
    closes = datetime.now(UTC) + timedelta(minutes=5)
    rows = []
    for strike_e2 in (11_849_999, 11_874_999, 11_899_999):
        ticker = f"{EVENT}-T{strike_e2 / 100:.2f}"
        db.run(
            "INSERT INTO live_data.markets (market_ticker, mode, event_ticker, series_ticker, strike_type, floor_strike_e2,"
            " open_time, close_time, status, price_ranges, updated_at) VALUES (%s, 'simulated', %s, 'KXBTCSIM', 'greater',"
            " %s, now() - interval '1 minute', %s, 'active', %s, now())",
            (ticker, EVENT, strike_e2, closes, Json([{"start": "0.0000", "end": "1.0000", "step": "0.0100"}])),
        )
        db.run(
            "INSERT INTO live_data.books (market_ticker, yes_bids, no_bids, received_at, valid) VALUES (%s, %s, %s, now(), true)",
            (ticker, Json([[5800, 1000]]), Json([[4000, 300], [3900, 1000]])),
        )
        rows.append({
            "market_ticker": ticker, "strike_e2": strike_e2, "buffer_e2": 100, "buffer_percent": 0.1, "side": "yes",
            "probability": 0.6, "probability_yes": 0.6, "yes_bid_e4": 5800, "yes_ask_e4": 6000, "no_bid_e4": 4000,
            "no_ask_e4": 4200, "differential_yes_e4": -10, "differential_no_e4": -20, "depth": 300, "volume_e2": 1000,
            "book_age_s": 0.1, "raw_differential_yes_e4": 0, "raw_differential_no_e4": 0, "yes_depth_e2": 300, "no_depth_e2": 300,
        })  # fmt: skip
    db.run(
        "INSERT INTO live_data.strike_tables VALUES (%s, 'KXBTCSIM', %s, now(), 11860000, 0.2, %s)",
        (EVENT, closes, Json(rows)),
    )
    set_price(db, 11_860_000)


def set_price(db: Database, price_e2: int) -> None:
    """The newest price, told as the watchdog tells it."""
    db.run(
        "INSERT INTO live_data.btc_price (one, price_e2, exchange_time, received_at, momentum_windows)"
        " VALUES (true, %s, now(), now(), '{}') ON CONFLICT (one) DO UPDATE SET price_e2 = excluded.price_e2, received_at = now()",
        (price_e2,),
    )
    db.notify("price", price_e2)


def resting(order_id: str, **changes: Any) -> dict[str, Any]:
    """An order that rests on the exchange and is not in the ledger, as a reconciliation keeps it."""
    order = {
        "client_order_id": f"c-{order_id}", "exchange_order_id": order_id, "market_ticker": f"{EVENT}-T118749.99",
        "event_ticker": EVENT, "series_ticker": "KXBTCSIM", "strike_e2": 11_874_999, "close_s": time.time() + 600,
        "book_side": "bid", "yes_price_e4": 3_200, "count_e2": 1_000, "filled_e2": 0, "status": "resting",
        "created_s": time.time() - 3_600,
    }  # fmt: skip
    order |= changes
    return {
        "about": "order", "key": order["client_order_id"], "ledger": "none", "exchange": f"resting {order['filled_e2']}",
        "why": "an order the ledger does not know", "market": order["market_ticker"], "order": order,
    }  # fmt: skip


def decided_for_real(desk: Desk) -> threading.Thread:
    """trade_manager's own decision of the next ticket, with the rights of its own role."""

    def work() -> None:
        mine = Database("trade_manager", desk.cluster.dsn("trade_manager"))
        manager = TicketDesk(
            mine, ledger, "0001", "simulated", lambda _t: ["no entry here"], lambda *_: None, cancels=cancels
        )
        until_s = time.monotonic() + 5
        while time.monotonic() < until_s and not mine.one("SELECT 1 FROM users.tickets WHERE state = 'new'"):
            time.sleep(0.02)
        manager.decide_new()
        mine.close()

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread


def decide(db: Database, state: str = "accepted", reason: str = "") -> threading.Thread:
    """Stand in for trade_manager for one ticket: the trade it becomes, or the refusal."""

    def work() -> None:
        mine = Database("decider", db_dsn)
        until_s = time.monotonic() + 5
        while time.monotonic() < until_s:
            ticket = mine.one("SELECT * FROM users.tickets WHERE state = 'new'")
            if ticket is None:
                time.sleep(0.02)
                continue
            trade_id = None
            if state == "accepted" and ticket["kind"] == "open":
                trade_id = make_trade(mine, ticket_id=ticket["ticket_id"])
            mine.run(
                "UPDATE users.tickets SET state = %s, reason = %s, trade_id = coalesce(%s, trade_id), decided_at = now()"
                " WHERE ticket_id = %s",
                (state, reason, trade_id, ticket["ticket_id"]),
            )
            break
        mine.close()

    db_dsn = db._connection.dsn
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread


def make_trade(db: Database, **facts: Any) -> int:
    """A trade in the ledger; gives its id."""
    row = {
        "user_id": "0001", "mode": "simulated", "ticket_id": 1, "source": "web", "market_ticker": f"{EVENT}-T118749.99",
        "event_ticker": EVENT, "series_ticker": "KXBTCSIM", "strike_e2": 11_874_999, "side": "yes", "state": "pending",
        "count_e2": 500, "limit_price_e4": 6000, "close_time": datetime.now(UTC) + timedelta(minutes=5),
    } | facts  # fmt: skip
    names, places = ", ".join(row), ", ".join(f"%({name})s" for name in row)
    made = db.one(f"INSERT INTO users.trades ({names}) VALUES ({places}) RETURNING trade_id", row)
    assert made is not None
    return int(made["trade_id"])
