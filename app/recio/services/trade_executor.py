"""trade_executor: the only sender of orders and cancels. The order of its steps is recio.services.order_desk's."""

from __future__ import annotations

import time
from collections.abc import Sequence

from recio.exchange.errors import ExchangeError
from recio.monitoring.health import Check
from recio.services import log
from recio.services.cancel_desk import CancelDesk
from recio.services.feeds import Budget, kalshi_client
from recio.services.kill_switch import kill_reason
from recio.services.ledger_port import Row
from recio.services.order_desk import OrderDesk, wire_order
from recio.services.order_groups import GroupKeeper
from recio.services.risk_gate import entry_refusals
from recio.services.runtime import Context, Worker, run
from recio.services.spans import now_ns
from recio.store import cancels, ledger, order_groups
from recio.store.db import Notification
from recio.store.system import close_incident, open_incident, setting
from recio.trading.settings import RiskLimits, SettingError, read

__all__ = ["TradeExecutor", "main", "wire_order"]

_PROVE_S = 5.0
_CANCELS_PART = 0.1  # of this service's token buckets; a cancel costs a fifth of an order
_INCIDENT = "cancels fail"


class TradeExecutor(Worker):
    """One order at a time; exits before entries, cancels last and beside them; no entry goes out while an order's outcome
    is unknown."""

    name = "trade_executor"
    channels = ("order_intent", "setting", "cancel")
    period_s = 1.0

    def __init__(self, ctx: Context) -> None:
        super().__init__(ctx)
        self._client = kalshi_client(self.settings, "trade_executor", 1 - _CANCELS_PART)
        self._budget = Budget(self._client)
        self._groups = GroupKeeper(self.db, order_groups, self._client, self.settings.mode, self._group_limit_e2)
        self._desk = OrderDesk(
            self.db, ledger, self._client, self.settings.mode, self._refusals, self._groups,
            claimed=self._note_claimed, done=self._note_done,
        )  # fmt: skip
        self._cancels = CancelDesk(
            self.db, cancels, lambda: kalshi_client(self.settings, "trade_executor", _CANCELS_PART), self.settings.mode
        )
        self._cancels_problem = ""
        self._claimed_ns = 0
        self._proved_s = float("-inf")
        self._problem = "not asked yet"

    def start(self) -> None:
        """What a former process left in between is in doubt until looked up."""
        self._desk.recover()

    def sources(self) -> list[int]:
        """What became of a cancel is booked at once."""
        return [self._cancels.fileno()]

    def stop(self) -> None:
        """Close the connection."""
        self._cancels.close()
        self._client.close()

    def work(self, notes: Sequence[Notification], now_s: float) -> None:
        """The kill switch first; then unknown orders and every intent; then prove that orders could be sent."""
        self._groups.follow(kill_reason(self.db, self.settings.user_id))
        self._desk.round()
        self._cancels.round(asked=any(note.channel == "cancel" for note in notes))
        self._tell_cancels()
        self._prove(now_s)
        self._budget.keep()

    def _tell_cancels(self) -> None:
        """An incident, not a failed check: what is wrong with cancels must not stop entries."""
        problem, before = self._cancels.problem, self._cancels_problem
        self._cancels_problem = problem
        if problem and not before:
            action = "Orders go on. Cancel on the exchange's own page; recio logs trade_executor says more"
            open_incident(self.db, _INCIDENT, "warning", problem, action, self.name)
        elif before and not problem:
            close_incident(self.db, _INCIDENT)

    # ------------------------------------------------------------------ measuring
    def _note_claimed(self, order: Row) -> None:
        began_ns, self._claimed_ns = max(self.woke_ns, self._claimed_ns), now_ns()
        self.spans.add("claim", began_ns, self._claimed_ns, order_id=order["order_id"])

    def _note_done(self, order: Row) -> None:
        sent_ns = self._client.sent_ns
        if sent_ns > self._claimed_ns:  # else nothing left this host
            self.spans.add("send", self._claimed_ns, sent_ns, order_id=order["order_id"])
            self.spans.add("answer", sent_ns, now_ns(), order_id=order["order_id"])
        self._claimed_ns = now_ns()

    def _refusals(self, order: Row) -> list[str]:
        return entry_refusals(self.db, self.settings, order, already_recorded=order["trade_id"])

    def _group_limit_e2(self) -> int:
        """Contracts in 15 seconds; settings that cannot be read refuse every entry anyway, in the risk gate."""
        try:
            return read(RiskLimits, setting(self.db, self.settings.user_id, "risk")).max_group_count_e2
        except SettingError:
            return RiskLimits().max_group_count_e2

    # ------------------------------------------------------------------ health
    def _prove(self, now_s: float) -> None:
        """A signed call on the very connection orders use, every few seconds."""
        if time.monotonic() - self._proved_s < _PROVE_S:
            self._client.keep_warm()  # an order finds an open connection; the proof has parsed the key
            return
        self._proved_s = time.monotonic()
        try:
            self._client.orders(
                limit=1
            )  # not the balance: everybody asks for that, and its own small bucket may be empty
        except ExchangeError as failure:
            if str(failure) != self._problem:
                log.warning("orders could not be sent", why=failure)
            self._problem = str(failure)
        else:
            self._problem = ""
            self.useful(now_s)

    def checks(self, now_s: float) -> list[Check]:
        """Orders could be sent, nothing is unknown, and the exchange obeys the kill switch."""
        unknown = self._desk.unknown
        return [
            Check("signed call", not self._problem, self._problem),
            Check("outcomes", not unknown, f"{unknown} order(s) with unknown outcome; orders wait"),
            Check("order group", not self._groups.problem, self._groups.problem),
        ]


def main() -> int:
    """Run the service."""
    return run(TradeExecutor)
