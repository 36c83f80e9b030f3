"""Kalshi's own SDK trades on the simulator: if it cannot tell the difference, our client is right too.

scripts/bootstrap.sh installs it (requirements/sdk.lock); its names and models are Kalshi's, nothing here wraps them.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import kalshi_python_sync as sdk
import pytest
from kalshi_python_sync.exceptions import (
    ApiException,
    BadRequestException,
    ConflictException,
    NotFoundException,
    UnauthorizedException,
)
from simulator_process import Process

from recio.exchange.kalshi.client import KalshiClient
from recio.exchange.kalshi.models import Market

Near = Callable[[KalshiClient, float], Market]
GTC = {"time_in_force": "good_till_canceled", "self_trade_prevention_type": "taker_at_cross"}
IOC = GTC | {"time_in_force": "immediate_or_cancel"}


class Sdk:
    """The SDK's APIs on one account."""

    def __init__(self, simulator: Process) -> None:
        configuration = sdk.Configuration(host=simulator.rest)
        configuration.api_key_id = "k"
        configuration.private_key_pem = simulator.pem.decode()
        client = sdk.KalshiClient(configuration)
        self.account, self.events, self.exchange = (
            sdk.AccountApi(client),
            sdk.EventsApi(client),
            sdk.ExchangeApi(client),
        )
        self.groups, self.history, self.market = (
            sdk.OrderGroupsApi(client),
            sdk.HistoricalApi(client),
            sdk.MarketApi(client),
        )
        self.orders, self.portfolio = sdk.OrdersApi(client), sdk.PortfolioApi(client)

    def create(self, ticker: str, side: str, price: str, count: str, **more: Any) -> Any:
        wanted = {"ticker": ticker, "side": side, "price": price, "count": count, "client_order_id": str(uuid.uuid4())}
        return self.orders.create_order_v2(**(wanted | GTC | more))


@contextmanager
def refusal(kind: type[ApiException], word: str) -> Iterator[None]:
    """The SDK raises ``kind``. It reads flat error bodies only; the word of a nested one stands in the raw body."""
    with pytest.raises(kind) as caught:
        yield
    assert word in (caught.value.body or ""), caught.value.body


@pytest.fixture(scope="module")
def busy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    """A simulator for an account with a larger budget than Basic: this file asks a lot in a short time."""
    made = Process(tmp_path_factory.mktemp("sdk"))
    made.start("--tier", "premier", "--fund", "2=10000", "--fund", "0=50")
    yield made
    made.end()


@pytest.fixture(scope="module")
def api(busy: Process) -> Sdk:
    return Sdk(busy)


def test_exchange_and_account(api: Sdk) -> None:
    status = api.exchange.get_exchange_status()
    assert status.trading_active and {s.exchange_index for s in status.exchange_index_statuses} == {0, 1, 2, 3}
    assert api.exchange.get_exchange_schedule().schedule.standard_hours
    assert abs(api.exchange.get_user_data_timestamp().as_of_time.timestamp() - time.time()) < 2
    assert api.exchange.get_series_fee_changes().series_fee_change_arr == []
    changes = api.exchange.get_series_fee_changes(series_ticker="KXBTCD", show_historical=True).series_fee_change_arr
    assert [(c.fee_type, c.fee_multiplier) for c in changes] == [("quadratic", 1)]
    limits = api.account.get_account_api_limits()
    assert (limits.usage_tier, limits.read.refill_rate, limits.write.bucket_capacity) == ("premier", 1_000, 2_000)
    costs = api.account.get_account_endpoint_costs()
    assert costs.default_cost == 10 and {c.cost for c in costs.endpoint_costs} == {2}
    assert api.history.get_historical_cutoff().market_settled_ts.timestamp() < time.time()


