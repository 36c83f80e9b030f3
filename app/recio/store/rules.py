"""Queries of the rules: monitors and their versions, the facts of one evaluation, decisions, why each monitor waits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from psycopg2.extras import Json

from recio.store.audit import audit_statement
from recio.store.db import Database
from recio.store.market_data import when

if TYPE_CHECKING:  # the services that import this module have no pool
    from recio.store.db import Queries

__all__ = [
    "archive_statements",
    "audit_statement",
    "bars_since",
    "entry_facts",
    "forget_finished",
    "held_trades",
    "keep_memory",
    "keep_seen",
    "monitor_row",
    "monitor_rows",
    "monitor_statements",
    "save_decisions",
    "save_entry_status",
    "versions",
]

Row = dict[str, Any]
Statement = tuple[str, tuple[Any, ...]]

# ------------------------------------------------------------------ monitors
_MONITOR = "monitor_id, strategy, series_ticker, enabled, settings, version, changed_at, changed_by, archived_at"


def monitor_rows(db: Queries, user_id: str) -> list[Row]:
    """Every monitor of the user, by id."""
    return db.all(
        f"SELECT {_MONITOR} FROM users.monitors WHERE user_id = %s ORDER BY monitor_id",  # noqa: S608 - constant names
        (user_id,),
    )


def monitor_row(db: Queries, user_id: str, monitor_id: str) -> Row | None:
    """One monitor, or None."""
    return db.one(
        f"SELECT {_MONITOR} FROM users.monitors WHERE user_id = %s AND monitor_id = %s",  # noqa: S608 - constant names
        (user_id, monitor_id),
    )


def monitor_statements(user_id: str, row: Mapping[str, Any], by: str, action: str) -> list[Statement]:
    """Store a monitor (its id, strategy, series_ticker, enabled, settings), audit it and tell the services: for one
    transaction. The version counts up by itself and is kept by the database."""
    value = {name: row[name] for name in ("strategy", "series_ticker", "enabled", "settings")}
    return [
        (
            "INSERT INTO users.monitors (user_id, monitor_id, strategy, series_ticker, enabled, settings, changed_by)"
            " VALUES (%s, %s, %s, %s, %s, %s, %s) ON CONFLICT (user_id, monitor_id) DO UPDATE SET"
            " strategy = excluded.strategy, series_ticker = excluded.series_ticker, enabled = excluded.enabled,"
            " settings = excluded.settings, changed_by = excluded.changed_by, changed_at = now(),"
            " version = monitors.version + 1",
            (user_id, row["monitor_id"], row["strategy"], row["series_ticker"], row["enabled"], Json(row["settings"]), by),
        ),
        audit_statement(by, f"{action} monitor {row['monitor_id']}", value),
        ("SELECT pg_notify('setting', %s)", (f"monitor {row['monitor_id']}",)),
    ]  # fmt: skip


def archive_statements(user_id: str, monitor_id: str, archived: bool, by: str) -> list[Statement]:
    """Put a monitor aside (off, out of the list; its stop still protects what it holds), or bring it back, off."""
    done = "archive" if archived else "bring back"
    return [
        (
            "UPDATE users.monitors SET archived_at = CASE WHEN %s THEN now() END, enabled = false, version = version + 1,"
            " changed_at = now(), changed_by = %s WHERE user_id = %s AND monitor_id = %s",
            (archived, by, user_id, monitor_id),
        ),
        audit_statement(by, f"{done} monitor {monitor_id}", {"archived": archived}),
        ("SELECT pg_notify('setting', %s)", (f"monitor {monitor_id}",)),
    ]


def versions(db: Queries, user_id: str, kind: str, name: str, limit: int = 20, before: int | None = None) -> list[Row]:
    """The newest versions of a setting (kind ``setting``) or monitor (``monitor``), newest first; older than ``before``."""
    return db.all(
        "SELECT version, value, changed_at, changed_by FROM users.settings_versions"
        " WHERE user_id = %s AND kind = %s AND name = %s AND version < %s ORDER BY version DESC, version_id DESC LIMIT %s",
        (user_id, kind, name, 2**31 - 1 if before is None else before, limit),
    )


# ------------------------------------------------------------------ auto entry
_FACTS = """
WITH tables AS MATERIALIZED (
  SELECT event_ticker, series_ticker, close_time, rows, stamps_ns FROM live_data.strike_tables
   WHERE close_time > now() AND built_at > now() - %(table_age)s * interval '1 second'),
near AS MATERIALIZED (
  SELECT t.event_ticker, r ->> 'market_ticker' AS market_ticker FROM tables t, jsonb_array_elements(t.rows) r
   WHERE t.close_time < now() + %(within)s * interval '1 second' AND t.series_ticker = ANY(%(series)s::text[]))
