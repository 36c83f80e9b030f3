"""What the account's queries mean, on PostgreSQL: cash from fills and results, where a sweep starts, odd results."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pg import Cluster
from typer.testing import CliRunner

from recio.cli.main import app
from recio.exchange.kalshi.models import Balance, FillView, Market, OrderView, PositionView, SettlementView
from recio.services.account_desk import AccountDesk
from recio.services.reconciliation import reconcile_account
from recio.services.ticket_desk import TicketDesk
from recio.store import account, ledger
from recio.store.db import Database

NOW = datetime.now(UTC).replace(microsecond=0)


class Told:
    """An account that tells what it is given."""

    def __init__(self) -> None:
        self.fill_rows: list[FillView] = []
        self.results: list[SettlementView] = []
        self.held: list[PositionView] = []
        self.resting: list[OrderView] = []
        self.cash_e6 = 10_000_000
        self.asked: dict[str, int | None] = {}

    def fills(self, min_ts: int | None = None, ticker: str | None = None) -> list[FillView]:
        self.asked["fills"] = min_ts
        return self.fill_rows

    def settlements(self, min_ts: int | None = None) -> list[SettlementView]:
        self.asked["settlements"] = min_ts
        return self.results

    def positions(self) -> list[PositionView]:
        return self.held

    def balance(self) -> Balance:
        return Balance(self.cash_e6, 0)

    def market(self, ticker: str) -> Market:
        return Market(
            ticker,
            "E",
            "S",
            "",
            "greater",
            100,
            None,
            0.0,
            NOW.timestamp() + 3_600,
            "active",
            "",
            None,
            "",
            0,
            0,
            10_000,
            (),
        )

    def orders(self, *_: Any, status: str | None = None, **__: Any) -> list[OrderView]:
        return self.resting if status == "resting" else []


@pytest.fixture
def db(database: Cluster) -> Iterator[Database]:
    made = Database("tests", database.dsn("postgres"))
    yield made
    made.close()


def bought(db: Database, ticker: str, side: str, acked: int, sent: datetime, state: str = "open") -> int:
    """A trade with its filled entry order E-TICKER."""
    row = db.one(
        "INSERT INTO users.trades (user_id, mode, ticket_id, source, market_ticker, event_ticker, series_ticker, side, state,"
        " count_e2, limit_price_e4, close_time) VALUES ('0001', 'simulated', 1, 'web', %s, 'E', 'S', %s, %s, %s, 6000, %s)"
        " RETURNING trade_id",
        (ticker, side, state, acked, NOW - timedelta(minutes=1)),
    )
    assert row is not None
    db.run(
        "INSERT INTO users.orders (user_id, mode, trade_id, client_order_id, purpose, market_ticker, side, count_e2,"
        " limit_price_e4, state, exchange_order_id, acked_count_e2, sent_at, done_at) VALUES ('0001', 'simulated', %s, %s,"
        " 'entry', %s, %s, %s, 6000, 'filled', %s, %s, %s, %s)",
        (row["trade_id"], f"c-{ticker}", ticker, side, acked, f"E-{ticker}", acked, sent, sent),
    )
    return int(row["trade_id"])


def fill(ticker: str, side: str, count: int, price: int, at: datetime, fee: int = 0) -> FillView:
    return FillView(f"f-{ticker}", f"E-{ticker}", ticker, side, count, price, fee, True, at.timestamp())


def result(ticker: str, word: str, value: int | None) -> SettlementView:
    return SettlementView(ticker, word, value, 0, NOW.timestamp())


def test_cash_is_what_fills_and_results_did(db: Database) -> None:
    bought(db, "A", "yes", 100, NOW)
    bought(db, "B", "no", 200, NOW)
    told = Told()
    told.fill_rows = [fill("A", "bid", 100, 6_000, NOW, 168), fill("B", "ask", 200, 7_000, NOW, 300)]
    desk = AccountDesk(db, account, told, "simulated")
    desk.sweep()
    # 1 YES at 60 c, 2 NO at 30 c each, and the fees
    assert account.ledger_view(db, "simulated", 0)["cash_e6"] == -600_000 - 600_000 - 468
    told.results = [result("A", "yes", 10_000), result("B", "scalar", 3_700)]
    desk.sweep()
    assert account.ledger_view(db, "simulated", 0)["cash_e6"] == -1_200_468 + 1_000_000 + 2 * 630_000


def test_a_checkpoint_changes_no_figure_and_ends_before_what_is_open(db: Database) -> None:
    told = Told()
    made: list[tuple[str, str, int, int, str, int | None]] = [
        ("A", "bid", 100, 6_000, "yes", 10_000), ("A", "ask", 40, 7_000, "yes", 10_000),
        ("B", "ask", 200, 7_000, "scalar", 3_700), ("B", "bid", 50, 6_500, "scalar", 3_700),
        ("C", "ask", 300, 2_000, "", None), ("D", "bid", 10, 100, "no", 0),
    ]  # fmt: skip
    for number, (ticker, side, count, price, word, value) in enumerate(made):
        one = FillView(f"f{number}", f"E{number}", ticker, side, count, price, 7 * number, True, NOW.timestamp())
        told.fill_rows = [one]
        told.results = [*told.results, *([result(ticker, word, value)] if word else [])]
        AccountDesk(db, account, told, "simulated").sweep()
        db.run("UPDATE users.fills SET recorded_at = now() - interval '1 day' + %s * interval '1 min'"
               " WHERE fill_id = %s", (number, f"f{number}"))  # fmt: skip
    db.run("UPDATE users.settlements SET recorded_at = now() - interval '2 hours'")

    def facts() -> Any:
        view = account.ledger_view(db, "simulated", 0)
        held = sorted((row["market_ticker"], row["position_e2"]) for row in view["positions"])
        return view["cash_e6"], view["cash_known"], held

    before = facts()
    assert before[2] == [("C", -300)]
    assert account.advance_checkpoint(db, "simulated")
    assert facts() == before
    assert not account.advance_checkpoint(db, "simulated"), "C is open: what was recorded after it waits"
    stored = db.one(
        "SELECT count(*) AS n FROM users.fills WHERE recorded_at >= (SELECT upto FROM users.cash_checkpoints)"
    )
    assert stored == {"n": 2}
    told.results.append(result("C", "no", 0))
    AccountDesk(db, account, told, "simulated").sweep()
    after = facts()
    db.run("UPDATE users.settlements SET recorded_at = now() - interval '2 hours'")
    assert account.advance_checkpoint(db, "simulated")
    assert facts() == after and after[2] == []


def test_a_void_market_without_a_value_settles_and_breaks_nothing(db: Database) -> None:
    trade_id = bought(db, "V", "yes", 100, NOW)
    told = Told()
    told.fill_rows = [fill("V", "bid", 100, 6_000, NOW, 168)]
    told.results = [result("V", "void", None), result("W", "scalar", None), result("X", "yes", 10_000)]
    AccountDesk(db, account, told, "simulated").sweep()
    stored = db.all("SELECT market_ticker, result, settlement_value_e4 FROM users.settlements ORDER BY 1")
    assert [(r["market_ticker"], r["result"], r["settlement_value_e4"]) for r in stored] == [
        ("V", "void", None), ("X", "yes", 10_000),
    ], "a scalar result without its value is not final yet"  # fmt: skip
    TicketDesk(db, ledger, "0001", "simulated", lambda _t: [], lambda *_: None).refold_all()
    row = ledger.trade_by_id(db, "0001", trade_id)
    assert row is not None and (row["state"], row["pnl_e6"], row["reason"]) == ("closed", -168, "settled: void")
    assert account.ledger_view(db, "simulated", 0)["cash_known"] is False, "what it did to the cash, nobody has said"
    account.set_cash_anchor(db, "simulated", 10_000_000, -600_168, "the user has looked")
    assert account.ledger_view(db, "simulated", 0)["cash_known"] is True


def test_the_markets_own_value_is_exact_where_the_accounts_is_whole_cents(db: Database) -> None:
    account.record_settlements(db, "simulated", [("S", "scalar", 3_700, 0, NOW), ("Y", "yes", 10_000, 0, NOW)])
    for ticker, word, value in (("S", "scalar", 3_742), ("Y", "yes", 10_000), ("M", "no", 0)):
        db.run(
            "INSERT INTO live_data.markets (market_ticker, mode, event_ticker, series_ticker, strike_type, open_time,"
            " close_time, status, result, settlement_value_e4, updated_at) VALUES (%s, 'simulated', 'E', 'S', 'greater',"
            " now(), now(), 'finalized', %s, %s, now())",
            (ticker, word, value),
        )

    def value(ticker: str) -> Any:
        row = ledger.settlement_of(db, "simulated", ticker)
        return row and (row["result"], row["settlement_value_e4"])

    assert value("S") == ("scalar", 3_742)
    assert value("Y") == ("yes", 10_000)
    assert value("M") == ("no", 0), "posted by the market before the account was paid"
    assert value("none") is None
    db.run("UPDATE live_data.markets SET settlement_value_e4 = 5000 WHERE market_ticker = 'S'")
    assert value("S") == ("scalar", 3_700), "another value is another fact: the account's own record counts"


def test_a_sweep_starts_before_what_is_owed(db: Database) -> None:
    old, new = NOW - timedelta(minutes=10), NOW
    bought(db, "OLD", "yes", 100, old)
    bought(db, "NEW", "yes", 100, new)
    told = Told()
    told.fill_rows = [fill("NEW", "bid", 100, 6_000, new)]
    desk = AccountDesk(db, account, told, "simulated")
    desk.sweep()
    assert told.asked["fills"] is None, "nothing is on record: from the beginning"
    desk.sweep()
    assert told.asked["fills"] == int(old.timestamp()) - 120
    told.fill_rows = [fill("OLD", "bid", 100, 6_000, old)]
    desk.sweep()
    desk.sweep()
    assert told.asked["fills"] == int(new.timestamp()) - 120


def test_only_orders_of_nobody_are_unknown(db: Database) -> None:
    assert account.keys_unknown(db, "simulated", []) == []
    assert account.keys_unknown(db, "simulated", ["nobodys"]) == ["nobodys"]
    bought(db, "A", "yes", 100, NOW)
    assert account.keys_unknown(db, "simulated", ["c-A", "nobodys"]) == ["nobodys"]
    assert account.keys_unknown(db, "demo", ["c-A"]) == ["c-A"], "another mode's account is another account"


def test_a_deposit_is_an_incident_until_it_is_accepted_by_name(
    db: Database, database: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = Told()
    desk = AccountDesk(db, account, told, "simulated")
    desk.sweep()
    assert reconcile_account(desk).ok
    assert reconcile_account(desk).ok
    told.cash_e6 += 250_000_000
    desk.sweep()
    found = reconcile_account(desk)
    assert not found.ok and "balance cash: ledger 10000000, exchange 260000000" in found.why
    incident = db.one("SELECT severity, cause FROM system.incidents WHERE closed_at IS NULL")
    assert incident is not None and incident["severity"] == "critical" and "260000000" in incident["cause"]

    settings = tmp_path / "settings.yml"
    settings.write_text(
        "mode: simulated\nkalshi: {rest_url: 'http://127.0.0.1:1', ws_url: 'ws://127.0.0.1:1'}\n"
        "coinbase: {rest_url: 'http://127.0.0.1:1', ws_url: 'ws://127.0.0.1:1'}\nseries: [KXBTCD]\nurl: https://desk\n"
    )
    monkeypatch.setenv("RECIO_SETTINGS", str(settings))
    monkeypatch.setenv("RECIO_DSN", database.dsn("recio_operator"))
    told.resting = [OrderView("x", "by-hand", "T", "bid", "resting", 100, 500, 0, 500, 0, 0, 0, None, None)]
    assert not reconcile_account(desk).ok, "it rests for hours already: no window of time finds it"
    said = CliRunner().invoke(app, ["account", "accept-balance", "--why", "deposit"])
    assert said.exit_code == 1 and "more than the balance differs: order by-hand" in said.output
    assert db.all("SELECT 1 FROM users.audit_log") == []
    told.resting = []
    assert not reconcile_account(desk).ok
    said = CliRunner().invoke(app, ["account", "accept-balance", "--why", "deposit"])
    assert said.exit_code == 0, said.output
    assert "260.000000 $ accepted; the ledger expected 10.000000 $" in said.output
    assert reconcile_account(desk).ok
    assert db.all("SELECT 1 FROM system.incidents WHERE closed_at IS NULL") == []
    audit = db.one("SELECT detail FROM users.audit_log")
    assert audit is not None and audit["detail"]["why"] == "deposit"
