"""Our state as Kalshi's JSON: REST bodies and the parts WebSocket frames share with them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from recio.exchange.simulator.account import Position, Settlement
from recio.exchange.simulator.groups import OrderGroup
from recio.exchange.simulator.ladders import eastern
from recio.exchange.simulator.market import SHARD, SimMarket, price_ranges
from recio.exchange.simulator.matchbook import MatchBook
from recio.exchange.simulator.orders import Fill, Order, Traded
from recio.exchange.simulator.shards import Transfer
from recio.units import ONE_DOLLAR_E4, format_fixed

__all__ = [
    "SERIES",
    "USER_ID",
    "event",
    "fill",
    "group",
    "iso",
    "lean",
    "market",
    "order",
    "orderbook",
    "position",
    "series",
    "settlement",
    "strikes",
    "trade",
    "transfer",
]

Json = dict[str, Any]
USER_ID = "5f0c0000-0000-4000-8000-000000000001"
SERIES = {
    "KXBTCD": ("hourly", "Bitcoin price at the hour"),
    "KXBTC": ("hourly", "Bitcoin price range at the hour"),
    "KXBTC15M": ("fifteen_min", "Bitcoin price up in 15 minutes"),
    "KXBTCSIM": ("custom", "Bitcoin price in two minutes (simulator only)"),
}
_DEPRECATED = ("liquidity_dollars", "side", "action", "taker_side")  # but a widespread client insists on them
_SOURCES = [{"name": "CF Benchmarks", "url": "https://www.cfbenchmarks.com/data/indices/BRTI"}]


def lean(row: Json, compat: str) -> Json:
    """A row as ``compat`` wants it: 'spec' leaves out what the specification calls deprecated or does not know."""
    return row if compat == "sdk" else {name: value for name, value in row.items() if name not in _DEPRECATED}


def iso(at_s: float) -> str:
    """RFC 3339 in UTC with microseconds."""
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _whole(at_s: float) -> str:
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def dollars(price_e4: int) -> str:
    """A price with four decimals."""
    return format_fixed(price_e4, 4)


def count(count_e2: int) -> str:
    """A count with two decimals."""
    return format_fixed(count_e2, 2)


def money(e6: int) -> str:
    """An amount with six decimals."""
    return format_fixed(e6, 6)


def top_of_book(book: MatchBook) -> tuple[int, int, int, int]:
    """(best bid, its size, best ask, its size); 0 and 10,000 without one."""
    bids, asks = book.levels("bid"), book.levels("ask")
    bid, bid_size = bids[0] if bids else (0, 0)
    ask, ask_size = asks[0] if asks else (ONE_DOLLAR_E4, 0)
    return bid, bid_size, ask, ask_size


def yes_sub_title(market: SimMarket) -> str:
    """What YES says, in words."""
    if market.awaits_strike:
        return "Target price: TBD"
    floor_e2, cap_e2 = market.floor_e2, market.cap_e2
    if floor_e2 is None:
        return f"${_short_dollars(cap_e2 or 0)} or below"
    if cap_e2 is not None:
        return f"${_short_dollars(floor_e2)} to {_short_dollars(cap_e2)}"
    return f"${_short_dollars(floor_e2 + (1 if market.definition.strike_type == 'greater' else 0))} or above"


def _short_dollars(cents: int) -> str:
    return f"{cents // 100:,}.{cents % 100:02d}" if cents % 100 else f"{cents // 100:,}"


def strikes(market: SimMarket) -> Json:
    """floor_strike and cap_strike, as far as there are any: JSON numbers."""
    named = (("floor_strike", market.floor_e2), ("cap_strike", market.cap_e2))
    return {name: strike_e2 / 100 for name, strike_e2 in named if strike_e2 is not None}


def market(market: SimMarket, book: MatchBook) -> Json:
    """A Market object."""
    definition = market.definition
    bid, bid_size, ask, ask_size = top_of_book(book)
    title = yes_sub_title(market)
    result_s, payment_s = market.settle_after_s
    row: Json = {
        "ticker": market.ticker,
        "event_ticker": definition.event_ticker,
        "market_type": "binary",
        "title": SERIES[definition.series_ticker][1],
        "subtitle": title,
        "yes_sub_title": title,
        "no_sub_title": title,
        "created_time": _whole(definition.created_s),
        "updated_time": iso(market.updated_ms / 1000),
        "open_time": _whole(definition.open_s),
        "close_time": _whole(definition.close_s),
        "expected_expiration_time": _whole(definition.close_s + result_s),
        "expiration_time": _whole(definition.close_s + 7 * 86_400),
        "latest_expiration_time": _whole(definition.close_s + 7 * 86_400),
        "settlement_timer_seconds": payment_s,
        "status": market.status,
        "notional_value_dollars": "1.0000",
        "yes_bid_dollars": dollars(bid),
        "yes_bid_size_fp": count(bid_size),
        "yes_ask_dollars": dollars(ask),
        "yes_ask_size_fp": count(ask_size),
        "no_bid_dollars": dollars(ONE_DOLLAR_E4 - ask),
        "no_ask_dollars": dollars(ONE_DOLLAR_E4 - bid),
        "last_price_dollars": dollars(market.last_price_e4),
        "previous_yes_bid_dollars": "0.0000",
        "previous_yes_ask_dollars": "0.0000",
        "previous_price_dollars": "0.0000",
        "volume_fp": count(market.volume_e2),
        "volume_24h_fp": count(market.volume_e2),
        "open_interest_fp": count(market.open_interest_e2),
        "liquidity_dollars": "0.0000",
        "result": market.result,
        "expiration_value": market.expiration_value,
        "can_close_early": True,
        "settlement_bounds_type": "default",
        "strike_type": definition.strike_type,
        "rules_primary": f"Yes if the mean of the 60 one-second index values before the close is {title}.",
        "rules_secondary": "",
        "price_level_structure": definition.price_structure,
        "price_ranges": [
            {"start": dollars(start), "end": dollars(end), "step": dollars(step)}
            for start, end, step in price_ranges(definition.price_structure)
        ],
        "is_provisional": False,
        "exchange_index": SHARD,
    }
    row |= strikes(market)
    if market.value_e4 is not None:
        row["settlement_value_dollars"] = dollars(market.value_e4)
    if market.settled_ms:
        row["settlement_ts"] = iso(market.settled_ms / 1000)
    return row


def event(markets: list[SimMarket]) -> Json:
    """The Event object of its markets."""
    definition = markets[0].definition
    local = eastern(definition.close_s)
    return {
        "event_ticker": definition.event_ticker,
        "series_ticker": definition.series_ticker,
        "title": SERIES[definition.series_ticker][1],
        "sub_title": f"{local:%b %d, %Y at %H:%M:%S} New York",
        "collateral_return_type": "",
        "mutually_exclusive": definition.series_ticker == "KXBTC",
        "category": "Crypto",
        "strike_date": _whole(definition.close_s),
        "settlement_sources": _SOURCES,
        "last_updated_ts": iso(max(market.updated_ms for market in markets) / 1000),
        "exchange_index": SHARD,
    }


def series(ticker: str) -> Json:
    """A Series object. KeyError for an unknown one."""
    frequency, title = SERIES[ticker]
    return {
        "ticker": ticker,
        "frequency": frequency,
        "title": title,
        "category": "Crypto",
        "categories": ["Crypto"],
        "tags": ["BTC"],
        "settlement_sources": _SOURCES,
        "contract_url": "",
        "contract_terms_url": "",
        "fee_type": "quadratic",
        "fee_multiplier": 1,
        "additional_prohibitions": [],
        "exchange_index": SHARD,
    }


def orderbook(book: MatchBook, depth: int = 0) -> Json:
    """Bids of both sides, ascending: the best is last. ``depth`` 0 is all."""
    yes = book.levels("bid")
    no = [(ONE_DOLLAR_E4 - price, size) for price, size in book.levels("ask")]
    if depth:
        yes, no = yes[:depth], no[:depth]
    return {
        "yes_dollars": [[dollars(price), count(size)] for price, size in reversed(yes)],
        "no_dollars": [[dollars(price), count(size)] for price, size in reversed(no)],
    }


def trade(traded: Traded) -> Json:
    """A public trade."""
    taker = "yes" if traded.taker_side == "bid" else "no"
    return {
        "trade_id": traded.trade_id,
        "ticker": traded.ticker,
        "count_fp": count(traded.count_e2),
        "yes_price_dollars": dollars(traded.yes_price_e4),
        "no_price_dollars": dollars(ONE_DOLLAR_E4 - traded.yes_price_e4),
        "taker_side": taker,
        "taker_outcome_side": taker,
        "taker_book_side": traded.taker_side,
        "created_time": iso(traded.at_ms / 1000),
        "is_block_trade": False,
    }


def _direction(side: str) -> Json:
    """An order's direction in the old and the new words: a sell of YES reads action sell, side yes, outcome no."""
    return {
        "side": "yes",
        "action": "buy" if side == "bid" else "sell",
        "outcome_side": "yes" if side == "bid" else "no",
        "book_side": side,
    }