def test_catalogue(api: Sdk) -> None:
    assert {s.ticker for s in api.market.get_series_list().series} == {"KXBTCD", "KXBTC", "KXBTC15M", "KXBTCSIM"}
    assert api.market.get_series("KXBTC15M").series.fee_type == "quadratic"
    first = api.market.get_markets(series_ticker="KXBTC", status="open", limit=30)
    rest = api.market.get_markets(series_ticker="KXBTC", status="open", limit=30, cursor=first.cursor)
    assert len(first.markets) == 30 and not {m.ticker for m in first.markets} & {m.ticker for m in rest.markets}
    bands = [m for m in [*first.markets, *rest.markets] if m.strike_type == "between"]
    assert bands and all(m.cap_strike == pytest.approx(m.floor_strike + 249.99) for m in bands)
    assert {m.strike_type for m in first.markets} >= {"less", "between"}
    event = api.events.get_event(first.markets[0].event_ticker)
    assert event.event.mutually_exclusive and len(event.markets) in (42, 80)
    assert api.events.get_events(series_ticker="KXBTCD", with_nested_markets=True).events[0].markets
    assert api.events.get_event_metadata(first.markets[0].event_ticker).settlement_sources
    quarter = api.market.get_markets(series_ticker="KXBTC15M", status="open").markets[0]
    assert (quarter.price_level_structure, len(quarter.price_ranges)) == ("tapered_deci_cent", 3)
    with pytest.raises(BadRequestException):
        api.market.get_markets(status="open", min_close_ts=1)
    with pytest.raises(NotFoundException):
        api.market.get_market("NOTHING")


def test_books_trades_and_candlesticks(api: Sdk, busy: Process, near_market: Near) -> None:
    market = near_market(busy.client(), 5.0)
    book = api.market.get_market_orderbook(market.ticker).orderbook_fp
    assert book.yes_dollars and book.no_dollars
    assert float(book.yes_dollars[-1][0]) + float(book.no_dollars[-1][0]) < 1
    several = api.market.get_market_orderbooks(tickers=[market.ticker]).orderbooks
    assert [b.ticker for b in several] == [market.ticker]
    now_s = int(time.time())
    bars = api.market.get_market_candlesticks(market.series_ticker, market.ticker, now_s - 300, now_s + 60, 1)
    assert bars.ticker == market.ticker and bars.candlesticks
    assert float(bars.candlesticks[-1].yes_bid.high_dollars) >= float(bars.candlesticks[-1].yes_bid.low_dollars)
    many = api.market.batch_get_market_candlesticks(market.ticker, now_s - 300, now_s + 3_600, 60)
    assert many.markets[0].market_ticker == market.ticker and len(many.markets[0].candlesticks) >= 1
    by_event = api.events.get_market_candlesticks_by_event(
        market.event_ticker, market.series_ticker, now_s - 300, now_s + 60, 1
    )
    assert market.ticker in by_event.market_tickers
    deadline = time.monotonic() + 60
    while not api.market.get_trades(limit=5).trades:
        assert time.monotonic() < deadline, "nobody trades"
        time.sleep(0.5)