SELECT
  (SELECT json_object_agg(name, value) FROM users.settings WHERE user_id = %(user)s) AS settings,
  (SELECT json_agg(m) FROM (SELECT monitor_id, strategy, series_ticker, enabled, settings, version,
      (SELECT extract(epoch FROM max(t.created_at))::float8 FROM users.trades t WHERE t.user_id = m.user_id
        AND t.mode = %(mode)s AND t.monitor_id = m.monitor_id AND t.created_at > now() - interval '1 day') AS last_order_s
      FROM users.monitors m WHERE user_id = %(user)s AND archived_at IS NULL ORDER BY monitor_id) m) AS monitors,
  (SELECT row_to_json(p) FROM (SELECT momentum_bp, extract(epoch FROM now() - received_at)::float8 AS age_s
      FROM live_data.btc_price) p) AS price,
  (SELECT row_to_json(d) FROM (SELECT entries_allowed, root_cause, extract(epoch FROM now() - at)::float8 AS age_s
      FROM system.dependency_state) d) AS dependencies,
  (SELECT balance_e6 FROM users.balances WHERE mode = %(mode)s) AS balance_e6,
  (SELECT json_agg(json_build_object('event_ticker', event_ticker, 'series_ticker', series_ticker,
      'close_s', extract(epoch FROM close_time)::float8, 'rows', rows, 'stamps_ns', stamps_ns)
      ORDER BY close_time, event_ticker) FROM tables) AS tables,
  (SELECT json_object_agg(b.market_ticker, json_build_object('valid', b.valid,
      'yes_bids', jsonb_path_query_array(b.yes_bids, '$[0 to 19]'), 'no_bids', jsonb_path_query_array(b.no_bids, '$[0 to 19]'),
      'age_s', extract(epoch FROM now() - b.received_at)::float8, 'price_ranges', m.price_ranges))
     FROM near JOIN live_data.books b USING (market_ticker) JOIN live_data.markets m USING (market_ticker)) AS books,
  (SELECT json_agg(json_build_object('event_ticker', event_ticker, 'market_ticker', market_ticker, 'side', side,
      'live', state IN ('pending', 'open', 'closing'), 'entered', entry_count_e2 > 0 OR state = 'pending'))
     FROM users.trades WHERE user_id = %(user)s AND mode = %(mode)s
      AND event_ticker IN (SELECT event_ticker FROM tables)) AS trades,
  (SELECT json_agg(json_build_object('market_ticker', market_ticker, 'side', side, 'monitor_id', monitor_id,
      'asked_s', extract(epoch FROM created_at)::float8))
     FROM users.tickets WHERE state = 'new' AND user_id = %(user)s AND mode = %(mode)s AND kind = 'open') AS undecided,
  (SELECT json_agg(a) FROM (SELECT DISTINCT ON (k.market_ticker, k.side) k.market_ticker, k.side, k.state, k.reason,
      extract(epoch FROM k.decided_at)::float8 AS decided_s, count(*) OVER (PARTITION BY k.market_ticker, k.side) AS asked
     FROM users.tickets k WHERE k.user_id = %(user)s AND k.mode = %(mode)s AND k.source = 'auto_entry'
      AND k.market_ticker IN (SELECT market_ticker FROM near)
     ORDER BY k.market_ticker, k.side, k.ticket_id DESC) a) AS asked
