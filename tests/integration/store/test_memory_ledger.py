"""The property machine's store in memory against PostgreSQL: the same history gives the same rows and the same answers."""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pg import Cluster
from psycopg2.extras import Json

sys.path.insert(0, str(Path(__file__).parents[2] / "property"))
from faulty_exchange import SEND_FAULTS, FaultyExchange
from ledger_world import LIMITS, TICKERS, quiet
from memory_ledger import MemoryLedger

from recio.services.account_desk import AccountDesk
from recio.services.order_desk import OrderDesk
from recio.services.order_groups import GroupKeeper
from recio.services.reconciliation import reconcile_account, unproven
from recio.services.ticket_desk import TicketDesk
from recio.store import account, ledger, order_groups
from recio.store.db import Database
from recio.store.proof import trades_with_log

_VOLATILE = {"created_at", "sent_at", "done_at", "opened_at", "closed_at", "recorded_at", "sent_age_s"}
_IDS = {"trade_id", "order_id", "ticket_id"}


class Side:
    """One of the two desks: the same processes over its own store and its own exchange."""

    def __init__(self, db: Any, ledgers: Any, accounts: Any, groups: Any, now: list[float]) -> None:
        closes = {ticker: now[0] + 3_600 for ticker in TICKERS}
        clock = lambda: now[0]  # noqa: E731
        self.exchange = FaultyExchange(clock, lambda: None, closes)
        self.db, self.ledger, self.accounts = db, ledgers, accounts
        keeper = GroupKeeper(db, groups, self.exchange, "simulated", lambda: LIMITS.max_group_count_e2, clock)
        self.manager = TicketDesk(db, ledgers, "0001", "simulated", lambda _t: [], lambda *_: 100, clock)
        self.executor = OrderDesk(db, ledgers, self.exchange, "simulated", lambda _o: [], keeper, clock, clock)
        self.sync = AccountDesk(db, accounts, self.exchange, "simulated", clock)
        self.keeper = keeper

    def work(self, fault: str) -> None:
        """Everybody once; news is read before the manager looks."""
        self.manager.decide_new()
        self.keeper.follow(None)
        self.exchange.send_fault = fault
        self.executor.round()
        self.sync.sweep()
        self.manager.refold_all()

    def facts(self) -> dict[str, Any]:
        """What the store answers, without what only the clock decides."""
        live = self.ledger.live_trades(self.db, "0001", "simulated")
        first = min((trade["trade_id"] for trade in live), default=0)
        view = self.accounts.ledger_view(self.db, "simulated", 0.0)
        return {
            "live": [_plain(trade, first) for trade in live],
            "orders": [
                [_plain(order, first) for order in self.ledger.orders_of_trade(self.db, "0001", trade["trade_id"])]
                for trade in live
            ],
            "fills": [
                [
                    (f["fill_id"], f["count_e2"], f["yes_price_e4"], f["fee_e6"])
                    for f in self.ledger.fills_of_trade(self.db, "0001", trade["trade_id"])
                ]
                for trade in live
            ],
            "cash_e6": view["cash_e6"],
            "positions": sorted((p["market_ticker"], p["position_e2"]) for p in view["positions"] if p["position_e2"]),
            "settlements": [self._settled(ticker) for ticker in TICKERS],
            "group": (self.keeper._present() or {}).get("state"),
        }

    def _settled(self, ticker: str) -> Any:
        row = self.ledger.settlement_of(self.db, "simulated", ticker)
        return row and (row["result"], row["settlement_value_e4"])


def _plain(row: dict[str, Any], _first: int) -> dict[str, Any]:
    hidden = _VOLATILE | _IDS | {"user_id", "close_time", "exchange_order_id", "client_order_id"}
    return {name: row[name] for name in sorted(row) if name not in hidden}


_CLOCK = """
CREATE OR REPLACE FUNCTION public.test_clock() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE at timestamptz := to_timestamp(current_setting('recio.test_now')::float8);
BEGIN
    IF TG_OP = 'INSERT' THEN NEW.created_at := at; RETURN NEW; END IF;
    IF NEW.sent_at IS DISTINCT FROM OLD.sent_at THEN NEW.sent_at := at; END IF;
    IF NEW.done_at IS DISTINCT FROM OLD.done_at THEN NEW.done_at := at; END IF;
    RETURN NEW;
END $$;
CREATE OR REPLACE TRIGGER test_clock BEFORE INSERT OR UPDATE ON users.orders
    FOR EACH ROW EXECUTE FUNCTION public.test_clock();
"""


