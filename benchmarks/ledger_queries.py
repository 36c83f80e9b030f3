"""Every query that touches the ledger, called as the services and pages call it; and a ledger of any size to try it on.

A query that is in neither HOT nor GROWS nor ELSEWHERE makes tests/integration/store/test_many_trades.py fail: a new one
cannot be forgotten.
"""

from __future__ import annotations

import importlib
import inspect
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from recio.store import (
    account,
    account_pages,
    cancels,
    frame_queries,
    history_queries,
    ledger,
    market_data,
    metrics_queries,
    mode_queries,
    notify_queries,
    order_groups,
    proof,
    risk_use,
    rules,
    spans,
    tickets,
    web_queries,
)
from recio.store.db import Database
from recio.store.history_queries import HistoryFilter
from recio.store.web_queries import TradeFilter

__all__ = ["BIG", "ELSEWHERE", "GROWS", "HOT", "Ledger", "Watched", "all_queries", "fill", "plan_of"]

USER, MODE = "0001", "simulated"
BIG = ("trades_0001", "orders", "fills", "trade_events", "tickets", "settlements")
LIVE, A_DAY = 20, 1_400  # live trades at any time; trades a day, whatever the ledger's age


@dataclass
class Ledger:
    """What a call needs to name: ids of a filled ledger."""

    newest: int  # the last finished trade
    order: dict[str, Any] = field(default_factory=dict)
    calls: int = 0

    @property
    def ticker(self) -> str:
        """The market of the first live trade."""
        return f"LIVE-{self.newest + 1}"

    def key(self) -> str:
        """A key never used before."""
        self.calls += 1
        return f"bench-{time.time_ns()}-{self.calls}"


_AN_HOUR_AGO = datetime.now(UTC) - timedelta(hours=1)
Call = Callable[[Database, Ledger], Any]
_FILTERS = {
    "closed": TradeFilter(),
    "won": TradeFilter(outcome="won"),
    "series": TradeFilter(series="KXBTCD", side="yes"),
}
_PAST = {
    "a day": HistoryFilter(since=datetime.now(UTC) - timedelta(hours=20), hour=9, weekday=1),
    "a year": HistoryFilter(since=datetime.now(UTC) - timedelta(days=365)),
    "all": HistoryFilter(),
    "live too": HistoryFilter(state="all"),
    "stopped": HistoryFilter(since=datetime.now(UTC) - timedelta(hours=20), exit="stopped"),
}


def _trade_row(at: Ledger) -> dict[str, Any]:
    return {
        "user_id": USER, "mode": "bench", "ticket_id": 1, "source": "cli", "market_ticker": at.ticker, "event_ticker": "E",
        "series_ticker": "KXBTCD", "strike_e2": 1, "side": "yes", "state": "error", "count_e2": 100,
        "limit_price_e4": 5_000, "close_time": datetime.now(UTC),
    }  # fmt: skip


def _order_row(at: Ledger) -> dict[str, Any]:
    return {
        "user_id": USER, "mode": "bench", "trade_id": at.newest, "client_order_id": at.key(), "purpose": "entry",
        "market_ticker": at.ticker, "side": "yes", "count_e2": 100, "limit_price_e4": 5_000,
    }  # fmt: skip


def _known_row(at: Ledger) -> dict[str, Any]:
    then = datetime.now(UTC)
    return _order_row(at) | {
        "state": "cancelled", "reason": "", "exchange_order_id": at.key(), "acked_count_e2": 0, "sent_at": then,
    }  # fmt: skip


def _cancel_row(at: Ledger, db: Database) -> dict[str, Any]:
    key = at.key()
    ticket = tickets.submit_cancel(
        db, user_id=USER, mode="bench", key=key, source="cli", order_id=key, actor="bench"
    ).ticket_id  # fmt: skip
    return {
        "user_id": USER, "mode": "bench", "ticket_id": ticket, "exchange_order_id": key, "client_order_id": key,
        "market_ticker": at.ticker, "book_side": "bid", "yes_price_e4": 100, "count_e2": 100, "filled_e2": 0,
        "rests_since": datetime.now(UTC),
    }  # fmt: skip


def _fill_row(at: Ledger) -> tuple[Any, ...]:
    return (at.key(), at.key(), at.ticker, "bid", 100, 5_000, 0, True, datetime.now(UTC) - timedelta(days=9))


