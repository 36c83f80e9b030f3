"""active_trade_supervisor: what each open trade would fetch now, after fees, and the auto stop that closes a losing one."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from recio.market.book_math import sell
from recio.market.fees import order_fee_e6
from recio.market.probability import probability_yes
from recio.market.series import PriceSeries
from recio.market.settlement import AVERAGING_S, observe
from recio.monitoring.health import Check
from recio.services import log
from recio.services.runtime import Context, Worker, run
from recio.store import ledger
from recio.store.db import Notification
from recio.store.market_data import bar_closes, newest_price
from recio.store.system import close_incident, open_incident, setting
from recio.store.tickets import KeyReused, submit_close
from recio.trading.ledger import Folded, pnl_if_closed_e6
from recio.trading.settings import AutoStopSettings, read
from recio.trading.stop import HeldTrade, StopMemory, StopView, decide_stop
from recio.trading.ticket import price_ranges, snap
from recio.units import ONE_DOLLAR_E4

__all__ = ["ActiveTradeSupervisor", "main"]

Row = dict[str, Any]


class ActiveTradeSupervisor(Worker):
    """Looks at every open trade each second; keeps looking whatever else fails: protection stays on."""

    name = "active_trade_supervisor"
    channels = ("trade",)
    period_s = 1.0

    def __init__(self, ctx: Context) -> None:
        super().__init__(ctx)
        self._memory: dict[int, StopMemory] = {}
        self._series = PriceSeries()
        self._looked_s = float("-inf")
        self._blind: list[str] = []

    def start(self) -> None:
        """The last minutes of prices, for the settlement's average."""
        for at_s, price_e2 in bar_closes(self.db, time.time() - 180):
            self._series.add(at_s, price_e2)

    def work(self, notes: Sequence[Notification], now_s: float) -> None:
        """One look at every open trade."""
        if time.monotonic() - self._looked_s < self.period_s * 0.9:
            return
        self._looked_s = time.monotonic()
        user_id = self.settings.user_id
        rules = read(AutoStopSettings, setting(self.db, user_id, "auto_stop"))
        price = newest_price(self.db)
        if price is not None:
            self._series.add(price["exchange_s"], price["price_e2"])
        trades = [
            trade
            for trade in ledger.live_trades(self.db, user_id, self.settings.mode)
            if trade["state"] in ("open", "closing")
        ]
        self._blind = []
        seen = [self._look(trade, price, rules, now_s) for trade in trades]
        self._keep(seen)
        self._memory = {t["trade_id"]: m for t in trades if (m := self._memory.get(t["trade_id"])) is not None}
        self.useful(now_s)

    def _market(self, ticker: str) -> Row:
        return (
            self.db.one(
                "SELECT m.*, b.yes_bids, b.no_bids, b.valid, extract(epoch FROM now() - b.received_at)::float8"
                " AS book_age_s FROM live_data.markets m LEFT JOIN live_data.books b USING (market_ticker)"
                " WHERE market_ticker = %s",
                (ticker,),
            )
            or {}
        )

    def _look(self, trade: Row, price: Row | None, rules: AutoStopSettings, now_s: float) -> tuple[Any, ...]:
        market, side, trade_id = self._market(trade["market_ticker"]), trade["side"], trade["trade_id"]
        bids = market.get(f"{side}_bids") if market.get("valid") else None
        held_e2 = trade["entry_count_e2"] - trade["exit_count_e2"]
        chance = self._chance(market, price, trade, now_s)
        view = StopView(
            now_s=now_s,
            probability=chance,
            momentum_bp=price["momentum_bp"] if price else None,
            price_age_s=price["age_s"] if price else None,
            book_age_s=market.get("book_age_s"),
            bids=bids,
        )
        held = HeldTrade(
            side=side,
            held_e2=held_e2,
            state=trade["state"],
            close_time_s=trade["close_time"].timestamp(),
            exit_unfinished=trade["state"] == "closing",
        )
        decision = decide_stop(held, view, self._memory.get(trade_id, StopMemory()), rules)
        self._memory[trade_id] = decision.memory
        if decision.action == "close":
            limit = snap(decision.limit_price_e4, price_ranges(market.get("price_ranges")), side)
            self._close(trade, limit, decision.memory.attempts, decision.why)
        self._alarm(trade_id, decision.alarm, decision.why)
        bid, pnl = self._worth(trade, bids, held_e2)
        return (trade["user_id"], trade_id, bid, pnl, chance, decision.memory.state, decision.why)

    def _chance(self, market: Row, price: Row | None, trade: Row, now_s: float) -> float | None:
        if not market or price is None or price["volatility_per_sqrt_s"] is None:
            return None
        close_s = trade["close_time"].timestamp()
        yes = probability_yes(
            market["strike_type"],
            market["floor_strike_e2"],
            market["cap_strike_e2"],
            price["price_e2"],
            close_s - now_s,
            price["volatility_per_sqrt_s"],
            AVERAGING_S,
            observe(self._series.price_at, close_s, now_s),
        )
        return yes if yes is None or trade["side"] == "yes" else 1.0 - yes

    @staticmethod
    def _worth(trade: Row, bids: list[list[int]] | None, held_e2: int) -> tuple[int | None, int | None]:
        """(worst price, PnL after all fees) of selling everything into the book as it is; None when it cannot take it."""
        walk = sell([(level[0], level[1]) for level in bids or []], held_e2)
        if not walk.complete or walk.worst_e4 is None or not 0 < walk.worst_e4 < ONE_DOLLAR_E4:
            return None, None
        folded = Folded(
            entry_count_e2=trade["entry_count_e2"],
            entry_cost_e6=trade["entry_cost_e6"],
            exit_count_e2=trade["exit_count_e2"],
            exit_proceeds_e6=trade["exit_proceeds_e6"],
            fees_e6=trade["fees_e6"],
        )
        return walk.worst_e4, pnl_if_closed_e6(folded, walk.amount_e6, order_fee_e6(walk.levels))

    def _close(self, trade: Row, limit_price_e4: int, attempt: int, why: str) -> None:
        # The key names the exit by what the ledger holds, not by a count in memory: it must differ after a restart.
        exits = ledger.orders_of_trade(self.db, trade["user_id"], trade["trade_id"])
        number = sum(order["purpose"] == "exit" for order in exits)
        try:
            ticket = submit_close(
                self.db,
                user_id=trade["user_id"],
                mode=trade["mode"],
                key=f"auto-stop-{trade['trade_id']}-{number}-{limit_price_e4}-{int(time.time()) // 5}",
                source="auto_stop",
                trade_id=trade["trade_id"],
                limit_price_e4=limit_price_e4,
            )
        except KeyReused as known:
            log.warning("auto stop asked already", trade_id=trade["trade_id"], why=known)
            return
        log.info("auto stop", trade_id=trade["trade_id"], ticket_id=ticket.ticket_id, attempt=attempt, why=why)

    def _alarm(self, trade_id: int, on: bool, why: str) -> None:
        key = f"trade {trade_id} cannot be protected"
        if on:
            self._blind.append(f"trade {trade_id}: {why}")
            action = "Look at the trade and close it by hand if need be; the stop keeps trying"
            open_incident(self.db, key, "critical", why, action, self.name)
        elif self._memory.get(trade_id) is not None:
            close_incident(self.db, key)

    def _keep(self, rows: Sequence[tuple[Any, ...]]) -> None:
        now = datetime.now(UTC)
        with self.db.transaction(durable=False):
            self.db.run(
                "DELETE FROM users.live_trades WHERE user_id = %s AND NOT trade_id = ANY(%s)",
                (self.settings.user_id, [row[1] for row in rows]),
            )
            if rows:
                with_time = [(*row[:2], now, *row[2:]) for row in rows]
                self.db.run_many(
                    "INSERT INTO users.live_trades (user_id, trade_id, at, exit_price_e4, pnl_if_closed_e6, probability,"
                    " stop_state, note) VALUES %s ON CONFLICT (user_id, trade_id) DO UPDATE SET at = excluded.at,"
                    " exit_price_e4 = excluded.exit_price_e4, pnl_if_closed_e6 = excluded.pnl_if_closed_e6,"
                    " probability = excluded.probability, stop_state = excluded.stop_state, note = excluded.note",
                    with_time,
                )

    def checks(self, now_s: float) -> list[Check]:
        """Every open trade can be judged and closed."""
        return [Check("protection", not self._blind, "; ".join(self._blind[:3]))]


def main() -> int:
    """Run the service."""
    return run(ActiveTradeSupervisor)
