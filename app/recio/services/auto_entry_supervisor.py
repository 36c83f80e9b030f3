"""auto_entry_supervisor: runs every monitor on every strike table, says why it waits, and asks for the entries.

A look is one round of reads, pure rules (trading.evaluate), and one ticket at most per monitor and event. While a market
is in a monitor's window every strike table, book or setting that is told of starts a look at once; else one a second.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from recio.market.model import NORMAL
from recio.market.strike_table import Book, row_from_dict
from recio.monitoring.health import Check
from recio.monitoring.kill_file import kill_file_reason
from recio.services import log
from recio.services.decisions import DecisionLog
from recio.services.monitor_board import MonitorBoard, read_auto
from recio.services.runtime import Context, Worker, run
from recio.services.spans import now_ns
from recio.store import rules
from recio.store.db import Notification
from recio.store.system import setting
from recio.store.tickets import KeyReused, submit_open
from recio.trading.entry import REBUILD_S, SpikePause, rebuild_pause, spike_pause
from recio.trading.evaluate import EntryTable, evaluate_entries, states
from recio.trading.monitor import Monitor
from recio.trading.settings import AutoEntrySettings
from recio.trading.strategies.base import EntryContext, EntryDecision, EntryState, Event
from recio.trading.ticket import price_ranges, snap

__all__ = ["AutoEntrySupervisor", "main"]

Row = dict[str, Any]
Key = tuple[str, str]
_TABLE_MAX_AGE_S = 5.0
_DEPENDENCIES_MAX_AGE_S = 15.0
_NO_MODEL = NORMAL.version


class AutoEntrySupervisor(Worker):
    """Off until the user switches it on; every monitor is judged and its status written either way."""

    name = "auto_entry_supervisor"
    channels = ("strike_table", "books", "setting", "trade")
    period_s = 1.0

    def __init__(self, ctx: Context) -> None:
        super().__init__(ctx)
        self._pause = SpikePause(paused=True)  # until start() has read what the prices say
        self._board = MonitorBoard(self.db, self.settings.mode, self.name)
        self._hot = False  # something may be entered: look at every notification
        self._looked_s = float("-inf")
        self._wrote_s = float("-inf")
        self._log = DecisionLog()
        self._why = "not looked yet"
        self._traced_ns = 0  # the newest tick looked at: a table that is looked at again begins no new trace

    def start(self) -> None:
        """What the spike pause is now: worked out anew from the price bars, so that a restart neither ends nor begins
        one. Prices that do not cover the time count as a spike."""
        now_s = time.time()
        auto = read_auto(setting(self.db, self.settings.user_id, "auto_entry"))
        bars = rules.bars_since(self.db, now_s - max(REBUILD_S, auto.spike_resume_after_s) - 1860)
        self._pause = rebuild_pause(bars, now_s, auto)
        log.info(
            "spike pause rebuilt", bars=len(bars), paused=self._pause.paused, calm_since_s=self._pause.calm_since_s
        )

    def work(self, notes: Sequence[Notification], now_s: float) -> None:
        """One look, at once while it matters, else when a second has passed."""
        if not self._hot and time.monotonic() - self._looked_s < self.period_s * 0.9:
            return
        self._looked_s = time.monotonic()
        facts = self._facts()
        auto = read_auto(facts["settings"].get("auto_entry"))
        price = facts["price"] or {"age_s": None, "momentum_bp": None}
        fresh = price["age_s"] is not None and price["age_s"] <= _TABLE_MAX_AGE_S
        self._pause = spike_pause(self._pause, price["momentum_bp"] if fresh else None, now_s, auto)
        self._hot = auto.enabled and any(
            monitor.enabled and self._near(monitor, table, now_s)
            for monitor in self._board.monitors.values()
            for table in facts["tables"]
        )
        found = [entry for table in facts["tables"] for entry in self._judge(table, facts, auto, now_s)]
        self._traced_ns = max([self._traced_ns, *(t["stamps_ns"][0] for t in facts["tables"] if t["stamps_ns"])])
        self._why = "" if facts["tables"] else "there is no fresh strike table"
        self._keep(found, now_s)
        if facts["tables"]:
            self.useful(now_s)
        self._board.read_verdicts()  # after the entries: nothing waits for it

    def _facts(self) -> Row:
        """The facts and the monitors of one moment: read once, and again only when a change of the monitors asks for
        more books than were read."""
        user_id, mode, scope = self.settings.user_id, self.settings.mode, None
        while True:
            scope, before = self._board.scope(), scope
            facts = rules.entry_facts(self.db, user_id, mode, *scope, _TABLE_MAX_AGE_S)
            self._board.read(facts["monitors"])
            if scope in (self._board.scope(), before):
                return facts

    @staticmethod
    def _near(monitor: Monitor, table: Row, now_s: float) -> bool:
        left: float = table["close_s"] - now_s
        return monitor.series_ticker == table["series_ticker"] and 0 < left <= monitor.settings.max_time_to_close_s

    # ------------------------------------------------------------------ judging
    def _judge(
        self, table: Row, facts: Row, auto: AutoEntrySettings, now_s: float
    ) -> list[tuple[Monitor, EntryState, EntryDecision]]:
        event = Event(
            event_ticker=table["event_ticker"],
            series_ticker=table["series_ticker"],
            close_time_s=table["close_s"],
            model_version=next((str(r["model_version"]) for r in table["rows"] if r.get("model_version")), _NO_MODEL),
        )
        seen = EntryTable(
            event=event,
            rows=[row_from_dict(row) for row in table["rows"]],
            books={
                row["market_ticker"]: Book(book["yes_bids"], book["no_bids"], now_s - book["age_s"], book["valid"])
                for row in table["rows"]
                if (book := facts["books"].get(row["market_ticker"])) is not None
            },
        )
        found = []
        for monitor in self._board.monitors.values():
            if monitor.series_ticker != event.series_ticker:
                continue
            context = self._context(monitor, event, facts, auto, now_s)
            decisions = evaluate_entries(monitor, seen, context)
            for state, decision in zip(states(seen, context), decisions, strict=True):
                if decision.action == "enter":
                    decision = self._enter(monitor, state, decision, facts, now_s, table["stamps_ns"])
                found.append((monitor, state, decision))
        return found

    def _context(
        self, monitor: Monitor, event: Event, facts: Row, auto: AutoEntrySettings, now_s: float
    ) -> EntryContext:  # fmt: skip
        price = facts["price"] or {}
        trades = [t for t in facts["trades"] if t["event_ticker"] == event.event_ticker]
        live = {_key(t) for t in trades if t["live"]} | {_key(t) for t in facts["undecided"]}
        return EntryContext(
            now_s=now_s,
            price_age_s=price.get("age_s"),
            momentum_bp=price.get("momentum_bp"),
            pause=self._pause,
            resume_after_s=auto.spike_resume_after_s,
            last_order_s=_last_order(monitor, facts),
            live=sorted(live),
            entered=sorted({_key(t) for t in trades if t["entered"]}),
            refused=[
                (*_key(ask), ask["decided_s"], ask["reason"])
                for ask in facts["asked"]
                if ask["state"] == "refused" and now_s - ask["decided_s"] < 60.0
            ],
            bankroll_e6=facts["balance_e6"],
            off=self._board.off(monitor, auto),
            blocked=_blocked(facts),
            edge=self._board.edge(monitor),
        )

    # ------------------------------------------------------------------ entering
    def _enter(
        self,
        monitor: Monitor,
        state: EntryState,
        decision: EntryDecision,
        facts: Row,
        now_s: float,
        stamps_ns: Sequence[int],
    ) -> EntryDecision:
        """The ticket and its decision in one transaction. The next monitor of this look sees it as live."""
        ticker, side = decision.market_ticker, decision.side
        ranges = price_ranges((facts["books"].get(ticker) or {}).get("price_ranges"))
        asked = next((a["asked"] for a in facts["asked"] if _key(a) == (ticker, side)), 0)
        row = self._log.row(monitor, state, decision, "enter", self.settings.user_id, self.settings.mode)
        seen = {name: row[name] for name in _SEEN}
        try:
            with self.db.transaction():
                # The key counts what was asked before: the same look after a crash is the same request.
                ticket = submit_open(
                    self.db, user_id=self.settings.user_id, mode=self.settings.mode, key=f"auto-{ticker}-{side}-{asked}",
                    source="auto_entry", market_ticker=ticker, side=side, count_e2=decision.count_e2,
                    limit_price_e4=snap(decision.limit_price_e4, ranges, side), monitor_id=monitor.monitor_id, context=seen,
                )  # fmt: skip
                if not ticket.replayed:
                    rules.save_decisions(self.db, [row | {"ticket_id": ticket.ticket_id}])
        except KeyReused as known:
            log.warning("auto entry asked already", market=ticker, side=side, why=known)
            return decision
        facts["undecided"].append(
            {"market_ticker": ticker, "side": side, "monitor_id": monitor.monitor_id, "asked_s": now_s}
        )
        if not ticket.replayed:
            if stamps_ns and stamps_ns[0] > self._traced_ns:
                self.spans.carried(stamps_ns, ticket.ticket_id)
            self.spans.add("entry", self.woke_ns, now_ns(), ticket_id=ticket.ticket_id)
        log.info("auto entry", ticket_id=ticket.ticket_id, monitor=monitor.monitor_id, market=ticker, why=decision.why)
        return decision

    # ------------------------------------------------------------------ telling
    def _keep(self, found: Sequence[tuple[Monitor, EntryState, EntryDecision]], now_s: float) -> None:
        """Decisions that changed and the minute's samples; the status, once a second and at every entry."""
        user_id, mode = self.settings.user_id, self.settings.mode
        rows = [
            self._log.row(monitor, state, decision, kind, user_id, mode)
            for monitor, state, decision in found
            if (kind := self._log.kind(monitor, decision, now_s))
        ]
        if rows:
            with self.db.transaction(durable=False):
                rules.save_decisions(self.db, rows)
        entering = any(decision.action == "enter" for _, _, decision in found)
        if entering or time.monotonic() - self._wrote_s >= 0.9:
            self._wrote_s = time.monotonic()
            rules.save_entry_status(
                self.db,
                [
                    (d.market_ticker, m.monitor_id, d.action, d.reason, d.why, d.differential_e4, d.raw_differential_e4)
                    for m, _, d in found
                ],
            )

    def checks(self, now_s: float) -> list[Check]:
        """There were tables to judge, and every monitor could be read."""
        broken = ", ".join(sorted(self._board.unreadable))
        return [
            Check("input", not self._why, self._why),
            Check("monitors", not broken, f"settings of {broken} cannot be read; see the incidents"),
        ]