def order(order: Order) -> Json:
    """An Order object."""
    row: Json = {
        "order_id": order.order_id,
        "user_id": USER_ID,
        "client_order_id": order.client_order_id,
        "ticker": order.ticker,
        **_direction(order.side),
        "type": "limit",
        "status": order.status,
        "yes_price_dollars": dollars(order.price_e4),
        "no_price_dollars": dollars(ONE_DOLLAR_E4 - order.price_e4),
        "initial_count_fp": count(order.initial_e2),
        "fill_count_fp": count(order.filled_e2),
        "remaining_count_fp": count(order.remaining_e2),
        "taker_fill_cost_dollars": money(order.taker_cost_e6),
        "maker_fill_cost_dollars": money(order.maker_cost_e6),
        "taker_fees_dollars": money(order.taker_fees_e6),
        "maker_fees_dollars": money(order.maker_fees_e6),
        "expiration_time": None if order.expires_s is None else _whole(order.expires_s),
        "created_time": iso(order.created_ms / 1000),
        "last_update_time": iso(order.updated_ms / 1000),
        "self_trade_prevention_type": order.self_trade,
        "order_group_id": order.group_id or None,
        "cancel_order_on_pause": order.cancel_on_pause,
        "subaccount_number": 0,
        "exchange_index": SHARD,
    }
    return row


