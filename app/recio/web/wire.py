"""Rows as they go over the wire: integers with their unit in the name, times in milliseconds since 1970 (``*_ms``)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

__all__ = ["encode", "json_response", "milliseconds", "page_response", "wire", "wire_all"]

_RENAMED = {"at": "at_ms", "exchange_time": "exchange_time_ms"}


def milliseconds(moment: datetime) -> int:
    """Since 1970."""
    return round(moment.timestamp() * 1000)


def wire(row: Mapping[str, Any]) -> dict[str, Any]:
    """A database row with every time as milliseconds under ``<name>_ms``; the rest as it is."""
    out: dict[str, Any] = {}
    for name, value in row.items():
        if isinstance(value, datetime):
            out[_RENAMED.get(name, f"{name}_ms")] = milliseconds(value)
        elif isinstance(value, Decimal):
            out[name] = int(value) if value == value.to_integral_value() else float(value)
        elif value is None and (name.endswith("_at") or name.endswith("_time") or name == "at"):
            out[f"{name}_ms"] = None
        else:
            out[name] = value
    return out


def wire_all(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Every row of a list."""
    return [wire(row) for row in rows]


def encode(value: Any) -> bytes:
    """JSON bytes; non-finite floats become null."""
    return msgspec.json.encode(value)


def json_response(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """A JSON answer, encoded once."""
    return Response(encode(value), status_code=status, headers=headers, media_type="application/json")


def page_response(request: Request, body: Mapping[str, Any], next_before: int | str | None) -> Response:
    """One page of a list: ``next_before`` is the ``before`` of the next one, null on the last; Link says it too."""
    link = None
    if next_before is not None:
        link = {
            "Link": f'<{request.url.path}?{request.url.include_query_params(before=next_before).query}>; rel="next"'
        }
    return json_response(dict(body) | {"next_before": next_before}, headers=link)
