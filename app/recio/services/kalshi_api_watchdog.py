"""kalshi_api_watchdog: which markets there are, their books, and whether the exchange answers us quickly and in time."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime

import msgspec

from recio.exchange.errors import ExchangeError, Refused
from recio.exchange.kalshi.book import Books
from recio.exchange.kalshi.book_subscription import BookSubscription
from recio.exchange.kalshi.messages import ErrorFrame, FrameError, Lifecycle, parse_frame
from recio.exchange.kalshi.models import Market
from recio.exchange.kalshi.subscribe import subscribe
from recio.monitoring.health import Check
from recio.services import log
from recio.services.feeds import Budget, kalshi_client, kalshi_feed, stream_check
from recio.services.runtime import Context, Worker, run
from recio.services.threshold_alarm import ThresholdAlarm
from recio.store import market_data as store
from recio.store.db import Notification
from recio.store.system import close_incident, open_incident
from recio.trading.settings import RiskLimits

__all__ = ["KalshiApiWatchdog", "clock_check", "main", "nearest"]

_GONE_S = 60.0
# A question takes a tenth of a second of the exchange's budget, and the stream waits meanwhile: a few, and soon a few more.
_ASKED_AT_ONCE, _RESULTS_SOON_S = 4, 0.5
_DISCOVER_S, _PROBE_S, _RESULTS_S, _CONFIRM_S, _FLUSH_S = 10.0, 5.0, 3.0, 1.0, 0.25
_STRIKES_EACH_SIDE = 8
_NO_BOOK_S = 30.0  # as long as a silent connection is given
_STREAM_ALIVE_S = 5.0
_AUDIT_S, _DRIFT_REMEMBERED_S = 5.0, 300.0
_DRIFT_KEY = "order book drift"


def nearest(markets: Sequence[Market], price_e2: int | None, each_side: int = _STRIKES_EACH_SIDE) -> list[str]:
    """The tickers of an event worth a book: the strikes around the price; around the middle while it is unknown."""
    ladder = sorted(markets, key=lambda m: (m.floor_strike_e2 or m.cap_strike_e2 or 0, m.ticker))
    below = [m for m in ladder if price_e2 is not None and (m.floor_strike_e2 or m.cap_strike_e2 or 0) <= price_e2]
    middle = len(ladder) // 2 if price_e2 is None else len(below)
    return [m.ticker for m in ladder[max(0, middle - each_side) : middle + each_side]]


class KalshiApiWatchdog(Worker):
    """REST for discovery and results, one stream for books; the exchange's state every few seconds."""

    name = "kalshi_api_watchdog"
    channels = ("trade",)
    period_s = 0.25

    def __init__(self, ctx: Context) -> None:
        super().__init__(ctx)
        self._client = kalshi_client(self.settings, "kalshi_api_watchdog")
        self._budget = Budget(self._client)
        self._books, self._subscription = Books(), BookSubscription()
        self._markets: dict[str, Market] = {}
        self._saved: dict[str, Market] = {}
        self._wanted: set[str] = set()
        self._connection = 0
        # When a wanted book was whole last, or a connection began to be asked for books.
        self._whole_s = time.monotonic()
        self._dirty: set[str] = set()
        self._due: dict[str, float] = {}
        self._problem = "not asked yet"
        self._discovered_s: float | None = None
        self._gone: dict[str, float] = {}  # markets the exchange did not know, and when it was asked last
        self._audited, self._drifts = 0, 0
        self._drift_s: float | None = time.monotonic()  # an incident of the process before this one is ours to close
        self._latency = ThresholdAlarm("exchange latency", ctx.contract.thresholds["latency"], self.name)
        self._feed = kalshi_feed(self.settings, self._hello, self.name)

    @staticmethod
    def _hello() -> list[bytes]:
        """Its answer is the new connection's first frame, upon which the books are asked for."""
        return [subscribe(1, ["market_lifecycle_v2"])]

    def start(self) -> None:
        """A slow exchange that the process before this one had told of is told of until it is quick again."""
        self._latency.start(self.db)

    def sources(self) -> list[int]:
        """The stream's wake pipe."""
        return [self._feed.fileno()]

    def stop(self) -> None:
        """Close both connections."""
        self._feed.close()
        self._client.close()

    def _is_due(self, what: str, every_s: float) -> bool:
        now = time.monotonic()
        if now < self._due.get(what, 0.0):
            return False
        self._due[what] = now + every_s
        return True

    # ------------------------------------------------------------------ one round
    def work(self, notes: Sequence[Notification], now_s: float) -> None:
        """Frames first, then whatever is due."""
        self._frames()
        if notes:  # a trade that waits for its market's result, perhaps
            self._due["results"] = min(self._due.get("results", 0.0), time.monotonic() + _RESULTS_SOON_S)
        try:
            if self._is_due("discover", _DISCOVER_S):
                self._discover(now_s)
            if self._is_due("probe", _PROBE_S):
                self._probe(now_s)
                self._problem = ""
                self._latency.read(self.db, self._client.last_latency_ms, time.monotonic())
                self.useful(now_s)
            # After the probe, which learns what may be asked in a second: before it ten questions take a second, and books wait.
            if self._is_due("results", _RESULTS_S):
                self._results()
        except ExchangeError as failure:
            self._due["discover"] = 0.0
            if str(failure) != self._problem:
                log.warning("exchange does not serve", why=failure)
            self._problem = str(failure)
            self._latency.read(self.db, None, time.monotonic())  # no answer is another incident than a slow one
            self._save_state(now_s, active=False, trading=False)
        self._flush(now_s)

    def _frames(self) -> None:
        for frame in self._feed.drain():
            if frame.connection != self._connection:
                self._connection = frame.connection
                self._whole_s = time.monotonic()
                self._books.reset()
                self._subscription.reset()
            try:
                message = parse_frame(frame.data)
            except FrameError as wrong:
                log.warning("frame not understood", why=wrong)
                continue
            if isinstance(message, Lifecycle) and message.event_type in ("created", "determined", "settled"):
                self._due["discover" if message.event_type == "created" else "results"] = 0.0
            elif isinstance(message, ErrorFrame):
                log.warning("exchange stream error", code=message.code, text=message.text)
                if message.is_terminal and message.sid != self._subscription.sid:
                    self._feed.send(self._hello()[0])  # the lifecycle's subscription ended
            self._subscription.take(message)
            book = self._books.apply(message, frame.received_s)
            if book is not None:
                self._dirty.add(book.market_ticker)
        self._dirty |= self._books.take_spoilt()
        self._judge_drift()

    def _judge_drift(self) -> None:
        """A book that was whole and differed from the exchange's own: an incident until five minutes passed without."""
        now = time.monotonic()
        if self._books.drifts > self._drifts:
            self._drifts, self._drift_s = self._books.drifts, now
            log.warning("order book drift", drifts=self._drifts, audits=self._books.audits, what=self._books.last_drift)
            cause = f"an order book differed from the exchange's: {self._books.last_drift}"
            action = "The book was replaced. If it comes back, stop entries and report it with the log"
            open_incident(self.db, _DRIFT_KEY, "critical", cause, action, self.name)
        elif self._drift_s is not None and now - self._drift_s > _DRIFT_REMEMBERED_S:
            self._drift_s = None
            close_incident(self.db, _DRIFT_KEY)

    # ------------------------------------------------------------------ REST
    def _discover(self, now_s: float) -> None:
        found: dict[str, Market] = {}
        for series in self.settings.series:
            for market in self._client.markets(series, status="open"):
                found[market.ticker] = market
        self._save([m for t, m in found.items() if self._saved.get(t) != m])
        self._markets = found
        self._choose(now_s)
        self._discovered_s = now_s

    def _results(self) -> None:
        # What the exchange did not know it will hardly know three seconds later: asking all of it took the time of the others' books.
        # It is asked once a minute; what is wanted no more is forgotten.
        now = time.monotonic()
        self._gone = {ticker: asked for ticker, asked in self._gone.items() if now - asked < 2 * _GONE_S}
        passed_over = [ticker for ticker, asked in self._gone.items() if now - asked < _GONE_S]
        rows = store.markets_wanting_result(self.db, self.settings.mode, passed_over)
        known = set(self._gone)
        if len(rows) > _ASKED_AT_ONCE:
            self._due["results"] = now + _RESULTS_SOON_S
        rows = rows[:_ASKED_AT_ONCE]
        fresh = [market for row in rows if (market := self._one(row["market_ticker"])) is not None]
        if new := self._gone.keys() - known:
            log.warning("the exchange does not know markets we wait for", new=len(new), one=min(new))
        done = [m for m in fresh if m.result and m.settlement_value_e4 is not None]
        self._save(fresh)
        if done:
            self.db.notify("settlement", len(done))

    def _one(self, ticker: str) -> Market | None:
        """One market; None when the exchange no longer lists it."""
        try:
            return self._client.market(ticker)
        except Refused as refusal:
            if refusal.status != 404:
                raise
            self._gone[ticker] = time.monotonic()
            return None

    def _save(self, markets: Sequence[Market]) -> None:
        now = datetime.now(UTC)
        store.save_markets(
            self.db,
            [
                {
                    "market_ticker": m.ticker, "mode": self.settings.mode, "event_ticker": m.event_ticker,
                    "series_ticker": m.series_ticker, "title": m.title, "strike_type": m.strike_type,
                    "floor_strike_e2": m.floor_strike_e2, "cap_strike_e2": m.cap_strike_e2,
                    "open_time": store.when(m.open_time_s), "close_time": store.when(m.close_time_s),
                    "status": m.status, "result": m.result, "settlement_value_e4": m.settlement_value_e4,
                    "expiration_value": m.expiration_value, "volume_e2": m.volume_e2,
                    "price_ranges": [msgspec.structs.asdict(r) for r in m.price_ranges], "updated_at": now,
                }
                for m in markets
            ],
        )  # fmt: skip
        self._saved = {t: m for t, m in self._saved.items() if t in self._markets} | {m.ticker: m for m in markets}

    def _probe(self, now_s: float) -> None:
        self._budget.keep()
        status = self._client.exchange_status()
        self._client.balance()  # a signed call: proves key, clock and account, not only that a port answers
        self._save_state(now_s, status.exchange_active, status.trading_active)

    def _save_state(self, now_s: float, active: bool, trading: bool) -> None:
        seen = self._feed.last_frame_s
        signed = self._client.last_signed_ok_s
        store.save_exchange_state(
            self.db,
            {
                "mode": self.settings.mode,
                "at": store.when(now_s),
                "exchange_active": active,
                "trading_active": trading,
                "latency_ms": self._client.last_latency_ms,
                "clock_skew_s": self._client.clock_skew_s,
                "signed_call_at": store.when(signed) if signed else None,
                "stream_frame_at": store.when(seen) if seen else None,
                "detail": self._problem,
            },
        )

    # ------------------------------------------------------------------ which books
    def _choose(self, now_s: float) -> None:
        price = store.newest_price(self.db)
        price_e2 = price["price_e2"] if price else None
        by_event: dict[str, list[Market]] = {}
        for market in self._markets.values():
            if market.open_time_s <= now_s < market.close_time_s:
                by_event.setdefault(market.event_ticker, []).append(market)
        wanted = {ticker for ladder in by_event.values() for ticker in nearest(ladder, price_e2)}
        held = self.db.all(
            "SELECT DISTINCT market_ticker FROM users.trades WHERE mode = %s AND close_time > now()"
            " AND state IN ('pending', 'open', 'closing')",
            (self.settings.mode,),
        )
        self._wanted = wanted | {row["market_ticker"] for row in held}

    def _subscriptions(self) -> None:
        if not self._feed.connected or self._connection != self._feed.connections:
            return  # nothing was heard of this connection yet: what we know is the last one's
        if self._deaf():
            return
        held = set(self._subscription.markets)
        stale = [ticker for tickers in self._books.stale_by_sid().values() for ticker in tickers]
        if held and self._is_due("audit", _AUDIT_S):
            ordered = sorted(held)
            stale.append(ordered[self._audited % len(ordered)])  # whole as far as we know: the snapshot will tell
            self._audited += 1
        for line in self._subscription.commands(self._wanted, stale, time.monotonic()):
            self._feed.send(line)
        self._books.forget(held - self._subscription.markets)

    def _deaf(self) -> bool:
        """True when the connection answers and yet brings no book: its answers keep it from being silent, so it is left here."""
        whole = any((book := self._books.get(ticker)) is not None and not book.stale for ticker in self._wanted)
        if whole or not self._wanted:
            self._whole_s = time.monotonic()
        if time.monotonic() - self._whole_s <= _NO_BOOK_S:
            return False
        log.warning(
            "the stream answers and brings no book, making it anew", seconds=_NO_BOOK_S, wanted=len(self._wanted)
        )
        self._whole_s = time.monotonic()
        self._feed.renew()
        return True

    # ------------------------------------------------------------------ to the database
    def _flush(self, now_s: float) -> None:
        self._subscriptions()
        if self._dirty and self._is_due("flush", _FLUSH_S):
            rows = []
            for ticker in self._dirty:
                book = self._books.get(ticker)
                if book is not None:
                    rows.append((ticker, book.yes_bids(), book.no_bids(), None, now_s, not book.stale))
            store.save_books(self.db, rows)
            self._dirty.clear()
        seen = self._feed.last_frame_s
        if self._feed.connected and seen and now_s - seen < _STREAM_ALIVE_S and self._is_due("confirm", _CONFIRM_S):
            live = [t for t in self._subscription.markets if (b := self._books.get(t)) is not None and not b.stale]
            store.confirm_books(self.db, live, seen)

    def checks(self, now_s: float) -> list[Check]:
        """The exchange answers signed calls, by the same clock; the stream lives; every wanted book is whole."""
        age_s = None if self._discovered_s is None else now_s - self._discovered_s
        listed = age_s is not None and age_s <= 3 * _DISCOVER_S and bool(self._wanted)
        why = "no open market is listed" if age_s is not None else "the markets have not been listed yet"
        stale = [t for t in self._wanted if (b := self._books.get(t)) is None or b.stale]
        young = len(stale) <= len(self._wanted) // 4  # a new event's snapshots are on their way
        return [
            Check("exchange", not self._problem, self._problem),
            clock_check(self._client.clock_skew_s),
            stream_check(self._feed),
            Check("markets", listed, "" if listed else f"{why} (last list {age_s or 0:.0f} s ago)", age_s),
            Check("books", young, "" if young else f"{len(stale)} of {len(self._wanted)} books are not whole"),
        ]


def clock_check(skew_s: float | None) -> Check:
    """This host's clock less the exchange's, where it is known; past the limit orders are refused, and signatures may be."""
    most_s = RiskLimits().max_clock_skew_s
    right = skew_s is None or abs(skew_s) <= most_s
    why = "" if skew_s is None or right else f"{skew_s:+.1f} s from the exchange's, more than {most_s:g} s: timedatectl"
    return Check("clock", right, why)


def main() -> int:
    """Run the service."""
    return run(KalshiApiWatchdog)
