"""Which code does which kind. A new kind: its arguments in recio.monitoring.requests, its work here, a test that it refuses.

Secrets never stand in arguments: a kind that needs one is given the name of a file in main_app's runtime folder (mode 0600),
takes it with ``secret_file`` and thereby deletes it.
"""

from __future__ import annotations

from collections.abc import Callable

from recio.hostwork import diagnostics, exchange_key, mode, rollback, work
from recio.hostwork.job import Job
from recio.monitoring.requests import KINDS

__all__ = ["HANDLERS", "WRITES"]

HANDLERS: dict[str, Callable[[Job], str]] = {
    "restart_service": work.restart_service,
    "backup_now": work.backup_now,
    "restore_test": work.restore_test,
    "diagnostics": diagnostics.diagnostics,
    "rollback": rollback.rollback,
    "set_exchange_key": exchange_key.set_exchange_key,
    "remove_exchange_key": exchange_key.remove_exchange_key,
    "mode": mode.switch_mode,
}
_KEYS = ("etc/recio/exchange_keys.json", "etc/recio/keys", "etc/recio/modes/*/settings.yml", "etc/recio/settings.yml")
# What a kind changes of the files that the audit watches: their record follows the work, and nothing else does.
WRITES: dict[str, tuple[str, ...]] = {
    "rollback": ("opt/recio/current",),
    "set_exchange_key": _KEYS,
    "remove_exchange_key": _KEYS,
    "mode": ("etc/recio/mode", "etc/recio/mode_choice.json"),
}
assert HANDLERS.keys() == KINDS.keys()  # noqa: S101 - a kind without work, or work nobody may ask for, is a mistake here
