"""kalshi_account_sync: fills, balance, positions and settlements as the exchange has them, held against the ledger."""

from __future__ import annotations

import time
from collections.abc import Sequence

from recio.exchange.errors import ExchangeError
from recio.exchange.kalshi.messages import FillFrame, FrameError, parse_frame
from recio.exchange.kalshi.models import FillView
from recio.exchange.kalshi.subscribe import subscribe
from recio.monitoring.health import Check
from recio.services import log
from recio.services.feeds import kalshi_client, kalshi_feed, stream_check
from recio.services.reconciliation import reconcile_account
from recio.services.runtime import Context, Worker, run
from recio.store import account as store
from recio.store.db import Notification
from recio.store.ledger import record_fills, record_settlements
from recio.store.market_data import when

__all__ = ["KalshiAccountSync", "main"]

_SWEEP_S, _RECONCILE_S = 5.0, 30.0
_OVERLAP_S = 120  # reads lag writes: every sweep looks back over what it should already have


class KalshiAccountSync(Worker):
    """Fills come by stream at once and by sweep for certain; both count once, by fill id."""

    name = "kalshi_account_sync"
    channels = ("order_update",)
    period_s = 1.0

    def __init__(self, ctx: Context) -> None:
        super().__init__(ctx)
        self._client = kalshi_client(self.settings)
        self._feed = kalshi_feed(self.settings, lambda: [subscribe(1, ["fill", "user_orders"])], self.name, quiet=True)
        self._swept_s = self._reconciled_s = float("-inf")
        self._problem = "not asked yet"
        self._reconciled = Check("reconciliation", False, "not done yet")

    def sources(self) -> list[int]:
        """The stream's wake pipe."""
        return [self._feed.fileno()]

    def stop(self) -> None:
        """Close both connections."""
        self._feed.close()
        self._client.close()

    def work(self, notes: Sequence[Notification], now_s: float) -> None:
        """Stream first; a sweep when due or when an order changed; reconciliation every half minute."""
        self._frames()
        due = time.monotonic() - self._swept_s >= _SWEEP_S
        if not (due or notes):
            return
        try:
            self._sweep(now_s)
            if time.monotonic() - self._reconciled_s >= _RECONCILE_S:
                self._reconciled = reconcile_account(self.db, self._client, self.settings)
                self._reconciled_s = time.monotonic()
        except ExchangeError as failure:
            if str(failure) != self._problem:
                log.warning("account not readable", why=failure)
            self._problem = str(failure)
            self._swept_s = time.monotonic()
        else:
            self._problem = ""
            self.useful(now_s)

    def _frames(self) -> None:
        fills: list[FillView] = []
        for frame in self._feed.drain():
            try:
                message = parse_frame(frame.data)
            except FrameError as wrong:
                log.warning("frame not understood", why=wrong)
                continue
            if isinstance(message, FillFrame):
                fills.append(message.fill)
        self._record(fills)

    def _record(self, fills: Sequence[FillView]) -> None:
        if not fills:
            return
        rows = [
            (
                f.fill_id, f.order_id, f.market_ticker, f.book_side, f.count_e2, f.yes_price_e4, f.fee_e6, f.is_taker,
                when(f.ts_s),
            )
            for f in fills
        ]  # fmt: skip
        new = record_fills(self.db, self.settings.mode, rows)
        if new:
            log.info("fills recorded", new=new, of=len(rows))

    def _sweep(self, now_s: float) -> None:
        mode = self.settings.mode
        newest = store.newest_fill_s(self.db, mode)
        self._record(self._client.fills(min_ts=int(newest - _OVERLAP_S) if newest else None))
        balance = self._client.balance()
        store.save_balance(self.db, mode, balance.balance_e6, balance.portfolio_value_e6)
        positions = [(p.market_ticker, p.position_e2, p.exposure_e6, p.fees_e6) for p in self._client.positions()]
        store.save_positions(self.db, mode, positions)
        since = store.newest_settlement_s(self.db, mode)
        settled = self._client.settlements(min_ts=int(since - _OVERLAP_S) if since else None)
        record_settlements(
            self.db,
            mode,
            [(s.market_ticker, s.result, s.settlement_value_e4, s.revenue_e6, when(s.settled_time_s)) for s in settled],
        )
        self._swept_s = time.monotonic()

    def checks(self, now_s: float) -> list[Check]:
        """The account is readable, its stream lives, and it agrees with the ledger."""
        return [Check("account", not self._problem, self._problem), stream_check(self._feed), self._reconciled]


def main() -> int:
    """Run the service."""
    return run(KalshiAccountSync)