def test_an_order_is_amended_decreased_and_cancelled(api: Sdk, busy: Process, near_market: Near) -> None:
    market = near_market(busy.client(), 10.0)
    made = api.create(market.ticker, "bid", "0.0100", "5")
    assert (made.fill_count, made.remaining_count) == ("0.00", "5.00")
    order = api.orders.get_order(made.order_id).order
    assert (order.status, order.outcome_side, order.exchange_index) == ("resting", "yes", 2)
    assert [o.order_id for o in api.orders.get_orders(status="resting").orders] == [made.order_id]
    assert float(api.orders.get_order_queue_position(made.order_id).queue_position_fp) > 0
    listed = api.orders.get_order_queue_positions(market_tickers=market.ticker).queue_positions
    assert [row.order_id for row in listed] == [made.order_id]

    same = {"ticker": market.ticker, "side": "bid"}
    amended = api.orders.amend_order_v2(
        made.order_id, price="0.0200", count="8", updated_client_order_id=f"{made.client_order_id}-2", **same
    )
    assert (amended.remaining_count, amended.fill_count) == ("8.00", "0.00")
    assert amended.client_order_id == f"{made.client_order_id}-2"
    only_expiry = api.orders.amend_order_v2(
        made.order_id, price="0.0200", count="8", expiration_time=int(time.time()) + 600, **same
    )
    assert only_expiry.remaining_count is None
    with refusal(BadRequestException, "order_side_mismatch"):
        api.orders.amend_order_v2(made.order_id, ticker=market.ticker, side="ask", price="0.9900", count="8")

    with pytest.raises(NotFoundException):  # without the ticker it asks shard 0
        api.orders.decrease_order_v2(made.order_id, reduce_by="1")
    assert (
        api.orders.decrease_order_v2(made.order_id, reduce_by="1", market_ticker=market.ticker).remaining_count
        == "7.00"
    )
    assert api.orders.decrease_order_v2(made.order_id, reduce_to="2", exchange_index=2).remaining_count == "2.00"

    with pytest.raises(NotFoundException):
        api.orders.cancel_order_v2(made.order_id)
    assert api.orders.get_order(made.order_id).order.status == "resting"
    gone = api.orders.cancel_order_v2(made.order_id, market_ticker=market.ticker)
    assert (gone.reduced_by, api.orders.get_order(made.order_id).order.status) == ("2.00", "canceled")


def test_batches_answer_by_item(api: Sdk, busy: Process, near_market: Near) -> None:
    market = near_market(busy.client(), 10.0)
    good = {"ticker": market.ticker, "side": "bid", "count": "1", "price": "0.0100"} | GTC
    answers = api.orders.batch_create_orders_v2(
        orders=[good, good | {"price": "0.0050"}, good | {"ticker": "NOTHING"}]
    ).orders
    assert answers[0].order_id and answers[0].error is None
    assert [a.error.code for a in answers[1:]] == ["invalid_price", "market_not_found"]
    rows = [{"order_id": answers[0].order_id, "market_ticker": market.ticker}, {"order_id": str(uuid.uuid4())}]
    gone = api.orders.batch_cancel_orders_v2(orders=rows).orders
    assert (gone[0].reduced_by, gone[0].error) == ("1.00", None)
    assert (gone[1].reduced_by, gone[1].error.code) == ("0.00", "not_found")
    api.orders.batch_create_orders_v2(orders=[good, good])
    assert len(api.orders.get_orders(status="resting").orders) == 2
    api.orders.cancel_all_orders()
    assert api.orders.get_orders(status="resting").orders == []


def test_a_group_stops_itself(api: Sdk, busy: Process, near_market: Near) -> None:
    market = near_market(busy.client(), 10.0)
    group_id = api.groups.create_order_group(contracts_limit=2).order_group_id
    rests = api.create(market.ticker, "bid", "0.0100", "1", order_group_id=group_id)
    assert api.groups.get_order_group(group_id).orders == [rests.order_id]
    api.groups.update_order_group_limit(group_id, contracts_limit_fp="3.00")
    assert [g.contracts_limit_fp for g in api.groups.get_order_groups().order_groups] == ["3.00"]
    api.create(market.ticker, "bid", "0.9900", "3", order_group_id=group_id, **IOC)
    assert api.orders.get_order(rests.order_id).order.status == "canceled"
    with refusal(BadRequestException, "triggered"):
        api.create(market.ticker, "bid", "0.0100", "1", order_group_id=group_id)
    api.groups.reset_order_group(group_id)
    again = api.create(market.ticker, "bid", "0.0100", "1", order_group_id=group_id)
    api.groups.trigger_order_group(group_id)
    assert api.orders.get_order(again.order_id).order.status == "canceled"
    api.groups.delete_order_group(group_id)
    with pytest.raises(NotFoundException):
        api.groups.get_order_group(group_id)


