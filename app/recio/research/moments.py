"""What a virtual desk is fed and what it keeps: a market at one second, a result, a trade."""

from __future__ import annotations

import msgspec

from recio.market.settlement import Observed
from recio.market.strike_table import Book, StrikeMarket
from recio.trading.entry import SpikePause
from recio.trading.ledger import Fill, Folded, fold_fills
from recio.trading.stop import StopMemory
from recio.trading.strategies.base import Event

__all__ = ["WATCHING", "Moment", "Settlement", "Trade"]

WATCHING = StopMemory()


class Moment(msgspec.Struct, frozen=True, kw_only=True):
    """One market as it was at one second. ``price`` and the strikes are in the same unit, whatever it is."""

    at_s: float
    event: Event
    market: StrikeMarket
    price: int
    price_age_s: float
    vol_per_sqrt_s: float | None
    momentum_bp: int | None
    observed: Observed | None
    book: Book
    pause: SpikePause
    basis: float | None = None  # standard deviation in the price's unit; None: the model's own
    sampled: bool = False  # to be scored by the calibration


class Settlement(msgspec.Struct, frozen=True):
    """A market's result at its close."""

    at_s: float
    market_ticker: str
    result: str


class Trade(msgspec.Struct, kw_only=True):
    """One entry and what became of it."""

    number: int
    monitor: str
    market_ticker: str
    event_ticker: str
    side: str
    decided_s: float
    count_e2: int
    limit_price_e4: int
    close_time_s: float
    state: str = "pending"  # pending | open | closed | cancelled
    fills: list[Fill] = msgspec.field(default_factory=list)
    memory: StopMemory = WATCHING
    exit_limit_e4: int = 0
    exit_decided_s: float = 0.0  # 0: no exit under way
    closed_s: float = 0.0
    pnl_e6: int = 0
    how: str = ""

    def folded(self) -> Folded:
        """The ledger's sums of its fills."""
        return fold_fills(self.side, self.fills)
