"""``python -m recio.services NAME``: the process of one unit. Only that service's own modules are imported."""

from __future__ import annotations

import importlib
import sys

import recio.services.lean  # noqa: F401  # first of all


def main() -> int:
    """Run the service named on the command line."""
    if len(sys.argv) != 2 or not sys.argv[1].isidentifier():
        sys.stderr.write("usage: python -m recio.services SERVICE\n")
        return 2
    module = importlib.import_module(f"recio.services.{sys.argv[1]}")
    return int(module.main())


if __name__ == "__main__":
    sys.exit(main())