def test_cash_moves_between_shards(api: Sdk) -> None:
    def by_shard() -> dict[int, float]:
        return {row.exchange_index: float(row.balance) for row in api.portfolio.get_balance().balance_breakdown}

    before = by_shard()
    move = {"source": "event_contract", "destination": "event_contract", "amount": 100_000}  # ten dollars
    done = api.portfolio.intra_exchange_instance_transfer(
        source_exchange_shard=0, destination_exchange_shard=2, client_transfer_id=str(uuid.uuid4()), **move
    )
    after = by_shard()
    assert (after[0] - before[0], after[2] - before[2]) == pytest.approx((-10, 10))
    assert api.portfolio.get_intra_exchange_instance_transfer(done.transfer_id).transfer.amount == "10.000000"
    assert len(api.portfolio.get_intra_exchange_instance_transfers().transfers) == 1
    with refusal(BadRequestException, "insufficient_balance"):
        api.portfolio.intra_exchange_instance_transfer(
            source_exchange_shard=0, destination_exchange_shard=2, **(move | {"amount": 10**9})
        )
    assert api.portfolio.get_target_balance_allocation().allocations == []


def test_a_whole_trade_to_its_settlement(api: Sdk, busy: Process, near_market: Near) -> None:
    market = near_market(busy.client(), 4.0)
    wanted: dict[str, Any] = {"ticker": market.ticker, "side": "bid", "price": "0.9900", "count": "2"}
    wanted |= {"client_order_id": str(uuid.uuid4())} | IOC
    made = api.orders.create_order_v2(**wanted)
    assert made.fill_count == "2.00" and 0 < float(made.average_fill_price) < 1 and float(made.average_fee_paid) > 0
    with refusal(ConflictException, "order_already_exists"):
        api.orders.create_order_v2(**wanted)
    with refusal(ConflictException, "fill_or_kill"):
        api.create(market.ticker, "bid", "0.0100", "1", time_in_force="fill_or_kill")
    with refusal(BadRequestException, "post only cross"):
        api.create(market.ticker, "bid", "0.9900", "1", post_only=True)
    with refusal(BadRequestException, "reduce only"):
        api.create(market.ticker, "bid", "0.9900", "1", reduce_only=True, **IOC)
    fills = api.portfolio.get_fills(ticker=market.ticker, order_id=made.order_id).fills
    assert sum(float(f.count_fp) for f in fills) == 2 and all(f.is_taker and float(f.fee_cost) > 0 for f in fills)
    held = api.portfolio.get_positions(ticker=market.ticker, count_filter="position")
    assert [float(p.position_fp) for p in held.market_positions] >= [2]
    assert held.event_positions[0].event_ticker == market.event_ticker
    assert api.portfolio.get_portfolio_resting_order_total_value().total_resting_order_value == 0
    deadline = time.monotonic() + max(0.0, market.close_time_s - time.time()) + 20
    while (final := api.market.get_market(market.ticker).market).status != "finalized":
        assert time.monotonic() < deadline, final.status
        time.sleep(0.5)
    paid = [s for s in api.portfolio.get_settlements().settlements if s.ticker == market.ticker]
    assert len(paid) == 1 and paid[0].market_result == final.result
    assert paid[0].revenue == round(float(paid[0].yes_count_fp) * 100) * (final.result == "yes")
    settled = api.market.get_markets(status="settled", min_settled_ts=int(time.time()) - 60).markets
    assert market.ticker in {m.ticker for m in settled}


def test_the_pem_is_read_as_the_sdk_reads_it(busy: Process, tmp_path: Path) -> None:
    """A wrong key is refused in words the SDK shows."""
    other = Process(tmp_path)
    other.rest = busy.rest
    with refusal(UnauthorizedException, "INCORRECT_API_KEY_SIGNATURE"):
        Sdk(other).portfolio.get_balance()
