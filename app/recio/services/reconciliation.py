"""The account held against the ledger, and the ledger against its own log: a difference is an incident with both
numbers, never patched over.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import msgspec

from recio.exchange.kalshi.models import OrderView
from recio.monitoring.health import Check
from recio.services import log
from recio.services.account_desk import AccountDesk
from recio.services.ledger_port import Row
from recio.trading.adopt import ForeignOrder
from recio.trading.balance import expected_balance
from recio.trading.events import Mismatch, differences, is_provable
from recio.trading.reconcile import ExchangeRecords, LedgerRecords, OrderRecord, Reconciliation, reconcile
from recio.trading.states import order_state_of_answer

__all__ = ["prove_log", "reconcile_account", "unproven"]

_WINDOW_S = 3600.0
_EDGE_S = 120.0
_GRACE_S = 15.0  # reads lag writes on the exchange's side
_INCIDENT = "account differs from ledger"
_ACTION = (
    "Compare Account and History; entries wait until both agree. A deposit: accept it on the Account page. An order the"
    " ledger does not know: recio account adopt; where it rests, cancel it on the Account page first"
)
_LOG_INCIDENT = "trade differs from its log"
_LOG_ACTION = "Something else than trade_manager changed users.trades; compare `recio trade show` with the log"
_SEEN_BY = "kalshi_account_sync"


def _exchange_records(desk: AccountDesk, since_s: float) -> tuple[ExchangeRecords, dict[str, OrderView]]:
    """Read everything; an ExchangeError passes through: a failed query never means flat."""
    since = int(since_s)
    fills = desk.client.fills(min_ts=since)
    # What rests is read however old it is: an order placed by hand before the window began holds cash all the same.
    listed = (*desk.client.orders(min_ts=since), *desk.client.orders(status="resting"))
    orders = {order.client_order_id or order.order_id: order for order in listed}
    touched: dict[str, float] = {}
    for fill in fills:
        touched[fill.market_ticker] = max(touched.get(fill.market_ticker, 0.0), fill.ts_s)
    records = ExchangeRecords(
        orders=[
            OrderRecord(
                client_order_id=key,
                market_ticker=order.ticker,
                state=order_state_of_answer(order.status, order.initial_count_e2, order.fill_count_e2).value,
                filled_e2=order.fill_count_e2,
                changed_s=order.last_update_time_s or order.created_time_s or 0.0,
            )
            for key, order in orders.items()
        ],
        fills={fill.fill_id: fill.count_e2 for fill in fills},
        positions={p.market_ticker: p.position_e2 for p in desk.client.positions() if p.position_e2},
        balance_e6=desk.client.balance().balance_e6,
        touched_s=touched,
    )
    return records, orders


def _foreign(desk: AccountDesk, key: str, order: OrderView) -> Row:
    """What adopting an order the ledger does not know takes; its market is asked for, it may be gone from our list."""
    market = desk.client.market(order.ticker)
    plain: Row = msgspec.to_builtins(
        ForeignOrder(
            client_order_id=key,
            exchange_order_id=order.order_id,
            market_ticker=order.ticker,
            event_ticker=market.event_ticker,
            series_ticker=market.series_ticker,
            strike_e2=market.floor_strike_e2 or market.cap_strike_e2,
            close_s=market.close_time_s,
            book_side=order.book_side,
            yes_price_e4=order.yes_price_e4,
            count_e2=order.initial_count_e2,
            filled_e2=order.fill_count_e2,
            status=order.status,
            created_s=order.created_time_s or order.last_update_time_s or desk.clock(),
        )
    )
    return plain


def _ledger_records(desk: AccountDesk, since_s: float, anchor: Row | None) -> tuple[LedgerRecords, int | None]:
    # Read from earlier than the exchange's list: what lies near its start may be in only one of them.
    view = desk.store.ledger_view(desk.db, desk.mode, since_s - _EDGE_S)
    dated = {row["client_order_id"]: row["at_s"] for row in view["orders"]}
    dated |= {row["fill_id"]: row["at_s"] for row in view["fills"]}
    touched: dict[str, float] = {}
    for row in [*view["fills"], *view["positions"]]:
        touched[row["market_ticker"]] = max(touched.get(row["market_ticker"], 0.0), row["changed_s"])
    cash_e6: int | None = view["cash_e6"] if view["cash_known"] else None
    records = LedgerRecords(
        orders=[
            OrderRecord(
                client_order_id=row["client_order_id"],
                market_ticker=row["market_ticker"],
                state=row["state"],
                filled_e2=row["acked_count_e2"],
                changed_s=row["changed_s"],
            )
            for row in view["orders"]
        ],
        fills={row["fill_id"]: row["count_e2"] for row in view["fills"]},
        positions={row["market_ticker"]: row["position_e2"] for row in view["positions"] if row["position_e2"]},
        balance_e6=expected_balance(anchor, cash_e6),
        settling=frozenset(row["market_ticker"] for row in view["positions"] if row["settling"]),
        touched_s=touched,
        edge=frozenset(key for key, at_s in dated.items() if at_s < since_s + _EDGE_S),
        ended=frozenset(view["ended"]),
    )
    return records, cash_e6


def reconcile_account(desk: AccountDesk, foreign: Collection[str] = ()) -> Check:
    """One reconciliation; keeps its outcome, opens or closes the incident, gives the health check. ``foreign`` are client
    order ids known not to be the ledger's."""
    now_s = desk.clock()
    anchor = desk.store.cash_anchor(desk.db, desk.mode)
    # Back to where both last agreed: what was lost with a disk hours ago, or done elsewhere meanwhile, must not fade away.
    agreed_s = desk.store.agreed_at_s(desk.db, desk.mode)
    since_s = now_s - _WINDOW_S if agreed_s is None else min(now_s - _WINDOW_S, agreed_s - _EDGE_S)
    # The ledger first: what the exchange learns in between is only newer, and the grace time covers it.
    ours, cash_e6 = _ledger_records(desk, since_s, anchor)
    theirs, listed = _exchange_records(desk, since_s)
    found: Reconciliation = reconcile(theirs, ours, now_s, grace_s=_GRACE_S, foreign=foreign)
    markets = {order.client_order_id: order.market_ticker for order in (*ours.orders, *(theirs.orders or ()))}
    rows = [
        {"about": d.about, "key": d.key, "ledger": d.ledger, "exchange": d.exchange, "why": d.why}
        | ({"market": markets[d.key]} if d.about == "order" else {})
        | ({"order": _foreign(desk, d.key, listed[d.key])} if d.about == "order" and d.ledger == "none" else {})
        for d in found.differences
    ]
    desk.store.save_reconciliation(desk.db, desk.mode, rows)
    if found.ok:
        quiet = not found.waiting and not ours.settling
        if anchor is None and quiet and cash_e6 is not None and theirs.balance_e6 is not None:
            desk.store.set_cash_anchor(desk.db, desk.mode, theirs.balance_e6, cash_e6)
        desk.store.close_incident(desk.db, _INCIDENT)
        return Check("reconciliation", True)
    told = "; ".join(f"{d.about} {d.key}: ledger {d.ledger}, exchange {d.exchange}" for d in found.differences[:5])
    told = told or f"not read: {', '.join(found.unread)}"
    if desk.store.open_incident(desk.db, _INCIDENT, "critical", told, _ACTION, _SEEN_BY):
        log.warning("account differs from ledger", differences=told)
    return Check("reconciliation", False, told)


def unproven(trades: Sequence[Row]) -> list[Mismatch]:
    """Where rows of users.trades, each with its ``events``, are not the fold of their logs."""
    return [wrong for trade in trades if is_provable(trade["events"]) for wrong in differences(trade, trade["events"])]


def prove_log(desk: AccountDesk, trades: Sequence[Row]) -> Check:
    """Hold trades against their logs; opens or closes the incident, gives the health check."""
    wrong = unproven(trades)
    if not wrong:
        desk.store.close_incident(desk.db, _LOG_INCIDENT)
        return Check("log", True)
    told = "; ".join(f"trade {m.trade_id} {m.column}: row {m.row}, log {m.log}" for m in wrong[:5])
    if desk.store.open_incident(desk.db, _LOG_INCIDENT, "critical", told, _LOG_ACTION, _SEEN_BY):
        log.warning(_LOG_INCIDENT, differences=told)
    return Check("log", False, told)
