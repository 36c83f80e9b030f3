"""What a service need not carry: imported before anything else by the process of each of the twelve.

Their memory is a figure of the contract, and two libraries bring in a module for hosts this is not:
- psycopg2's wheel imports ``ssl`` only to share the locks of OpenSSL before 1.1 with it (psycopgmodule.c); without it libpq
  sets up its own OpenSSL. 0.8 to 1.6 MB in each of the seven services that speak to nobody but the database.
- msgspec asks typing_extensions first for what typing has since Python 3.11. 0.4 MB.

Both can be imported afterwards by whoever does need them.
"""

from __future__ import annotations

import importlib
import sys

__all__ = ["import_without"]


def import_without(name: str, absent: str) -> None:
    """Import module ``name``, for which ``absent`` cannot be imported meanwhile (if nobody has done so before)."""
    if absent in sys.modules:
        importlib.import_module(name)
        return
    sys.modules[absent] = None  # type: ignore[assignment]  # importlib's own sign for "cannot be imported"
    try:
        importlib.import_module(name)
    finally:
        del sys.modules[absent]


import_without("msgspec", "typing_extensions")
import_without("psycopg2", "ssl")