"""


def entry_facts(
    db: Database, user_id: str, mode: str, series: Sequence[str], within_s: float, table_age_s: float
) -> Row:
    """Everything one evaluation needs, in one round and of one moment: settings, monitors with their last order, price,
    dependencies, fresh strike tables; and for markets of ``series`` that close ``within_s``: books, trades, tickets.

    A list that is empty comes as [], so that "none" and "not known" stay apart: a failing query raises."""
    row = db.hot(
        _FACTS,
        {"user": user_id, "mode": mode, "series": list(series), "within": within_s, "table_age": table_age_s},
    )[0]
    for name in ("monitors", "tables", "trades", "undecided", "asked"):
        row[name] = row[name] or []
    for name in ("settings", "books"):
        row[name] = row[name] or {}
    return row


def bars_since(db: Database, since_s: float) -> list[tuple[float, int]]:
    """(start_s, close in cents) of the 1-second bars since a time, oldest first; as two arrays, for an hour and more of
    rows would weigh on a lean process."""
    row = db.one(
        "SELECT array_agg(extract(epoch FROM at)::float8 ORDER BY at) AS at_s, array_agg(close_e2 ORDER BY at) AS close_e2"
        " FROM live_data.btc_bars_1s WHERE at >= %s",
        (when(since_s),),
    )
    return list(zip(row["at_s"], row["close_e2"], strict=True)) if row and row["at_s"] else []


_DECISION = (
    "user_id", "mode", "at", "kind", "monitor_id", "monitor_version", "strategy", "model_version", "series_ticker",
    "event_ticker", "market_ticker", "close_time", "side", "action", "reason", "why", "count_e2", "limit_price_e4",
    "probability_model", "probability_market", "probability", "ask_e4", "differential_e4", "raw_differential_e4",
    "ticket_id", "inputs",
)  # fmt: skip


def save_decisions(db: Database, rows: Sequence[Row]) -> None:
    """Append decisions; ``inputs`` is the state's JSON as text. In the caller's transaction, if there is one."""
    db.run_many(
        f"INSERT INTO users.decisions ({', '.join(_DECISION)}) VALUES %s",  # noqa: S608 - constant names
        [tuple(row.get(name) for name in _DECISION) for row in rows],
    )


def save_entry_status(db: Database, rows: Sequence[tuple[Any, ...]]) -> None:
    """Why each monitor acts or not: (market_ticker, monitor_id, action, reason, why, differential_e4,
    raw_differential_e4) of everything judged now; what is not among it goes."""
    now = datetime.now(UTC)
    with db.transaction(durable=False):
        db.run_many(
            "INSERT INTO live_data.entry_status (market_ticker, monitor_id, action, reason, why, differential_e4,"
            " raw_differential_e4, acting, at) VALUES %s ON CONFLICT (market_ticker, monitor_id) DO UPDATE SET"
            " action = excluded.action, reason = excluded.reason, why = excluded.why, acting = excluded.acting,"
            " differential_e4 = excluded.differential_e4, raw_differential_e4 = excluded.raw_differential_e4, at = excluded.at",
            [(*row, row[2] == "enter", now) for row in rows],
        )
        db.run("DELETE FROM live_data.entry_status WHERE at < %s", (now,))


# ------------------------------------------------------------------ protecting what is held
def held_trades(db: Database, user_id: str, mode: str) -> list[Row]:
    """Every open or closing trade with its market, book, monitor, what its stop remembers, and its exits so far: one
    round, of one moment."""
    return db.all(
        "SELECT t.*, m.strike_type, m.floor_strike_e2, m.cap_strike_e2, m.price_ranges, b.yes_bids, b.no_bids, b.valid,"
        " extract(epoch FROM now() - b.received_at)::float8 AS book_age_s, l.memory, coalesce(l.alarm, false) AS alarm,"
        " o.strategy, o.settings AS monitor_settings, o.version AS monitor_version, o.enabled AS monitor_enabled,"
        " (SELECT count(*) FROM users.orders x WHERE x.user_id = t.user_id AND x.trade_id = t.trade_id"
        "   AND x.purpose = 'exit') AS exits,"
        " EXISTS (SELECT FROM users.orders x WHERE x.user_id = t.user_id AND x.trade_id = t.trade_id AND x.purpose = 'exit'"
        "   AND x.state IN ('intent', 'sending', 'resting', 'partially_filled', 'unknown')) AS exit_unfinished,"
        " EXISTS (SELECT FROM users.tickets k WHERE k.state = 'new' AND k.user_id = t.user_id AND k.kind = 'close'"
        "   AND k.trade_id = t.trade_id) AS exit_asked"
        " FROM users.trades t LEFT JOIN live_data.markets m ON m.market_ticker = t.market_ticker"
        " LEFT JOIN live_data.books b ON b.market_ticker = t.market_ticker"
        " LEFT JOIN users.live_trades l ON l.user_id = t.user_id AND l.trade_id = t.trade_id"
        " LEFT JOIN users.monitors o ON o.user_id = t.user_id AND o.monitor_id = t.monitor_id"
        " WHERE t.user_id = %s AND t.mode = %s AND t.state IN ('open', 'closing') ORDER BY t.trade_id",
        (user_id, mode),
    )


def keep_memory(db: Database, user_id: str, trade_id: int, memory: str) -> None:
    """What the stop remembers of a trade (JSON), in the caller's transaction: before anything is asked for because of
    it."""
    db.run(
        "INSERT INTO users.live_trades (user_id, trade_id, at, memory) VALUES (%s, %s, now(), %s)"
        " ON CONFLICT (user_id, trade_id) DO UPDATE SET memory = excluded.memory",
        (user_id, trade_id, memory),
    )


def keep_seen(db: Database, rows: Sequence[tuple[Any, ...]]) -> None:
    """(user_id, trade_id, at, exit_price_e4, pnl_if_closed_e6, probability, stop_state, note, memory, alarm) of every
    trade looked at."""
    db.run_many(
        "INSERT INTO users.live_trades (user_id, trade_id, at, exit_price_e4, pnl_if_closed_e6, probability, stop_state,"
        " note, memory, alarm) VALUES %s ON CONFLICT (user_id, trade_id) DO UPDATE SET at = excluded.at,"
        " exit_price_e4 = excluded.exit_price_e4, pnl_if_closed_e6 = excluded.pnl_if_closed_e6,"
        " probability = excluded.probability, stop_state = excluded.stop_state, note = excluded.note,"
        " memory = excluded.memory, alarm = excluded.alarm",
        rows,
    )


def forget_finished(db: Database, user_id: str) -> list[int]:
    """Remove what was remembered of trades that are finished (not of ones that only left ``open`` for a moment); gives
    the trades whose alarm was still on."""
    rows = db.all(
        "DELETE FROM users.live_trades l WHERE user_id = %s AND NOT EXISTS (SELECT FROM users.trades t WHERE"
        " t.user_id = l.user_id AND t.trade_id = l.trade_id AND t.state IN ('open', 'closing')) RETURNING trade_id, alarm",
        (user_id,),
    )
    return [row["trade_id"] for row in rows if row["alarm"]]
