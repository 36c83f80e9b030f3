"""Runs on a deployed host as root: what another desk on the same account would do, with the same key and a ledger of its own.

Arguments: market, side. Buys one contract at any price, past this desk, and prints the order's client order id and contracts x 100 bought.
"""

import sys
import uuid
from pathlib import Path

from recio.contract.settings import load_settings
from recio.exchange.kalshi.client import KalshiClient
from recio.exchange.kalshi.models import NewOrder

market, side = sys.argv[1:]
settings = load_settings()
key = Path("/etc/recio/keys") / settings.mode / "private_key"
client = KalshiClient(settings.kalshi.rest_url, settings.kalshi.key_id, key.read_bytes())
book_side, yes_price_e4 = ("bid", 9_900) if side == "yes" else ("ask", 100)
order = NewOrder(
    ticker=market, book_side=book_side, count_e2=100, yes_price_e4=yes_price_e4, client_order_id=str(uuid.uuid4())
)
print(order.client_order_id, client.create_order(order).fill_count_e2)
