"""Queries of the outbox: what is worth telling, what is due, what became of it; and the targets, without their secrets."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from recio.store.audit import audit_statement
from recio.store.db import Database, Queries
from recio.store.pool import Pool

__all__ = [
    "ALIVE",
    "add_target",
    "ask_test",
    "collect",
    "due",
    "healthy_services",
    "heartbeats_due",
    "note_heartbeat",
    "outbox",
    "remove_target",
    "settle",
    "targets",
]

Row = dict[str, Any]
# The one event of a heartbeat's target, and the key of the one row that tells what became of its newest sign of life.
ALIVE = "alive"

# One statement: everything of the last hours that a target wants and was not told yet. Keys make it safe to repeat.
# An incident that comes back within 15 minutes is not told again; its end is told where its beginning was.
_COLLECT = """
WITH incident AS (
  SELECT *, CASE WHEN key ILIKE '%%backup%%' THEN 'backup' ELSE 'incident_' || severity END AS event
  FROM system.incidents WHERE opened_at > now() - interval '6 hours'),
trade AS (
  SELECT * FROM users.trades WHERE user_id = %(user)s AND mode = %(mode)s AND created_at > now() - interval '2 days'),
news AS (
  SELECT 'incident ' || incident_id AS key, event, 'Incident: ' || cause AS title,
         coalesce(nullif(action, ''), 'See the System page.') || ' (seen by ' || seen_by || ')' AS body, opened_at AS at
    FROM incident i WHERE NOT EXISTS (SELECT FROM system.incidents o WHERE o.key = i.key AND o.incident_id < i.incident_id
      AND o.opened_at > i.opened_at - interval '15 minutes')
  UNION ALL
  SELECT 'trade ' || trade_id || ' open', 'entry', 'Entry: ' || market_ticker || ' ' || upper(side),
         trim_scale(entry_count_e2 / 100.0) || ' contracts for $' || round(entry_cost_e6 / 1e6, 2) || ', trade ' || trade_id, opened_at
    FROM trade WHERE entry_count_e2 > 0 AND opened_at > now() - interval '6 hours'
  UNION ALL
  SELECT 'trade ' || trade_id || ' closed', 'exit', 'Ended: ' || market_ticker || ' ' || upper(side) || ', '
         || CASE WHEN pnl_e6 IS NULL THEN 'result not known' WHEN pnl_e6 < 0 THEN '-$' || round(-pnl_e6 / 1e6, 2)
            ELSE '+$' || round(pnl_e6 / 1e6, 2) END,
         CASE WHEN exit_count_e2 > 0 THEN 'sold before the close' ELSE 'settled by its result' END
         || ', after fees of $' || round(fees_e6 / 1e6, 2) || ', trade ' || trade_id, closed_at
    FROM trade WHERE state = 'closed' AND entry_count_e2 > 0 AND closed_at > now() - interval '6 hours'
  UNION ALL
  SELECT 'trade ' || trade_id || ' error', 'refused', 'Not made: ' || market_ticker || ' ' || upper(side),
         coalesce(nullif(reason, ''), 'no reason on record') || ', trade ' || trade_id, created_at
    FROM trade WHERE state = 'error' AND created_at > now() - interval '6 hours'
  UNION ALL
  SELECT 'order ' || order_id || ' unknown', 'unknown', 'An order is in doubt: trade ' || trade_id,
         'The exchange''s answer was lost; nothing is entered until it was looked up. ' || reason, sent_at
    FROM users.orders WHERE user_id = %(user)s AND mode = %(mode)s AND state = 'unknown'
  UNION ALL
  SELECT 'day ' || d.day, 'summary', 'The day ' || d.day || ': ' || CASE WHEN p.pnl_e6 IS NULL THEN 'no trade'
         WHEN p.pnl_e6 < 0 THEN '-$' || round(-p.pnl_e6 / 1e6, 2) ELSE '+$' || round(p.pnl_e6 / 1e6, 2) END,
         coalesce(p.trades || ' trades, ' || p.wins || ' won, fees $' || round(p.fees_e6 / 1e6, 2), 'Nothing was closed.')
         || ' Mode ' || %(mode)s || '.', (d.day + 1)::timestamp AT TIME ZONE 'America/New_York'
    FROM (SELECT ((now() AT TIME ZONE 'America/New_York')::date - 1) AS day) d LEFT JOIN LATERAL (
      SELECT count(*) AS trades, count(*) FILTER (WHERE pnl_e6 > 0) AS wins, sum(pnl_e6)::bigint AS pnl_e6, sum(fees_e6)::bigint AS fees_e6
        FROM users.trades WHERE user_id = %(user)s AND mode = %(mode)s AND state = 'closed' AND entry_count_e2 > 0
         AND closed_at >= d.day::timestamp AT TIME ZONE 'America/New_York'
         AND closed_at < (d.day + 1)::timestamp AT TIME ZONE 'America/New_York') p ON true),