_SEEN = (
    "strategy", "monitor_version", "model_version", "probability_model", "probability_market", "probability", "ask_e4",
    "differential_e4", "raw_differential_e4", "why",
)  # fmt: skip


def _key(row: Row) -> Key:
    return row["market_ticker"], row["side"]


def _last_order(monitor: Monitor, facts: Row) -> float | None:
    """This monitor's last accepted order, or the ticket that still may become one; a refused ticket counts no more."""
    mine = [t["asked_s"] for t in facts["undecided"] if t["monitor_id"] == monitor.monitor_id]
    mine += [
        m["last_order_s"] for m in facts["monitors"] if m["monitor_id"] == monitor.monitor_id and m["last_order_s"]
    ]
    return max(mine, default=None)


def _blocked(facts: Row) -> str:
    """Why no entry is possible at all; what is not known blocks."""
    switch, state = facts["settings"].get("kill_switch") or {}, facts["dependencies"]
    why = kill_file_reason() or (switch.get("why") or "no reason given" if switch.get("on") else "")
    if why:
        return f"the kill switch is on: {why}"
    if state is None or state["age_s"] > _DEPENDENCIES_MAX_AGE_S:
        return "the failure detector has not reported"
    return "" if state["entries_allowed"] else f"entries are stopped: {state['root_cause']}"


def main() -> int:
    """Run the service."""
    return run(AutoEntrySupervisor)
