"""A desk for the two supervisors alone: they run in this process, as their own roles, on a database set up by hand."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import yaml
from pg import Cluster
from psycopg2.extras import Json

from recio.contract import Contract, parse
from recio.contract.settings import Coinbase, Kalshi, Settings
from recio.services.active_trade_supervisor import ActiveTradeSupervisor
from recio.services.auto_entry_supervisor import AutoEntrySupervisor
from recio.services.runtime import Context
from recio.store.db import Database
from recio.store.rules import monitor_statements

ROOT = Path(__file__).resolve().parents[3]
Row = dict[str, Any]
PRICE_E2 = 10_000_000


def _contract() -> Contract:
    raw = yaml.safe_load((ROOT / "roles/contract/defaults/main.yml").read_text())["contract"]
    return parse(json.dumps(raw))


class RulesDesk:
    """One event of KXBTCD, ten minutes to its close, on which the default rules would enter YES at 95 cents."""

    event, series = "KXBTCD-26NOV2400", "KXBTCD"

    def __init__(self, cluster: Cluster) -> None:
        self.db = Database("tests", cluster.dsn("postgres"))
        self.closes = datetime.now(UTC) + timedelta(minutes=10)
        self._cluster = cluster
        self._open: dict[str, Database] = {}
        self.settings = Settings(
            mode="simulated", kalshi=Kalshi("http://127.0.0.1:1", "ws://127.0.0.1:1"),
            coinbase=Coinbase("ws://127.0.0.1:1", "http://127.0.0.1:1"), series=("KXBTCD",), url="https://desk.example",
        )  # fmt: skip
        self.bars()
        self.dependencies(True)
        self.price()
        self.market("T1")
        self.setting("auto_entry", enabled=True)

    def close(self) -> None:
        for db in [*self._open.values(), self.db]:
            db.close()

    # ------------------------------------------------------------------ the world
    def bars(self, seconds: int = 3_700) -> None:
        """Bars of calm up to now."""
        self.db.run(
            "INSERT INTO live_data.btc_bars_1s SELECT g, %(p)s, %(p)s, %(p)s, %(p)s, 1 FROM generate_series("
            "date_trunc('second', now()) - %(s)s * interval '1 second', now() + interval '60 seconds', interval '1 second') g"
            " ON CONFLICT DO NOTHING",
            {"p": PRICE_E2, "s": seconds},
        )

    def dependencies(self, allowed: bool, cause: str = "") -> None:
        self.db.run(
            "INSERT INTO system.dependency_state (at, entries_allowed, root_cause) VALUES (now() + interval '1 hour', %s, %s)"
            " ON CONFLICT (one) DO UPDATE SET entries_allowed = excluded.entries_allowed, root_cause = excluded.root_cause",
            (allowed, cause),
        )

    def price(self, momentum_bp: int = 0) -> None:
        self.db.run(
            "INSERT INTO live_data.btc_price (price_e2, exchange_time, received_at, momentum_bp, volatility_per_sqrt_s)"
            " VALUES (%s, now(), now(), %s, 0.00005) ON CONFLICT (one) DO UPDATE SET price_e2 = excluded.price_e2,"
            " received_at = now(), exchange_time = now(), momentum_bp = excluded.momentum_bp",
            (PRICE_E2, momentum_bp),
        )

    def market(self, name: str, strike_e2: int = PRICE_E2 - 100_000, closes: datetime | None = None) -> str:
        """A market with a book that bids 93 and asks 95 for YES; gives its ticker."""
        ticker = f"{self.event}-{name}"
        self.db.run(
            "INSERT INTO live_data.markets (market_ticker, mode, event_ticker, series_ticker, strike_type, floor_strike_e2,"
            " open_time, close_time, status, volume_e2, updated_at) VALUES (%s, 'simulated', %s, %s, 'greater', %s,"
            " now() - interval '1 hour', %s, 'active', 500000, now())",
            (ticker, self.event, self.series, strike_e2, closes or self.closes),
        )
        self.db.run(
            "INSERT INTO live_data.books (market_ticker, yes_bids, no_bids, received_at, valid)"
            " VALUES (%s, %s, %s, now(), true)",
            (ticker, Json([[9300, 500], [9200, 5000]]), Json([[500, 2000], [400, 5000]])),
        )
        self.table(ticker)
        return ticker

    def table(self, *tickers: str, probability: float = 0.999) -> None:
        """The event's strike table with these markets, built now."""
        rows = [
            {
                "market_ticker": ticker, "strike_e2": PRICE_E2 - 100_000, "buffer_e2": 100_000, "buffer_percent": 1.0,
                "side": "yes", "probability": probability, "probability_yes": probability, "yes_bid_e4": 9300,
                "yes_ask_e4": 9500, "no_bid_e4": 500, "no_ask_e4": 700, "differential_yes_e4": 0,
                "differential_no_e4": 0, "raw_differential_yes_e4": 0, "raw_differential_no_e4": 0, "depth": 2000,
                "yes_depth_e2": 2000, "no_depth_e2": 500, "volume_e2": 500_000, "book_age_s": 0.1,
            }
            for ticker in tickers
        ]  # fmt: skip
        self.db.run(
            "INSERT INTO live_data.strike_tables (event_ticker, series_ticker, close_time, built_at, price_e2, price_age_s, rows)"
            " VALUES (%s, %s, %s, now(), %s, 0.1, %s) ON CONFLICT (event_ticker)"
            " DO UPDATE SET built_at = now(), rows = excluded.rows",
            (self.event, self.series, self.closes, PRICE_E2, Json(rows)),
        )

    def refresh(self, **price: int) -> None:
        """Everything is fresh again: a busy machine does not make these tests old."""
        self.price(**price)
        self.db.run("UPDATE live_data.books SET received_at = now()")
        self.db.run("UPDATE live_data.strike_tables SET built_at = now()")

    def setting(self, name: str, **value: Any) -> None:
        self.db.run(
            "INSERT INTO users.settings (user_id, name, value, changed_by) VALUES ('0001', %s, %s, 'test')"
            " ON CONFLICT (user_id, name) DO UPDATE SET value = excluded.value, version = settings.version + 1",
            (name, Json(value)),
        )

    def monitor(self, name: str = "m", enabled: bool = True, **settings: Any) -> None:
        row = {"monitor_id": name, "strategy": "hourly_hold", "series_ticker": self.series, "enabled": enabled,
               "settings": {"model_weight": 1, "base_count_e2": 2000} | settings}  # fmt: skip
        with self.db.transaction():
            for sql, params in monitor_statements("0001", row, "test", "set"):
                self.db.run(sql, params)

    # ------------------------------------------------------------------ the ledger
    def trade(self, ticker: str, count_e2: int = 500, **facts: Any) -> int:
        """A trade that holds what it asked for, entered at 95 cents; gives its id."""
        row = {
            "user_id": "0001", "mode": "simulated", "ticket_id": 0, "source": "web", "market_ticker": ticker,
            "event_ticker": self.event, "series_ticker": self.series, "strike_e2": PRICE_E2 - 100_000, "side": "yes",
            "state": "open", "count_e2": count_e2, "limit_price_e4": 9500, "entry_count_e2": count_e2,
            "entry_cost_e6": count_e2 * 9500, "fees_e6": 1000, "close_time": self.closes,
        } | facts  # fmt: skip
        names, places = ", ".join(row), ", ".join(f"%({name})s" for name in row)
        made = self.db.one(f"INSERT INTO users.trades ({names}) VALUES ({places}) RETURNING trade_id", row)
        assert made is not None
        return int(made["trade_id"])

    def decide(self, state: str, reason: str = "", ago_s: float = 0.0, **trade: Any) -> int | None:
        """Decide the one new ticket as trade_manager would; an accepted entry becomes an open trade."""
        ticket = self.db.one("SELECT * FROM users.tickets WHERE state = 'new'")
        assert ticket is not None
        trade_id = None
        if state == "accepted" and ticket["kind"] == "open":
            facts = {"ticket_id": ticket["ticket_id"], "source": ticket["source"]} | trade
            trade_id = self.trade(ticket["market_ticker"], ticket["count_e2"], **facts)
            self.db.run(
                "UPDATE users.trades SET created_at = now() - %s * interval '1 s' WHERE trade_id = %s",
                (ago_s, trade_id),
            )
        self.db.run(
            "UPDATE users.tickets SET state = %s, reason = %s, trade_id = coalesce(%s, trade_id),"
            " decided_at = now() - %s * interval '1 s' WHERE ticket_id = %s",
            (state, reason, trade_id, ago_s, ticket["ticket_id"]),
        )
        return trade_id

    def tickets(self, kind: str = "open") -> list[Row]:
        return self.db.all("SELECT * FROM users.tickets WHERE kind = %s ORDER BY ticket_id", (kind,))

    # ------------------------------------------------------------------ the supervisors
    def _context(self, role: str) -> Context:
        """A new process in place of the one before, whose connection is gone."""
        if role in self._open:
            self._open[role].close()
        self._open[role] = Database(role, self._cluster.dsn(role))
        return Context(self.settings, _contract(), self._open[role])

    def entry(self) -> AutoEntrySupervisor:
        """A supervisor as it is after a start."""
        made = AutoEntrySupervisor(self._context("auto_entry_supervisor"))
        made.start()
        return made

    def protection(self) -> ActiveTradeSupervisor:
        """The same for the stop."""
        made = ActiveTradeSupervisor(self._context("active_trade_supervisor"))
        made.start()
        return made

    def look(self, worker: AutoEntrySupervisor | ActiveTradeSupervisor, later_s: float = 0.0, **price: int) -> None:
        """One look, everything fresh; ``later_s`` sets its clock forward."""
        self.refresh(**price)
        worker._looked_s = float("-inf")
        worker._wrote_s = float("-inf")  # type: ignore[union-attr]
        worker.work([], time.time() + later_s)

    def why(self, monitor: str = "m") -> dict[str, str]:
        rows = self.db.all("SELECT market_ticker, reason FROM live_data.entry_status WHERE monitor_id = %s", (monitor,))
        return {row["market_ticker"].rpartition("-")[2]: row["reason"] for row in rows}
