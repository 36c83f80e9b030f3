"""``python -m recio.notify``: one pass, then the end. Says what it did when it did something."""

from __future__ import annotations

import sys

from recio.contract.settings import load_settings
from recio.notify.work import run
from recio.store.db import Database

settings = load_settings()
done = run(Database("notify"), settings.user_id, settings.mode)
if any(done.values()):
    print(", ".join(f"{count} {name}" for name, count in done.items() if count), file=sys.stderr)
