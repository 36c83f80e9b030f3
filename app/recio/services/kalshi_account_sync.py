"""kalshi_account_sync: fills, balance, positions and settlements as the exchange has them, held against the ledger."""

from __future__ import annotations

import time
from collections.abc import Sequence

from recio.exchange.errors import ExchangeError
from recio.exchange.kalshi.messages import FillFrame, FrameError, OrderFrame, parse_frame
from recio.exchange.kalshi.models import FillView
from recio.exchange.kalshi.subscribe import subscribe
from recio.monitoring.health import Check
from recio.services import log
from recio.services.account_desk import AccountDesk
from recio.services.feeds import Budget, kalshi_client, kalshi_feed, stream_check
from recio.services.reconciliation import prove_log, reconcile_account
from recio.services.runtime import Context, Worker, run
from recio.store import account as store
from recio.store.db import Notification
from recio.store.proof import trades_with_log

__all__ = ["KalshiAccountSync", "main"]

_SWEEP_S, _RECONCILE_S = 5.0, 30.0
_FOREIGN_S = 60.0  # longer than the grace of a reconciliation: from then on it differs by itself
_SUM_S = 3600.0
_PROVEN_FOR_S = 3600.0  # a closed trade is held against its log for so long; recio doctor looks at all of them


class KalshiAccountSync(Worker):
    """Fills come by stream at once and by sweep for certain; both count once, by fill id."""

    name = "kalshi_account_sync"
    channels = ("order_update",)
    period_s = 1.0

    def __init__(self, ctx: Context) -> None:
        super().__init__(ctx)
        self._client = kalshi_client(self.settings, "kalshi_account_sync")
        self._budget = Budget(self._client)
        self._desk = AccountDesk(self.db, store, self._client, self.settings.mode)
        self._feed = kalshi_feed(self.settings, lambda: [subscribe(1, ["fill", "user_orders"])], self.name, quiet=True)
        self._swept_s = self._reconciled_s = self._summed_s = float("-inf")
        self._foreign: dict[str, float] = {}  # client order id -> when the stream told of it; the ledger has none
        self._problem = "not asked yet"
        self._reconciled = Check("reconciliation", False, "not done yet")
        self._log = Check("log", True)

    def sources(self) -> list[int]:
        """The stream's wake pipe."""
        return [self._feed.fileno()]

    def stop(self) -> None:
        """Close both connections."""
        self._feed.close()
        self._client.close()

    def work(self, notes: Sequence[Notification], now_s: float) -> None:
        """Stream first; a sweep when due or when an order changed; reconciliation every half minute, and at once when
        somebody else trades on the account."""
        somebody_else = self._frames()
        if somebody_else:
            self._reconciled_s = float("-inf")
        due = somebody_else or time.monotonic() - self._swept_s >= _SWEEP_S
        if not (due or notes):
            return
        self._budget.keep()
        try:
            self._desk.sweep()
            self._swept_s = time.monotonic()
            if time.monotonic() - self._reconciled_s >= _RECONCILE_S:
                self._reconciled = reconcile_account(self._desk, self._still_foreign())
                recent = trades_with_log(self.db, self.settings.mode, since_s=now_s - _PROVEN_FOR_S)
                self._log = prove_log(self._desk, recent)
                if self._reconciled.ok and time.monotonic() - self._summed_s >= _SUM_S:
                    store.advance_checkpoint(self.db, self.settings.mode)
                    self._summed_s = time.monotonic()
                self._reconciled_s = time.monotonic()
        except ExchangeError as failure:
            if str(failure) != self._problem:
                log.warning("account not readable", why=failure)
            self._problem = str(failure)
            self._swept_s = time.monotonic()
        else:
            self._problem = ""
            self.useful(now_s)

    def _frames(self) -> bool:
        """Keep what the stream brought; gives whether an order is new that the ledger does not know."""
        fills: list[FillView] = []
        orders: set[str] = set()
        for frame in self._feed.drain():
            try:
                message = parse_frame(frame.data)
            except FrameError as wrong:
                log.warning("frame not understood", why=wrong)
                continue
            if isinstance(message, FillFrame):
                fills.append(message.fill)
            elif isinstance(message, OrderFrame):
                orders.add(message.order.client_order_id or message.order.order_id)
        self._desk.record(fills)
        orders -= self._foreign.keys()
        fresh = store.keys_unknown(self.db, self.settings.mode, sorted(orders)) if orders else []
        self._foreign |= dict.fromkeys(fresh, time.monotonic())
        return bool(fresh)

    def _still_foreign(self) -> list[str]:
        """Orders the stream told of lately that the ledger still does not know: an adopted one is known by now."""
        since_s = time.monotonic() - _FOREIGN_S
        self._foreign = {key: at_s for key, at_s in self._foreign.items() if at_s >= since_s}
        return store.keys_unknown(self.db, self.settings.mode, sorted(self._foreign)) if self._foreign else []

    def checks(self, now_s: float) -> list[Check]:
        """The account is readable, its stream lives, and it agrees with the ledger."""
        return [
            Check("account", not self._problem, self._problem),
            stream_check(self._feed),
            self._reconciled,
            self._log,
        ]


def main() -> int:
    """Run the service."""
    return run(KalshiAccountSync)
