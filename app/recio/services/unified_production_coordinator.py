"""unified_production_coordinator: price, books and model joined into strike tables; and what is old, removed."""

from __future__ import annotations

import time
from collections.abc import Sequence

from recio.market.model import NORMAL, ModelError, ProbabilityModel, load
from recio.market.series import PriceSeries
from recio.market.settlement import observe
from recio.market.strike_table import Book, StrikeMarket, build
from recio.monitoring.health import Check
from recio.services import log
from recio.services.runtime import Context, Worker, run
from recio.store import market_data as store
from recio.store.db import Notification
from recio.store.models import active_model, keep_results
from recio.store.system import prune

__all__ = ["UnifiedProductionCoordinator", "main"]

_PRICE_MAX_AGE_S = 5.0
_PRUNE_S, _PRUNE_FIRST_S = 600.0, 60.0


class UnifiedProductionCoordinator(Worker):
    """A table an event, once a second, only from a fresh price: an old one is not published again as if it were new."""

    name = "unified_production_coordinator"
    channels = ("price", "model")
    period_s = 1.0

    def __init__(self, ctx: Context) -> None:
        super().__init__(ctx)
        self._series = PriceSeries()
        self._built_s = float("-inf")
        self._prune_due_s = time.monotonic() + _PRUNE_FIRST_S
        self._why = "no price yet"
        self._events = 0
        self._model: ProbabilityModel = NORMAL
        self._model_why = ""

    def start(self) -> None:
        """The last minutes of prices, for the settlement's average."""
        for at_s, price_e2 in store.bar_closes(self.db, time.time() - 180):
            self._series.add(at_s, price_e2)
        self._load_model()

    def _load_model(self) -> None:
        """The active model; without one, or with one that cannot be read, the closed form, and the reason in health."""
        self._model, self._model_why = NORMAL, ""
        stored = active_model(self.db)
        if stored is not None:
            try:
                self._model = load(stored)
            except ModelError as wrong:
                self._model_why = f"the closed form is used: {wrong}"
        log.info("model", version=self._model.version, why=self._model_why)

    def work(self, notes: Sequence[Notification], now_s: float) -> None:
        """Keep the newest price; build when a second has passed."""
        if any(note.channel == "model" for note in notes):
            self._load_model()
        price = store.newest_price(self.db)
        if price is not None:
            self._series.add(price["exchange_s"], price["price_e2"])
        if time.monotonic() - self._built_s < self.period_s * 0.9:
            return
        self._built_s = time.monotonic()
        if price is None or price["age_s"] > _PRICE_MAX_AGE_S:
            self._why = "no price yet" if price is None else f"the price is {price['age_s']:.0f} s old"
            return
        events = store.live_events(self.db, self.settings.mode)
        for event in events:
            self._build(event, price, now_s)
        self._events = len(events)
        self._why = "" if events else "no event is open"
        if events:
            self.useful(now_s)
        if time.monotonic() >= self._prune_due_s:
            self._prune_due_s = time.monotonic() + _PRUNE_S
            kept = keep_results(self.db)
            log.info("retention", results_kept=kept, **{table: count for table, count in prune(self.db).items()})

    def _build(self, event: dict[str, object], price: dict[str, object], now_s: float) -> None:
        rows = store.markets_of_event(self.db, str(event["event_ticker"]))
        markets = [
            StrikeMarket(
                market_ticker=row["market_ticker"],
                strike_type=row["strike_type"],
                floor_strike_e2=row["floor_strike_e2"],
                cap_strike_e2=row["cap_strike_e2"],
                volume_e2=row["volume_e2"],
            )
            for row in rows
        ]
        books = {
            row["market_ticker"]: Book(row["yes_bids"], row["no_bids"], now_s - row["book_age_s"], row["valid"])
            for row in rows
            if row["yes_bids"] is not None
        }
        close_s = float(event["close_s"])  # type: ignore[arg-type]
        table = build(
            markets,
            books,
            int(price["price_e2"]),  # type: ignore[call-overload]
            close_s - now_s,
            price["volatility_per_sqrt_s"],  # type: ignore[arg-type]
            now_s,
            observed=observe(self._series.price_at, close_s, now_s),
            model=self._model,
            momentum_bp=price["momentum_bp"],  # type: ignore[arg-type]
        )
        store.save_strike_table(
            self.db,
            {
                "event_ticker": event["event_ticker"],
                "series_ticker": event["series_ticker"],
                "close_time": event["close_time"],
                "price_e2": price["price_e2"],
                "price_age_s": price["age_s"],
                "rows": [row.to_dict() for row in table],
            },
        )

    def checks(self, now_s: float) -> list[Check]:
        """There was something to build from, and the model is the one that was chosen."""
        return [Check("input", not self._why, self._why), Check("model", not self._model_why, self._model_why)]


def main() -> int:
    """Run the service."""
    return run(UnifiedProductionCoordinator)
