"""Auto entry: which market to enter now, or in a plain sentence why not. Pure: state in, decision out."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import msgspec

from recio.market.strike_table import StrikeRow
from recio.trading.settings import AutoEntrySettings

__all__ = ["EntryContext", "EntryDecision", "SpikePause", "decide", "decide_row", "spike_pause"]


class SpikePause(msgspec.Struct, frozen=True):
    """Whether entries pause because BTC moves too fast, and since when it is calm again. Keep it over restarts."""

    paused: bool = False
    calm_since_s: float | None = None


class EntryContext(msgspec.Struct, frozen=True, kw_only=True):
    """What is known beside the strike table's rows, all of one event."""

    now_s: float
    series_ticker: str
    event_ticker: str
    close_time_s: float
    price_age_s: float | None
    momentum_bp: int | None
    pause: SpikePause
    last_order_s: float | None  # auto entry's last accepted order, any market; signals and refused tickets do not count
    live: Collection[tuple[str, str]] | None  # (market_ticker, side) of this event with a live trade; None: not known
    entered: Collection[tuple[str, str]] | None  # (market_ticker, side) of this event ever entered; None: not known
    blocked: str = ""  # kill switch, dependency state: why no entry is possible at all


class EntryDecision(msgspec.Struct, frozen=True, kw_only=True):
    """``action`` is enter, watch (nearly right), or wait; ``why`` says it for the user."""

    market_ticker: str
    action: str
    why: str
    side: str
    count_e2: int = 0
    limit_price_e4: int = 0  # of ``side``; snap it to the market's grid downwards before sending


def spike_pause(before: SpikePause, momentum_bp: int | None, now_s: float, settings: AutoEntrySettings) -> SpikePause:
    """The pause after seeing this momentum: starts at +-spike_pause_bp, ends after spike_resume_after_s without a
    moment outside +-spike_resume_bp. While momentum is not known a pause goes on and its calm starts anew."""
    if momentum_bp is not None and abs(momentum_bp) >= settings.spike_pause_bp:
        return SpikePause(paused=True)
    if not before.paused:
        return before
    if momentum_bp is None or abs(momentum_bp) > settings.spike_resume_bp:
        return SpikePause(paused=True)
    since = now_s if before.calm_since_s is None else before.calm_since_s
    if now_s - since >= settings.spike_resume_after_s:
        return SpikePause()
    return SpikePause(paused=True, calm_since_s=since)


def _general(context: EntryContext, settings: AutoEntrySettings) -> str:
    """Why no market of the event may be entered now; empty when one may."""
    left = context.close_time_s - context.now_s
    if not settings.enabled:
        return "auto entry is off"
    if context.blocked:
        return context.blocked
    if context.series_ticker not in settings.series:
        return f"series {context.series_ticker} is not in the settings"
    if left <= 0:
        return "the market has closed"
    if left < settings.min_time_to_close_s:
        return f"{left:.0f} s to the close, less than {settings.min_time_to_close_s:g} s"
    if left > settings.max_time_to_close_s:
        return f"{left:.0f} s to the close, more than {settings.max_time_to_close_s:g} s"
    if context.price_age_s is None or not context.price_age_s <= settings.max_price_age_s:
        age = "not known" if context.price_age_s is None else f"{context.price_age_s:.1f} s old"
        return f"the BTC price is {age}"
    if context.momentum_bp is None:
        return "momentum is not known yet"
    if context.pause.paused:
        if context.pause.calm_since_s is None:
            return f"paused after a momentum spike; momentum is {context.momentum_bp:+d} bp"
        resume = context.pause.calm_since_s + settings.spike_resume_after_s - context.now_s
        return f"paused after a momentum spike, {max(0.0, resume):.0f} s of calm to go"
    return ""


def _cooling(context: EntryContext, settings: AutoEntrySettings) -> str:
    if context.last_order_s is None:
        return ""
    left = context.last_order_s + settings.cooldown_s - context.now_s
    return f"cooling down after the last order, {left:.0f} s to go" if left > 0 else ""


