"""Static files in memory, under an address that carries their content's hash: cached for ever, never stale."""

from __future__ import annotations

import hashlib
import mimetypes
from dataclasses import dataclass
from pathlib import Path

from fastapi import APIRouter, Request
from starlette.responses import Response

from recio.web.errors import ApiError

__all__ = ["Static", "router", "templates_folder"]

router = APIRouter(include_in_schema=False)
_TYPES = {
    ".js": "text/javascript",
    ".css": "text/css",
    ".svg": "image/svg+xml",
    ".webmanifest": "application/manifest+json",
}


def templates_folder() -> Path:
    """Where the pages are: in the installed package, or in the source tree beside app/."""
    packaged = Path(__file__).parent / "_templates"
    return packaged if packaged.is_dir() else Path(__file__).parents[3] / "templates"


@dataclass(frozen=True)
class _File:
    content: bytes
    digest: str
    kind: str


class Static:
    """Every file below a folder, by its relative name."""

    def __init__(self, folder: Path) -> None:
        self.files: dict[str, _File] = {}
        for path in sorted(folder.rglob("*")):
            if path.is_file() and not path.name.startswith("."):
                content = path.read_bytes()
                kind = _TYPES.get(path.suffix) or mimetypes.guess_type(path.name)[0] or "application/octet-stream"
                digest = hashlib.sha256(content).hexdigest()[:12]
                self.files[path.relative_to(folder).as_posix()] = _File(content, digest, kind)

    def url(self, name: str) -> str:
        """The address of a file; raises KeyError naming it when it is missing (the build fetches vendor files)."""
        if name not in self.files:
            raise KeyError(f"static file {name} is missing; run scripts/fetch_npm.py")
        return f"/static/{self.files[name].digest}/{name}"


@router.get("/static/{digest}/{name:path}")
async def static(request: Request, digest: str, name: str) -> Response:
    """One file; for ever under its own hash, briefly under an old one."""
    found = request.app.state.desk.static.files.get(name)
    if found is None:
        raise ApiError(404, "not_found", "there is no such file", "reload the page")
    cache = "public, max-age=31536000, immutable" if digest == found.digest else "no-cache"
    return Response(found.content, media_type=found.kind, headers={"Cache-Control": cache})