# module.function (with a note where a function is tried in several ways) -> the call
HOT: dict[str, Call] = {
    "frame_queries.trade_news": lambda db, at: frame_queries.trade_news(db, USER, MODE, _AN_HOUR_AGO, 30),
    "ledger.new_tickets": lambda db, at: ledger.new_tickets(db, USER),
    "ledger.decide_ticket": lambda db, at: ledger.decide_ticket(db, at.newest, "refused", "", None),
    "ledger.insert_trade": lambda db, at: ledger.insert_trade(db, _trade_row(at)),
    "ledger.update_trade": lambda db, at: ledger.update_trade(db, USER, at.newest, {"reason": "bench"}),
    "ledger.add_event": lambda db, at: ledger.add_event(db, USER, at.newest, "bench", {}),
    "ledger.live_trades": lambda db, at: ledger.live_trades(db, USER, MODE),
    "ledger.market_row": lambda db, at: ledger.market_row(db, MODE, at.ticker),
    "ledger.trade_by_id": lambda db, at: ledger.trade_by_id(db, USER, at.newest),
    "ledger.insert_order": lambda db, at: ledger.insert_order(db, _order_row(at)),
    "ledger.insert_known_order": lambda db, at: ledger.insert_known_order(db, _known_row(at)),
    "ledger.claim_intent": lambda db, at: ledger.claim_intent(db, MODE),
    "ledger.finish_order": lambda db, at: ledger.finish_order(db, at.order, "filled", ""),
    "ledger.unfinished_orders": lambda db, at: ledger.unfinished_orders(db, MODE),
    "ledger.note_lookup": lambda db, at: ledger.note_lookup(db, at.order["order_id"], 0),
    "ledger.opposite_held": lambda db, at: ledger.opposite_held(db, at.order),
    "ledger.orders_of_trade": lambda db, at: ledger.orders_of_trade(db, USER, at.newest),
    "ledger.fills_of_trade": lambda db, at: ledger.fills_of_trade(db, USER, at.newest),
    "ledger.events_of_trade": lambda db, at: ledger.events_of_trade(db, USER, at.newest),
    "ledger.settlement_of": lambda db, at: ledger.settlement_of(db, MODE, at.ticker),
    "ledger.risk_facts": lambda db, at: ledger.risk_facts(db, USER, MODE, at.ticker),
    "tickets.submit_open": lambda db, at: tickets.submit_open(
        db, user_id=USER, mode="bench", key=at.key(), source="cli", market_ticker=at.ticker, side="yes", count_e2=1,
        limit_price_e4=1,
    ),
    "tickets.submit_close": lambda db, at: tickets.submit_close(
        db, user_id=USER, mode="bench", key=at.key(), source="cli", trade_id=at.newest
    ),
    "tickets.submit_adopt": lambda db, at: tickets.submit_adopt(
        db, user_id=USER, mode="bench", order={"client_order_id": at.key(), "market_ticker": at.ticker, "count_e2": 100}
    ),
    "tickets.submit_cancel": lambda db, at: tickets.submit_cancel(
        db, user_id=USER, mode="bench", key=at.key(), source="cli", order_id="x-1", actor="bench"
    ),
    "cancels.cancel_facts": lambda db, at: cancels.cancel_facts(db, MODE, f"x-{at.newest}-0"),
    "cancels.insert_cancel": lambda db, at: cancels.insert_cancel(db, _cancel_row(at, db)),
    "cancels.claim_cancel": lambda db, at: cancels.claim_cancel(db, MODE),
    "cancels.unfinished_cancels": lambda db, at: cancels.unfinished_cancels(db, MODE),
    "cancels.finish_cancel": lambda db, at: cancels.finish_cancel(db, 0, "gone", "", None),
    "cancels.note_cancel_lookup": lambda db, at: cancels.note_cancel_lookup(db, 0, 1),
    "cancels.cancel_of_ticket": lambda db, at: cancels.cancel_of_ticket(db, at.newest),
    "cancels.newest_cancels": lambda db, at: cancels.newest_cancels(db, USER, MODE),
    "cancels.ended_keys": lambda db, at: cancels.ended_keys(db, MODE),
    "tickets.ticket_by_id": lambda db, at: tickets.ticket_by_id(db, at.newest),
    "tickets.tickets_by_id": lambda db, at: tickets.tickets_by_id(db, [at.newest, at.newest - 1]),
    "account.record_fills": lambda db, at: account.record_fills(db, "bench", [_fill_row(at)]),
    "account.keys_unknown": lambda db, at: account.keys_unknown(db, MODE, ["a", "b"]),
    "account.record_settlements": lambda db, at: account.record_settlements(
        db, "bench", [(at.key(), "yes", 10_000, 0, datetime.now(UTC))]
    ),
    "account.fills_since_s": lambda db, at: account.fills_since_s(db, MODE),
    "account.settlements_since_s": lambda db, at: account.settlements_since_s(db, MODE),
    "order_groups.newest_group": lambda db, at: order_groups.newest_group(db, MODE),
    "proof.trades_with_log": lambda db, at: proof.trades_with_log(db, MODE, since_s=time.time() - 3_600),
    "rules.entry_facts": lambda db, at: rules.entry_facts(db, USER, MODE, ["KXBTCD"], 900.0, 5.0),
    "rules.held_trades": lambda db, at: rules.held_trades(db, USER, MODE),
    "rules.forget_finished": lambda db, at: rules.forget_finished(db, USER),
    "market_data.markets_wanting_result": lambda db, at: market_data.markets_wanting_result(db, MODE),
    "spans.traces": lambda db, at: spans.traces(db, 60),
    "web_queries.live_trades": lambda db, at: web_queries.live_trades(db, USER, MODE),
    "web_queries.held_sides": lambda db, at: web_queries.held_sides(db, USER, MODE),
    "web_queries.trades (closed)": lambda db, at: web_queries.trades(db, USER, MODE, _FILTERS["closed"], 50, None),
    "web_queries.trades (next page)": lambda db, at: web_queries.trades(
        db, USER, MODE, _FILTERS["closed"], 50, at.newest - 200
    ),
    "web_queries.trades (won)": lambda db, at: web_queries.trades(db, USER, MODE, _FILTERS["won"], 50, None),
    "web_queries.trades (series)": lambda db, at: web_queries.trades(db, USER, MODE, _FILTERS["series"], 50, None),
    "web_queries.trade": lambda db, at: web_queries.trade(db, USER, at.newest),
    "web_queries.trade_detail": lambda db, at: web_queries.trade_detail(db, USER, at.newest),
    "web_queries.ticket_id_of": lambda db, at: web_queries.ticket_id_of(db, USER, "ticket-00000001"),
    "web_queries.today": lambda db, at: web_queries.today(db, USER, MODE),
    "risk_use.risk_use": lambda db, at: risk_use.risk_use(db, USER, MODE),
    "mode_queries.unfinished": lambda db, at: mode_queries.unfinished(db, USER, MODE),
    "mode_queries.in_doubt": lambda db, at: mode_queries.in_doubt(db, USER, MODE),
    "notify_queries.collect": lambda db, at: notify_queries.collect(db, USER, MODE, ["unknown"]),
    "web_queries.account": lambda db, at: web_queries.account(db, USER, MODE),
    "account.ledger_positions": lambda db, at: account.ledger_positions(db, MODE),
    "account_pages.fills": lambda db, at: account_pages.fills(db, USER, MODE, 50),
    "account_pages.fills (next page)": lambda db, at: account_pages.fills(db, USER, MODE, 50, (_AN_HOUR_AGO, "f")),
    "account_pages.fills (a market)": lambda db, at: account_pages.fills(db, USER, MODE, 50, None, f"M-{at.newest // 3 - 9000}"),
    "account_pages.fills (no such market)": lambda db, at: account_pages.fills(db, USER, MODE, 50, None, "NOWHERE"),
    "account_pages.settlements": lambda db, at: account_pages.settlements(db, MODE, 50),
    "history_queries.figures (a day)": lambda db, at: history_queries.figures(
        db, USER, MODE, _PAST["a day"], tuple(history_queries.GROUPS)
    ),
    "history_queries.figures (stopped)": lambda db, at: history_queries.figures(db, USER, MODE, _PAST["stopped"]),
    "history_queries.curve (a day)": lambda db, at: history_queries.curve(db, USER, MODE, _PAST["a day"]),
    "history_queries.entries": lambda db, at: history_queries.entries(db, USER, MODE, _PAST["a day"], 1_000),
    "history_queries.at_entry": lambda db, at: history_queries.at_entry(db, at.newest),
    "history_queries.neighbours": lambda db, at: history_queries.neighbours(db, USER, MODE, at.newest),
    "history_queries.trace": lambda db, at: history_queries.trace(db, at.newest, [2 * at.newest]),
    "metrics_queries.feed_ages": lambda db, at: metrics_queries.feed_ages(db, MODE),
    "metrics_queries.orders_unfinished": lambda db, at: metrics_queries.orders_unfinished(db, USER, MODE),
    "metrics_queries.orders_today": lambda db, at: metrics_queries.orders_today(db, USER, MODE),
    "metrics_queries.trades_live": lambda db, at: metrics_queries.trades_live(db, USER, MODE),
}  # fmt: skip

