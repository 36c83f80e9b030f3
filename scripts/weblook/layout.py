"""What is ugly on a page, found by a script in it: see layout.js."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Page

__all__ = ["flaws"]

_SCRIPT = (Path(__file__).parent / "layout.js").read_text(encoding="utf-8")


def flaws(page: Page) -> list[str]:
    """Sentences, one a flaw; empty for a page where nothing overlaps, is cut off, lies outside or says undefined.

    Playwright evaluates through the debugger, which the page's content security policy does not bind.
    """
    return [str(line) for line in page.evaluate(_SCRIPT)]
