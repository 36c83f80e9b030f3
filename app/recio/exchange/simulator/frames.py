"""The bodies of the WebSocket's messages."""

from __future__ import annotations

import json
from typing import Any

from recio.exchange.simulator import render
from recio.exchange.simulator.account import Position
from recio.exchange.simulator.engine import MatchBook
from recio.exchange.simulator.index import WINDOW_S, Index, decimals
from recio.exchange.simulator.market import SHARD, SimMarket, price_ranges
from recio.exchange.simulator.orders import BookChanged, Fill, GroupChanged, Order, Traded
from recio.units import ONE_DOLLAR_E4

__all__ = [
    "delta",
    "fill",
    "index_value",
    "index_value_5hz",
    "lifecycle",
    "market_position",
    "order_group",
    "snapshot",
    "ticker",
    "trade",
    "user_order",
]

Json = dict[str, Any]


def _no_price(yes_price_e4: int, yes_priced: bool) -> str:
    return render.dollars(yes_price_e4 if yes_priced else ONE_DOLLAR_E4 - yes_price_e4)


def snapshot(market: SimMarket, book: MatchBook, clock: int, yes_priced: bool) -> Json:
    """orderbook_snapshot. Both sides are always there, empty or not: some clients need them."""
    no = book.levels("ask")
    return {
        "market_ticker": market.ticker,
        "market_id": market.definition.market_id,
        "clock": clock,
        "yes_dollars_fp": [[render.dollars(p), render.count(c)] for p, c in reversed(book.levels("bid"))],
        "no_dollars_fp": [[_no_price(p, yes_priced), render.count(c)] for p, c in (no if yes_priced else reversed(no))],
    }


def delta(changed: BookChanged, market: SimMarket, clock: int, now_ms: int, yes_priced: bool) -> Json:
    """orderbook_delta."""
    is_no = changed.side == "no"
    row: Json = {
        "market_ticker": changed.ticker,
        "market_id": market.definition.market_id,
        "clock": clock,
        "price_dollars": _no_price(changed.yes_price_e4, yes_priced) if is_no else render.dollars(changed.yes_price_e4),
        "delta_fp": render.count(changed.delta_e2),
        "side": changed.side,
        "ts": render.iso(now_ms / 1000),
        "ts_ms": now_ms,
    }
    if changed.client_order_id:
        row["client_order_id"] = changed.client_order_id
    return row


def ticker(market: SimMarket, book: MatchBook, last_e2: int, now_ms: int) -> Json:
    """ticker."""
    bid, bid_size, ask, ask_size = render.top_of_book(book)
    return {
        "market_ticker": market.ticker,
        "market_id": market.definition.market_id,
        "price_dollars": render.dollars(market.last_price_e4),
        "yes_bid_dollars": render.dollars(bid),
        "yes_ask_dollars": render.dollars(ask),
        "yes_bid_size_fp": render.count(bid_size),
        "yes_ask_size_fp": render.count(ask_size),
        "last_trade_size_fp": render.count(last_e2),
        "volume_fp": render.count(market.volume_e2),
        "open_interest_fp": render.count(market.open_interest_e2),
        "dollar_volume": market.volume_e2 // 200,
        "dollar_open_interest": market.open_interest_e2 // 200,
        "ts": now_ms // 1000,
        "ts_ms": now_ms,
        "time": render.iso(now_ms / 1000),
    }


