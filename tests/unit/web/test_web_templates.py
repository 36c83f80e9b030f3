"""Pages are compiled after the first proof; one that cannot be is named, so that the page is not called healthy."""

from __future__ import annotations

from jinja2 import DictLoader, Environment

from recio.web.server import _prepare


def test_a_broken_page_is_named_with_why() -> None:
    whole = {"good.html": "{{ 1 }}", "not-a-page.txt": "{% if %}"}
    assert _prepare(Environment(loader=DictLoader(whole), autoescape=True)) == ""
    said = _prepare(Environment(loader=DictLoader(whole | {"bad.html": "{% if %}"}), autoescape=True))
    assert said.startswith("bad.html: ") and len(said) > len("bad.html: ")