# What adds up everything there ever was, and why that is borne: shown with its figures, not held to them.
GROWS: dict[str, tuple[str, Call]] = {
    "account.ledger_view": (
        "cash and positions of all fills, once in 30 s by kalshi_account_sync, never on an order's way",
        lambda db, at: account.ledger_view(db, MODE, time.time() - 3_600),
    ),
    "account.ledger_cash": (
        "fills since the last checkpoint by their index; few results are cheaper read whole than one by one",
        lambda db, at: account.ledger_cash(db, MODE),
    ),
    "account_pages.balance_facts": ("ledger_cash is in it", lambda db, at: account_pages.balance_facts(db, MODE)),
    "account_pages.settlements (no such market)": (
        "eight stretches of 4,000 rows, whatever there are: of a small table that is all of it",
        lambda db, at: account_pages.settlements(db, MODE, 50, None, "NOWHERE"),
    ),
    "history_queries.figures (all)": (
        "every group's sums of all trades ever, from the sums the database keeps: as many as kinds of trades there are",
        lambda db, at: history_queries.figures(db, USER, MODE, _PAST["all"], tuple(history_queries.GROUPS)),
    ),
    "history_queries.figures (all, live too)": (
        "the same, and the live trades by their index",
        lambda db, at: history_queries.figures(db, USER, MODE, _PAST["live too"], tuple(history_queries.GROUPS)),
    ),
    "history_queries.figures (a year)": (
        "every group's sums of a year's trades, when the user asks for them; the page opens with 30 days",
        lambda db, at: history_queries.figures(db, USER, MODE, _PAST["a year"], tuple(history_queries.GROUPS)),
    ),
    "history_queries.figures (all, one by one)": (
        "what the sums kept replace; asked where a filter is more than they know",
        lambda db, at: history_queries.figures(
            db, USER, MODE, _PAST["all"], tuple(history_queries.GROUPS), one_by_one=True
        ),
    ),
    "history_queries.curve (all)": (
        "the newest CURVE_TRADES, when the user asks for all trades ever",
        lambda db, at: history_queries.curve(db, USER, MODE, _PAST["all"]),
    ),
}

