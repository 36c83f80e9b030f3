"""What the strategies share: why nothing may be entered now, and what entering one side would cost and be worth."""

from __future__ import annotations

import msgspec

from recio.market.blend import blend, market_probability
from recio.market.book_math import Ladder, Walk, buy, is_crossed
from recio.market.fees import CURRENT, FeeSchedule, order_fee_e6, schedule_at
from recio.trading.sizing import wanted_e2, whole
from recio.trading.strategies.base import (
    BOOK_LEVELS,
    EntryContext,
    EntryDecision,
    EntryState,
    Event,
    MonitorSettings,
)
from recio.units import ONE_DOLLAR_E4

__all__ = ["Offer", "Reason", "general", "judge", "offer"]

Reason = tuple[str, str]  # (the stable word, the sentence)
NONE: Reason = ("", "")
ASK_AGAIN_S = 10.0  # after a refused ticket on the same market and side


class Offer(msgspec.Struct, frozen=True, kw_only=True):
    """One side of one market: what it is worth, and what the wanted count would cost in the book as it is."""

    side: str
    probability_model: float | None
    probability_market: float | None
    probability: float | None
    ask_e4: int | None
    count_e2: int
    limit_e4: int
    differential_e4: int | None
    raw_differential_e4: int | None
    average_e4: float | None
    lacking: Reason = NONE  # why it cannot be judged or bought


# ------------------------------------------------------------------ what concerns every market of the event
def general(event: Event, context: EntryContext, settings: MonitorSettings) -> Reason:
    """Why no market of the event may be entered now; ("", "") when one may."""
    left = event.close_time_s - context.now_s
    if left <= 0:
        return "closed", "the market has closed"
    if left < settings.min_time_to_close_s:
        return "window", f"{left:.0f} s to the close, less than {settings.min_time_to_close_s:g} s"
    if left > settings.max_time_to_close_s:
        return "window", f"{left:.0f} s to the close, more than {settings.max_time_to_close_s:g} s"
    if context.off:
        return "off", context.off
    if context.blocked:
        return "blocked", context.blocked
    if context.price_age_s is None or not context.price_age_s <= settings.max_price_age_s:
        age = "not known" if context.price_age_s is None else f"{context.price_age_s:.1f} s old"
        return "price", f"the BTC price is {age}"
    if context.momentum_bp is None:
        return "momentum", "momentum is not known yet"
    if context.pause.paused:
        return "pause", _paused(context)
    if context.live is None or context.entered is None:
        return "trades", "the trades of this event are not known"
    return NONE


def _paused(context: EntryContext) -> str:
    if context.pause.calm_since_s is None:
        return f"paused after a momentum spike; momentum is {context.momentum_bp or 0:+d} bp"
    resume = context.pause.calm_since_s + context.resume_after_s - context.now_s
    return f"paused after a momentum spike, {max(0.0, resume):.0f} s of calm to go"


def _cooling(context: EntryContext, settings: MonitorSettings) -> Reason:
    if context.last_order_s is None:
        return NONE
    left = context.last_order_s + settings.cooldown_s - context.now_s
    return ("cooldown", f"cooling down after the last order, {left:.0f} s to go") if left > 0 else NONE


def _refused(context: EntryContext, key: tuple[str, str]) -> Reason:
    """The desk's shared limits said no a moment ago: asking again at once would only be refused again."""
    for ticker, side, at_s, why in context.refused:
        left = at_s + ASK_AGAIN_S - context.now_s
        if (ticker, side) == key and left > 0:
            return "refused", f"refused: {why}; asks again in {left:.0f} s"
    return NONE


