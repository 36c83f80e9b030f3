"""Forecasts from recorded quarters: what model, market and blend would have said, minute by minute, before the result."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from recio.market.blend import MODEL_WEIGHT, blend, market_probability
from recio.market.calibration import Forecast
from recio.market.candles import CandleError, read_prices
from recio.market.history import minute_candles
from recio.market.model import NORMAL, ModelError, ProbabilityModel
from recio.market.momentum import momentum_bp
from recio.market.training import build
from recio.research.crypto15m import Look, RecordedMarket, SpotTape
from recio.research.errors import ResearchError
from recio.units import ONE_DOLLAR_E4

__all__ = ["FIRST_S", "LAST_S", "coverage", "forecasts", "model_of_file", "scored_looks"]

FIRST_S, LAST_S = 840.0, 60.0  # seconds before the close between which markets are scored, once a minute


def model_of_file(file: Path | None, version: str = "emp-file") -> ProbabilityModel:
    """A model of the minutes in a price file; the closed form without one. ResearchError when the file is of no use."""
    if file is None:
        return NORMAL
    try:
        with file.open(encoding="utf-8") as lines:
            recording = read_prices(lines, file.name, max_gap_minutes=10_000_000)
        return build(minute_candles(recording), version)
    except (CandleError, ModelError) as error:
        raise ResearchError(str(error)) from None
    except OSError as error:
        raise ResearchError(f"cannot read {file}: {error.strerror}") from None


def coverage(markets: Iterable[RecordedMarket]) -> dict[str, int]:
    """How many markets there are, how many can be scored, and why the others cannot."""
    counted: Counter[str] = Counter()
    for market in markets:
        counted["markets"] += 1
        counted["looks"] += len(market.looks)
        if market.strike_e4 is not None and market.result:
            counted["scored"] += 1
            counted[f"result by {market.result_by}"] += 1
        else:
            counted[
                market.why.partition(":")[0] if market.why.startswith(("strike", "result")) else "contradictory"
            ] += 1
    return dict(sorted(counted.items()))


def scored_looks(market: RecordedMarket) -> Iterator[Look]:
    """The first look of each minute before the close with a fresh quote of both sides and a strike known by then."""
    minutes: set[int] = set()
    for look in market.looks:
        left = market.close_s - look.at_s
        if not LAST_S <= left <= FIRST_S or look.at_s < market.strike_known_s or int(left) // 60 in minutes:
            continue
        if not look.fresh or look.yes_bid_e4 is None or look.yes_ask_e4 is None or look.spot_e4 is None:
            continue
        minutes.add(int(left) // 60)
        yield look


def forecasts(
    markets: Iterable[RecordedMarket],
    tape: SpotTape,
    model: ProbabilityModel,
    strategy: str,
    *,
    weight: float = MODEL_WEIGHT,
) -> Iterator[Forecast]:
    """Every scored look of the markets whose strike and result are known.

    The strike's uncertainty is given to the model as basis: the exchange's true strike was known to the market and is
    not to us.
    """
    for market in markets:
        if market.strike_e4 is None or not market.result:
            continue
        for look in scored_looks(market):
            vol = tape.volatility(look.at_s)
            if vol is None or look.spot_e4 is None or look.yes_bid_e4 is None or look.yes_ask_e4 is None:
                continue
            own = model.probability_yes(
                "greater_or_equal",
                market.strike_e4,
                None,
                look.spot_e4,
                market.close_s - look.at_s,
                vol,
                momentum_bp=momentum_bp(tape.price_at, look.at_s).total_bp,
                basis_sd_e2=max(market.strike_sd_e4, model.basis_bp * 1e-4 * look.spot_e4),
            )
            middle = market_probability(look.yes_bid_e4, look.yes_ask_e4)
            if own is None or middle is None:
                continue
            yield Forecast(
                event=market.market_ticker,
                strategy=strategy,
                at_s=look.at_s,
                won=market.result == "yes",
                model=own,
                market=middle,
                blend=blend(own, middle, weight),
                yes_ask_e4=look.yes_ask_e4,
                no_ask_e4=ONE_DOLLAR_E4 - look.yes_bid_e4,
                model_version=model.version,
            )
