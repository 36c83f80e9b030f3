"""What each topic of the stream says: whole pictures, read with the hub's own connection or the pool."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from recio.store import frame_queries, requests, system_queries, web_sessions
from recio.store import web_queries as queries
from recio.store.desk_queries import newest_calibration
from recio.web import automation, news, risk_view, table_view
from recio.web.risk_view import Both
from recio.web.status import StatusBoard
from recio.web.switches import complete, in_force
from recio.web.system_view import started, verdict
from recio.web.wire import wire, wire_all

__all__ = ["TOPICS", "Snapshots"]

TOPICS = ("price", "events", "trades", "switches", "status", "news")
_CALIBRATION_S = 60.0
_NEWS, _REPLAYED = 30, 200  # items of a frame: of the usual one, of what a tab that comes back has missed
_NEWS_AGE_MS, _REPLAY_AGE_MS = 3_600_000, 43_200_000  # an hour; half a day


class Snapshots:
    """Reads and shapes each topic; ages are told by ``now_ms``, the server's clock, in every picture."""

    def __init__(
        self,
        user_id: str,
        mode: str,
        series: Sequence[str],
        status: StatusBoard,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._user_id, self._mode, self._series = user_id, mode, tuple(series)
        self._status, self._clock = status, clock
        self._open: list[dict[str, Any]] = []
        self._calibrations: dict[str, tuple[float, dict[str, Any] | None]] = {}  # by series: when read, and it
        self.live = False  # whether any trade is live: its PnL moves without a notification

    def now_ms(self) -> int:
        """Milliseconds since 1970."""
        return round(self._clock() * 1000)

    def of(self, topic: str, db: Both) -> dict[str, Any]:
        """The picture of one of TOPICS."""
        made: dict[str, Any] = {
            "price": self._price, "events": self._events, "trades": self._trades, "switches": self._switches,
            "status": self._health, "news": self.news,
        }[topic](db)  # fmt: skip
        return made | {"now_ms": self.now_ms()}

    def current_event(self, series: str) -> str:
        """The event of a series that closes next, of those last read; '' when there is none."""
        now_s = self._clock()
        for row in self._open:
            closes: datetime = row["close_time"]
            if row["series_ticker"] == series and closes.timestamp() > now_s:
                return str(row["event_ticker"])
        return ""

    def table(self, event: str, db: Both) -> dict[str, Any]:
        """The strike table of an event; without rows when there is none (yet)."""
        row = queries.strike_table(db, event) if event else None
        if row is None:
            body: dict[str, Any] = {
                "event_ticker": event,
                "rows": [],
                "close_time_ms": None,
                "built_at_ms": None,
                "calibrated_by": None,
            }
            return body | {"now_ms": self.now_ms()}
        calibration = self._calibration(row["series_ticker"], db)
        return wire(row | table_view.intervals_of(row["rows"], calibration)) | {"now_ms": self.now_ms()}

    def _calibration(self, series: str, db: Both) -> dict[str, Any] | None:
        """The newest of a series; read once a minute, for a table comes with every price and a calibration every night."""
        at_s, found = self._calibrations.get(series, (float("-inf"), None))
        if self._clock() - at_s >= _CALIBRATION_S:
            found = newest_calibration(db, self._user_id, self._mode, series)
            self._calibrations = (
                {**self._calibrations, series: (self._clock(), found)} if len(self._calibrations) < 50 else {}
            )
        return found

    def news(self, db: Both, since_ms: int | None = None) -> dict[str, Any]:
        """What a person must hear of, the newest items; ``since_ms`` asks for all after it, of half a day at most."""
        replayed = since_ms is not None
        oldest_ms = self.now_ms() - (_REPLAY_AGE_MS if replayed else _NEWS_AGE_MS)
        from_ms = max(oldest_ms, (since_ms or 0) - news.OVERLAP_MS)
        since, limit = datetime.fromtimestamp(from_ms / 1000, UTC), _REPLAYED if replayed else _NEWS
        trades = frame_queries.trade_news(db, self._user_id, self._mode, since, limit)
        found = news.items(trades, frame_queries.incident_news(db, since, limit), from_ms)
        return {"items": found[-limit:], "whole": len(found) < limit and from_ms > oldest_ms}

    def _price(self, db: Both) -> dict[str, Any]:
        row = queries.price(db)
        return {"price": wire(row) if row else None}

    def _events(self, db: Both) -> dict[str, Any]:
        self._open = queries.events(db, self._mode, self._series)
        return {"events": wire_all(self._open)}

    def _trades(self, db: Both) -> dict[str, Any]:
        live = queries.live_trades(db, self._user_id, self._mode)
        self.live = bool(live)
        done = queries.trades(db, self._user_id, self._mode, queries.TradeFilter("closed"), 5, None)
        return {
            "live": wire_all(live),
            "done": wire_all(done),
            "today": wire(queries.today(db, self._user_id, self._mode)),
            "limits": risk_view.limits(db, self._user_id, self._mode, self._clock()),
        }

    def _switches(self, db: Both) -> dict[str, Any]:
        found = in_force(complete(web_sessions.settings(db, self._user_id)))
        blocked = risk_view.limits(db, self._user_id, self._mode, self._clock())["blocks"]
        live = queries.live_trades(db, self._user_id, self._mode)
        made = automation.automation(db, self._user_id, found, blocked, live, self._clock())
        return {
            "settings": {name: setting["value"] for name, setting in found.items()},
            "automation": made | {"watch": wire_all(made["watch"])},
        }

    def _health(self, db: Both) -> dict[str, Any]:
        machine = queries.machine(db, self._mode)
        return {
            "vitals": wire(frame_queries.vitals(db, self._mode)),
            "status": self._status.as_dict(),
            "entries": wire_all(queries.entry_status(db)),
            "dependencies": wire(machine["dependencies"]) if machine["dependencies"] else None,
            "incidents": wire_all([row for row in queries.incidents(db, 10) if row["closed_at"] is None]),
            "balance": wire(machine["balance"]) if machine["balance"] else None,
            "machine": {
                name: wire(machine[name]) if machine[name] else None for name in ("host", "exchange", "database")
            },
            "verdict": verdict(self._status.get(), system_queries.open_incidents(db), machine, self._clock()),
            "feeds": wire_all(system_queries.feeds(db, self._mode)),
            "requests": wire_all(requests.newest(db, 8)),
            "up": started([service.name for service in self._status.get().services], self._clock()),
        }
