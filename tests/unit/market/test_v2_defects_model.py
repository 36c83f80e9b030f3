"""Defects 10 and 11 of the system before this one, each as a test of what replaced it."""

from __future__ import annotations

from recio.market.calibration import Forecast, calibrate
from recio.market.fees import taker_fee_e6
from recio.market.generator import GeneratedPath
from recio.market.model import NORMAL, ProbabilityModel, TableModel
from recio.market.settlement import Observed
from recio.market.strike_table import Book, StrikeMarket
from recio.market.strike_table import build as rows
from recio.market.training import build
from recio.trading.gate import NO_EDGE_SHOWN, may_enter_live, verdict

VOL = 9e-5


def made() -> TableModel:
    """A model of two generated days about 100,000 dollars."""
    path = GeneratedPath(5)
    candles = []
    for minute in range(28_000_000, 28_000_000 + 2880):
        prices = [path.price_at(minute * 60 + second) for second in (0, 20, 40, 59)]
        candles.append((minute * 60.0, prices[0], max(prices), min(prices), prices[-1]))
    return build(candles, "defects")


MODEL = made()


def above(model: ProbabilityModel, price: int, strike: int, left: float, momentum: float | None = None) -> float:
    chance = model.probability_yes("greater", strike, None, price, left, VOL, momentum_bp=momentum)
    assert chance is not None
    return chance


def test_defect_10_no_fixed_price_is_behind_the_percentages() -> None:
    for price in (2_000_000, 6_000_000, 12_000_000, 25_000_000):
        assert above(MODEL, price, price + price // 500, 600) == above(MODEL, 100_000_000, 100_200_000, 600)


def test_defect_10_up_and_down_are_not_swapped() -> None:
    price = 10_000_000
    assert above(MODEL, price, price - 20_000, 600) > 0.5 > above(MODEL, price, price + 20_000, 600)
    for momentum in (5.0, 25.0, 80.0):
        rising, falling = (
            above(MODEL, price, price + 20_000, 600, momentum),
            above(MODEL, price, price - 20_000, 600, -momentum),
        )
        assert abs(rising - (1 - falling)) < 1e-9


def test_defect_10_a_momentum_beyond_thirty_is_no_coin_toss() -> None:
    price = 10_000_000
    for momentum in (-500, -60, -31, 31, 60, 500):
        assert above(MODEL, price, price - 40_000, 300, momentum) > 0.9
        assert above(MODEL, price, price + 40_000, 300, momentum) < 0.1
    edge = [above(MODEL, price, price - 20_000, 600, momentum) for momentum in (29.999, 30.0, 30.001)]
    assert max(edge) - min(edge) < 1e-4


def test_defect_10_the_last_minute_goes_on_getting_surer() -> None:
    price = 10_000_000
    chances = []
    for left in (120, 60, 45, 30, 15, 5):
        seen = Observed(max(0, 60 - left), float(price))  # the price has stood still
        chance = MODEL.probability_yes("greater", price - 5_000, None, price, left, VOL, 60, seen)
        assert chance is not None
        chances.append(chance)
    assert chances == sorted(chances)
    assert chances[-1] - chances[1] > 0.05


def test_defect_10_the_averaging_of_the_settlement_is_known() -> None:
    price = 10_000_000
    on_spot = MODEL.probability_yes("greater", price - 5_000, None, price, 5, VOL, momentum_bp=0)
    lost = Observed(55, price - 20_000.0)  # spot is above the strike, the mean cannot get there any more
    assert on_spot is not None
    known = MODEL.probability_yes("greater", price - 5_000, None, price, 5, VOL, 60, lost, momentum_bp=0)
    assert known is not None
    assert on_spot > 0.5 > 0.01 > known


def test_defect_10_fees_count_before_an_entry() -> None:
    book = Book([[9200, 10_000]], [[700, 10_000]], received_s=0.0)
    market = StrikeMarket(market_ticker="M", floor_strike_e2=9_980_000)
    row = rows([market], {"M": book}, 10_000_000, 600, VOL, 0.0, model=MODEL, momentum_bp=0)[0]
    assert row.raw_differential_yes_e4 is not None
    assert row.differential_yes_e4 is not None
    fee_e4 = -(-taker_fee_e6(100, 9300) // 100)
    assert row.raw_differential_yes_e4 - row.differential_yes_e4 == fee_e4 > 0


def test_defect_11_the_markets_own_price_stands_beside_the_models() -> None:
    book = Book([[9200, 10_000]], [[700, 10_000]], received_s=0.0)
    market = StrikeMarket(market_ticker="M", floor_strike_e2=9_980_000)
    row = rows([market], {"M": book}, 10_000_000, 600, VOL, 0.0, model=NORMAL, momentum_bp=0)[0]
    assert row.probability is not None
    assert row.probability_market == 0.925
    assert row.probability_blend is not None
    low, high = sorted((row.probability, 0.925))
    assert low < row.probability_blend < high


def test_defect_11_a_market_that_knows_better_is_said_to_know_better() -> None:
    """130 trades as they were recorded then: the model said 96.7 %, 93.8 % came true, 94.6c were paid on average."""
    rows = [
        Forecast(
            event=f"e{number}", strategy="hourly_hold", at_s=1.79e9 + number, won=number % 16 > 0 or number == 0,
            model=0.967, market=0.941, blend=0.95, yes_ask_e4=9_460, no_ask_e4=640, entered_side="yes", paid_e4=9_460,
        )
        for number in range(130)
    ]  # fmt: skip
    assert abs(sum(row.won for row in rows) / 130 - 0.938) < 0.005
    report = calibrate(rows)
    assert report.scores["model"].brier.value > report.scores["market"].brier.value
    assert report.brier_model_less_market.value > 0
    assert report.edges["strategy"].mean_e4.value < 0  # after fees it lost money
    found = verdict(report)
    assert found.text == NO_EDGE_SHOWN
    assert "after fees" in found.why
    assert may_enter_live(found)
