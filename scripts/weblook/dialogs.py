"""Every dialog of a page, opened the way a user opens it where we know how, else as it lies in the page."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator

from playwright.sync_api import Error, Page, expect

__all__ = ["dialogs"]

_ANY_ORDER = "#strikes [data-order]:not([disabled])"


def _ticket(page: Page) -> None:
    page.locator(_ANY_ORDER).first.click(timeout=15_000)
    expect(page.locator("#q-fill")).not_to_have_text("–", timeout=8_000)


_BY_HAND: dict[str, Callable[[Page], None]] = {"ticket": _ticket}


def dialogs(page: Page, known: Container[str] = ()) -> Iterator[str]:
    """Opens one dialog after the other but those ``known`` by name, yields its name while it is open, closes it again.

    A page without an open market cannot show its ticket: then the ticket is shown empty.
    """
    names = page.evaluate("() => [...document.querySelectorAll('dialog[id]')].map((d) => d.id)")
    for name in (name for name in names if name not in known):
        try:
            if name in _BY_HAND:
                _BY_HAND[name](page)
        except (Error, AssertionError):
            pass  # shown as it lies there, below
        if not page.evaluate("(id) => document.getElementById(id).open", name):
            page.evaluate("(id) => document.getElementById(id).showModal()", name)
        yield str(name)
        page.evaluate("(id) => document.getElementById(id).close()", name)