@pytest.fixture
def real(database: Cluster) -> Iterator[Database]:
    """PostgreSQL whose orders are stamped with the test's clock."""
    db = Database("tests", database.dsn("postgres"))
    db.run(_CLOCK)
    yield db
    db.run("DROP TRIGGER test_clock ON users.orders; DROP FUNCTION public.test_clock()")
    db.close()


def tell_time(db: Database, now_s: float) -> None:
    db.run("SELECT set_config('recio.test_now', %s, false)", (str(now_s),))


@pytest.mark.parametrize("number", range(12))
def test_the_same_history_on_both(real: Database, number: int) -> None:
    quiet()
    rng = random.Random(number)
    now = [float(int(datetime.now(UTC).timestamp()))]
    memory = MemoryLedger(lambda: now[0])
    tell_time(real, now[0])
    sides = [Side(memory, memory, memory, memory, now), Side(real, ledger, account, order_groups, now)]
    closes = datetime.fromtimestamp(now[0], UTC) + timedelta(hours=1)
    for ticker in TICKERS:
        row = {
            "market_ticker": ticker, "mode": "simulated", "event_ticker": "E", "series_ticker": "KXBTCSIM",
            "strike_type": "greater", "floor_strike_e2": 100, "open_time": closes - timedelta(hours=2),
            "close_time": closes, "status": "active", "updated_at": closes,
        }  # fmt: skip
        memory.t["markets"][ticker] = row | {"cap_strike_e2": None, "price_ranges": []}
        names = ", ".join(row)
        real.run(f"INSERT INTO live_data.markets ({names}) VALUES ({', '.join(f'%({n})s' for n in row)})", row)
    for _ in range(25):
        fault = rng.choice(("ok", "ok", *SEND_FAULTS))
        asked: dict[str, Any] = {
            "kind": "open", "market_ticker": rng.choice(TICKERS), "side": rng.choice(("yes", "no")),
            "count_e2": rng.randrange(1, 500), "limit_price_e4": rng.choice((8_000, 5_300)),
        }  # fmt: skip
        live = [side.ledger.live_trades(side.db, "0001", "simulated") for side in sides]
        assert len(live[0]) == len(live[1])
        which = rng.randrange(len(live[0])) if live[0] and rng.random() < 0.4 else None
        for side, trades in zip(sides, live, strict=True):
            wanted = asked
            if which is not None:
                wanted = {"kind": "close", "trade_id": trades[which]["trade_id"], "limit_price_e4": 100}
            _submit(side.db, wanted)
            side.work(fault)
        assert sides[0].facts() == sides[1].facts()
        now[0] += rng.choice((0.5, 3.0, 6.0))
        tell_time(real, now[0])
        for side in sides:
            side.exchange.deliver_late()
    now[0] += 3_600
    for ticker, result, value in zip(TICKERS, ("yes", "scalar"), (10_000, 3_700), strict=True):
        for side in sides:
            side.exchange.settle(ticker, result, value)
    for _ in range(8):
        now[0] += 6
        tell_time(real, now[0])
        for side in sides:
            side.exchange.deliver_late()
            side.work("ok")
    assert sides[0].facts() == sides[1].facts()
    assert sides[0].facts()["live"] == [t for t in sides[0].facts()["live"] if t["state"] == "error"]
    mine, theirs = (side.exchange.engine.account.cash_e6 for side in sides)
    earned = real.one("SELECT coalesce(sum(pnl_e6), 0)::bigint AS e6 FROM users.trades")
    assert earned is not None and mine == theirs
    assert sides[1].exchange.engine.account.cash_e6 - 5_000_000_000 == earned["e6"]
    assert unproven(trades_with_log(real, "simulated")) == []
    assert reconcile_account(sides[1].sync).ok


def _submit(db: Any, wanted: dict[str, Any]) -> None:
    if isinstance(db, MemoryLedger):
        db.submit(**wanted)
        return
    row = {"market_ticker": None, "side": None, "count_e2": None, "trade_id": None} | wanted
    row |= {"user_id": "0001", "mode": "simulated", "source": "api"}
    names = ", ".join(row)
    db.run(
        f"INSERT INTO users.tickets ({names}, idempotency_key) VALUES"
        f" ({', '.join(f'%({n})s' for n in row)}, gen_random_uuid()::text)",
        row,
    )


def test_the_log_refuses_to_be_changed_even_by_its_owner(database: Cluster) -> None:
    db = Database("tests", database.dsn("postgres"))
    db.run("INSERT INTO users.trade_events (user_id, trade_id, kind, detail) VALUES ('0001', 1, 'x', %s)", (Json({}),))
    for sql in ("UPDATE users.trade_events SET kind = 'y'", "DELETE FROM users.trade_events"):
        with pytest.raises(Exception, match="append-only"):
            db.run(sql)
    db.close()
