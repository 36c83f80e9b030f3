"""Which decisions are written down, and their rows: every entry, every change of mind, and a sample a minute."""

from __future__ import annotations

from typing import Any

import msgspec

from recio.store.market_data import when
from recio.trading.monitor import Monitor
from recio.trading.strategies.base import EntryDecision, EntryState

__all__ = ["DecisionLog"]

Row = dict[str, Any]
_CHANGES_EVERY_S = 5.0  # of one monitor and market: a value that trembles on a threshold fills no disk
_FORGET_S = 600.0  # a market nobody looked at for so long has closed: short ones come by the hundred an hour


class _Last(msgspec.Struct):
    what: tuple[str, str, str]
    at_s: float
    minute: int


class DecisionLog:
    """Remembers what was written last for each monitor and market."""

    def __init__(self) -> None:
        self._last: dict[tuple[str, str], _Last] = {}
        self._swept_s = float("-inf")

    def kind(self, monitor: Monitor, decision: EntryDecision, now_s: float) -> str:
        """``change`` or ``sample`` when this decision is to be written, else empty. Entries are written with their
        ticket; markets nobody looked at (no numbers) are not."""
        if decision.action == "enter" or decision.probability_model is None:
            return ""
        self._sweep(now_s)
        key = (monitor.monitor_id, decision.market_ticker)
        what, minute = (decision.action, decision.reason, decision.side), int(now_s) // 60
        last = self._last.get(key)
        if last is None or (what != last.what and now_s - last.at_s >= _CHANGES_EVERY_S):
            self._last[key] = _Last(what, now_s, minute)
            return "change"
        if minute != last.minute:
            last.minute = minute
            return "sample"
        return ""

    def _sweep(self, now_s: float) -> None:
        if now_s - self._swept_s > _FORGET_S:
            self._swept_s = now_s
            self._last = {key: last for key, last in self._last.items() if now_s - last.minute * 60 < _FORGET_S}

    @staticmethod
    def row(monitor: Monitor, state: EntryState, decision: EntryDecision, kind: str, user_id: str, mode: str) -> Row:
        """The row of users.decisions, its inputs as JSON: trading.evaluate.recompute makes the decision again."""
        event = state.event
        return msgspec.structs.asdict(decision) | {
            "user_id": user_id, "mode": mode, "at": when(state.context.now_s), "kind": kind,
            "monitor_id": monitor.monitor_id, "monitor_version": monitor.version, "strategy": monitor.strategy,
            "model_version": event.model_version, "series_ticker": event.series_ticker,
            "event_ticker": event.event_ticker, "close_time": when(event.close_time_s), "ticket_id": None,
            "inputs": msgspec.json.encode(state).decode(),
        }  # fmt: skip
