"""The database's settings as this host can hold them: the application's own rule, which the controller reads as a file."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

_path = Path(__file__).resolve().parents[2] / "app/recio/contract/fit.py"
_spec = importlib.util.spec_from_file_location("recio_contract_fit", _path)
if _spec is None or _spec.loader is None:
    raise ImportError(f"{_path} cannot be read: is this checkout whole?")
_fit = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_fit)


def postgresql_fit(settings: dict[str, Any], host: dict[str, Any]) -> dict[str, Any]:
    """``settings``: what the host holds of the contract's; ``less``: a line for each that is less than asked."""
    held, why = _fit.fitted(settings, host["memory_mb"], host["cores"])
    return {"settings": held, "less": [f"{name}: {reason}" for name, reason in why.items()]}


class FilterModule:
    """Registers the function above."""

    def filters(self) -> dict[str, Any]:
        """Name -> function."""
        return {"recio_postgresql_fit": postgresql_fit}
