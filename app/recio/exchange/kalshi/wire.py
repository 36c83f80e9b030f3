"""Kalshi's JSON to our units and back: the only place where their field names meet ours.

Unknown fields are ignored, missing required ones raise ValueError with the name: a silent default loses money.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from recio.exchange.errors import ClockSkewed, Refused
from recio.exchange.kalshi.budget import AccountLimits
from recio.exchange.kalshi.models import (
    Balance,
    ExchangeStatus,
    FillView,
    Market,
    NewOrder,
    OrderAck,
    OrderView,
    PositionView,
    PriceRange,
    SettlementView,
)
from recio.units import ONE_DOLLAR_E4, format_fixed, parse_fixed

__all__ = [
    "CRYPTO_SHARD",
    "account_limits",
    "balance",
    "epoch_s",
    "exchange_status",
    "fill",
    "market",
    "new_order_body",
    "order",
    "order_ack",
    "position",
    "refusal",
    "settlement",
]

Json = dict[str, Any]
CRYPTO_SHARD = 2  # crypto events live on exchange index 2 since 2026-08-24


def epoch_s(text: str) -> float:
    """RFC 3339 to epoch seconds. ValueError on anything else, and on a time without a zone."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"time without a zone: {text!r}")
    return moment.timestamp()


def _need(row: Json, name: str) -> Any:
    value = row.get(name)
    if value is None:
        raise ValueError(f"field {name!r} is missing; got {sorted(row)}")
    return value


def _money_e6(row: Json, name: str) -> int:
    return parse_fixed(_need(row, name), 6)


def _strike_e2(value: Any) -> int | None:
    """Strikes are JSON numbers (72749.99). float -> shortest text -> cents is exact for any price with two decimals."""
    if value is None:
        return None
    return parse_fixed(value if isinstance(value, str) else repr(value) if isinstance(value, float) else str(value), 2)


def _optional_s(row: Json, name: str) -> float | None:
    value = row.get(name)
    return epoch_s(value) if value else None


def market(row: Json) -> Market:
    """A row of GET /markets or the ``market`` of GET /markets/{ticker}."""
    event_ticker = str(_need(row, "event_ticker"))
    value = row.get("settlement_value_dollars")
    ranges = row.get("price_ranges") or []
    return Market(
        ticker=str(_need(row, "ticker")),
        event_ticker=event_ticker,
        series_ticker=event_ticker.partition("-")[0],
        title=str(row.get("yes_sub_title") or row.get("title") or ""),
        strike_type=str(row.get("strike_type") or ""),
        floor_strike_e2=_strike_e2(row.get("floor_strike")),
        cap_strike_e2=_strike_e2(row.get("cap_strike")),
        open_time_s=epoch_s(_need(row, "open_time")),
        close_time_s=epoch_s(_need(row, "close_time")),
        status=str(_need(row, "status")),
        result=str(row.get("result") or ""),
        settlement_value_e4=parse_fixed(value, 4) if value else None,
        expiration_value=str(row.get("expiration_value") or ""),
        volume_e2=parse_fixed(row.get("volume_fp") or "0", 2),
        yes_bid_e4=parse_fixed(row.get("yes_bid_dollars") or "0", 4),
        yes_ask_e4=parse_fixed(row.get("yes_ask_dollars") or "1", 4),
        price_ranges=tuple(
            PriceRange(parse_fixed(r["start"], 4), parse_fixed(r["end"], 4), parse_fixed(r["step"], 4)) for r in ranges
        ),
        exchange_index=int(row.get("exchange_index") or 0),
    )


