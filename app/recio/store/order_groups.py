"""The exchange's order groups as the executor keeps them: one a day, and whether it is stopped."""

from __future__ import annotations

from typing import Any

from recio.store.db import Database

__all__ = ["newest_group", "save_group", "set_group"]


def newest_group(db: Database, mode: str) -> dict[str, Any] | None:
    """The group made last; ``day`` as text."""
    return db.one(
        "SELECT order_group_id, day::text AS day, limit_e2, state, why, changed_at FROM users.order_groups"
        " WHERE mode = %s ORDER BY group_number DESC LIMIT 1",
        (mode,),
    )


def save_group(db: Database, mode: str, group_id: str, day: str, limit_e2: int) -> None:
    """A group the exchange has just made, open."""
    db.run(
        "INSERT INTO users.order_groups (mode, order_group_id, day, limit_e2) VALUES (%s, %s, %s, %s)",
        (mode, group_id, day, limit_e2),
    )


def set_group(db: Database, group_id: str, state: str, why: str, limit_e2: int | None = None) -> None:
    """What became of a group: open, triggered or gone, and why."""
    db.run(
        "UPDATE users.order_groups SET state = %s, why = %s, limit_e2 = coalesce(%s, limit_e2), changed_at = now()"
        " WHERE order_group_id = %s",
        (state, why, limit_e2, group_id),
    )