# Public functions of the same modules that read or write nothing whose size depends on the number of trades.
ELSEWHERE: dict[str, str] = {
    "history_queries.filter_values": "monitors",
    "mode_queries.signed": "one row a mode",
    "notify_queries.due": "what waits to be sent, by its index",
    "notify_queries.settle": "one row, by its key",
    "notify_queries.targets": "a handful",
    "notify_queries.outbox": "the newest thirty of the outbox",
    "notify_queries.add_target": "an insert of a handful",
    "notify_queries.remove_target": "one row, by its key",
    "notify_queries.ask_test": "an insert",
    "notify_queries.heartbeats_due": "a handful of targets, each with one row of the outbox by its key",
    "notify_queries.healthy_services": "a minute of the twelve's samples, by their index",
    "notify_queries.note_heartbeat": "one row, by its key",
    "rules.archive_statements": "makes statements; one monitor by its key",
    "tickets.wait_decided": "ticket_by_id, again and again",
    "account.save_balance": "one row a mode",
    "account.save_positions": "open positions only",
    "account.save_reconciliation": "an insert; kept seven days",
    "account.agreed_at_s": "the newest good reconciliation; kept seven days",
    "account.foreign_orders": "the newest reconciliation, by its key",
    "account.cash_anchor": "by its index; a handful of rows",
    "account.set_cash_anchor": "an insert of a handful",
    "account_pages.reconciliations": "kept seven days",
    "account_pages.reconciled_since": "kept seven days",
    "account_pages.anchors": "a handful",
    "account_pages.accept_balance": "an insert of a handful",
    "order_groups.save_group": "one row a day",
    "order_groups.set_group": "one row a day, by its key",
    "account.advance_checkpoint": "what came since the last checkpoint",
    "rules.bars_since": "price bars",
    "spans.save_spans": "kept one day",
    "frame_queries.incident_news": "incidents",
    "frame_queries.vitals": "books, incidents, the newest reconciliation by its key",
    "metrics_queries.incidents_open": "incidents",
    "desk_queries.all_strikes": "live data",
    "desk_queries.newest_calibration": "a report a night",
} | {
    f"{module}.{name}": why
    for module, why, names in (
        ("account", "incidents", "close_incident open_incident"),
        ("rules", "monitors and settings", "audit_statement monitor_row monitor_rows monitor_statements versions"),
        ("rules", "live rows only", "keep_memory keep_seen save_entry_status"),
        ("rules", "an insert; samples are pruned", "save_decisions"),
        (
            "web_queries",
            "live data and samples",
            "bars beats books_of entry_status events incidents machine market price",
        ),
        ("web_queries", "live data", "strike_table"),
    )
    for name in names.split()
}