wanted AS (
  SELECT t.target_id, n.* FROM news n JOIN users.notify_targets t ON t.user_id = %(user)s AND t.enabled
     AND t.removed_at IS NULL AND n.event = ANY(t.events) AND n.at > t.created_at
  UNION ALL
  SELECT o.target_id, 'incident ' || i.incident_id || ' over', o.event, 'Over: ' || i.cause,
         'It lasted ' || date_trunc('second', i.closed_at - i.opened_at) || '.', i.closed_at
    FROM system.incidents i JOIN users.notifications o ON o.key = 'incident ' || i.incident_id AND o.state <> 'failed'
   WHERE i.closed_at > now() - interval '6 hours')
INSERT INTO users.notifications (target_id, key, event, urgent, title, body)
SELECT target_id, key, event, event = ANY(%(urgent)s), left(title, 200), left(body, 1000) FROM wanted
ON CONFLICT (target_id, key) DO NOTHING
"""


def collect(db: Database, user_id: str, mode: str, urgent: Sequence[str]) -> int:
    """Put everything new into the outbox; gives how many messages that made."""
    return db.run(_COLLECT, {"user": user_id, "mode": mode, "urgent": list(urgent)})


def due(db: Database, limit: int = 100) -> list[Row]:
    """Messages whose time has come, oldest first, with their target's address and quiet hours."""
    return db.all(
        "SELECT n.*, t.address, t.quiet_from, t.quiet_to, t.zone FROM users.notifications n"
        " JOIN users.notify_targets t USING (target_id) WHERE n.state = 'new' AND n.next_try_at <= now()"
        " AND t.removed_at IS NULL AND t.enabled ORDER BY n.notification_id LIMIT %s",
        (limit,),
    )


def settle(db: Database, notification_id: int, state: str, answer: str, next_try_s: float = 0.0) -> None:
    """What a try gave: ``sent``, ``failed`` for good, or ``new`` to be tried again in ``next_try_s`` seconds."""
    db.run(
        "UPDATE users.notifications SET state = %s, answer = %s, tries = tries + 1, next_try_at = now() + make_interval(secs => %s),"
        " sent_at = CASE WHEN %s = 'sent' THEN now() END WHERE notification_id = %s",
        (state, answer, next_try_s, state, notification_id),
    )


# ------------------------------------------------------------------ the sign of life
def heartbeats_due(db: Database, user_id: str, every_s: float) -> list[Row]:
    """Targets that get a sign of life and had none for ``every_s`` seconds, with their address."""
    return db.all(
        "SELECT t.target_id, t.address FROM users.notify_targets t LEFT JOIN users.notifications n"
        " ON n.target_id = t.target_id AND n.key = %(event)s WHERE t.user_id = %(user)s AND t.enabled AND t.removed_at IS NULL"
        " AND %(event)s = ANY(t.events) AND (n.sent_at IS NULL OR n.sent_at < now() - make_interval(secs => %(every)s))"
        " ORDER BY t.target_id",
        {"event": ALIVE, "user": user_id, "every": every_s},
    )


def healthy_services(db: Database, services: Collection[str], max_age_s: float = 60.0) -> dict[str, bool]:
    """Whether each service was healthy when it was looked at last; one that nobody looked at for ``max_age_s`` is not in it."""
    rows = db.all(
        "SELECT DISTINCT ON (service) service, healthy FROM system.service_samples"
        " WHERE service = ANY(%s) AND at > now() - make_interval(secs => %s) ORDER BY service, at DESC",
        (list(services), max_age_s),
    )
    return {row["service"]: row["healthy"] for row in rows}