# ------------------------------------------------------------------ one side of one market
def _prices(state: EntryState, side: str) -> tuple[int | None, int | None, Ladder, float | None]:
    """(best bid of YES, best ask of YES, the ladder a buyer of ``side`` takes from, the book's age)."""
    row = state.row
    if state.yes_bids is not None and state.no_bids is not None:
        yes, no = state.yes_bids, state.no_bids
        if is_crossed(yes, no):
            return None, None, (), None
        against = no if side == "yes" else yes
        yes_bid = yes[0][0] if yes else None
        yes_ask = ONE_DOLLAR_E4 - no[0][0] if no else None
        return yes_bid, yes_ask, against[:BOOK_LEVELS], state.book_age_s
    ask, depth = (row.yes_ask_e4, row.yes_depth_e2) if side == "yes" else (row.no_ask_e4, row.no_depth_e2)
    best: Ladder = ((ONE_DOLLAR_E4 - ask, depth),) if ask is not None and depth else ()
    return row.yes_bid_e4, row.yes_ask_e4, best, row.book_age_s


def _chances(
    state: EntryState, side: str, yes_bid: int | None, yes_ask: int | None, weight: float
) -> tuple[float | None, float | None, float | None]:
    """(model, market, blend) of ``side``. Both are needed for a blend, unless only one of them counts."""
    model, market = state.row.probability_yes, market_probability(yes_bid, yes_ask)
    mixed = None
    if model is not None and market is not None:
        mixed = blend(model, market, weight)
    elif model is not None and weight == 1.0:
        mixed = model
    if side == "yes":
        return model, market, mixed
    return (
        None if model is None else 1.0 - model,
        None if market is None else 1.0 - market,
        None if mixed is None else 1.0 - mixed,
    )


