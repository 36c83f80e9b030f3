"""btc_price_watchdog: the BTC-USD feed, its 1-second bars, momentum and volatility; and how old all of it is."""

from __future__ import annotations

import time
from collections.abc import Sequence

from recio.exchange.coinbase.client import CoinbaseClient
from recio.exchange.coinbase.messages import FrameError, Heartbeat, Tick, parse_frame, subscribe
from recio.exchange.errors import ExchangeError
from recio.exchange.stream import Feed
from recio.market.momentum import change_bp, momentum_bp
from recio.market.series import PriceSeries
from recio.market.volatility import blended, realised_by_horizon
from recio.monitoring.health import Check
from recio.services import log
from recio.services.feeds import stream_check
from recio.services.runtime import Context, Worker, run
from recio.services.spans import now_ns
from recio.store import market_data as store
from recio.store.db import Notification

__all__ = ["BtcPriceWatchdog", "main"]

# A price that moved goes out at once, but for bursts: what follows within _BURST_S goes out together. One that stands
# still only has to stay fresh.
_BURST_S, _FRESH_S, _MODEL_S = 0.02, 0.25, 2.0
_BACKFILL_S = 25 * 3600
_LAG_MAX_S = 5.0
Bar = list[float | int]  # [start_s, open, high, low, close, ticks]


