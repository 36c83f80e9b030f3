"""What a service need not carry: imported before anything else by the process of each of the twelve.

Their memory is a figure of the contract, and two libraries bring in a module for hosts this is not:
- psycopg2's wheel imports ``ssl`` only to share the locks of OpenSSL before 1.1 with it (psycopgmodule.c); without it libpq
  sets up its own OpenSSL. 0.8 to 1.6 MB in each of the seven services that speak to nobody but the database.
- msgspec asks typing_extensions first for what typing has since Python 3.11. 0.4 MB.
- psycopg2.extras names ``logging`` once, in a connection that writes its statements there, which nobody here opens. 0.4 MB; it is given an
  empty module of that name instead, which it keeps to itself.

All can be imported afterwards by whoever does need them.
"""

from __future__ import annotations

import importlib
import sys
from types import ModuleType

__all__ = ["import_without"]


def import_without(name: str, absent: str, stand_in: ModuleType | None = None) -> None:
    """Import module ``name``, for which ``absent`` cannot be imported meanwhile, or is ``stand_in`` (if nobody has imported it before)."""
    if absent in sys.modules:
        importlib.import_module(name)
        return
    sys.modules[absent] = stand_in  # type: ignore[assignment]  # None is importlib's own sign for "cannot be imported"
    try:
        importlib.import_module(name)
    finally:
        del sys.modules[absent]


import_without("msgspec", "typing_extensions")
import_without("psycopg2", "ssl")
import_without("psycopg2.extras", "logging", ModuleType("logging"))