def all_queries() -> Iterator[str]:
    """module.function of every public query of the modules that know the ledger."""
    for module in (
        "ledger",
        "tickets",
        "account",
        "account_pages",
        "cancels",
        "order_groups",
        "risk_use",
        "mode_queries",
        "notify_queries",
        "proof",
        "rules",
        "spans",
        "web_queries",
        "frame_queries",
        "metrics_queries",
        "desk_queries",
        "history_queries",
    ):
        found = importlib.import_module(f"recio.store.{module}")
        for name in found.__all__:
            if inspect.isfunction(getattr(found, name)):
                yield f"{module}.{name}"


# ------------------------------------------------------------------ watching
class Watched(Database):
    """A connection that remembers the statements of the last call."""

    def __init__(self, application_name: str, dsn: str) -> None:
        self.seen: list[bytes] = []
        super().__init__(application_name, dsn)

    def _send(self, cursor: Any, text: bytes) -> None:
        self.seen.append(text)
        super()._send(cursor, text)

    def later(self, sql: str, params: Any = ()) -> None:
        """Remember it as well."""
        inside = self._in_transaction
        super().later(sql, params)
        if inside and self._waiting:
            self.seen.append(self._waiting[-1])


_EXPLAINED = ("select", "insert", "update", "delete", "with", "execute")


def plan_of(db: Watched, call: Callable[[], Any]) -> list[tuple[str, str, str]]:
    """(node, relation, index) of every plan node of every statement of a call, in order; the call is made."""
    db.seen.clear()
    call()
    nodes: list[tuple[str, str, str]] = []
    for text in list(db.seen):
        if text.strip().lower().startswith(tuple(word.encode() for word in _EXPLAINED)):
            row = db.one("EXPLAIN (FORMAT JSON) " + text.decode().replace("%", "%%"), {"": ""})
            plan = next(iter((row or {}).values()))
            _walk((json.loads(plan) if isinstance(plan, str) else plan)[0]["Plan"], nodes)
    return nodes


def _walk(node: dict[str, Any], nodes: list[tuple[str, str, str]]) -> None:
    nodes.append((node["Node Type"], node.get("Relation Name", ""), node.get("Index Name", "")))
    for below in node.get("Plans", ()):
        _walk(below, nodes)


# ------------------------------------------------------------------ filling
def fill(db: Database, trades: int, *, first: bool = True) -> Ledger:
    """A ledger of ``trades`` finished trades, A_DAY of them a day up to now, and LIVE live ones; as a superuser.

    Ids count up with time, and the newest ones are the same whatever the size: what a query of today sees is the same.
    """
    newest = 10_000_000
    db.run("SET session_replication_role = replica")  # the foreign keys hold by construction
    db.run("SET synchronous_commit = off")
    for low in range(newest - trades + 1, newest + 1, 100_000):
        high = min(low + 99_999, newest)
        for sql in _FINISHED:
            db.run(
                sql, {"low": low, "high": high, "newest": newest, "gap_s": 86_400 / A_DAY, "user": USER, "mode": MODE}
            )
    for sql in (*_LIVE_ROWS, *_AROUND):
        db.run(sql, {"newest": newest, "live": LIVE, "user": USER, "mode": MODE})
    for table, column in _IDENTITIES:
        db.run(f"SELECT setval(pg_get_serial_sequence('users.{table}', '{column}'), max({column})) FROM users.{table}")  # noqa: S608
    db.run("SET session_replication_role = DEFAULT")
    db.run("INSERT INTO users.trade_sums SELECT * FROM users.trade_sums_anew")  # no trigger saw the rows above
    account.advance_checkpoint(db, MODE)  # as kalshi_account_sync does, a little at a time
    db.run("VACUUM (ANALYZE)")
    row = db.one("SELECT * FROM users.orders WHERE trade_id = %s ORDER BY order_id LIMIT 1", (newest,))
    return Ledger(newest, row or {})


