"""The database's size over the last week, from db_poller's samples: one an hour, found by the index however many there are."""

from __future__ import annotations

from recio.store.db import Queries

__all__ = ["size_history"]

_POINTS = """
SELECT extract(epoch FROM s.at)::float8 AS at_s, s.size_mb
  FROM generate_series(now() - interval '7 days', now(), interval '1 hour') hour,
       LATERAL (SELECT at, size_mb FROM system.database_samples
                 WHERE at >= hour AND at < hour + interval '1 hour' ORDER BY at LIMIT 1) s
UNION ALL (SELECT extract(epoch FROM at)::float8, size_mb FROM system.database_samples ORDER BY at DESC LIMIT 1)
ORDER BY 1
"""


def size_history(db: Queries) -> tuple[list[tuple[float, float]], str]:
    """(epoch seconds, MB of the database), oldest first; and its folder as root last read it, in words ('' before the first time)."""
    points = [(row["at_s"], row["size_mb"]) for row in db.all(_POINTS)]
    name = "directories.postgresql_data.size_mb"
    read = db.one("SELECT figures -> %s ->> 'measured' AS measured FROM system.readings", (name,))
    return points, (read["measured"] or "") if read else ""