def new_order_body(order: NewOrder) -> Json:
    """The body of POST /portfolio/events/orders. ValueError when the order could never be valid."""
    if order.count_e2 <= 0:
        raise ValueError(f"count_e2 must be positive, got {order.count_e2}")
    if not 0 < order.yes_price_e4 < ONE_DOLLAR_E4:
        raise ValueError(f"yes_price_e4 must lie between 1 and {ONE_DOLLAR_E4 - 1}, got {order.yes_price_e4}")
    if not order.client_order_id:
        raise ValueError("client_order_id is empty: an order without one cannot be looked up after a lost answer")
    body: Json = {
        "ticker": order.ticker,
        "client_order_id": order.client_order_id,
        "side": order.book_side,
        "count": format_fixed(order.count_e2, 2),
        "price": format_fixed(order.yes_price_e4, 4),
        "time_in_force": order.time_in_force,
        "self_trade_prevention_type": order.self_trade_prevention,
    }
    if order.post_only:
        body["post_only"] = True
    if order.reduce_only:
        body["reduce_only"] = True
    if order.expiration_time_s is not None:
        body["expiration_time"] = order.expiration_time_s
    if order.order_group_id is not None:
        body["order_group_id"] = order.order_group_id
    return body


def _round_e4(text: str) -> int:
    """An average may carry more decimals than a price: rounded half up to 1/10,000 dollar."""
    return (parse_fixed(text, 8) + 5_000) // 10_000


def order_ack(row: Json, client_order_id: str) -> OrderAck:
    """The answer to a create. ValueError when it holds no order id."""
    average, fee = row.get("average_fill_price"), row.get("average_fee_paid")
    return OrderAck(
        order_id=str(_need(row, "order_id")),
        client_order_id=str(row.get("client_order_id") or client_order_id),
        fill_count_e2=parse_fixed(_need(row, "fill_count"), 2),
        remaining_count_e2=parse_fixed(_need(row, "remaining_count"), 2),
        average_fill_price_e4=_round_e4(average) if average else None,
        average_fee_e4=_round_e4(fee) if fee else None,
        ts_s=int(row.get("ts_ms") or 0) / 1000,
    )


def order(row: Json) -> OrderView:
    """A row of GET /portfolio/orders, or the msg of a ``user_order`` frame."""
    created_ms, updated_ms = row.get("created_ts_ms"), row.get("last_updated_ts_ms")
    return OrderView(
        order_id=str(_need(row, "order_id")),
        client_order_id=str(row.get("client_order_id") or ""),
        ticker=str(_need(row, "ticker")),
        book_side=str(_need(row, "book_side")),
        status=str(_need(row, "status")),
        yes_price_e4=parse_fixed(_need(row, "yes_price_dollars"), 4),
        initial_count_e2=parse_fixed(_need(row, "initial_count_fp"), 2),
        fill_count_e2=parse_fixed(_need(row, "fill_count_fp"), 2),
        remaining_count_e2=parse_fixed(_need(row, "remaining_count_fp"), 2),
        taker_fill_cost_e6=_money_e6(row, "taker_fill_cost_dollars"),
        maker_fill_cost_e6=_money_e6(row, "maker_fill_cost_dollars"),
        fees_e6=_money_e6(row, "taker_fees_dollars") + _money_e6(row, "maker_fees_dollars"),
        created_time_s=created_ms / 1000 if created_ms else _optional_s(row, "created_time"),
        last_update_time_s=updated_ms / 1000 if updated_ms else _optional_s(row, "last_update_time"),
        exchange_index=int(row.get("exchange_index") or 0),
    )


def fill(row: Json) -> FillView:
    """A row of GET /portfolio/fills, or the msg of a ``fill`` frame."""
    ts_ms = row.get("ts_ms")
    position = row.get("post_position_fp")
    if ts_ms is None:
        ts_s = _optional_s(row, "created_time")
        if ts_s is None:
            ts_s = float(_need(row, "ts"))
    else:
        ts_s = ts_ms / 1000
    return FillView(
        fill_id=str(row.get("trade_id") or _need(row, "fill_id")),
        order_id=str(_need(row, "order_id")),
        market_ticker=str(row.get("market_ticker") or _need(row, "ticker")),
        book_side=str(_need(row, "book_side")),
        count_e2=parse_fixed(_need(row, "count_fp"), 2),
        yes_price_e4=parse_fixed(_need(row, "yes_price_dollars"), 4),
        fee_e6=parse_fixed(_need(row, "fee_cost"), 6),
        is_taker=bool(_need(row, "is_taker")),
        ts_s=ts_s,
        client_order_id=str(row.get("client_order_id") or ""),
        post_position_e2=parse_fixed(position, 2) if position else None,
    )