def offer(state: EntryState, side: str, settings: MonitorSettings) -> Offer:
    """What buying ``side`` now would be: size, limit, and the differential after fees, spread and depth.

    The size is first wanted by the settings, then cut to what the book offers within the collar; the differential is
    probability less (cost + fees) / count of exactly those fills, rounded down to 1/10,000 dollar.
    """
    yes_bid, yes_ask, against, age = _prices(state, side)
    model, market, mixed = _chances(state, side, yes_bid, yes_ask, settings.model_weight)
    ask = ONE_DOLLAR_E4 - against[0][0] if against else None
    lacking = _lacking(side, age, ask, market, mixed, settings)
    count, limit, net, average = 0, 0, None, None
    if ask is not None and mixed is not None:
        fees = schedule_at(state.context.now_s) if state.context.now_s < CURRENT.effective_from_s else CURRENT
        limit = min(ask + settings.collar_e4, max(ask, settings.max_ask_e4))
        wanted = wanted_e2(settings.size(), mixed, limit, state.context.bankroll_e6, fees)
        walk = buy(against, wanted, limit)
        count = walk.filled_e2 if walk.complete or wanted % 100 else whole(walk.filled_e2)
        if not lacking[0] and count <= 0:
            lacking = _no_size(settings, wanted, walk)
        if count != walk.filled_e2:
            walk = buy(against, count, limit)
        net, average = _net(mixed, walk, fees)
    raw = None if mixed is None or ask is None else round(mixed * ONE_DOLLAR_E4) - ask
    if net is None and raw is not None and ask is not None:  # no size: what one contract at the ask would leave
        net = raw - -(-order_fee_e6([(ask, 100)]) // 100)
    return Offer(
        side=side, probability_model=model, probability_market=market, probability=mixed, ask_e4=ask, count_e2=count,
        limit_e4=limit, differential_e4=net, raw_differential_e4=raw, average_e4=average, lacking=lacking,
    )  # fmt: skip


def _lacking(
    side: str, age: float | None, ask: int | None, market: float | None, mixed: float | None, settings: MonitorSettings
) -> Reason:
    if age is None:
        return "book", "no order book"
    if not age <= settings.max_book_age_s:
        return "book", f"the order book is {age:.1f} s old"
    if ask is None:
        return "ask", f"nobody sells {side.upper()}"
    if mixed is None and market is None:
        return "probability", "the market's own probability is not known: one side of the book is empty"
    if mixed is None:
        return "probability", "probability is not known"
    return NONE


def _no_size(settings: MonitorSettings, wanted: int, walk: Walk) -> Reason:
    if wanted > 0:
        return "depth", f"only {walk.filled_e2 / 100:g} contracts are offered"
    if settings.sizing == "kelly":
        return "size", "no size: Kelly sees no edge after the fee, or the balance is too small or not known"
    return "size", f"no size: one contract costs more than the ceiling of {settings.max_cost_e6 / 1e6:.2f} $"


def _net(probability: float, walk: Walk, fees: FeeSchedule) -> tuple[int | None, float | None]:
    if walk.filled_e2 <= 0:
        return None, None
    cost_e4 = -(-(walk.amount_e6 + order_fee_e6(walk.levels, fees)) // walk.filled_e2)
    return round(probability * ONE_DOLLAR_E4) - cost_e4, walk.average_e4


# ------------------------------------------------------------------ the verdict
def _unfit(found: Offer, volume_e2: int | None, settings: MonitorSettings, *, watch: bool) -> Reason:
    """Why this side is not right; ("", "") when it is. ``watch`` loosens probability and differential by margins."""
    chance = settings.min_probability_percent - (settings.watch_probability_margin_percent if watch else 0.0)
    edge = settings.min_differential_e4 - (settings.watch_differential_margin_e4 if watch else 0)
    if found.lacking[0]:
        return found.lacking
    ask = found.ask_e4 or 0
    if ask > settings.max_ask_e4:
        return "ask", f"ask {ask / 100:g}c is over {settings.max_ask_e4 / 100:g}c"
    if volume_e2 is None:
        return "volume", "volume is not known"
    if volume_e2 < settings.min_volume_e2:
        return "volume", f"volume {volume_e2 / 100:g} is under {settings.min_volume_e2 / 100:g}"
    percent = (found.probability or 0.0) * 100.0
    if percent < chance:
        return "probability", f"probability {percent:.1f} % is under {chance:g} %"
    net = found.differential_e4 if found.differential_e4 is not None else -ONE_DOLLAR_E4
    if net < edge:
        return "differential", f"differential after fees {net / 100:+.2f}c is under {edge / 100:+.2f}c"
    return NONE


def judge(state: EntryState, found: Offer, settings: MonitorSettings, closed: Reason | None = None) -> EntryDecision:
    """The decision about one side of one market. The cooldown is looked at last: it delays only what would otherwise be
    entered. ``closed`` is ``general``'s answer when it was asked already."""
    action, (reason, why) = _verdict(state, found, settings, closed)
    entering = action == "enter"
    return EntryDecision(
        market_ticker=state.row.market_ticker, action=action, reason=reason, why=why, side=found.side,
        count_e2=found.count_e2 if entering else 0, limit_price_e4=found.limit_e4 if entering else 0,
        probability_model=found.probability_model, probability_market=found.probability_market,
        probability=found.probability, ask_e4=found.ask_e4, differential_e4=found.differential_e4,
        raw_differential_e4=found.raw_differential_e4,
    )  # fmt: skip


def _verdict(state: EntryState, found: Offer, settings: MonitorSettings, closed: Reason | None) -> tuple[str, Reason]:
    context, key = state.context, (state.row.market_ticker, found.side)
    stopped = general(state.event, context, settings) if closed is None else closed
    if stopped[0]:
        return "wait", stopped
    if key in (context.live or ()):
        return "wait", ("live", f"a trade on {found.side.upper()} is live")
    if key in (context.entered or ()) and not settings.allow_reentry:
        return "wait", ("entered", f"{found.side.upper()} was entered before and re-entry is off")
    unfit = _unfit(found, state.row.volume_e2, settings, watch=False)
    if unfit[0]:
        return ("wait" if _unfit(found, state.row.volume_e2, settings, watch=True)[0] else "watch"), unfit
    cooling = _cooling(context, settings)
    if cooling[0]:
        return "watch", cooling
    refused = _refused(context, key)
    if refused[0]:
        return "watch", refused
    left = state.event.close_time_s - context.now_s
    edge = f"; {context.edge}" if context.edge else ""
    average = found.average_e4 or 0.0
    return "enter", (
        "enter",
        f"probability {(found.probability or 0.0) * 100.0:.1f} %, ask {(found.ask_e4 or 0) / 100:g}c, average "
        f"{average / 100:.2f}c, {(found.differential_e4 or 0) / 100:+.2f}c after fees and depth, {left:.0f} s to the "
        f"close{edge}",
    )
