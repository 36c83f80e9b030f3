"""The Account page as a person uses it, on the deployed host: both books, the long lists, and a balance that differs."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import expect
from weblook.site import goto

PAGES = ("/account", "/account/fills", "/account/settlements", "/account/reconciliations")


@pytest.mark.parametrize("size", ["desk", "phone", "small"])
@pytest.mark.parametrize("path", PAGES)
def test_every_page_of_the_account_fits_and_is_whole(open_page: Any, path: str, size: str) -> None:
    page = open_page(path, size=size)
    text = page.inner_text("main")
    assert not re.search(r"\b(undefined|None|NaN)\b", text), text
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    if path != "/account":
        expect(page.get_by_role("link", name="Account").last).to_be_visible()


def test_the_balance_is_read_again_in_place_and_keeps_the_focus(open_page: Any) -> None:
    page = open_page("/account")
    age = page.locator("#account-now .account-read .age")
    expect(age).to_have_text(re.compile(r"^\d"))
    first = age.get_attribute("data-at")
    link = page.get_by_role("link", name="All fills")
    link.focus()
    page.evaluate("document.querySelector('#account-now').dataset.seen = 'yes'")
    expect(age).not_to_have_attribute("data-at", first or "", timeout=40_000)
    expect(link).to_be_focused()
    expect(page.locator("#account-now")).to_have_count(1)


def test_says_how_ledger_and_exchange_stand(open_page: Any) -> None:
    page = open_page("/account")
    state = page.locator(".account-state")
    expect(state).to_contain_text(re.compile(r"They agree|They differ|Not known now|Never compared"))
    expect(page.get_by_role("region", name="Newest comparisons")).to_be_visible()
    page.get_by_role("link", name="All comparisons").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Comparisons")
    page.get_by_role("link", name="Those that differed").click()
    expect(page.get_by_role("link", name="Those that differed")).to_have_attribute("aria-current", "page")


def test_fills_are_filtered_by_market_and_exported(open_page: Any) -> None:
    page = open_page("/account/fills")
    box = page.get_by_label("Market begins with")
    box.fill("nowhere-at-all")
    box.press("Enter")
    page.wait_for_url("**/account/fills?market=nowhere-at-all")
    expect(page.locator("main")).to_contain_text("No fill of a market that begins with NOWHERE-AT-ALL")
    with page.expect_download() as got:
        page.get_by_role("link", name="CSV").click()
    assert got.value.suggested_filename.startswith("fills-") and got.value.suggested_filename.endswith(".csv")
    page.get_by_role("link", name="All markets").click()
    page.wait_for_url("**/account/fills")


def test_a_balance_that_agrees_cannot_be_accepted_and_says_so(open_page: Any) -> None:
    page = open_page("/account/accept-balance")
    expect(page.get_by_role("heading", level=1)).to_contain_text("Accept the balance")
    if page.locator("main form").count():
        expect(page.get_by_label("What moved the money")).to_be_visible()
        page.get_by_role("button", name="Accept").click()  # empty: the browser itself refuses
        assert page.url.endswith("/account/accept-balance")
    else:
        expect(page.locator("main")).to_contain_text("Not now")
    goto(page, "/account")
    expect(page.get_by_role("heading", name="Deposits and withdrawals")).to_be_visible()
