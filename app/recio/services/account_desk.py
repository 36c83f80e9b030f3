"""The account sync's work: fills, balance, positions and results read again and again, each counted once.

what may happen to news              what makes it certain
a frame is lost                      the sweep reads it by REST
a frame or row comes twice           fills count once, by fill id
old news comes after newer           the sweep starts before the oldest fill still owed, not at the newest one known
a read fails                         nothing is concluded from it; the next sweep reads the same stretch
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, Protocol

from recio.exchange.kalshi.models import Balance, FillView, Market, OrderView, PositionView, SettlementView
from recio.services import log
from recio.services.ledger_port import AccountStore

__all__ = ["AccountDesk", "AccountGate"]

_OVERLAP_S = 120  # reads lag writes: every sweep looks back over what it should already have


class AccountGate(Protocol):
    """What the exchange tells about the account; an ExchangeError means not known, never nothing."""

    def fills(self, min_ts: int | None = None, ticker: str | None = None) -> list[FillView]: ...
    def positions(self) -> list[PositionView]: ...
    def settlements(self, min_ts: int | None = None) -> list[SettlementView]: ...
    def balance(self) -> Balance: ...
    def market(self, ticker: str) -> Market: ...
    def orders(
        self, ticker: str | None = None, min_ts: int | None = None, status: str | None = None, limit: int | None = None
    ) -> list[OrderView]: ...


class AccountDesk:
    """One account's records, kept complete."""

    def __init__(
        self, db: Any, store: AccountStore, client: AccountGate, mode: str, clock: Callable[[], float] = time.time
    ) -> None:
        self.db, self.store, self.client, self.mode, self.clock = db, store, client, mode, clock

    def record(self, fills: Sequence[FillView]) -> int:
        """Keep fills, each once; gives how many were new."""
        if not fills:
            return 0
        rows = [
            (
                f.fill_id, f.order_id, f.market_ticker, f.book_side, f.count_e2, f.yes_price_e4, f.fee_e6, f.is_taker,
                datetime.fromtimestamp(f.ts_s, UTC),
            )
            for f in fills
        ]  # fmt: skip
        new = self.store.record_fills(self.db, self.mode, rows)
        if new:
            log.info("fills recorded", new=new, of=len(rows))
        return new

    def sweep(self) -> None:
        """Read everything that may be missing. Raises ExchangeError; what was read before that is kept."""
        since = self.store.fills_since_s(self.db, self.mode)
        self.record(self.client.fills(min_ts=int(since - _OVERLAP_S) if since else None))
        balance = self.client.balance()
        self.store.save_balance(self.db, self.mode, balance.balance_e6, balance.portfolio_value_e6)
        positions = [(p.market_ticker, p.position_e2, p.exposure_e6, p.fees_e6) for p in self.client.positions()]
        self.store.save_positions(self.db, self.mode, positions)
        since = self.store.settlements_since_s(self.db, self.mode)
        settled = self.client.settlements(min_ts=int(since - _OVERLAP_S) if since else None)
        self.store.record_settlements(
            self.db,
            self.mode,
            [
                (
                    s.market_ticker, s.result, s.settlement_value_e4, s.revenue_e6,
                    datetime.fromtimestamp(s.settled_time_s, UTC),
                )
                for s in settled
                # a result without its value is not final, except for a void one: that gives the cost back
                if s.settlement_value_e4 is not None or s.result == "void"
            ],
        )  # fmt: skip
