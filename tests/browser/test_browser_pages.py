"""Every page: no accessibility violation in either look, nothing scrolls sideways on a phone, nothing says undefined."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from typing import Any

import pytest
from accessibility import ALL, violations
from playwright.sync_api import expect
from weblook.dialogs import dialogs
from weblook.layout import flaws
from weblook.site import goto, listen, settle

# What depends on colours; all else axe looks at is the same in both looks.
COLOURS = {**ALL, "runOnly": {"type": "rule", "values": ["color-contrast", "link-in-text-block"]}}


# The description of the API is one shape a hundred times over: whole once, else its beginning.
LONG = 3000
BEGINNING = {"include": [["header"], [".calls > :nth-child(-n+8)"]]}
EVERYWHERE = {"ask", "keys"}  # dialogs of every page: looked at once


def _axe(page: Any, options: dict[str, Any] = ALL, whole: bool = True) -> list[Any]:
    found = violations(page, options, None if whole else BEGINNING)
    return [(v["id"], v["impact"], [n["target"] for n in v["nodes"]][:4]) for v in found]


@pytest.fixture(scope="session")
def seen(browser: Any, trial: Any, signed_in: Any, site_pages: dict[str, str]) -> Callable[[str], dict[str, Any]]:
    """What was found in a size, as look or "flaws" -> page or dialog -> findings: each page is opened once for all of it."""

    @functools.cache
    def walked(size: str) -> dict[str, Any]:
        context = trial.site.context(browser, size, "dark", signed_in)
        page = context.new_page()
        troubles: list[str] = []
        listen(page, troubles)
        found: dict[str, dict[str, Any]] = {"flaws": {}, "dark": {}, "light": {}}

        def look_at(where: str) -> None:
            short = page.evaluate("() => document.querySelectorAll('*').length") < LONG
            found["flaws"][where] = flaws(page)
            found["dark"][where] = _axe(page, whole=short or (size == "desk" and "dialog" not in where))
            page.emulate_media(color_scheme="light")
            page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
            assert page.evaluate("() => getComputedStyle(document.documentElement).colorScheme") == "light", where
            found["light"][where] = _axe(page, COLOURS, whole=short)
            page.emulate_media(color_scheme="dark")

        known: set[str] = set()
        for name, path in site_pages.items():
            goto(page, path)
            settle(page)
            look_at(name)
            for dialog in dialogs(page, known):
                look_at(f"{name}, dialog {dialog}")
                known |= EVERYWHERE & {dialog}
        context.close()
        assert not troubles, troubles
        return found

    return walked


@pytest.mark.parametrize("size", ["desk", "phone", "small"])
@pytest.mark.parametrize("look", ["dark", "light"])
def test_axe_finds_nothing_on_any_page_or_dialog(seen: Any, look: str, size: str) -> None:
    found = seen(size)[look]
    assert len(found) > 10, f"too few pages were seen: {list(found)}"
    assert not any(found.values()), {where: what for where, what in found.items() if what}


def test_axe_sees_what_it_is_for_in_either_look(open_page: Any) -> None:
    page = open_page("/account")
    settle(page)
    page.evaluate("""() => {
        const el = document.createElement("p");
        el.textContent = "grey on grey"; el.style.cssText = "color:#777;background:#888";
        document.querySelector("main").prepend(el);
    }""")
    for look, options in (("dark", ALL), ("light", COLOURS)):
        page.emulate_media(color_scheme=look)
        assert [rule for rule, _, _ in _axe(page, options)] == ["color-contrast"], look


@pytest.mark.parametrize("look", ["dark", "light"])
def test_axe_finds_nothing_at_log_in(browser: Any, trial: Any, look: str) -> None:
    context = trial.site.context(browser, "desk", look)
    page = context.new_page()
    goto(page, "/login")
    found = _axe(page)
    context.close()
    assert not found


@pytest.mark.parametrize("size", ["desk", "phone", "small"])
def test_nothing_overlaps_is_cut_off_or_says_undefined(seen: Any, size: str) -> None:
    found = seen(size)["flaws"]
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
    goto(page, "/")
    expect(page.locator("#price")).to_have_text(re.compile(r"^[\d,]+\.\d\d$"))
    expect(page.locator("main")).to_contain_text("Orders need script")
    goto(page, "/settings")
    page.get_by_role("button", name="Stop all entries").click()
    expect(page.get_by_role("status").first).to_contain_text("Kill switch saved")
    page.get_by_role("button", name="Allow entries again").click()
    expect(page.get_by_role("button", name="Stop all entries")).to_be_visible()
    context.close()


def test_logging_out_ends_it(browser: Any, trial: Any) -> None:
    context = browser.new_context(base_url=trial.url, ignore_https_errors=True)
    page = context.new_page()
    goto(page, "/login")
    page.get_by_label("Login").fill(trial.login)
    page.get_by_label("Password").fill(trial.password)
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url("**/")
    page.get_by_role("button", name="Log out").click()
    page.wait_for_url("**/login")
    goto(page, "/account")
    assert page.url.endswith("/login?next=/account")
    context.close()
