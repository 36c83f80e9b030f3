"""The System page as a person uses it, on the deployed host."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import expect
from weblook.site import goto


@pytest.mark.parametrize("size", ["desk", "phone"])
def test_says_in_one_line_how_it_is_and_fits(open_page: Any, size: str) -> None:
    page = open_page("/system", size=size)
    expect(page.locator("#verdict-line")).not_to_be_empty()
    for word in ("undefined", "NaN", "None"):
        assert word not in page.inner_text("main"), word
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_a_restart_is_asked_confirmed_and_told_to_its_end(open_page: Any) -> None:
    page = open_page("/system")
    page.locator('[data-service="db_poller"]').get_by_role("button", name="Restart").click()
    page.locator("#ask-yes").click()
    first = page.locator("#request-list li").first
    expect(first).to_contain_text("restart service db_poller")
    expect(first).to_contain_text("proved its function", timeout=60_000)


def test_logs_are_filtered_and_followed(open_page: Any) -> None:
    page = open_page("/system/logs?service=db_poller&minutes=1440")
    expect(page.locator("#log-lines tbody tr").first).to_contain_text("db_poller")
    page.locator("#follow").check()
    expect(page.locator("#log-said")).to_contain_text("Following")
    goto(page, "/system/logs?text=surely-nobody-said-this")
    expect(page.locator("#log-lines")).to_contain_text("No line fits")
