"""A first day: someone signs in, looks at every page, trades, and finds the trade again; and what the System page offers."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import expect
from test_browser_trade import SERIES, buy, choose_event
from weblook.site import goto, settle


@pytest.mark.parametrize("size", ["desk", "phone"])
def test_a_first_day_from_the_log_in_to_the_settled_trade(
    browser: Any, trial: Any, size: str, site_pages: dict[str, str]
) -> None:
    context = trial.site.context(browser, size)
    page = context.new_page()
    troubles: list[str] = []
    page.on("pageerror", lambda error: troubles.append(str(error)))
    goto(page, "/account")
    assert page.url.endswith("/login?next=/account"), "one comes back to where one wanted to go"
    page.get_by_label("Login").fill(trial.login)
    page.get_by_label("Password", exact=True).fill("not the password")
    page.get_by_role("button", name="Log in").click()
    expect(page.locator("main")).to_contain_text("login or password is wrong")
    page.get_by_label("Login").fill(trial.login)
    page.get_by_label("Password", exact=True).fill(trial.password)
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url("**/account")
    for name in ("history", "system", "settings", "trade"):
        goto(page, site_pages[name])
        expect(page.get_by_role("heading", level=1)).to_have_count(1)
    choose_event(page, 60)
    trade_id = buy(page)
    goto(page, "/account")
    expect(page.locator("main")).to_contain_text(SERIES)
    goto(page, "/")
    settle(page)
    expect(page.locator(f'#done a[href="/history/{trade_id}"]')).to_be_visible(timeout=110_000)
    goto(page, f"/history/{trade_id}")
    expect(page.locator("main")).to_contain_text(re.compile(r"[+−]\$\d"))
    goto(page, "/")
    context.close()
    assert not troubles, troubles
