"""Which schema this code expects, and whether the database has it; cheap enough for every service's start."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

from recio.store.db import Params

__all__ = ["SchemaMismatch", "expected_revision", "require_schema"]


class SchemaMismatch(RuntimeError):
    """The database is on another schema revision than this code."""


class _One(Protocol):
    def one(self, sql: str, params: Params = ()) -> dict[str, Any] | None: ...


def expected_revision() -> str:
    """The newest revision shipped with this code, read off its file name (r0001_base.py -> '0001')."""
    versions = Path(__file__).parent / "migrations" / "versions"
    return max(path.name[1:5] for path in versions.glob("r[0-9][0-9][0-9][0-9]_*.py"))


def require_schema(db: _One) -> str:
    """The revision, when it is the expected one; SchemaMismatch with the cure when it is not."""
    row = db.one("SELECT version_num FROM public.schema_version")
    found, expected = (row["version_num"] if row else "none"), expected_revision()
    if found != expected:
        raise SchemaMismatch(
            f"database schema is {found}, this release needs {expected}; run `recio db migrate` or deploy the release"
        )
    return found