def trade(traded: Traded) -> Json:
    """trade."""
    row = render.trade(traded)
    row["market_ticker"] = row.pop("ticker")
    del row["created_time"]
    return row | {"ts": traded.at_ms // 1000, "ts_ms": traded.at_ms}


def fill(filled: Fill) -> Json:
    """fill."""
    row = render.fill(filled)
    for name in ("fill_id", "ticker", "created_time", "no_price_dollars", "subaccount_number"):
        del row[name]
    return row | {
        "client_order_id": filled.client_order_id,
        "purchased_side": row["outcome_side"],
        "post_position_fp": render.count(filled.post_position_e2),
        "ts_ms": filled.at_ms,
    }


def user_order(order: Order) -> Json:
    """user_order."""
    row = render.order(order)
    for name in ("action", "type", "no_price_dollars", "cancel_order_on_pause"):
        del row[name]
    if not order.group_id:
        del row["order_group_id"]
    row |= {
        "is_yes": order.side == "bid",
        "created_ts_ms": order.created_ms,
        "last_updated_ts_ms": order.updated_ms,
    }
    if row["expiration_time"] is None:
        del row["expiration_time"]
    if order.reason:
        row["last_update_reason"] = order.reason
    return row


def market_position(held: Position) -> Json:
    """market_position."""
    return {
        "user_id": render.USER_ID,
        "market_ticker": held.ticker,
        "position_fp": render.count(held.position_e2),
        "position_cost_dollars": render.money(held.cost_e6),
        "realized_pnl_dollars": render.money(held.realized_e6),
        "fees_paid_dollars": render.money(held.fees_e6),
        "position_fee_cost_dollars": render.money(held.fees_e6),
        "volume_fp": render.count(abs(held.position_e2)),
    }


def order_group(changed: GroupChanged) -> Json:
    """order_group_updates."""
    body: Json = {"event_type": changed.kind, "order_group_id": changed.group_id, "ts_ms": changed.at_ms}
    if changed.kind in ("created", "limit_updated"):
        body["contracts_limit_fp"] = render.count(changed.limit_e2)
    return body


def lifecycle(kind: str, market: SimMarket) -> Json | None:
    """market_lifecycle_v2; None for what the exchange does not announce (a close)."""
    definition = market.definition
    body: Json = {"market_ticker": market.ticker, "exchange_index": SHARD, "event_type": kind}
    title = render.yes_sub_title(market)
    strike = {} if market.strike_e2 is None else {"floor_strike": market.strike_e2 / 100}
    if kind == "created":
        body |= {
            "open_ts": definition.open_s,
            "close_ts": definition.close_s,
            "price_level_structure": definition.price_structure,
            "price_ranges": [
                {"start": render.dollars(a), "end": render.dollars(b), "step": render.dollars(c)}
                for a, b, c in price_ranges(definition.price_structure)
            ],
            "additional_metadata": {
                "name": title,
                "title": render.SERIES[definition.series_ticker][1],
                "yes_sub_title": title,
                "no_sub_title": title,
                "rules_primary": "",
                "rules_secondary": "",
                "can_close_early": True,
                "event_ticker": definition.event_ticker,
                "expected_expiration_ts": definition.close_s + market.settle_after_s[0],
                "strike_type": definition.strike_type,
                **strike,
            },
        }
    elif kind == "metadata_updated":
        del body["exchange_index"]  # the one message that does not say it
        body |= {"strike_type": definition.strike_type, "yes_sub_title": title, **strike}
    elif kind == "determined":
        body |= {
            "result": market.result,
            "settlement_value": render.dollars(market.value_e4 or 0),
            "determination_ts": market.determined_ms // 1000,
        }
    elif kind == "settled":
        body |= {"settled_ts": market.settled_ms // 1000}
    else:
        return None
    return body


def index_value(index: Index, second: int, now_ms: int) -> Json:
    """cfbenchmarks_value: the index at a second; in a quarter's last minute also the mean so far of what settles it."""
    value = decimals(index.value_e2(second), 1, 2)
    body: Json = {
        "index_id": "BRTI",
        "received_at": now_ms,
        "data": json.dumps({"type": "value", "id": "BRTI", "time": second * 1000, "value": value}),
        "avg_60s_data": {
            "value": index.average_text(second),
            "window_size": WINDOW_S,
            "window_start_ts_ms": (second - WINDOW_S) * 1000,
            "window_end_ts_exclusive": second * 1000,
        },
    }
    close_s = -(-second // 900) * 900
    total, known = index.window_sum_e2(close_s, second)
    if known:
        body["last_60s_windowed_average_15min"] = {
            "value": decimals(total, known, 8),
            "window_size": known,
            "window_start_ts_ms": (close_s - WINDOW_S) * 1000,
            "window_end_ts_exclusive": second * 1000 + 1,
        }
    return body


def index_value_5hz(index: Index, at_s: float, now_ms: int) -> Json:
    """cfbenchmarks_value_5hz: the index between whole seconds."""
    source_ms, cents = int(at_s * 1000), index.now_e2(at_s)
    value = decimals(cents, 1, 2)
    return {
        "index_id": "BRTI",
        "value_usd": decimals(cents, 1, 8),
        "source_ts_ms": source_ms,
        "received_at": now_ms,
        "data": json.dumps({"type": "value", "id": "BRTI", "time": source_ms, "value": value}),
    }