class BtcPriceWatchdog(Worker):
    """One feed in; bars, candles and one row of newest price out."""

    name = "btc_price_watchdog"
    period_s = 0.25

    def __init__(self, ctx: Context) -> None:
        super().__init__(ctx)
        self._series = PriceSeries()
        self._tick: Tick | None = None
        self._received_s = 0.0
        self._bar: Bar | None = None
        self._minute: Bar | None = None
        self._bars: list[Bar] = []  # closed, to be written
        self._minutes: list[Bar] = []
        self._published_s = self._modelled_s = float("-inf")
        self._published_e2: int | None = None
        self._tick_ns = 0
        self._stamps_ns: list[int] = []
        self._model: dict[str, object] = {}
        self._bad_frames = 0
        self._feed: Feed | None = None

    def start(self) -> None:
        """Fill the past from the database and, where it has holes, from the exchange; then listen."""
        now_s = time.time()
        for at_s, price_e2 in store.candle_closes(self.db, now_s - _BACKFILL_S):
            self._series.add(at_s + 59, price_e2)
        for at_s, price_e2 in store.bar_closes(self.db, now_s - 3 * 3600):
            self._series.add(at_s, price_e2)
        self._backfill(now_s)
        self._feed = Feed(self.settings.coinbase.ws_url, None, [subscribe()], self.name, backoff_cap_s=10.0)

    def _backfill(self, now_s: float) -> None:
        known = {at for at, _ in store.candle_closes(self.db, now_s - _BACKFILL_S)}
        if len(known) > _BACKFILL_S // 60 - 10:
            return
        try:
            client = CoinbaseClient(self.settings.coinbase.rest_url)
            candles = client.candles(now_s - _BACKFILL_S, now_s - 60)
            client.close()
        except ExchangeError as failure:
            log.warning("no history from the exchange; momentum waits until it has its own", why=failure)
            return
        rows = [(float(c.start_s), c.open_e2, c.high_e2, c.low_e2, c.close_e2, 0) for c in candles]
        store.save_candles(self.db, [row for row in rows if row[0] not in known])
        for candle in candles:
            if candle.start_s not in known:
                self._series.add(candle.start_s + 59, candle.close_e2)
        log.info("history filled", candles=len(candles), known=len(known))

    def sources(self) -> list[int]:
        """The feed's wake pipe."""
        return [self._feed.fileno()] if self._feed else []

    def due_s(self) -> float:
        """Until the price is to be published."""
        return max(0.0, min(self.period_s, self._publish_due_s() - time.monotonic()))

    def _publish_due_s(self) -> float:
        moved = self._tick is not None and self._tick.price_e2 != self._published_e2
        return self._published_s + (_BURST_S if moved else _FRESH_S)

    def stop(self) -> None:
        """Close the feed."""
        if self._feed:
            self._feed.close()

    def work(self, notes: Sequence[Notification], now_s: float) -> None:
        """Take in what came, then write what is due."""
        for frame in self._feed.drain() if self._feed else []:
            try:
                message = parse_frame(frame.data)
            except FrameError as wrong:
                self._bad_frames += 1
                log.warning("frame not understood", why=wrong, so_far=self._bad_frames)
                continue
            if isinstance(message, Tick):
                self._take(message, frame.received_s, frame.received_ns)
            elif isinstance(message, Heartbeat) and self._tick and message.last_trade_id == self._tick.trade_id:
                self._received_s = frame.received_s  # nothing traded since: the price is as true as this heartbeat
        if time.monotonic() >= self._publish_due_s() and self._tick is not None:
            self._publish(self._tick)
            self._published_s, self._published_e2 = time.monotonic(), self._tick.price_e2
            self._keep_up(self._tick)

    def _take(self, tick: Tick, received_s: float, received_ns: int) -> None:
        if self._tick is not None and tick.time_s < self._tick.time_s:
            return  # out of order: a bar never goes back
        if self._tick is None or self._tick.price_e2 == self._published_e2:
            self._tick_ns = received_ns  # the first frame of a burst: its age is the burst's
        self._tick, self._received_s = tick, received_s
        self._series.add(tick.time_s, tick.price_e2)
        self._bar = self._grow(self._bar, tick, 1, self._bars)
        self._minute = self._grow(self._minute, tick, 60, self._minutes)
        self.useful(received_s)

    @staticmethod
    def _grow(bar: Bar | None, tick: Tick, span_s: int, closed: list[Bar]) -> Bar:
        start = float(int(tick.time_s) // span_s * span_s)
        if bar is None or bar[0] != start:
            if bar is not None:
                closed.append(bar)
            return [start, tick.price_e2, tick.price_e2, tick.price_e2, tick.price_e2, 1]
        bar[2], bar[3] = max(bar[2], tick.price_e2), min(bar[3], tick.price_e2)
        bar[4], bar[5] = tick.price_e2, bar[5] + 1
        return bar

    def _publish(self, tick: Tick) -> None:
        """The newest price, before anything else: others wait for it."""
        if not self._model:
            self._model = self._measure(tick)
        row = {
            "price_e2": tick.price_e2,
            "exchange_time": store.when(tick.time_s),
            "received_at": store.when(self._received_s),
        }
        moved = tick.price_e2 != self._published_e2
        self._stamps_ns = [self._tick_ns, now_ns()] if moved else self._stamps_ns  # no news, no new trace
        store.save_price(self.db, row | self._model, self._stamps_ns)

    def _keep_up(self, tick: Tick) -> None:
        """What can wait until the price is out: closed bars, and the slow figures beside the price."""
        bars, self._bars = self._bars, []
        if bars:
            store.save_bars(self.db, [tuple(bar) for bar in bars])  # type: ignore[misc]
        if self._minutes:
            store.save_candles(self.db, [tuple(bar) for bar in self._minutes])  # type: ignore[misc]
            self._minutes = []
        if time.monotonic() - self._modelled_s >= _MODEL_S:
            self._modelled_s = time.monotonic()
            self._model = self._measure(tick)

    def _measure(self, tick: Tick) -> dict[str, object]:
        price_at, at_s = self._series.price_at, tick.time_s
        momentum = momentum_bp(price_at, at_s)

        def change(hours: int) -> int | None:
            found = change_bp(tick.price_e2, price_at(at_s - 3600 * hours))
            return None if found is None else round(found)

        return {
            "momentum_bp": momentum.total_bp,
            "momentum_windows": {str(minutes): value for minutes, value in momentum.windows.items()},
            "volatility_per_sqrt_s": blended(realised_by_horizon(price_at, at_s)),
            "change_1h_bp": change(1),
            "change_3h_bp": change(3),
            "change_1d_bp": change(24),
        }

    def checks(self, now_s: float) -> list[Check]:
        """The feed lives and its clock and ours agree."""
        lag_s = None if self._tick is None else self._received_s - self._tick.time_s
        quiet = self._tick is not None and now_s - self._tick.time_s < 2 * _LAG_MAX_S
        lag_ok = lag_s is not None and (abs(lag_s) <= _LAG_MAX_S or quiet)
        said = "no price yet" if lag_s is None else f"the newest price was {lag_s:.1f} s old when it came"
        return [stream_check(self._feed), Check("price lag", lag_ok, "" if lag_ok else said)]


def main() -> int:
    """Run the service."""
    return run(BtcPriceWatchdog)
