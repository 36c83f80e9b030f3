"""Settings, Security and Audit log on a deployed host: readable on every size, in both looks, with and without script."""

from __future__ import annotations

import pytest
from accessibility import violations
from playwright.sync_api import expect
from weblook.site import goto

PATHS = ("/settings/security", "/settings/audit", "/settings/security/confirm")


@pytest.mark.parametrize("look", ["dark", "light"])
@pytest.mark.parametrize("path", PATHS)
def test_axe_finds_nothing(open_page, path: str, look: str) -> None:  # type: ignore[no-untyped-def]
    page = open_page(path, "desk", look)
    found = violations(page)
    assert not found, [(one["id"], [node["html"] for node in one["nodes"]]) for one in found]


@pytest.mark.parametrize("size", ["phone", "small"])
@pytest.mark.parametrize("path", PATHS)
def test_nothing_scrolls_sideways(open_page, path: str, size: str) -> None:  # type: ignore[no-untyped-def]
    page = open_page(path, size)
    widths = page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    assert widths[0] <= widths[1], widths


def test_a_password_can_be_looked_at_and_rules_say_whether_they_are_met(open_page) -> None:  # type: ignore[no-untyped-def]
    page = open_page("/settings/security")
    fresh = page.get_by_label("New password", exact=True)
    fresh.fill("four little")
    assert fresh.get_attribute("type") == "password"
    expect(page.locator("[data-rule=length]")).to_have_class("is-unmet")
    fresh.fill("four little grey herons")
    expect(page.locator("[data-rule=length]")).to_have_class("is-met")
    page.get_by_label("New password again").fill("four little grey herons")
    expect(page.locator("[data-rule=same]")).to_have_class("is-met")
    button = page.locator(".secret", has=fresh).get_by_role("button")
    button.click()
    expect(fresh).to_have_attribute("type", "text")
    expect(button).to_have_text("Hide")


def test_this_session_is_named_and_the_log_tells_of_its_log_in(open_page) -> None:  # type: ignore[no-untyped-def]
    page = open_page("/settings/security")
    expect(page.locator("#sessions tbody tr").first).to_contain_text("this one")
    goto(page, "/settings/audit?action=log+in")
    expect(page.locator("table.audit tbody tr").first).to_contain_text("log in")