def note_heartbeat(db: Database, target_id: int, state: str, answer: str) -> None:
    """What became of the newest sign of life (``sent`` or ``failed``): one row a target, the last good one's time stays."""
    db.run(
        "INSERT INTO users.notifications (target_id, key, event, urgent, title, body, state, answer, tries, sent_at)"
        " VALUES (%(target)s, %(event)s, %(event)s, false, '', '', %(state)s, %(answer)s, 1, CASE WHEN %(state)s = 'sent' THEN now() END)"
        " ON CONFLICT (target_id, key) DO UPDATE SET state = %(state)s, answer = %(answer)s, tries = CASE WHEN %(state)s = 'sent'"
        " THEN 0 ELSE users.notifications.tries + 1 END, sent_at = coalesce(excluded.sent_at, users.notifications.sent_at)",
        {"target": target_id, "event": ALIVE, "state": state, "answer": answer},
    )


# ------------------------------------------------------------------ the page
def targets(db: Queries, user_id: str) -> list[Row]:
    """The user's targets; never their addresses."""
    return db.all(
        "SELECT t.target_id, t.name, t.kind, t.hint, t.events, t.quiet_from, t.quiet_to, t.zone, t.enabled, t.created_at,"
        " %(alive)s = ANY(t.events) AS is_heartbeat, n.state AS beat_state, n.answer AS beat_answer, n.sent_at AS beat_at"
        " FROM users.notify_targets t LEFT JOIN users.notifications n ON n.target_id = t.target_id AND n.key = %(alive)s"
        " WHERE t.user_id = %(user)s AND t.removed_at IS NULL ORDER BY t.target_id",
        {"alive": ALIVE, "user": user_id},
    )


def outbox(db: Queries, user_id: str, limit: int = 30) -> list[Row]:
    """The newest messages with what became of them."""
    return db.all(
        "SELECT n.notification_id, n.event, n.title, n.state, n.tries, n.answer, n.created_at, n.sent_at, n.next_try_at, t.name"
        " FROM users.notifications n JOIN users.notify_targets t USING (target_id) WHERE t.user_id = %s"
        " AND n.key <> %s ORDER BY n.notification_id DESC LIMIT %s",
        (user_id, ALIVE, limit),
    )


def add_target(pool: Pool, user_id: str, by: str, row: Mapping[str, Any]) -> None:
    """A new target, with its line in the audit log; the address is in no log."""
    detail = {name: row[name] for name in ("name", "kind", "hint", "events", "quiet_from", "quiet_to", "zone")}
    pool.batch([
        (
            "INSERT INTO users.notify_targets (user_id, name, kind, address, hint, events, quiet_from, quiet_to, zone)"
            " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)",
            (user_id, row["name"], row["kind"], row["address"], row["hint"], list(row["events"]), row["quiet_from"], row["quiet_to"],
             row["zone"]),
        ),
        audit_statement(by, "add notification target", detail),
    ])  # fmt: skip


def remove_target(pool: Pool, user_id: str, by: str, target_id: int) -> None:
    """Take a target away and forget its address; what was told stays on record."""
    pool.batch([
        (
            "UPDATE users.notify_targets SET removed_at = now(), enabled = false, address = '' WHERE user_id = %s AND target_id = %s",
            (user_id, target_id),
        ),
        audit_statement(by, "remove notification target", {"target_id": target_id}),
    ])  # fmt: skip


def ask_test(pool: Pool, user_id: str, by: str, target_id: int, key: str) -> None:
    """A test message to one target, whatever it wants to be told and whatever the hour."""
    pool.batch([
        (
            "INSERT INTO users.notifications (target_id, key, event, urgent, title, body) SELECT target_id, %s, 'test', true,"
            " 'REC.IO: a test', 'If you can read this, this desk can reach you here.' FROM users.notify_targets"
            " WHERE user_id = %s AND target_id = %s AND removed_at IS NULL",
            (key, user_id, target_id),
        ),
        audit_statement(by, "test notification target", {"target_id": target_id}),
    ])  # fmt: skip