def position(row: Json) -> PositionView:
    """A row of ``market_positions``."""
    return PositionView(
        market_ticker=str(_need(row, "ticker")),
        position_e2=parse_fixed(_need(row, "position_fp"), 2),
        exposure_e6=_money_e6(row, "market_exposure_dollars"),
        realized_pnl_e6=_money_e6(row, "realized_pnl_dollars"),
        fees_e6=_money_e6(row, "fees_paid_dollars"),
        exchange_index=int(row.get("exchange_index") or 0),
    )


def settlement(row: Json) -> SettlementView:
    """A row of GET /portfolio/settlements. ``value`` and ``revenue`` are integer cents there."""
    result = str(_need(row, "market_result"))
    cents = row.get("value")
    if cents is None and result in ("yes", "no"):
        cents = 100 if result == "yes" else 0
    return SettlementView(
        market_ticker=str(_need(row, "ticker")),
        result=result,
        settlement_value_e4=None if cents is None else int(cents) * 100,
        revenue_e6=int(_need(row, "revenue")) * 10_000,
        settled_time_s=epoch_s(_need(row, "settled_time")),
        yes_count_e2=parse_fixed(row.get("yes_count_fp") or "0", 2),
        no_count_e2=parse_fixed(row.get("no_count_fp") or "0", 2),
        fee_e6=_money_e6(row, "fee_cost"),
    )


def balance(row: Json) -> Balance:
    """GET /portfolio/balance. ``balance_dollars`` is exact; ``balance`` (truncated cents) is the fallback."""
    exact = row.get("balance_dollars")
    shards = row.get("balance_breakdown") or []
    return Balance(
        balance_e6=parse_fixed(exact, 6) if exact else int(_need(row, "balance")) * 10_000,
        portfolio_value_e6=int(_need(row, "portfolio_value")) * 10_000,
        by_shard_e6=tuple((int(s["exchange_index"]), parse_fixed(s["balance"], 6)) for s in shards),
    )


def exchange_status(row: Json, shard: int = CRYPTO_SHARD) -> ExchangeStatus:
    """GET /exchange/status as it concerns ``shard``; the top level speaks of shard 0 only."""
    for entry in row.get("exchange_index_statuses") or []:
        if entry.get("exchange_index") == shard:
            return ExchangeStatus(bool(_need(entry, "exchange_active")), bool(_need(entry, "trading_active")))
    return ExchangeStatus(bool(_need(row, "exchange_active")), bool(_need(row, "trading_active")))


def account_limits(row: Json) -> AccountLimits:
    """GET /account/limits. ValueError for limits that would let nothing through."""
    read, write = _need(row, "read"), _need(row, "write")
    rates = [float(_need(bucket, name)) for bucket in (read, write) for name in ("refill_rate", "bucket_capacity")]
    if not all(0 < rate < 1e9 for rate in rates):
        raise ValueError(f"limits of {rates} tokens")
    return AccountLimits(str(row.get("usage_tier") or ""), *rates)


def refusal(status: int, body: Any) -> Refused:
    """A 4xx answer as an error. Four body shapes are in use: nested, flat, ``{"msg"}``, and a string ``error``."""
    nested = body.get("error") if isinstance(body, dict) else None
    if isinstance(nested, dict):
        source: Json = nested
    elif isinstance(nested, str):
        source = {"code": nested.replace(" ", "_"), "message": nested}
    elif isinstance(body, dict):
        source = body
    else:
        source = {"message": str(body)[:200]}
    message = str(source.get("message") or source.get("msg") or "")
    code = str(source.get("code") or f"http_{status}").partition(":_")[0]
    kind = ClockSkewed if code == "header_timestamp_expired" else Refused
    return kind(status, code, message, str(source.get("details") or ""))
