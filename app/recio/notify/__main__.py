"""``python -m recio.notify``: one pass, then the end. Says what it did when it did something."""

from __future__ import annotations

import sys

from recio.contract import load
from recio.contract.settings import load_settings
from recio.notify.alive import keep_alive
from recio.notify.work import run
from recio.store.db import Database

settings = load_settings()
db = Database("notify")
done = run(db, settings.user_id, settings.mode)
alive = keep_alive(db, settings.user_id, load().services)
done |= {name: count for name, count in alive.items() if name != "alive"}  # a line a minute would say nothing
if any(done.values()):
    print(", ".join(f"{count} {name}" for name, count in done.items() if count), file=sys.stderr)