_IDENTITIES = (("tickets", "ticket_id"), ("trades", "trade_id"), ("orders", "order_id"), ("trade_events", "event_id"))
_FINISHED = (
    "INSERT INTO users.tickets (ticket_id, user_id, mode, idempotency_key, source, kind, market_ticker, side, count_e2,"
    " limit_price_e4, trade_id, state, created_at, decided_at) OVERRIDING SYSTEM VALUE"
    " SELECT i, %(user)s, %(mode)s, 'ticket-' || lpad(i::text, 8, '0'), CASE i %% 3 WHEN 0 THEN 'web' ELSE 'auto_entry' END,"
    "  'open', 'M-' || i / 3, CASE i %% 2 WHEN 0 THEN 'yes' ELSE 'no' END, 100, 5000, i, 'accepted', at, at"
    " FROM (SELECT i, now() - (%(newest)s - i) * %(gap_s)s * interval '1 second' - interval '30 minutes' AS at"
    "  FROM generate_series(%(low)s, %(high)s) i) s",
    "INSERT INTO users.trades (user_id, trade_id, mode, ticket_id, source, market_ticker, event_ticker, series_ticker,"
    " strike_e2, side, state, count_e2, limit_price_e4, entry_count_e2, entry_cost_e6, fees_e6, result,"
    " settlement_value_e4, pnl_e6, close_time, created_at, opened_at, closed_at)"
    " SELECT %(user)s, i, %(mode)s, i, CASE i %% 3 WHEN 0 THEN 'web' ELSE 'auto_entry' END, 'M-' || i / 3, 'E-' || i / 60,"
    "  CASE i %% 4 WHEN 0 THEN 'KXBTCD' ELSE 'KXBTC15M' END, 10000000, CASE i %% 2 WHEN 0 THEN 'yes' ELSE 'no' END,"
    "  CASE i %% 500 WHEN 7 THEN 'error' ELSE 'closed' END, 100, 5000, 100, 500000, 17500, 'yes', 10000,"
    "  CASE i %% 2 WHEN 0 THEN 480000 ELSE -517500 END, at + interval '20 minutes', at, at, at + interval '20 minutes'"
    " FROM (SELECT i, now() - (%(newest)s - i) * %(gap_s)s * interval '1 second' - interval '30 minutes' AS at"
    "  FROM generate_series(%(low)s, %(high)s) i) s",
    "INSERT INTO users.orders (order_id, user_id, mode, trade_id, client_order_id, purpose, market_ticker, side, count_e2,"
    " limit_price_e4, state, exchange_order_id, acked_count_e2, created_at, sent_at, done_at) OVERRIDING SYSTEM VALUE"
    " SELECT 2 * i + n, %(user)s, %(mode)s, i, 'c-' || i || '-' || n, CASE n WHEN 0 THEN 'entry' ELSE 'exit' END,"
    "  'M-' || i / 3, CASE i %% 2 WHEN 0 THEN 'yes' ELSE 'no' END, 100, 5000, 'filled', 'x-' || i || '-' || n, 100, at, at, at"
    " FROM (SELECT i, n, now() - (%(newest)s - i) * %(gap_s)s * interval '1 second' - interval '30 minutes' AS at"
    "  FROM generate_series(%(low)s, %(high)s) i, generate_series(0, 1) n WHERE n = 0 OR i %% 4 = 0) s",
    "INSERT INTO users.fills (mode, fill_id, exchange_order_id, market_ticker, book_side, count_e2, yes_price_e4, fee_e6,"
    " is_taker, filled_at, recorded_at) SELECT o.mode, 'f-' || o.exchange_order_id, o.exchange_order_id, o.market_ticker,"
    "  CASE o.purpose WHEN 'entry' THEN 'bid' ELSE 'ask' END, 100, 5000, 17500, true, o.sent_at, o.sent_at"
    " FROM users.orders o WHERE o.trade_id BETWEEN %(low)s AND %(high)s",
    "INSERT INTO users.trade_events (user_id, trade_id, at, kind, detail)"
    " SELECT %(user)s, i, now() - (%(newest)s - i) * %(gap_s)s * interval '1 second', k, '{\"order_id\": 1}'"
    " FROM generate_series(%(low)s, %(high)s) i, unnest(ARRAY['entry_intent', 'order_filled', 'trade_open', 'trade_closed']) k",
    "INSERT INTO users.settlements (mode, market_ticker, result, settlement_value_e4, revenue_e6, settled_at, recorded_at)"
    " SELECT %(mode)s, 'M-' || i, 'yes', 10000, 0, at, at FROM (SELECT DISTINCT i / 3 AS i,"
    "  now() - (%(newest)s - i / 3 * 3) * %(gap_s)s * interval '1 second' AS at"
    " FROM generate_series(%(low)s, %(high)s) i) s ON CONFLICT DO NOTHING",
)
_LIVE_ROWS = (
    "INSERT INTO users.trades (user_id, trade_id, mode, ticket_id, source, market_ticker, event_ticker, series_ticker,"
    " strike_e2, side, state, count_e2, limit_price_e4, entry_count_e2, entry_cost_e6, close_time)"
    " SELECT %(user)s, i, %(mode)s, i, 'web', 'LIVE-' || i, 'EV', 'KXBTCD', 10000000, 'yes', 'open', 100, 5000, 100, 500000,"
    "  now() + interval '10 minutes' FROM generate_series(%(newest)s + 1, %(newest)s + %(live)s) i",
    "INSERT INTO users.orders (order_id, user_id, mode, trade_id, client_order_id, purpose, market_ticker, side, count_e2,"
    " limit_price_e4, state, exchange_order_id, acked_count_e2, sent_at, done_at) OVERRIDING SYSTEM VALUE"
    " SELECT 2 * i, %(user)s, %(mode)s, i, 'c-' || i, 'entry', 'LIVE-' || i, 'yes', 100, 5000, 'filled', 'x-' || i, 100,"
    "  now(), now() FROM generate_series(%(newest)s + 1, %(newest)s + %(live)s) i",
    "INSERT INTO users.fills (mode, fill_id, exchange_order_id, market_ticker, book_side, count_e2, yes_price_e4, fee_e6,"
    " is_taker, filled_at) SELECT %(mode)s, 'f-' || i, 'x-' || i, 'LIVE-' || i, 'bid', 100, 5000, 0, true, now()"
    " FROM generate_series(%(newest)s + 1, %(newest)s + %(live)s) i",
)
_AROUND = (
    "INSERT INTO live_data.markets (market_ticker, mode, event_ticker, series_ticker, strike_type, floor_strike_e2, open_time,"
    " close_time, status, updated_at) SELECT 'LIVE-' || i, %(mode)s, 'EV', 'KXBTCD', 'greater', 10000000, now(),"
    " now() + interval '10 minutes', 'active', now() FROM generate_series(%(newest)s + 1, %(newest)s + 80) i",
    "INSERT INTO live_data.books (market_ticker, yes_bids, no_bids, received_at, valid)"
    " SELECT market_ticker, '[[4000, 1000]]', '[[5000, 1000]]', now(), true FROM live_data.markets",
    "INSERT INTO live_data.strike_tables (event_ticker, series_ticker, close_time, built_at, price_e2, price_age_s, rows)"
    " SELECT 'EV', 'KXBTCD', now() + interval '10 minutes', now() + interval '1 day', 1, 0,"
    " jsonb_agg(jsonb_build_object('market_ticker', market_ticker)) FROM (SELECT * FROM live_data.markets LIMIT 15) m",
    "INSERT INTO users.reconciliations (at, mode, ok) SELECT now() - i * interval '30 seconds', %(mode)s, true"
    " FROM generate_series(1, 20000) i",
    "INSERT INTO users.balances (mode, balance_e6, seen_at) VALUES (%(mode)s, 1, now()) ON CONFLICT DO NOTHING",
)