def _side_facts(row: StrikeRow) -> tuple[int | None, int | None, int | None]:
    """(ask, differential, depth) of the side BTC is on."""
    if row.side == "yes":
        return row.yes_ask_e4, row.differential_yes_e4, row.yes_depth_e2
    return row.no_ask_e4, row.differential_no_e4, row.no_depth_e2


def _market(row: StrikeRow, settings: AutoEntrySettings, *, watch: bool) -> str:
    """Why this market is not right; empty when it is. ``watch`` loosens probability and differential by margins."""
    ask, differential, depth = _side_facts(row)
    probability = settings.min_probability_percent - (settings.watch_probability_margin_percent if watch else 0.0)
    edge = settings.min_differential_e4 - (settings.watch_differential_margin_e4 if watch else 0)
    if row.book_age_s is None:
        return "no order book"
    if not row.book_age_s <= settings.max_book_age_s:
        return f"the order book is {row.book_age_s:.1f} s old"
    if ask is None or not depth:
        return f"nobody sells {row.side.upper()}"
    if ask > settings.max_ask_e4:
        return f"ask {ask / 100:g}c is over {settings.max_ask_e4 / 100:g}c"
    if row.volume_e2 is None:
        return "volume is not known"
    if row.volume_e2 < settings.min_volume_e2:
        return f"volume {row.volume_e2 / 100:g} is under {settings.min_volume_e2 / 100:g}"
    if row.probability is None or differential is None:
        return "probability is not known"
    if row.probability * 100.0 < probability:
        return f"probability {row.probability * 100.0:.1f} % is under {probability:g} %"
    if differential < edge:
        return f"differential after fees {differential / 100:+.2f}c is under {edge / 100:+.2f}c"
    return ""


def decide_row(row: StrikeRow, context: EntryContext, settings: AutoEntrySettings) -> EntryDecision:
    """Judge one market. The cooldown is looked at last, so that it delays only what would otherwise be entered."""
    ask = _side_facts(row)[0]
    key = (row.market_ticker, row.side)

    def answer(action: str, why: str) -> EntryDecision:
        return EntryDecision(market_ticker=row.market_ticker, action=action, why=why, side=row.side)

    if why := _general(context, settings):
        return answer("wait", why)
    if context.live is None or context.entered is None:
        return answer("wait", "the trades of this event are not known")
    if key in context.live:
        return answer("wait", f"a trade on {row.side.upper()} is live")
    if key in context.entered and not settings.allow_reentry:
        return answer("wait", f"{row.side.upper()} was entered before and re-entry is off")
    if why := _market(row, settings, watch=False):
        return answer("wait" if _market(row, settings, watch=True) else "watch", why)
    if why := _cooling(context, settings):
        return answer("watch", why)
    limit = min((ask or 0) + settings.collar_e4, settings.max_ask_e4)
    differential = _side_facts(row)[1] or 0
    return EntryDecision(
        market_ticker=row.market_ticker,
        action="enter",
        why=f"probability {(row.probability or 0.0) * 100.0:.1f} %, ask {(ask or 0) / 100:g}c, "
        f"{differential / 100:+.2f}c after fees, {context.close_time_s - context.now_s:.0f} s to the close",
        side=row.side,
        count_e2=settings.base_count_e2 * settings.multiplier,
        limit_price_e4=limit,
    )


def decide(rows: Sequence[StrikeRow], context: EntryContext, settings: AutoEntrySettings) -> list[EntryDecision]:
    """Judge all rows of an event; at most one is entered at a time, the one with the largest differential."""
    found = [decide_row(row, context, settings) for row in rows]
    edges = {row.market_ticker: _side_facts(row)[1] or 0 for row in rows}
    wanted = [decision for decision in found if decision.action == "enter"]
    if len(wanted) <= 1:
        return found
    best = max(wanted, key=lambda decision: (edges[decision.market_ticker], decision.market_ticker))
    return [
        decision
        if decision.action != "enter" or decision is best
        else msgspec.structs.replace(
            decision,
            action="watch",
            why=f"{best.market_ticker} is better; one order at a time",
            count_e2=0,
            limit_price_e4=0,
        )
        for decision in found
    ]
