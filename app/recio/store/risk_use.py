"""How much of each risk limit is used now: the facts of all trades together, for the page that sets the limits."""

from __future__ import annotations

from typing import Any

from recio.store.db import Queries

__all__ = ["risk_use"]

_USE = """
SELECT
  (SELECT count(*) FROM users.trades WHERE user_id = %(user)s AND mode = %(mode)s
     AND state IN ('pending', 'open', 'closing', 'expired'))::int AS open_trades,
  (SELECT coalesce(sum(CASE WHEN entry_count_e2 > 0 THEN entry_cost_e6 + fees_e6 ELSE count_e2 * limit_price_e4 END), 0)::bigint
     FROM users.trades WHERE user_id = %(user)s AND mode = %(mode)s
      AND state IN ('pending', 'open', 'closing', 'expired')) AS exposure_e6,
  ((SELECT coalesce(sum(pnl_e6), 0) FROM users.trades WHERE user_id = %(user)s AND mode = %(mode)s AND state = 'closed'
      AND closed_at >= date_trunc('day', now() AT TIME ZONE 'America/New_York') AT TIME ZONE 'America/New_York')
   + (SELECT coalesce(sum(pnl_if_closed_e6), 0) FROM users.live_trades WHERE user_id = %(user)s))::bigint AS daily_pnl_e6,
  (SELECT count(*) FROM users.orders WHERE user_id = %(user)s AND mode = %(mode)s AND state = 'unknown')::int AS unknown_orders,
  (SELECT extract(epoch FROM now() - received_at)::float8 FROM live_data.btc_price) AS price_age_s,
  (SELECT extract(epoch FROM now() - max(b.received_at))::float8 FROM live_data.books b
     JOIN live_data.markets m USING (market_ticker) WHERE m.mode = %(mode)s) AS book_age_s,
  (SELECT extract(epoch FROM now() - seen_at)::float8 FROM users.balances WHERE mode = %(mode)s) AS balance_age_s,
  (SELECT extract(epoch FROM now() - at)::float8 FROM live_data.exchange_state WHERE mode = %(mode)s) AS exchange_age_s,
  (SELECT abs(clock_skew_s) FROM live_data.exchange_state WHERE mode = %(mode)s) AS clock_skew_s,
  (SELECT extract(epoch FROM now() - at)::float8 FROM users.reconciliations WHERE mode = %(mode)s AND ok
     ORDER BY reconciliation_id DESC LIMIT 1) AS reconcile_age_s
"""


def risk_use(db: Queries, user_id: str, mode: str) -> dict[str, Any]:
    """One row; a fact that is not known is None. ``book_age_s`` is the newest book's: each market is judged by its own."""
    row = db.one(_USE, {"user": user_id, "mode": mode})
    assert row is not None  # noqa: S101 - a SELECT without FROM has one row
    return row
