"""What axe finds on a page."""

from __future__ import annotations

from typing import Any

from axe_playwright_python.sync_playwright import DEFAULT_OPTIONS, Axe
from playwright.sync_api import Page

# ``preload`` serves only a rule that is off, and puts a slow style sheet into the page by hand, which our policy rightly forbids.
ALL = {**DEFAULT_OPTIONS, "preload": False}


def violations(page: Page, options: dict[str, Any] = ALL, part: dict[str, Any] | None = None) -> list[dict[str, Any]]:
    """Each broken rule as axe tells it (id, impact, nodes); of a part of the page only, if asked."""
    found: list[dict[str, Any]] = Axe().run(page, context=part, options=options).response["violations"]
    return found