def fill(fill: Fill) -> Json:
    """A Fill object."""
    return {
        "fill_id": fill.trade_id,
        "trade_id": fill.trade_id,
        "order_id": fill.order_id,
        "ticker": fill.ticker,
        "market_ticker": fill.ticker,
        **_direction(fill.side),
        "count_fp": count(fill.count_e2),
        "yes_price_dollars": dollars(fill.yes_price_e4),
        "no_price_dollars": dollars(ONE_DOLLAR_E4 - fill.yes_price_e4),
        "is_taker": fill.is_taker,
        "fee_cost": money(fill.fee_e6),
        "created_time": iso(fill.at_ms / 1000),
        "ts": fill.at_ms // 1000,
        "subaccount_number": 0,
        "exchange_index": SHARD,
    }


def position(held: Position) -> Json:
    """A MarketPosition object."""
    return {
        "ticker": held.ticker,
        "exchange_index": SHARD,
        "total_traded_dollars": money(held.traded_e6),
        "position_fp": count(held.position_e2),
        "market_exposure_dollars": money(held.cost_e6),
        "realized_pnl_dollars": money(held.realized_e6),
        "fees_paid_dollars": money(held.fees_e6),
        "last_updated_ts": iso(held.updated_ms / 1000),
    }


def settlement(row: Settlement) -> Json:
    """A Settlement object. Revenue and value are integer cents on the wire."""
    yes, no = max(row.position_e2, 0), max(-row.position_e2, 0)
    return {
        "ticker": row.ticker,
        "exchange_index": SHARD,
        "event_ticker": row.event_ticker,
        "market_result": row.result,
        "yes_count_fp": count(yes),
        "yes_total_cost_dollars": money(row.cost_e6 if yes else 0),
        "no_count_fp": count(no),
        "no_total_cost_dollars": money(row.cost_e6 if no else 0),
        "revenue": row.revenue_e6 // 10_000,
        "settled_time": iso(row.at_ms / 1000),
        "fee_cost": money(row.fees_e6),
        "value": row.value_e4 // 100,
    }


def group(group: OrderGroup) -> Json:
    """An OrderGroup object."""
    return {
        "id": group.group_id,
        "contracts_limit_fp": count(group.limit_e2),
        "is_auto_cancel_enabled": True,
        "exchange_index": SHARD,
    }


def transfer(done: Transfer) -> Json:
    """An IntraExchangeInstanceTransfer object."""
    row: Json = {
        "transfer_id": done.transfer_id,
        "source": "event_contract",
        "destination": "event_contract",
        "source_exchange_shard": done.source,
        "destination_exchange_shard": done.destination,
        "amount": money(done.amount_e6),
        "status": "complete",
        "created_ts": done.at_ms // 1000,
    }
    return row | ({"client_transfer_id": done.client_transfer_id} if done.client_transfer_id else {})
