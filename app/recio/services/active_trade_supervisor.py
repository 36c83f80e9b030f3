"""active_trade_supervisor: what each open trade would fetch now, after fees, and the auto stop that closes a losing one.

Protection stays on whatever fails: a monitor that is off, gone or unreadable leaves its trades to the desk's own stop;
settings that cannot be read leave the defaults, which are on. What a stop intends is written before it is asked for.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from recio.market.book_math import sell
from recio.market.fees import order_fee_e6
from recio.market.model import NORMAL, ProbabilityModel
from recio.market.series import PriceSeries
from recio.market.settlement import AVERAGING_S, observe
from recio.monitoring.health import Check
from recio.services import log
from recio.services.model_source import current_model
from recio.services.runtime import Context, Worker, run
from recio.store import rules
from recio.store.db import Notification
from recio.store.market_data import bar_closes, newest_price
from recio.store.system import close_incident, open_incident, setting
from recio.store.tickets import KeyReused, submit_close
from recio.trading.evaluate import evaluate_exit
from recio.trading.ledger import Folded, pnl_if_closed_e6
from recio.trading.monitor import Monitor, read_monitor
from recio.trading.settings import AutoStopSettings, SettingError, read
from recio.trading.stop import HeldTrade, StopDecision, StopMemory, StopView
from recio.trading.strategies.base import ExitState
from recio.trading.ticket import price_ranges, snap
from recio.units import ONE_DOLLAR_E4

__all__ = ["ActiveTradeSupervisor", "main"]

Row = dict[str, Any]
_AT_ONCE_S = 0.1  # notifications are looked at this soon while something is held


class ActiveTradeSupervisor(Worker):
    """Looks at every open trade each second and when something about it changes; keeps looking whatever else fails."""

    name = "active_trade_supervisor"
    channels = ("trade", "books", "price", "setting", "model")
    period_s = 1.0

    def __init__(self, ctx: Context) -> None:
        super().__init__(ctx)
        self._series = PriceSeries()
        self._looked_s = float("-inf")
        self._held = 0
        self._monitors: dict[tuple[str, int], Monitor | None] = {}
        self._alarms: dict[int, str] = {}
        self._blind: dict[int, str] = {}  # of these: the desk itself cannot see
        self._unreadable = ""
        self._model: ProbabilityModel = NORMAL
        self._model_why = ""

    def start(self) -> None:
        """The last minutes of prices, for the settlement's average; the model that also made the strike tables."""
        for at_s, price_e2 in bar_closes(self.db, time.time() - 180):
            self._series.add(at_s, price_e2)
        self._model, self._model_why = current_model(self.db)

    def work(self, notes: Sequence[Notification], now_s: float) -> None:
        """One look at every open trade."""
        if any(note.channel == "model" for note in notes):
            self._model, self._model_why = current_model(self.db)
        since_s = time.monotonic() - self._looked_s
        news = any(note.channel == "trade" for note in notes)
        soon = _AT_ONCE_S if self._held else self.period_s * 0.9
        if since_s < soon and not news:
            return
        self._looked_s = time.monotonic()
        user_id = self.settings.user_id
        desk = self._desk(setting(self.db, user_id, "auto_stop"))
        price = newest_price(self.db)
        if price is not None:
            self._series.add(price["exchange_s"], price["price_e2"])
        trades = rules.held_trades(self.db, user_id, self.settings.mode)
        self._held = len(trades)
        self._blind.clear()
        seen = [self._look(trade, price, desk, now_s) for trade in trades]
        with self.db.transaction(durable=False):
            finished = rules.forget_finished(self.db, user_id)
            rules.keep_seen(self.db, seen)
        for trade_id in finished:
            self._alarm(trade_id, "", known=True)
        self.useful(now_s)

    def _desk(self, value: Row | None) -> AutoStopSettings:
        self._unreadable = ""
        try:
            return read(AutoStopSettings, value)
        except SettingError as broken:  # protection does not end because a setting is wrong
            self._unreadable = f"{broken}; the default stop protects"
            return AutoStopSettings()

    def _monitor(self, trade: Row) -> Monitor | None:
        """The monitor that made the trade; None for a trade by hand, and where the monitor is gone or unreadable."""
        if trade["monitor_id"] is None or trade["strategy"] is None:
            return None
        key = (trade["monitor_id"], trade["monitor_version"])
        if key not in self._monitors:
            row = {"monitor_id": key[0], "strategy": trade["strategy"], "series_ticker": trade["series_ticker"],
                   "enabled": trade["monitor_enabled"], "settings": trade["monitor_settings"], "version": key[1]}  # fmt: skip
            try:
                self._monitors[key] = read_monitor(row)
            except SettingError as broken:
                log.error("the desk's own stop protects the trades of an unreadable monitor", broken, monitor=key[0])
                self._monitors[key] = None
        return self._monitors[key]

    def _look(self, trade: Row, price: Row | None, desk: AutoStopSettings, now_s: float) -> tuple[Any, ...]:
        side, trade_id = trade["side"], trade["trade_id"]
        bids = trade[f"{side}_bids"] if trade["valid"] else None
        held_e2 = trade["entry_count_e2"] - trade["exit_count_e2"]
        chance = self._chance(trade, price, now_s)
        view = StopView(
            now_s=now_s,
            probability=chance,
            momentum_bp=price["momentum_bp"] if price else None,
            price_age_s=price["age_s"] if price else None,
            book_age_s=trade["book_age_s"],
            bids=bids,
        )
        held = HeldTrade(
            side=side,
            held_e2=held_e2,
            state=trade["state"],
            close_time_s=trade["close_time"].timestamp(),
            exit_unfinished=trade["exit_unfinished"] or trade["exit_asked"],
        )
        memory = _memory(trade["memory"])
        decision = evaluate_exit(self._monitor(trade), ExitState(trade=held, view=view, memory=memory), desk)
        if decision.action == "close":
            self._close(trade, decision)
        self._alarm(trade_id, decision.why if decision.alarm else "", known=trade["alarm"])
        if decision.is_blind:
            self._blind[trade_id] = decision.why
        bid, pnl = _worth(trade, bids, held_e2)
        kept = msgspec.json.encode(decision.memory).decode()
        state, now = decision.memory.state, datetime.now(UTC)
        return trade["user_id"], trade_id, now, bid, pnl, chance, state, decision.why, kept, decision.alarm

    def _chance(self, trade: Row, price: Row | None, now_s: float) -> float | None:
        if trade["strike_type"] is None or price is None or price["volatility_per_sqrt_s"] is None:
            return None
        close_s = trade["close_time"].timestamp()
        yes = self._model.probability_yes(
            trade["strike_type"],
            trade["floor_strike_e2"],
            trade["cap_strike_e2"],
            price["price_e2"],
            close_s - now_s,
            price["volatility_per_sqrt_s"],
            AVERAGING_S,
            observe(self._series.price_at, close_s, now_s),
            momentum_bp=price["momentum_bp"],
        )
        return yes if yes is None or trade["side"] == "yes" else 1.0 - yes

    def _close(self, trade: Row, decision: StopDecision) -> None:
        """The intention and the ticket in one transaction: neither a lost intention nor a second exit after a crash."""
        limit = snap(decision.limit_price_e4, price_ranges(trade["price_ranges"]), trade["side"])
        memory = decision.memory
        # Named by what the ledger and the memory on record hold: the same look after a crash is the same request.
        key = f"auto-stop-{trade['trade_id']}-{trade['exits']}-{memory.attempts}-{int(memory.last_attempt_s or 0)}"
        try:
            with self.db.transaction():
                rules.keep_memory(self.db, trade["user_id"], trade["trade_id"], msgspec.json.encode(memory).decode())
                ticket = submit_close(
                    self.db,
                    user_id=trade["user_id"],
                    mode=trade["mode"],
                    key=key,
                    source="auto_stop",
                    trade_id=trade["trade_id"],
                    limit_price_e4=limit,
                )
        except KeyReused as known:
            log.warning("auto stop asked already", trade_id=trade["trade_id"], why=known)
            return
        attempt, why = memory.attempts, decision.why
        log.info("auto stop", trade_id=trade["trade_id"], ticket_id=ticket.ticket_id, attempt=attempt, why=why)

    def _alarm(self, trade_id: int, why: str, known: bool) -> None:
        """Open or close the incident, only when that changes something: ``known`` is what the last look left."""
        key = f"trade {trade_id} cannot be protected"
        if why:
            if not known or trade_id not in self._alarms:
                action = "Look at the trade and close it by hand if need be; the stop keeps trying"
                open_incident(self.db, key, "critical", why, action, self.name)
            self._alarms[trade_id] = why
        elif known or trade_id in self._alarms:
            self._alarms.pop(trade_id, None)
            close_incident(self.db, key)

    def checks(self, now_s: float) -> list[Check]:
        """The desk sees what it needs to judge and close every open trade.

        A market without bids is an incident about the trade, not a fault of this service: a release is not rolled back,
        nor are entries elsewhere stopped, because nobody buys what one holds.
        """
        said = "; ".join(f"trade {trade_id}: {why}" for trade_id, why in list(self._blind.items())[:3])
        return [
            Check("protection", not self._blind, said),
            Check("settings", not self._unreadable, self._unreadable),
            Check("model", not self._model_why, self._model_why),
        ]


def _memory(kept: Row | None) -> StopMemory:
    """What the stop remembered; nothing on record, or nothing that can be read, is a fresh start."""
    try:
        return msgspec.convert(kept or {}, StopMemory)
    except msgspec.ValidationError as broken:
        log.error("a stop's memory cannot be read; it starts afresh", broken)
        return StopMemory()


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


def main() -> int:
    """Run the service."""
    return run(ActiveTradeSupervisor)
