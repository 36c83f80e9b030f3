"""Runs on a deployed host as root: the ledger, its log and the exchange's own record, order by order and to the cent.

Prints {"differences": [...], "counts": {...}, "strangers": [...]}. It asks the exchange and the tables itself; nothing of the desk's own
reconciliation is believed. ``strangers`` are orders of the account that the ledger does not know, taken off the book without a fill: what
somebody else placed there and cancelled. Those named as arguments are known to have been there before, and are no difference.
"""

import json
import sys
from collections import Counter
from pathlib import Path

from recio.contract.settings import load_settings
from recio.exchange.kalshi.client import KalshiClient
from recio.services.reconciliation import unproven
from recio.store.account import cash_anchor, ledger_cash, ledger_positions
from recio.store.db import Database
from recio.store.proof import trades_with_log
from recio.trading.balance import expected_balance

settings = load_settings()
db = Database("comparison", "dbname=rec_io_db user=postgres host=/var/run/postgresql")
key = Path("/etc/recio/keys") / settings.mode / "private_key"
client = KalshiClient(settings.kalshi.rest_url, settings.kalshi.key_id, key.read_bytes())
differences = []
strangers = []
before = set(sys.argv[1:])


def differ(what: str, here: object, there: object) -> None:
    """Note what is not the same on both sides."""
    if here != there:
        differences.append(f"{what}: ledger {here}, exchange {there}")


listed = client.orders()
for name, times in Counter(order.client_order_id for order in listed).items():
    if times > 1:
        differences.append(f"order {name} stands {times} times on the exchange")
theirs = {order.client_order_id: order for order in listed}
ours = {
    row["client_order_id"]: row
    for row in db.all(
        "SELECT client_order_id, state, purpose, acked_count_e2, exchange_order_id FROM users.orders WHERE mode = %s",
        (settings.mode,),
    )
}
for name, order in theirs.items():
    row = ours.get(name)
    if row is None:
        if order.status == "canceled" and not order.fill_count_e2:
            strangers.append(name)
        if name not in before or name not in strangers:
            differences.append(f"order {name}: the ledger does not know it")
    elif row["state"] in ("refused", "intent"):
        differ(f"order {name} is {row['state']}", 0, order.fill_count_e2)
    elif row["state"] in ("unknown", "sending", "resting"):
        differences.append(f"order {name}: still {row['state']}")
    else:
        differ(f"order {name} filled", row["acked_count_e2"], order.fill_count_e2)
for name, row in ours.items():
    if name not in theirs and row["state"] not in ("refused", "intent"):
        differences.append(f"order {name}: {row['state']} here, the exchange does not know it")

mine = {str(order.order_id) for order in listed}
filled = {fill.fill_id: fill.count_e2 for fill in client.fills() if str(fill.order_id) in mine}
booked = {
    row["fill_id"]: row["count_e2"]
    for row in db.all("SELECT fill_id, count_e2 FROM users.fills WHERE mode = %s", (settings.mode,))
}
for name in filled.keys() | booked.keys():
    differ(f"fill {name}", booked.get(name), filled.get(name))

held = {row["market_ticker"]: row["position_e2"] for row in ledger_positions(db, settings.mode) if row["position_e2"]}
there = {position.market_ticker: position.position_e2 for position in client.positions() if position.position_e2}
for name in held.keys() | there.keys():
    differ(f"position {name}", held.get(name, 0), there.get(name, 0))

cash = ledger_cash(db, settings.mode)
expected = expected_balance(cash_anchor(db, settings.mode), cash["cash_e6"] if cash["cash_known"] else None)
balance = client.balance().balance_e6
if expected is None:
    differences.append("cash: the ledger does not know what it expects")
else:
    # Whole cents are what the exchange tells.
    differ("cash in cents", round(expected / 10_000), round(balance / 10_000))

trades = trades_with_log(db, settings.mode)
differences += [f"trade {m.trade_id} {m.column}: row {m.row}, log {m.log}" for m in unproven(trades)]
by_ticket = db.all("SELECT idempotency_key FROM users.tickets GROUP BY 1 HAVING count(*) > 1")
differences += [f"ticket {row['idempotency_key']} stands twice" for row in by_ticket]
entries = db.all(
    "SELECT trade_id FROM users.orders WHERE purpose = 'entry' AND state <> 'refused' GROUP BY trade_id HAVING count(*) > 1"
)
differences += [f"trade {row['trade_id']} was entered by more than one order" for row in entries]
counts = {"orders": len(theirs), "fills": len(booked), "trades": len(trades), "balance_e6": balance}
print(json.dumps({"differences": differences, "counts": counts, "strangers": strangers}))
