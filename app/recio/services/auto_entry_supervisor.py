"""auto_entry_supervisor: judges every row of every strike table, says why, and enters when the user has switched it on."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from recio.market.strike_table import row_from_dict
from recio.monitoring.health import Check
from recio.services import log
from recio.services.runtime import Context, Worker, run
from recio.services.spans import now_ns
from recio.store.db import Notification
from recio.store.market_data import newest_price, save_entry_status
from recio.store.system import setting
from recio.store.tickets import KeyReused, submit_open
from recio.trading.entry import EntryContext, EntryDecision, SpikePause, decide, spike_pause
from recio.trading.settings import AutoEntrySettings, read
from recio.trading.ticket import price_ranges, snap

__all__ = ["AutoEntrySupervisor", "main"]

Row = dict[str, Any]
_TABLE_MAX_AGE_S = 5.0


class AutoEntrySupervisor(Worker):
    """Off until the user switches it on; its status per market is written either way."""

    name = "auto_entry_supervisor"
    channels = ("strike_table", "setting")
    period_s = 1.0

    def __init__(self, ctx: Context) -> None:
        super().__init__(ctx)
        # After a restart the past is not known: assume a spike, and let calm minutes prove otherwise.
        self._pause = SpikePause(paused=True)
        self._looked_s = float("-inf")
        self._why = "not looked yet"

    def work(self, notes: Sequence[Notification], now_s: float) -> None:
        """Judge all open events, at most once a second."""
        if time.monotonic() - self._looked_s < self.period_s * 0.9:
            return
        self._looked_s = time.monotonic()
        rules = read(AutoEntrySettings, setting(self.db, self.settings.user_id, "auto_entry"))
        price = newest_price(self.db)
        momentum = price["momentum_bp"] if price and price["age_s"] <= rules.max_price_age_s else None
        self._pause = spike_pause(self._pause, momentum, now_s, rules)
        tables = self.db.all(
            "SELECT *, extract(epoch FROM close_time)::float8 AS close_s FROM live_data.strike_tables"
            " WHERE close_time > now() AND built_at > now() - %s * interval '1 second'",
            (_TABLE_MAX_AGE_S,),
        )
        self._why = "" if tables else "there is no fresh strike table"
        status: list[tuple[str, bool, str]] = []
        for table in tables:
            for decision in self._judge(table, rules, price, momentum, now_s):
                status.append((decision.market_ticker, decision.action == "enter", decision.why))
        save_entry_status(self.db, status)
        if tables:
            self.useful(now_s)

    def _judge(
        self, table: Row, rules: AutoEntrySettings, price: Row | None, momentum: int | None, now_s: float
    ) -> list[EntryDecision]:
        past = self.db.all(
            "SELECT market_ticker, side, state, source, extract(epoch FROM created_at)::float8 AS at_s FROM users.trades"
            " WHERE user_id = %s AND mode = %s AND event_ticker = %s AND (entry_count_e2 > 0 OR state = 'pending')",
            (self.settings.user_id, self.settings.mode, table["event_ticker"]),
        )
        last = self.db.one(
            "SELECT extract(epoch FROM max(created_at))::float8 AS at_s FROM users.trades"
            " WHERE user_id = %s AND mode = %s AND source = 'auto_entry' AND created_at > now() - interval '1 day'",
            (self.settings.user_id, self.settings.mode),
        )
        context = EntryContext(
            now_s=now_s,
            series_ticker=table["series_ticker"],
            event_ticker=table["event_ticker"],
            close_time_s=table["close_s"],
            price_age_s=price["age_s"] if price else None,
            momentum_bp=momentum,
            pause=self._pause,
            last_order_s=last["at_s"] if last else None,
            live={(t["market_ticker"], t["side"]) for t in past if t["state"] in ("pending", "open", "closing")},
            entered={(t["market_ticker"], t["side"]) for t in past},
            blocked=self._blocked(),
        )
        found = decide([row_from_dict(row) for row in table["rows"]], context, rules)
        for decision in found:
            if decision.action == "enter":
                self._enter(decision, table, now_s)
        return found

    def _blocked(self) -> str:
        switch = setting(self.db, self.settings.user_id, "kill_switch") or {}
        if switch.get("on"):
            return f"the kill switch is on: {switch.get('why') or 'no reason given'}"
        state = self.db.one("SELECT * FROM system.dependency_state WHERE at > now() - interval '15 seconds'")
        if state is None:
            return "the failure detector has not reported"
        return "" if state["entries_allowed"] else f"entries are stopped: {state['root_cause']}"

    def _enter(self, decision: EntryDecision, table: Row, now_s: float) -> None:
        market = self.db.one(
            "SELECT price_ranges FROM live_data.markets WHERE market_ticker = %s", (decision.market_ticker,)
        )
        limit = snap(decision.limit_price_e4, price_ranges(market["price_ranges"] if market else None), decision.side)
        # One key for a market and side within a minute: a repeated signal is the same request, not another order.
        key = f"auto-entry-{decision.market_ticker}-{decision.side}-{int(now_s) // 60}"
        try:
            ticket = submit_open(
                self.db,
                user_id=self.settings.user_id,
                mode=self.settings.mode,
                key=key[:100],
                source="auto_entry",
                market_ticker=decision.market_ticker,
                side=decision.side,
                count_e2=decision.count_e2,
                limit_price_e4=limit,
            )
        except KeyReused:
            return  # asked within this minute, at another price: one request a minute is enough
        if not ticket.replayed:
            self.spans.carried(table["stamps_ns"], ticket.ticket_id)
            self.spans.add("entry", self.woke_ns, now_ns(), ticket_id=ticket.ticket_id)
            log.info("auto entry", ticket_id=ticket.ticket_id, market=decision.market_ticker, why=decision.why)

    def checks(self, now_s: float) -> list[Check]:
        """There were tables to judge."""
        return [Check("input", not self._why, self._why)]


def main() -> int:
    """Run the service."""
    return run(AutoEntrySupervisor)
