"""The ledger's store in memory: the same functions and columns as recio.store.ledger, .account and .order_groups.

It can die at any step. ``fuse`` counts the steps left: each statement outside a transaction, each statement inside one,
each COMMIT before and after. At zero the process that was working is gone, and an open transaction never was.
test_memory_ledger.py holds it against PostgreSQL.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

Row = dict[str, Any]
_LIVE = ("pending", "open", "closing", "expired")
_FINAL = ("filled", "cancelled", "refused")
_UNFINISHED = ("intent", "sending", "resting", "partially_filled", "unknown")
_TABLES = (
    "tickets", "trades", "orders", "events", "fills", "settlements", "markets", "positions", "balances", "anchors",
    "groups", "incidents", "reconciliations",
)  # fmt: skip


class Killed(BaseException):
    """kill -9: nothing of the process goes on; what was committed stays."""


class MemoryLedger:
    """``db`` and store in one; rows are never changed in place, so that a rollback is a matter of putting old ones back."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.clock = clock
        self.fuse: int | None = None
        self.steps = 0
        self.t: dict[str, dict[Any, Row]] = {name: {} for name in _TABLES}
        self._undo: list[tuple[str, Any, Row | None]] | None = None
        self._number = 0

    # ------------------------------------------------------------------ what a database does
    def step(self) -> None:
        """One more instruction; the process may be killed here."""
        self.steps += 1
        if self.fuse is not None:
            self.fuse -= 1
            if self.fuse < 0:
                self.fuse = None
                raise Killed

    @contextmanager
    def transaction(self, durable: bool = True) -> Iterator[None]:
        assert self._undo is None, "BEGIN inside a transaction"
        self._undo = []
        try:
            yield
            self.step()
        except BaseException:
            for table, key, old in reversed(self._undo):
                if old is None:
                    self.t[table].pop(key, None)
                else:
                    self.t[table][key] = old
            raise
        finally:
            self._undo = None
        self.step()

    def notify(self, channel: str, payload: object = "") -> None:
        """Listeners sweep as well: a lost notification only costs time, and nothing here waits for one."""

    def _put(self, table: str, key: Any, row: Row) -> None:
        self.step()
        if self._undo is not None:
            self._undo.append((table, key, self.t[table].get(key)))
        self.t[table][key] = row

    def _next(self) -> int:
        self._number += 1
        return self._number

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self.clock(), UTC)

    @contextmanager
    def _own(self) -> Iterator[None]:
        """The store's own transaction, or the caller's."""
        if self._undo is not None:
            yield
        else:
            with self.transaction():
                yield

    # ------------------------------------------------------------------ recio.store.tickets
    def submit(self, **row: Any) -> int:
        """A ticket of the user's."""
        ticket_id = self._next()
        self.t["tickets"][ticket_id] = {
            "ticket_id": ticket_id, "user_id": "0001", "mode": "simulated", "source": "api", "market_ticker": None,
            "side": None, "count_e2": None, "limit_price_e4": None, "trade_id": None, "state": "new", "reason": "",
            "created_at": self._now(),
        } | row  # fmt: skip
        return ticket_id

    # ------------------------------------------------------------------ recio.store.ledger
    def new_tickets(self, db: Any, user_id: str) -> list[Row]:
        self.step()
        now = self._now()
        return [
            row | {"age_s": (now - row["created_at"]).total_seconds()}
            for row in list(self.t["tickets"].values())
            if row["state"] == "new" and row["user_id"] == user_id
        ]

    def decide_ticket(self, db: Any, ticket_id: int, state: str, reason: str, trade_id: int | None) -> None:
        old = self.t["tickets"][ticket_id]
        if old["state"] == "new":
            trade = old["trade_id"] if trade_id is None else trade_id
            self._put("tickets", ticket_id, old | {"state": state, "reason": reason, "trade_id": trade})

    def insert_trade(self, db: Any, row: Row) -> int:
        trade_id = self._next()
        start: Row = {
            "reason": "", "entry_count_e2": 0, "entry_cost_e6": 0, "exit_count_e2": 0, "exit_proceeds_e6": 0,
            "fees_e6": 0, "result": None, "settlement_value_e4": None, "pnl_e6": None, "created_at": self._now(),
            "opened_at": None, "closed_at": None, "monitor_id": None, "entry_context": None,
        }  # fmt: skip
        assert row["count_e2"] > 0
        self._put("trades", trade_id, start | row | {"trade_id": trade_id})
        return trade_id

    def update_trade(self, db: Any, user_id: str, trade_id: int, changes: Row) -> None:
        self._put("trades", trade_id, self.t["trades"][trade_id] | changes)

    def add_event(self, db: Any, user_id: str, trade_id: int, kind: str, detail: Row) -> None:
        number = self._next()
        detail = json.loads(json.dumps(detail))  # what jsonb could not hold must fail here too
        self._put("events", number, {"event_id": number, "trade_id": trade_id, "kind": kind, "detail": detail})

    def live_trades(self, db: Any, user_id: str, mode: str) -> list[Row]:
        self.step()
        return [
            dict(row)
            for row in self.t["trades"].values()
            if row["state"] in _LIVE
            or (row["state"] == "error" and self.clock() - row["created_at"].timestamp() < 86_400)
        ]

    def market_row(self, db: Any, mode: str, ticker: str) -> Row | None:
        self.step()
        return self.t["markets"].get(ticker)

    def trade_by_id(self, db: Any, user_id: str, trade_id: int) -> Row | None:
        self.step()
        return self.t["trades"].get(trade_id)

    def insert_order(self, db: Any, row: Row) -> int:
        assert 1 <= row["limit_price_e4"] <= 9999 and row["count_e2"] > 0
        assert all(row["client_order_id"] != old["client_order_id"] for old in self.t["orders"].values()), "UNIQUE"
        order_id = self._next()
        start: Row = {
            "state": "intent", "reason": "", "exchange_order_id": None, "acked_count_e2": 0, "lookups": 0,
            "created_at": self._now(), "sent_at": None, "done_at": None,
        }  # fmt: skip
        self._put("orders", order_id, start | row | {"order_id": order_id})
        return order_id

    def insert_known_order(self, db: Any, row: Row) -> int | None:
        if any(row["client_order_id"] == old["client_order_id"] for old in self.t["orders"].values()):
            return None
        return self.insert_order(db, {"created_at": row["sent_at"], "done_at": self._now()} | row)

    def claim_intent(self, db: Any, mode: str) -> Row | None:
        with self.transaction():
            orders = list(self.t["orders"].values())
            doubt = [o for o in orders if o["state"] in ("sending", "unknown")]
            free = [
                o
                for o in orders
                if o["state"] == "intent"
                and not (doubt and (o["purpose"] == "entry" or any(d["trade_id"] == o["trade_id"] for d in doubt)))
            ]
            if not free:
                return None
            row = min(free, key=lambda o: (o["purpose"] != "exit", o["order_id"]))
            self._put("orders", row["order_id"], row | {"state": "sending", "sent_at": self._now()})
            return dict(row)

    def finish_order(self, db: Any, order: Row, state: str, reason: str, **columns: Any) -> None:
        columns |= {"state": state, "reason": reason}
        if state in _FINAL:
            columns["done_at"] = self._now()
        with self.transaction():
            self._put("orders", order["order_id"], self.t["orders"][order["order_id"]] | columns)
            detail = {"order_id": order["order_id"], "reason": reason, "client_order_id": order["client_order_id"]}
            self.add_event(self, order["user_id"], order["trade_id"], f"order_{state}", detail)

    def note_lookup(self, db: Any, order_id: int, lookups: int) -> None:
        self._put("orders", order_id, self.t["orders"][order_id] | {"lookups": lookups})

    def opposite_held(self, db: Any, order: Row) -> bool:
        self.step()
        return any(
            t["market_ticker"] == order["market_ticker"] and t["side"] != order["side"]
            and t["state"] in (*_LIVE, "error")
            for t in self.t["trades"].values()
        )  # fmt: skip

    def unfinished_orders(self, db: Any, mode: str) -> list[Row]:
        self.step()
        return [dict(row) for row in self.t["orders"].values() if row["state"] in _UNFINISHED]

    def orders_of_trade(self, db: Any, user_id: str, trade_id: int) -> list[Row]:
        self.step()
        return [row for row in self.t["orders"].values() if row["trade_id"] == trade_id]

    def fills_of_trade(self, db: Any, user_id: str, trade_id: int) -> list[Row]:
        self.step()
        orders = {
            o["exchange_order_id"]: o
            for o in self.t["orders"].values()
            if o["trade_id"] == trade_id and o["exchange_order_id"]
        }
        found = [
            fill | {"order_id": orders[fill["exchange_order_id"]]["order_id"]}
            for fill in self.t["fills"].values()
            if fill["exchange_order_id"] in orders
        ]
        return sorted(found, key=lambda f: (f["filled_at"], f["fill_id"]))

    def settlement_of(self, db: Any, mode: str, ticker: str) -> Row | None:
        self.step()
        return self.t["settlements"].get(ticker)

    def risk_facts(self, order: Row) -> Row:
        """The row of recio.store.ledger.risk_facts, on a desk where all data is fresh."""
        self.step()
        market = self.t["markets"].get(order["market_ticker"])
        shown = market and market | {
            "open_time": market["open_time"].isoformat(), "close_time": market["close_time"].isoformat(),
        }  # fmt: skip
        live = [
            t | {
                "exposure_e6": t["entry_cost_e6"] + t["fees_e6"] if t["entry_count_e2"]
                else t["count_e2"] * t["limit_price_e4"],
            }
            for t in self.t["trades"].values() if t["state"] in _LIVE
        ]  # fmt: skip
        return {
            "kill_switch": None, "price_age_s": 0.1, "book_age_s": 0.1, "book_valid": True, "market": shown,
            "yes_bids": [[1, 10**9]], "no_bids": [[1, 10**9]],
            "exchange": {"exchange_active": True, "trading_active": True, "age_s": 0.1, "clock_skew_s": 0.0},
            "balance": self.t["balances"].get("simulated"),
            "dependencies": {"entries_allowed": True, "root_cause": "", "age_s": 0.1},
            "reconciliation": {"ok": True, "age_s": 1.0}, "live_trades": live,
            "unknown_orders": sum(o["state"] == "unknown" for o in self.t["orders"].values()),
            "pnl_today_e6": 0, "pnl_live_e6": 0,
        }  # fmt: skip

    # ------------------------------------------------------------------ recio.store.account
    def record_fills(self, db: Any, mode: str, rows: Sequence[tuple[Any, ...]]) -> int:
        names = (
            "fill_id", "exchange_order_id", "market_ticker", "book_side", "count_e2", "yes_price_e4", "fee_e6",
            "is_taker", "filled_at",
        )  # fmt: skip
        new = 0
        with self.transaction():
            for row in rows:
                fill = dict(zip(names, row, strict=True)) | {"recorded_at": self._now()}
                if fill["fill_id"] not in self.t["fills"]:
                    new += 1
                    self._put("fills", fill["fill_id"], fill)
        return new

    def record_settlements(self, db: Any, mode: str, rows: Sequence[tuple[Any, ...]]) -> int:
        names = ("market_ticker", "result", "settlement_value_e4", "revenue_e6", "settled_at")
        new = 0
        with self.transaction():
            for row in rows:
                if row[0] not in self.t["settlements"]:
                    new += 1
                    self._put("settlements", row[0], dict(zip(names, row, strict=True)))
        return new

    def fills_since_s(self, db: Any, mode: str) -> float | None:
        self.step()
        got: dict[str, int] = {}
        for fill in self.t["fills"].values():
            got[fill["exchange_order_id"]] = got.get(fill["exchange_order_id"], 0) + fill["count_e2"]
        owed = [
            o["sent_at"].timestamp()
            for o in self.t["orders"].values()
            if o["sent_at"] is not None
            and (
                o["state"] in ("sending", "resting", "partially_filled", "unknown")
                or (
                    o["acked_count_e2"] > got.get(o["exchange_order_id"], 0)
                    and self.t["trades"][o["trade_id"]]["state"] != "closed"
                )
            )
        ]
        newest = max((f["filled_at"].timestamp() for f in self.t["fills"].values()), default=None)
        return None if newest is None else min([newest, *owed])

    def settlements_since_s(self, db: Any, mode: str) -> float | None:
        self.step()
        newest = max((s["settled_at"].timestamp() for s in self.t["settlements"].values()), default=None)
        owed = [t["close_time"].timestamp() for t in self.t["trades"].values() if t["state"] != "closed"]
        return None if newest is None else min([newest, *owed])

    def save_balance(self, db: Any, mode: str, balance_e6: int, portfolio_e6: int) -> None:
        self._put("balances", mode, {"balance_e6": balance_e6, "portfolio_e6": portfolio_e6, "age_s": 0.0})

    def save_positions(self, db: Any, mode: str, rows: Sequence[tuple[str, int, int, int]]) -> None:
        self._put("positions", mode, {"rows": [list(row) for row in rows]})

    def save_reconciliation(self, db: Any, mode: str, differences: Sequence[Row]) -> None:
        row = {"ok": not differences, "differences": list(differences), "at_s": self.clock()}
        self._put("reconciliations", self._next(), row)

    def agreed_at_s(self, db: Any, mode: str) -> float | None:
        return max((row["at_s"] for row in self.t["reconciliations"].values() if row["ok"]), default=None)

    def ledger_view(self, db: Any, mode: str, since_s: float) -> Row:
        self.step()
        orders, fills = self.t["orders"].values(), self.t["fills"].values()
        ours = {o["exchange_order_id"] for o in orders if o["exchange_order_id"]}
        by_ticker: dict[str, list[Row]] = {}
        for fill in fills:
            by_ticker.setdefault(fill["market_ticker"], []).append(fill)
        cash = 0
        positions = []
        for ticker, rows in by_ticker.items():
            signs = [1 if f["book_side"] == "bid" else -1 for f in rows]
            held = sum(s * f["count_e2"] for s, f in zip(signs, rows, strict=True))
            cash -= sum(s * f["count_e2"] * f["yes_price_e4"] + f["fee_e6"] for s, f in zip(signs, rows, strict=True))
            done = self.t["settlements"].get(ticker)
            cash += held * done["settlement_value_e4"] if done else -10_000 * max(0, -held)
            if not done:
                positions.append({
                    "market_ticker": ticker, "position_e2": held,
                    "settling": self.t["markets"][ticker]["close_time"] <= self._now(),
                    "changed_s": max(f["recorded_at"].timestamp() for f in rows),
                })  # fmt: skip
        return {
            "ended": set(),
            "orders": [
                {
                    "client_order_id": o["client_order_id"], "market_ticker": o["market_ticker"], "state": o["state"],
                    "acked_count_e2": o["acked_count_e2"], "at_s": o["sent_at"].timestamp(),
                    "changed_s": max(o[n] for n in ("created_at", "sent_at", "done_at") if o[n]).timestamp(),
                }
                for o in orders
                if o["sent_at"] and o["state"] not in ("intent", "refused")
                and (o["sent_at"].timestamp() >= since_s or o["state"] in _UNFINISHED)
            ],
            "fills": [
                {
                    "fill_id": f["fill_id"], "count_e2": f["count_e2"], "market_ticker": f["market_ticker"],
                    "changed_s": f["recorded_at"].timestamp(), "at_s": f["filled_at"].timestamp(),
                }
                for f in fills
                if f["exchange_order_id"] in ours and f["filled_at"].timestamp() >= since_s
            ],
            "positions": positions,
            "cash_e6": cash,
            "cash_known": True,
        }  # fmt: skip

    def cash_anchor(self, db: Any, mode: str) -> Row | None:
        self.step()
        return list(self.t["anchors"].values())[-1] if self.t["anchors"] else None

    def set_cash_anchor(self, db: Any, mode: str, balance_e6: int, cash_e6: int, why: str = "") -> None:
        self._put("anchors", self._next(), {"balance_e6": balance_e6, "cash_e6": cash_e6})

    def open_incident(self, db: Any, key: str, severity: str, cause: str, action: str, seen_by: str) -> bool:
        if any(row["key"] == key and not row["closed"] for row in self.t["incidents"].values()):
            return False
        self._put("incidents", self._next(), {"key": key, "cause": cause, "closed": False})
        return True

    def close_incident(self, db: Any, key: str) -> bool:
        found = [n for n, row in self.t["incidents"].items() if row["key"] == key and not row["closed"]]
        for number in found:
            self._put("incidents", number, self.t["incidents"][number] | {"closed": True})
        return bool(found)

    # ------------------------------------------------------------------ recio.store.order_groups
    def newest_group(self, db: Any, mode: str) -> Row | None:
        self.step()
        return list(self.t["groups"].values())[-1] if self.t["groups"] else None

    def save_group(self, db: Any, mode: str, group_id: str, day: str, limit_e2: int) -> None:
        row = {"order_group_id": group_id, "day": day, "limit_e2": limit_e2, "state": "open", "why": ""}
        self._put("groups", group_id, row)

    def set_group(self, db: Any, group_id: str, state: str, why: str, limit_e2: int | None = None) -> None:
        old = self.t["groups"][group_id]
        self._put("groups", group_id, old | {"state": state, "why": why, "limit_e2": limit_e2 or old["limit_e2"]})
