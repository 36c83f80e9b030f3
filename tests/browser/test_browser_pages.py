"""Every page: no accessibility violation in either look, nothing scrolls sideways on a phone, nothing says undefined."""

from __future__ import annotations

import re
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect
from weblook.dialogs import dialogs
from weblook.layout import flaws
from weblook.site import goto, settle


def _axe(page: Any) -> list[Any]:
    found = Axe().run(page).response["violations"]
    return [(v["id"], v["impact"], [n["target"] for n in v["nodes"]][:4]) for v in found]


@pytest.mark.parametrize("size", ["desk", "phone"])
@pytest.mark.parametrize("look", ["dark", "light"])
def test_axe_finds_nothing_on_any_page_or_dialog(
    open_page: Any, site_pages: dict[str, str], look: str, size: str
) -> None:
    page = open_page("/", size, look)
    found = {}
    for name, path in site_pages.items():
        goto(page, path)
        settle(page)
        found[name] = _axe(page)
        for dialog in dialogs(page):
            found[f"{name}, dialog {dialog}"] = _axe(page)
    assert not any(found.values()), {where: what for where, what in found.items() if what}


@pytest.mark.parametrize("look", ["dark", "light"])
def test_axe_finds_nothing_at_log_in(browser: Any, trial: Any, look: str) -> None:
    context = trial.site.context(browser, "desk", look)
    page = context.new_page()
    page.goto("/login")
    found = _axe(page)
    context.close()
    assert not found


@pytest.mark.parametrize("size", ["desk", "phone", "small"])
def test_nothing_overlaps_is_cut_off_or_says_undefined(open_page: Any, site_pages: dict[str, str], size: str) -> None:
    page = open_page("/", size)
    found = {}
    for name, path in site_pages.items():
        goto(page, path)
        settle(page)
        found[name] = flaws(page)
        for dialog in dialogs(page):
            found[f"{name}, dialog {dialog}"] = flaws(page)
    assert not any(found.values()), {where: what for where, what in found.items() if what}


@pytest.mark.parametrize("size", ["phone", "small"])
def test_fingers_find_every_link_of_the_navigation(open_page: Any, size: str) -> None:
    page = open_page("/", size)
    links = [link for link in page.locator(".nav a").all() if link.is_visible()]
    assert links
    for link in links:
        box = link.bounding_box()
        assert box is not None and box["height"] >= 44 and box["width"] >= 44, link.inner_text()


def test_the_check_for_ugly_pages_sees_what_it_is_for(open_page: Any) -> None:
    page = open_page("/account")
    settle(page)
    page.evaluate("""() => {
        const add = (text, css) => {
            const el = document.createElement("div");
            el.textContent = text; el.style.cssText = css;  // by script's own hand: no style attribute is parsed
            document.querySelector("main").prepend(el);
        };
        add("a long line of text that does not fit", "width:60px;white-space:nowrap;overflow:hidden");
        add("left is NaN", ""); add("value: undefined", "");
        add("lies over others", "position:absolute;top:120px;left:300px"); add("lies below", "position:absolute;top:121px;left:300px");
        add("far to the right", "position:absolute;left:3000px;white-space:nowrap");
    }""")
    said = "\n".join(flaws(page))
    for word in ("cut off", '"left is NaN"', '"value: undefined"', "overlap", "outside the page", "scrolls sideways"):
        assert word in said, f"{word} is not in: {said}"


def test_the_system_page_shows_the_twelve_beside_their_contract(open_page: Any) -> None:
    page = open_page("/system")
    expect(page.locator("tr[data-service]")).to_have_count(12)
    expect(page.locator("tr[data-service] .health.good")).to_have_count(12, timeout=30_000)
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
