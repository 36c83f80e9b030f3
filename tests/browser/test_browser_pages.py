"""Every page: no accessibility violation in either look, nothing scrolls sideways on a phone, nothing says undefined."""

from __future__ import annotations

import re
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

PAGES = {
    "trade": "/",
    "history": "/history",
    "account": "/account",
    "system": "/system",
    "settings": "/settings",
    "look": "/settings/look",
}


@pytest.mark.parametrize("look", ["dark", "light"])
@pytest.mark.parametrize("name", PAGES)
def test_axe_finds_nothing(open_page: Any, name: str, look: str) -> None:
    page = open_page(PAGES[name], "desk", look)
    page.wait_for_timeout(2_500)
    found = Axe().run(page).response["violations"]
    assert not found, [(v["id"], v["impact"], [n["target"] for n in v["nodes"]][:4]) for v in found]


@pytest.mark.parametrize("look", ["dark", "light"])
def test_axe_finds_nothing_in_the_ticket_and_at_log_in(open_page: Any, browser: Any, trial: Any, look: str) -> None:
    page = open_page("/", "desk", look)
    page.locator("#strikes [data-order]:not([disabled])").first.click(timeout=15_000)
    page.wait_for_timeout(1_000)
    found = Axe().run(page).response["violations"]
    stranger = browser.new_context(base_url=trial.url, ignore_https_errors=True, color_scheme=look)
    outside = stranger.new_page()
    outside.goto("/login")
    found += Axe().run(outside).response["violations"]
    stranger.close()
    assert not found, [(v["id"], v["impact"], [n["target"] for n in v["nodes"]][:4]) for v in found]


@pytest.mark.parametrize("size", ["phone", "small"])
@pytest.mark.parametrize("name", PAGES)
def test_a_phone_shows_every_page_without_scrolling_sideways(open_page: Any, name: str, size: str) -> None:
    page = open_page(PAGES[name], size)
    page.wait_for_timeout(1_500)
    assert page.evaluate("() => document.documentElement.scrollWidth") <= page.viewport_size["width"]
    text = page.locator("body").inner_text()
    assert not re.search(r"\b(undefined|NaN|None|null|Infinity)\b", text), text
    for link in page.locator(".nav a").all():
        box = link.bounding_box()
        assert box is not None and box["height"] >= 44 and box["width"] >= 44, link.inner_text()


def test_the_system_page_shows_the_twelve_beside_their_contract(open_page: Any) -> None:
    page = open_page("/system")
    expect(page.locator("#services tbody tr")).to_have_count(12)
    expect(page.locator("#services .health.good")).to_have_count(12, timeout=30_000)
    assert "of 256 MB" in page.locator("main").inner_text()


def test_switches_are_stored_and_shown_everywhere(open_page: Any) -> None:
    page, other = open_page("/"), open_page("/")
    toggle, there = (p.locator('[data-switch="auto_entry"] button') for p in (page, other))
    before = toggle.get_attribute("aria-checked")
    after = "false" if before == "true" else "true"
    page.wait_for_function("() => window.desk.latest.switches")
    toggle.click()
    try:
        expect(toggle).to_have_attribute("aria-checked", after, timeout=5_000)
        expect(there).to_have_attribute("aria-checked", after, timeout=5_000)
        expect(page.locator('[data-why="auto_entry"]')).to_have_text(re.compile("^(On|Acting|Waiting|Off)"))
    finally:
        toggle.click()
        expect(toggle).to_have_attribute("aria-checked", str(before), timeout=5_000)


def test_the_page_can_be_read_without_script(browser: Any, trial: Any, signed_in: Any) -> None:
    context = browser.new_context(
        base_url=trial.url, ignore_https_errors=True, java_script_enabled=False, storage_state=signed_in
    )
    page = context.new_page()
    page.goto("/")
    expect(page.locator("#price")).to_have_text(re.compile(r"^[\d,]+\.\d\d$"))
    expect(page.locator("main")).to_contain_text("Orders need script")
    page.goto("/settings")
    page.get_by_role("button", name="Stop all entries").click()
    expect(page.get_by_role("status").first).to_contain_text("Kill switch saved")
    page.get_by_role("button", name="Allow entries again").click()
    expect(page.get_by_role("button", name="Stop all entries")).to_be_visible()
    context.close()


def test_logging_out_ends_it(browser: Any, trial: Any) -> None:
    context = browser.new_context(base_url=trial.url, ignore_https_errors=True)
    page = context.new_page()
    page.goto("/login")
    page.get_by_label("Login").fill(trial.login)
    page.get_by_label("Password").fill(trial.password)
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url("**/")
    page.get_by_role("button", name="Log out").click()
    page.wait_for_url("**/login")
    page.goto("/account")
    assert page.url.endswith("/login?next=/account")
    context.close()
