"""Auto stop: when to close a live trade, at what limit, and in a plain sentence why. Pure: state in, decision out.

watching ──probability low──► confirming ──still low after confirm_after_s──► closing ──flat or settled──► gone
    ▲                            │ recovered                                  │  ▲
    └────────────────────────────┘                             rejected, rest left: again after retry_after_s,
momentum stop and take profit go straight to closing.          each time at a wider limit; alarm after some attempts
Once closing, a trade is closed: a recovery does not call the exit back.
"""

from __future__ import annotations

import msgspec

from recio.market.book_math import Ladder, sell
from recio.trading.settings import AutoStopSettings

__all__ = ["HeldTrade", "StopDecision", "StopMemory", "StopView", "decide_stop"]


class HeldTrade(msgspec.Struct, frozen=True, kw_only=True):
    """The trade as the ledger has it."""

    side: str
    held_e2: int
    state: str
    close_time_s: float
    exit_unfinished: bool = False  # an exit order is under way or in doubt


class StopView(msgspec.Struct, frozen=True, kw_only=True):
    """What is seen of its market now; None is "not known"."""

    now_s: float
    probability: float | None  # 0 to 1, of the trade's own side
    momentum_bp: int | None
    price_age_s: float | None
    book_age_s: float | None
    bids: Ladder | None  # of the trade's own side, best first; None: no valid book


class StopMemory(msgspec.Struct, frozen=True, kw_only=True):
    """What the rule remembers between looks; keep one per trade."""

    state: str = "watching"  # watching | confirming | closing
    low_since_s: float | None = None
    reason: str = ""
    attempts: int = 0
    last_attempt_s: float | None = None


class StopDecision(msgspec.Struct, frozen=True, kw_only=True):
    """``action``: hold, or close (exit ``count_e2`` at ``limit_price_e4`` or better). ``alarm``: tell the user.
    ``is_blind``: what keeps the rule from judging or closing is the desk's own view, not the market's lack of bids."""

    action: str
    why: str
    memory: StopMemory
    count_e2: int = 0
    limit_price_e4: int = 0  # of the trade's side; snap it to the grid downwards before sending
    alarm: bool = False
    is_blind: bool = False


def decide_stop(trade: HeldTrade, view: StopView, memory: StopMemory, settings: AutoStopSettings) -> StopDecision:
    """One look at one live trade. Give the decision's memory to the next look."""
    left = trade.close_time_s - view.now_s
    if not settings.enabled:
        return _hold("auto stop is off", StopMemory())
    if trade.state not in ("open", "closing") or trade.held_e2 <= 0:
        return _hold(f"the trade is {trade.state} and holds {max(0, trade.held_e2) / 100:g}", StopMemory())
    if left <= 0:
        return _hold("the market has closed; it settles by its result", StopMemory())
    if memory.state == "closing":
        return _close(trade, view, memory, settings)
    if left < settings.min_time_to_close_s:
        return _hold(f"{left:.0f} s to the close, too late to stop; it settles", StopMemory())
    reason, low = _reason(trade, view, settings)
    if reason and not low:
        return _close(trade, view, StopMemory(state="closing", reason=reason), settings)
    if low:
        return _confirm(trade, view, memory, reason, settings)
    blind = _blind(view, settings)
    if blind:
        return StopDecision(action="hold", why=f"cannot judge: {blind}", memory=memory, alarm=True, is_blind=True)
    chance = f"{(view.probability or 0.0) * 100.0:.1f} %"
    return _hold(f"probability {chance}, stop under {settings.stop_probability_percent:g} %", StopMemory())


def _hold(why: str, memory: StopMemory) -> StopDecision:
    return StopDecision(action="hold", why=why, memory=memory)


def _fresh(age_s: float | None, most_s: float) -> bool:
    return age_s is not None and age_s <= most_s


def _blind(view: StopView, settings: AutoStopSettings) -> str:
    if not _fresh(view.price_age_s, settings.max_price_age_s):
        age = "not known" if view.price_age_s is None else f"{view.price_age_s:.0f} s old"
        return f"the BTC price is {age}"
    return "probability is not known" if view.probability is None else ""


def _reason(trade: HeldTrade, view: StopView, settings: AutoStopSettings) -> tuple[str, bool]:
    """(why to close, whether it needs confirmation); empty when nothing speaks for closing."""
    best = view.bids[0][0] if view.bids and _fresh(view.book_age_s, settings.max_book_age_s) else None
    if settings.take_profit_e4 is not None and best is not None and best >= settings.take_profit_e4:
        return f"take profit: the bid is {best / 100:g}c", False
    if not _fresh(view.price_age_s, settings.max_price_age_s):
        return "", False
    against = None if view.momentum_bp is None else view.momentum_bp * (-1 if trade.side == "yes" else 1)
    if settings.momentum_stop and against is not None and against >= settings.momentum_stop_bp:
        return f"momentum {view.momentum_bp:+d} bp runs against {trade.side.upper()}", False
    if view.probability is not None and view.probability * 100.0 < settings.stop_probability_percent:
        chance = view.probability * 100.0
        return f"probability {chance:.1f} % is under {settings.stop_probability_percent:g} %", True
    return "", False


def _confirm(
    trade: HeldTrade, view: StopView, memory: StopMemory, reason: str, settings: AutoStopSettings
) -> StopDecision:
    since = view.now_s if memory.low_since_s is None else memory.low_since_s
    low_for = view.now_s - since
    if low_for >= settings.confirm_after_s:
        reason = f"{reason} for {low_for:.0f} s"
        return _close(trade, view, StopMemory(state="closing", reason=reason), settings)
    why = f"{reason}; closing in {settings.confirm_after_s - low_for:.0f} s unless it recovers"
    return _hold(why, StopMemory(state="confirming", low_since_s=since, reason=reason))


def _close(trade: HeldTrade, view: StopView, memory: StopMemory, settings: AutoStopSettings) -> StopDecision:
    """Send the exit, or say what keeps it from being sent; the intention stays."""
    alarm = memory.attempts >= settings.alarm_after_attempts
    if trade.exit_unfinished:
        return StopDecision(action="hold", why=f"{memory.reason}; an exit is under way", memory=memory, alarm=alarm)
    if memory.last_attempt_s is not None and view.now_s - memory.last_attempt_s < settings.retry_after_s:
        wait = settings.retry_after_s - (view.now_s - memory.last_attempt_s)
        return StopDecision(action="hold", why=f"{memory.reason}; again in {wait:.0f} s", memory=memory, alarm=alarm)
    if view.bids is None or not _fresh(view.book_age_s, settings.max_book_age_s):
        why = f"{memory.reason}; cannot close: no fresh order book"
        return StopDecision(action="hold", why=why, memory=memory, alarm=True, is_blind=True)
    walk = sell(view.bids, trade.held_e2)
    if walk.worst_e4 is None:
        why = f"{memory.reason}; cannot close: nobody bids for {trade.side.upper()}"
        return StopDecision(action="hold", why=why, memory=memory, alarm=True)
    collar = settings.exit_collar_e4 << min(memory.attempts, 6)
    limit = max(1, walk.worst_e4 - collar)
    return StopDecision(
        action="close",
        why=f"{memory.reason}; selling {trade.held_e2 / 100:g} at {limit / 100:g}c or better",
        memory=msgspec.structs.replace(memory, attempts=memory.attempts + 1, last_attempt_s=view.now_s),
        count_e2=trade.held_e2,
        limit_price_e4=limit,
        alarm=alarm,
    )
