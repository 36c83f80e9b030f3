"""unified_production_coordinator: price, books and model joined into strike tables; and what is old, removed."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from recio.market.model import NORMAL, ProbabilityModel
from recio.market.series import PriceSeries
from recio.market.settlement import observe
from recio.market.strike_table import Book, StrikeMarket, build, near
from recio.monitoring.growth import database_growth, decisions_kept_days
from recio.monitoring.health import Check
from recio.services import log
from recio.services.model_source import current_model
from recio.services.runtime import Context, Worker, run
from recio.services.spans import now_ns
from recio.store import market_data as store
from recio.store.db import Notification
from recio.store.growth import size_history
from recio.store.models import keep_results
from recio.store.system import PRUNE_BATCH, prune

__all__ = ["UnifiedProductionCoordinator", "main"]

Row = dict[str, Any]
_PRICE_MAX_AGE_S = 5.0
_LIST_S = 1.0
_STRIKES_EACH_SIDE = 7
_PRUNE_S, _PRUNE_FIRST_S, _PRUNE_AGAIN_S = 600.0, 60.0, 5.0


class UnifiedProductionCoordinator(Worker):
    """A table an event at every move of the price and once a second, only from a fresh price: an old one is not
    published again as if it were new. What changes slowly (which events and strikes there are) is read between moves."""

    name = "unified_production_coordinator"
    channels = ("price", "model", "clean_up")
    period_s = 1.0

    def __init__(self, ctx: Context) -> None:
        super().__init__(ctx)
        self._series = PriceSeries()
        self._built_s = self._listed_s = float("-inf")
        self._built_from_ns = 0
        self._prune_due_s = time.monotonic() + _PRUNE_FIRST_S
        self._why = "no price yet"
        self._events: list[Row] = []
        self._markets: dict[str, list[StrikeMarket]] = {}
        self._model: ProbabilityModel = NORMAL
        self._model_why = ""

    def start(self) -> None:
        """The last minutes of prices, for the settlement's average."""
        for at_s, price_e2 in store.bar_closes(self.db, time.time() - 180):
            self._series.add(at_s, price_e2)
        self._model, self._model_why = current_model(self.db)

    def work(self, notes: Sequence[Notification], now_s: float) -> None:
        """Build the tables, and remove what is old: also while there is no price to build from."""
        self._build_when_due(notes, now_s)
        wanted = [note.payload for note in notes if note.channel == "clean_up"]
        if wanted or time.monotonic() >= self._prune_due_s:
            kept = keep_results(self.db)
            contract = self.ctx.contract
            growth = database_growth(size_history(self.db), contract)
            removed = prune(self.db, decisions_kept_days(growth, contract.upkeep.growth))
            more = PRUNE_BATCH in removed.values()
            self._prune_due_s = time.monotonic() + (_PRUNE_AGAIN_S if more else _PRUNE_S)
            log.info("retention", why=wanted[-1] if wanted else "it is time", results_kept=kept, **removed)

    def _build_when_due(self, notes: Sequence[Notification], now_s: float) -> None:
        """Keep the newest price; build when it moved or a second has passed."""
        if any(note.channel == "model" for note in notes):
            self._model, self._model_why = current_model(self.db)
        price = store.newest_price(self.db)
        if price is not None:
            self._series.add(price["exchange_s"], price["price_e2"])
        tick_ns = price["stamps_ns"][0] if price and price["stamps_ns"] else 0
        moved = tick_ns != self._built_from_ns
        if not moved and time.monotonic() - self._built_s < self.period_s * 0.9:
            return
        self._built_s, self._built_from_ns = time.monotonic(), tick_ns
        if price is None or price["age_s"] > _PRICE_MAX_AGE_S:
            self._why = "no price yet" if price is None else f"the price is {price['age_s']:.0f} s old"
            return
        if not self._events:
            self._list()
        events = [event for event in self._events if event["close_s"] > now_s]
        self._build_all(events, price, now_s, price["stamps_ns"] if moved else [])
        self._why = "" if events else "no event is open"
        if events:
            self.useful(now_s)
        if time.monotonic() - self._listed_s >= _LIST_S:  # after the tables are out
            self._list()

    def _list(self) -> None:
        self._listed_s = time.monotonic()
        self._events = store.live_events(self.db, self.settings.mode)
        self._markets = {event["event_ticker"]: [] for event in self._events}
        for row in store.markets_of_events(self.db, list(self._markets)):
            self._markets[row["event_ticker"]].append(
                StrikeMarket(
                    market_ticker=row["market_ticker"],
                    strike_type=row["strike_type"],
                    floor_strike_e2=row["floor_strike_e2"],
                    cap_strike_e2=row["cap_strike_e2"],
                    volume_e2=row["volume_e2"],
                )
            )

    def _build_all(self, events: Sequence[Row], price: Row, now_s: float, trace_ns: Sequence[int]) -> None:
        """All events at once: one question for the books, one message with the tables."""
        chosen = {
            event["event_ticker"]: near(
                self._markets[event["event_ticker"]], price["price_e2"], _STRIKES_EACH_SIDE, _STRIKES_EACH_SIDE
            )
            for event in events
        }
        tickers = [market.market_ticker for markets in chosen.values() for market in markets]
        books = {
            row["market_ticker"]: Book(row["yes_bids"], row["no_bids"], row["received_s"], row["valid"])
            for row in store.books_of_markets(self.db, tickers)
        }
        tables = [self._table(event, chosen[event["event_ticker"]], books, price, now_s) for event in events]
        stamps_ns = [*trace_ns, self.woke_ns, now_ns()] if trace_ns else []
        store.save_strike_tables(self.db, [table | {"stamps_ns": stamps_ns} for table in tables])

    def _table(
        self, event: Row, markets: Sequence[StrikeMarket], books: dict[str, Book], price: Row, now_s: float
    ) -> Row:
        close_s = event["close_s"]
        table = build(
            markets,
            books,
            price["price_e2"],
            close_s - now_s,
            price["volatility_per_sqrt_s"],
            now_s,
            below=_STRIKES_EACH_SIDE,
            above=_STRIKES_EACH_SIDE,
            observed=observe(self._series.price_at, close_s, now_s),
            model=self._model,
            momentum_bp=price["momentum_bp"],
        )
        return {
            "event_ticker": event["event_ticker"],
            "series_ticker": event["series_ticker"],
            "close_time": event["close_time"],
            "price_e2": price["price_e2"],
            "price_age_s": price["age_s"],
            "rows": [row.to_dict() for row in table],
        }

    def checks(self, now_s: float) -> list[Check]:
        """There was something to build from, and the model is the one that was chosen."""
        return [Check("input", not self._why, self._why), Check("model", not self._model_why, self._model_why)]


def main() -> int:
    """Run the service."""
    return run(UnifiedProductionCoordinator)
