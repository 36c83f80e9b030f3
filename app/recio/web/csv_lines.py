"""Rows of the ledger as CSV: amounts in dollars, counts in contracts, times in UTC, and nothing a spreadsheet takes for a formula."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from recio.units import format_fixed
from recio.web.view import iso

__all__ = ["heading", "lines"]

_PLACES = {"_e2": 2, "_e4": 4, "_e6": 6}


def heading(names: Sequence[str]) -> str:
    """The first line: the columns' names without the ledger's units."""
    return _written([[name[:-3] if name[-3:] in _PLACES else name for name in names]])


def lines(rows: Iterable[Mapping[str, Any]], names: Sequence[str]) -> str:
    """One line a row; an unknown value is empty."""
    return _written([_cell(name, row[name]) for name in names] for row in rows)


def _written(cells: Iterable[Sequence[str]]) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="\r\n").writerows(cells)
    return out.getvalue()


def _cell(name: str, value: Any) -> str:
    if value is None:
        return ""
    if name[-3:] in _PLACES:
        return format_fixed(value, _PLACES[name[-3:]])
    text = iso(value) if isinstance(value, datetime) else str(value)
    return f"'{text}" if text[:1] in "=+@-\t\r" else text  # a spreadsheet must not take text for a formula
