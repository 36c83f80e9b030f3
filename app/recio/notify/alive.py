"""The dead-man's switch: a sign of life a minute while every service is healthy. When it stops, the other end tells the user.

It goes out only on proof: a young sample of each service, all of them healthy. A host without power, a database that hangs, a monitor that
died, a line that is cut and a service that is ill all look the same from there: silence. A desk that enters nothing by choice (kill switch,
auto entry off) lives all the same: its services are healthy.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

from recio.notify.address import AddressError, parse
from recio.notify.send import SendError, send
from recio.store import notify_queries as queries
from recio.store.db import Database

__all__ = ["held_back", "keep_alive"]

_EVERY_S = 55.0  # a pass comes twice a minute


def held_back(seen: dict[str, bool], services: Collection[str]) -> str:
    """Why no sign of life may go out; empty when every service was seen healthy. ``seen``: service -> healthy, young samples only."""
    unseen = sorted(name for name in services if name not in seen)
    ill = sorted(name for name in services if seen.get(name) is False)
    said = [f"not healthy: {', '.join(ill)}"] if ill else []
    said += [f"not looked at lately: {', '.join(unseen)}"] if unseen else []
    return "; ".join(said) if services else "no service is known"


def keep_alive(
    db: Database, user_id: str, services: Collection[str], deliver: Callable[..., str] = send
) -> dict[str, int]:
    """One pass over the user's heartbeat targets; gives how many signs went out, failed, and were held back."""
    done = {"alive": 0, "unanswered": 0, "held back": 0}
    due = queries.heartbeats_due(db, user_id, _EVERY_S)
    why = held_back(queries.healthy_services(db, services), services) if due else ""
    for target in due:
        if why:
            queries.note_heartbeat(db, target["target_id"], "failed", f"held back, {why}")
            done["held back"] += 1
        else:
            done[_beat(db, target, deliver)] += 1
    return done


def _beat(db: Database, target: dict[str, Any], deliver: Callable[..., str]) -> str:
    try:
        answer = deliver(parse(target["address"]), "", "", event=queries.ALIVE, key=queries.ALIVE, urgent=False)
    except (SendError, AddressError) as failure:
        queries.note_heartbeat(db, target["target_id"], "failed", str(failure))
        return "unanswered"
    queries.note_heartbeat(db, target["target_id"], "sent", answer)
    return "alive"
