"""Queries of analytics.models and of the history they are built from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from psycopg2.extras import Json

from recio.store.db import Database
from recio.store.market_data import when

__all__ = [
    "active_model",
    "basis_pairs",
    "candles",
    "keep_results",
    "known_minutes",
    "latest_verdict",
    "list_models",
    "model_content",
    "save_calibration",
    "save_model",
    "settled_decisions",
    "train_ranges",
    "use_model",
]

Row = dict[str, Any]
_CONTENT_KEPT_DAYS = 90


def active_model(db: Database) -> bytes | None:
    """The active model's JSON, or None when none was built."""
    row = db.one("SELECT content FROM analytics.models WHERE active")
    return row["content"].encode() if row and row["content"] else None


def model_content(db: Database, version: str) -> bytes | None:
    """One version's JSON; None when there is no such version, or its content was dropped."""
    row = db.one("SELECT content FROM analytics.models WHERE version = %s", (version,))
    return row["content"].encode() if row and row["content"] else None


def save_model(db: Database, row: Row, *, activate: bool = True) -> None:
    """Keep a new version and, with ``activate``, use it from now on; old versions keep their range, not their tables."""
    with db.transaction():
        if activate:
            db.run("UPDATE analytics.models SET active = false WHERE active")
        db.run(
            "INSERT INTO analytics.models (version, train_from, train_to, minutes, samples, basis_bp, basis_pairs, source,"
            " active, content) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
            (
                row["version"], when(row["train_from_s"]), when(row["train_to_s"]), row["minutes"], row["samples"],
                row["basis_bp"], row["basis_pairs"], row["source"], activate, row["content"],
            ),
        )  # fmt: skip
        db.run(
            "UPDATE analytics.models SET content = NULL WHERE NOT active AND content IS NOT NULL"
            " AND made_at < now() - make_interval(days => %s)",
            (_CONTENT_KEPT_DAYS,),
        )
        if activate:
            db.notify("model", row["version"])


def use_model(db: Database, version: str | None) -> bool:
    """Make a version the active one, or none (the closed form); False when it is not there or has no tables any more."""
    with db.transaction():
        if version is not None and model_content(db, version) is None:
            return False
        db.run("UPDATE analytics.models SET active = false WHERE active")
        if version is not None:
            db.run("UPDATE analytics.models SET active = true WHERE version = %s", (version,))
        db.notify("model", version or "")
    return True


def list_models(db: Database) -> list[Row]:
    """All versions without their tables, newest first."""
    return db.all(
        "SELECT version, made_at, train_from, train_to, minutes, samples, basis_bp, basis_pairs, source, active"
        " FROM analytics.models ORDER BY made_at DESC, version DESC"
    )


def train_ranges(db: Database) -> dict[str, tuple[float, float]]:
    """Version -> [from, to) of the history it was built from, epoch seconds."""
    rows = db.all(
        "SELECT version, extract(epoch FROM train_from)::float8 AS first_s, extract(epoch FROM train_to)::float8 AS last_s"
        " FROM analytics.models"
    )
    return {row["version"]: (row["first_s"], row["last_s"]) for row in rows}


def candles(db: Database, from_s: float, to_s: float) -> list[tuple[float, int, int, int, int]]:
    """One-minute candles that begin in [from_s, to_s): (start_s, open, high, low, close in cents), oldest first."""
    rows = db.all(
        "SELECT extract(epoch FROM at)::float8 AS at_s, open_e2, high_e2, low_e2, close_e2"
        " FROM historical_data.btc_candles_1m WHERE at >= %s AND at < %s ORDER BY at",
        (when(from_s), when(to_s)),
    )
    return [(row["at_s"], row["open_e2"], row["high_e2"], row["low_e2"], row["close_e2"]) for row in rows]


def known_minutes(db: Database, from_s: float, to_s: float) -> set[int]:
    """Epoch minutes in [from_s, to_s) that are on record: what a fetch need not ask for again."""
    rows = db.all(
        "SELECT extract(epoch FROM at)::bigint / 60 AS minute FROM historical_data.btc_candles_1m"
        " WHERE at >= %s AND at < %s",
        (when(from_s), when(to_s)),
    )
    return {int(row["minute"]) for row in rows}


