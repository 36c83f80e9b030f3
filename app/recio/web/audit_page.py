"""Settings, Audit log: who changed what, when, from where; and all of it as CSV."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.responses import Response, StreamingResponse

from recio.store import audit
from recio.store.db import Queries
from recio.web.desk import desk_of
from recio.web.view import iso

__all__ = ["router"]

router = APIRouter(include_in_schema=False)
_PAGE = 50
_BATCH = 1000
Action = Annotated[str, Query(max_length=100, pattern=r"^[^\x00]*$")]
Before = Annotated[int | None, Query(ge=1, le=2**62)]


def told(detail: dict[str, Any]) -> str:
    """A line's detail as people read it: 'enabled true, why going out'."""
    return ", ".join(
        f"{name.replace('_', ' ')} {value if isinstance(value, str) else json.dumps(value)}"
        for name, value in detail.items()
    )


@router.get("/settings/audit")
def audit_page(request: Request, before: Before = None, action: Action = "") -> Response:
    """A page of the log, newest first."""
    desk = desk_of(request)
    rows = audit.audit_lines(desk.pool, _PAGE + 1, before, action)
    context = {
        "lines": [row | {"told": told(row["detail"])} for row in rows[:_PAGE]], "action": action, "before": before,
        "more": rows[_PAGE - 1]["audit_id"] if len(rows) > _PAGE else None, "actions": audit.audit_actions(desk.pool),
    }  # fmt: skip
    return desk.page(request, "audit.html", context)


@router.get("/settings/audit.csv")
def audit_csv(request: Request, action: Action = "") -> Response:
    """Every line, newest first, read in batches."""
    headers = {"Content-Disposition": 'attachment; filename="recio-audit.csv"'}
    return StreamingResponse(_csv(desk_of(request).pool, action), media_type="text/csv; charset=utf-8", headers=headers)


def _csv(db: Queries, action: str) -> Iterator[str]:
    before: int | None = None
    yield "id,at_utc,who,action,from,detail\r\n"
    while rows := audit.audit_lines(db, _BATCH, before, action):
        out = io.StringIO()
        lines = csv.writer(out)
        for row in rows:
            lines.writerow([
                row["audit_id"], iso(row["at"]), _plain(row["actor"]), _plain(row["action"]), row["remote_addr"],
                json.dumps(row["detail"]),
            ])  # fmt: skip
        yield out.getvalue()
        before = rows[-1]["audit_id"]


def _plain(text: str) -> str:
    """A text that a spreadsheet would take for a formula gets a quote in front."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text
