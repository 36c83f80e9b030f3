"""The strike table: for each market around the price, what the model says, the book asks, and fees leave."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from recio.market.blend import MODEL_WEIGHT, blend, market_probability
from recio.market.book_math import Ladder, is_crossed, quote
from recio.market.fees import CURRENT, FeeSchedule, taker_fee_e6
from recio.market.model import NORMAL, ProbabilityModel
from recio.market.settlement import AVERAGING_S, Observed
from recio.units import ONE_DOLLAR_E4

__all__ = ["Book", "StrikeMarket", "StrikeRow", "build", "near", "row_from_dict"]


class StrikeMarket(msgspec.Struct, frozen=True, kw_only=True):
    """What the table needs of a market."""

    market_ticker: str
    strike_type: str = "greater"
    floor_strike_e2: int | None = None
    cap_strike_e2: int | None = None
    volume_e2: int | None = None


class Book(msgspec.Struct, frozen=True):
    """Bids of both sides, best first, and when they were received; ``valid`` is False after a gap in the stream."""

    yes_bids: Ladder
    no_bids: Ladder
    received_s: float
    valid: bool = True


class StrikeRow(msgspec.Struct, frozen=True, kw_only=True):
    """One market as the table shows it. None is "not known": a missing ask is not 0, a missing probability not 50 %.

    ``side`` is the one BTC is on now and ``probability`` (0 to 1) the model's chance that this side wins;
    ``probability_market`` is the middle of the book for the same side and ``probability_blend`` both in log-odds.
    Differentials are the model's probability less ask less the taker fee of one contract, in 1/10,000 dollar; ``raw_``
    ones leave the fee out.
    """

    market_ticker: str
    strike_e2: int
    buffer_e2: int
    buffer_percent: float
    side: str
    probability: float | None
    probability_yes: float | None
    yes_bid_e4: int | None
    yes_ask_e4: int | None
    no_bid_e4: int | None
    no_ask_e4: int | None
    differential_yes_e4: int | None
    differential_no_e4: int | None
    raw_differential_yes_e4: int | None
    raw_differential_no_e4: int | None
    depth: int | None  # contracts x 100 offered at the best ask of ``side``
    yes_depth_e2: int | None
    no_depth_e2: int | None
    volume_e2: int | None
    book_age_s: float | None
    probability_market: float | None = None
    probability_blend: float | None = None
    model_version: str = NORMAL.version

    def to_dict(self) -> dict[str, Any]:
        """The row as plain data, for a jsonb column."""
        return msgspec.structs.asdict(self)


def row_from_dict(row: Mapping[str, Any]) -> StrikeRow:
    """A row from a jsonb column; a key that is missing or of another type raises ValueError naming it."""
    return msgspec.convert(row, StrikeRow)


def build(
    markets: Iterable[StrikeMarket],
    books: Mapping[str, Book],
    price_e2: int,
    seconds_to_close: float,
    vol_per_sqrt_s: float | None,
    now_s: float,
    *,
    below: int = 7,
    above: int = 7,
    fees: FeeSchedule = CURRENT,
    averaging_s: int = AVERAGING_S,
    observed: Observed | None = None,
    basis_sd_e2: float | None = None,
    max_book_age_s: float = 30.0,
    model: ProbabilityModel = NORMAL,
    momentum_bp: float | None = None,
    model_weight: float = MODEL_WEIGHT,
) -> list[StrikeRow]:
    """Rows of one event, lowest strike first: ``below`` strikes at or under the price and ``above`` over it.

    Markets whose strike is not known are left out. Without a volatility there are no probabilities and no
    differentials. A book that is invalid, crossed or older than ``max_book_age_s`` gives no prices, only its age.
    ``model_weight`` is what the model counts beside the market's middle; ``basis_sd_e2`` None takes the model's own.
    """
    rows = []
    for market in near(markets, price_e2, below, above):
        strike_e2 = _strike(market)
        assert strike_e2 is not None  # noqa: S101 - `near` leaves the others out
        chance = (
            None
            if vol_per_sqrt_s is None
            else model.probability_yes(
                market.strike_type, market.floor_strike_e2, market.cap_strike_e2, price_e2, seconds_to_close,
                vol_per_sqrt_s, averaging_s, observed, momentum_bp=momentum_bp, basis_sd_e2=basis_sd_e2,
            )
        )  # fmt: skip
        book = books.get(market.market_ticker)
        row = _row(market, strike_e2, price_e2, chance, book, now_s, fees, max_book_age_s)
        rows.append(_with_market(row, model.version, model_weight))
    return rows


def near(markets: Iterable[StrikeMarket], price_e2: int, below: int, above: int) -> list[StrikeMarket]:
    """The markets around the price, lowest strike first; those whose strike is not known are left out."""
    known = sorted(
        ((strike, market) for market in markets if (strike := _strike(market)) is not None),
        key=lambda pair: (pair[0], pair[1].market_ticker),
    )
    under = [market for strike, market in known if strike <= price_e2]
    over = [market for strike, market in known if strike > price_e2]
    return (under[-below:] if below > 0 else []) + over[:above]


def _with_market(row: StrikeRow, version: str, weight: float) -> StrikeRow:
    """The row with what the market believes, and both beliefs blended."""
    yes = market_probability(row.yes_bid_e4, row.yes_ask_e4)
    market = yes if yes is None or row.side == "yes" else 1.0 - yes
    mixed = None if market is None or row.probability is None else blend(row.probability, market, weight)
    return msgspec.structs.replace(row, probability_market=market, probability_blend=mixed, model_version=version)


def _strike(market: StrikeMarket) -> int | None:
    return market.floor_strike_e2 if market.floor_strike_e2 is not None else market.cap_strike_e2


def _side(market: StrikeMarket, price_e2: int) -> str:
    floor, cap = market.floor_strike_e2, market.cap_strike_e2
    inclusive = market.strike_type in ("greater_or_equal", "between")
    over_floor = floor is None or price_e2 > floor or (inclusive and price_e2 == floor)
    capped = market.strike_type in ("between", "less_or_equal")
    under_cap = cap is None or price_e2 < cap or (capped and price_e2 == cap)
    return "yes" if over_floor and under_cap else "no"


def _differential(chance: float | None, ask: int | None, fees: FeeSchedule) -> tuple[int | None, int | None]:
    """(after the fee, raw) in 1/10,000 dollar; the fee of one contract is rounded up to that unit."""
    if chance is None or ask is None:
        return None, None
    raw = round(chance * ONE_DOLLAR_E4) - ask
    return raw - -(-taker_fee_e6(100, ask, fees) // 100), raw


def _row(
    market: StrikeMarket,
    strike_e2: int,
    price_e2: int,
    chance: float | None,
    book: Book | None,
    now_s: float,
    fees: FeeSchedule,
    max_book_age_s: float,
) -> StrikeRow:
    age = None if book is None else max(0.0, now_s - book.received_s)
    usable = book is not None and book.valid and age is not None and age <= max_book_age_s
    best = None
    if book is not None and usable and not is_crossed(book.yes_bids, book.no_bids):
        best = quote(book.yes_bids, book.no_bids)
    side = _side(market, price_e2)
    yes_ask, no_ask = (best.yes_ask_e4, best.no_ask_e4) if best else (None, None)
    yes_net, yes_raw = _differential(chance, yes_ask, fees)
    no_net, no_raw = _differential(None if chance is None else 1.0 - chance, no_ask, fees)
    yes_depth, no_depth = (best.yes_ask_depth_e2, best.no_ask_depth_e2) if best else (None, None)
    buffer_e2 = abs(price_e2 - strike_e2)
    return StrikeRow(
        market_ticker=market.market_ticker,
        strike_e2=strike_e2,
        buffer_e2=buffer_e2,
        buffer_percent=round(100.0 * buffer_e2 / price_e2, 4),
        side=side,
        probability=None if chance is None else (chance if side == "yes" else 1.0 - chance),
        probability_yes=chance,
        yes_bid_e4=best.yes_bid_e4 if best else None,
        yes_ask_e4=yes_ask,
        no_bid_e4=best.no_bid_e4 if best else None,
        no_ask_e4=no_ask,
        differential_yes_e4=yes_net,
        differential_no_e4=no_net,
        raw_differential_yes_e4=yes_raw,
        raw_differential_no_e4=no_raw,
        depth=yes_depth if side == "yes" else no_depth,
        yes_depth_e2=yes_depth,
        no_depth_e2=no_depth,
        volume_e2=market.volume_e2,
        book_age_s=age,
    )
