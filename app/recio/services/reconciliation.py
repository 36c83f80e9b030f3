"""The account held against the ledger: a difference is an incident with both numbers, never patched over."""

from __future__ import annotations

import time

from recio.contract.settings import Settings
from recio.exchange.kalshi.client import KalshiClient
from recio.monitoring.health import Check
from recio.services import log
from recio.store import account as store
from recio.store.db import Database
from recio.store.system import close_incident, open_incident
from recio.trading.reconcile import ExchangeRecords, LedgerRecords, OrderRecord, Reconciliation, reconcile
from recio.trading.states import order_state_of_answer

__all__ = ["reconcile_account"]

_WINDOW_S = 3600.0
_EDGE_S = 120.0
_GRACE_S = 15.0  # reads lag writes on the exchange's side
_INCIDENT = "account differs from ledger"
_ACTION = "Compare Account and History; entries wait until both agree"


def _exchange_records(client: KalshiClient, since_s: float) -> ExchangeRecords:
    """Read everything; an ExchangeError passes through: a failed query never means flat."""
    since = int(since_s)
    return ExchangeRecords(
        orders=[
            OrderRecord(
                client_order_id=order.client_order_id,
                market_ticker=order.ticker,
                state=order_state_of_answer(order.status, order.initial_count_e2, order.fill_count_e2).value,
                filled_e2=order.fill_count_e2,
                changed_s=order.last_update_time_s or order.created_time_s or 0.0,
            )
            for order in client.orders(min_ts=since)
        ],
        fills={fill.fill_id: fill.count_e2 for fill in client.fills(min_ts=since)},
        positions={p.market_ticker: p.position_e2 for p in client.positions() if p.position_e2},
        balance_e6=None,
    )


def _ledger_records(db: Database, mode: str, since_s: float) -> LedgerRecords:
    # Read from earlier than the exchange's list: what lies near its start may be in only one of them.
    view = store.ledger_view(db, mode, since_s - _EDGE_S)
    dated = {row["client_order_id"]: row["at_s"] for row in view["orders"]}
    dated |= {row["fill_id"]: row["at_s"] for row in view["fills"]}
    touched = {row["market_ticker"]: row["changed_s"] for row in [*view["fills"], *view["positions"]]}
    return LedgerRecords(
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
        settling=frozenset(row["market_ticker"] for row in view["positions"] if row["settling"]),
        touched_s=touched,
        edge=frozenset(key for key, at_s in dated.items() if at_s < since_s + _EDGE_S),
    )


def reconcile_account(db: Database, client: KalshiClient, settings: Settings) -> Check:
    """One reconciliation; keeps its outcome, opens or closes the incident, gives the health check."""
    now_s = time.time()
    # The ledger first: what the exchange learns in between is only newer, and the grace time covers it.
    ours = _ledger_records(db, settings.mode, now_s - _WINDOW_S)
    found: Reconciliation = reconcile(_exchange_records(client, now_s - _WINDOW_S), ours, now_s, grace_s=_GRACE_S)
    rows = [
        {"about": d.about, "key": d.key, "ledger": d.ledger, "exchange": d.exchange, "why": d.why}
        for d in found.differences
    ]
    store.save_reconciliation(db, settings.mode, rows)
    if found.ok:
        close_incident(db, _INCIDENT)
        return Check("reconciliation", True)
    told = "; ".join(f"{d.about} {d.key}: ledger {d.ledger}, exchange {d.exchange}" for d in found.differences[:5])
    told = told or f"not read: {', '.join(found.unread)}"
    if open_incident(db, _INCIDENT, "critical", told, _ACTION, "kalshi_account_sync"):
        log.warning("account differs from ledger", differences=told)
    return Check("reconciliation", False, told)