def basis_pairs(db: Database, mode: str) -> list[tuple[float, float]]:
    """(mean of our 60 one-second closes, index mean by the exchange) in cents of each settled quarter or hour on record.

    Only minutes with at least 55 of their seconds; one pair per close, whatever the number of its markets.
    """
    rows = db.all(
        "SELECT avg(b.close_e2)::float8 AS ours, m.value::float8 * 100 AS theirs FROM"
        " (SELECT close_time, max(expiration_value) AS value FROM live_data.markets WHERE mode = %s"
        "  AND expiration_value ~ '^[0-9]+([.][0-9]+)?$' GROUP BY close_time HAVING count(DISTINCT expiration_value) = 1) m"
        " JOIN live_data.btc_bars_1s b ON b.at > m.close_time - interval '60 seconds' AND b.at <= m.close_time"
        " GROUP BY m.close_time, m.value HAVING count(*) >= 55 ORDER BY m.close_time",
        (mode,),
    )
    return [(row["ours"], row["theirs"]) for row in rows]


def save_calibration(db: Database, mode: str, strategy: str, verdict: str, report: Row) -> None:
    """Keep a report; the newest of a strategy is what the gate for real money looks at."""
    db.run(
        "INSERT INTO analytics.calibrations (mode, strategy, verdict, report) VALUES (%s, %s, %s, %s)",
        (mode, strategy, verdict, Json(report)),
    )


def latest_verdict(db: Database, mode: str, strategies: Sequence[str]) -> dict[str, Row]:
    """strategy -> its newest calibration (verdict, made_at, report); strategies never calibrated are missing."""
    rows = db.all(
        "SELECT DISTINCT ON (strategy) strategy, verdict, made_at, report FROM analytics.calibrations"
        " WHERE mode = %s AND strategy = ANY(%s) ORDER BY strategy, made_at DESC",
        (mode, list(strategies)),
    )
    return {row["strategy"]: row for row in rows}


def keep_results(db: Database) -> int:
    """Copy the results of markets that decisions were made about, before retention takes the markets; gives how many."""
    return db.run(
        "INSERT INTO analytics.market_results (mode, market_ticker, close_time, result)"
        " SELECT mode, market_ticker, close_time, result FROM live_data.markets m WHERE result IN ('yes', 'no')"
        " AND EXISTS (SELECT FROM users.decisions d WHERE d.market_ticker = m.market_ticker) ON CONFLICT DO NOTHING"
    )


def settled_decisions(db: Database, user_id: str, mode: str) -> list[Row]:
    """Decisions whose market has a yes or no by the exchange: probabilities of ``side``, asks of both, what was paid.

    ``paid_e4`` is the mean price of the fills of the trade the decision led to, None when it led to none. A market's own
    record counts first; after retention took it, what keep_results kept, or the settlement of what was held in it.
    """
    return db.all(
        "SELECT d.at_s, d.strategy, d.event_ticker, d.market_ticker, d.side, d.model_version, d.probability_model,"
        " d.probability_market, d.probability, d.yes_ask_e4, d.no_ask_e4, d.result,"
        " CASE WHEN t.entry_count_e2 > 0 THEN round(t.entry_cost_e6::numeric / t.entry_count_e2)::int END AS paid_e4 FROM"
        " (SELECT extract(epoch FROM d.at)::float8 AS at_s, d.*, (d.inputs #>> '{row,yes_ask_e4}')::bigint AS yes_ask_e4,"
        "  (d.inputs #>> '{row,no_ask_e4}')::bigint AS no_ask_e4, coalesce(nullif(m.result, ''), r.result, s.result) AS result"
        "  FROM users.decisions d LEFT JOIN live_data.markets m ON m.market_ticker = d.market_ticker AND m.mode = d.mode"
        "  LEFT JOIN analytics.market_results r ON r.market_ticker = d.market_ticker AND r.mode = d.mode"
        "  LEFT JOIN users.settlements s ON s.market_ticker = d.market_ticker AND s.mode = d.mode"
        "  WHERE d.user_id = %s AND d.mode = %s) d"
        " LEFT JOIN users.trades t ON t.user_id = d.user_id AND t.ticket_id = d.ticket_id"
        " WHERE d.result IN ('yes', 'no') AND d.probability_model IS NOT NULL AND d.probability_market IS NOT NULL"
        " AND d.probability IS NOT NULL AND d.kind IN ('sample', 'enter') ORDER BY d.at, d.decision_id",
        (user_id, mode),
    )
