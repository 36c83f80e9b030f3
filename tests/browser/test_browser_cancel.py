"""Orders placed elsewhere rest on the exchange: the Account page shows them, and takes one away by mouse and one by keyboard,
on the desk and on the phone."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from playwright.sync_api import Page, expect
from weblook.site import goto

# The exchange's own client with the desk's key, on the host: what it orders the ledger never hears of.
_PLACE = """
import json, pathlib, sys, uuid
from recio.contract.settings import load_settings
from recio.exchange.kalshi.client import KalshiClient
from recio.exchange.kalshi.models import NewOrder
settings, keys = load_settings(), pathlib.Path("/etc/recio/keys")
client = KalshiClient(settings.kalshi.rest_url, settings.kalshi.key_id, (keys / "simulated" / "private_key").read_bytes())
ticker = sys.argv[1]
made = [
    client.create_order(NewOrder(ticker, "bid", 100, 100 * (n + 1), str(uuid.uuid4()), "good_till_canceled")).order_id
    for n in range(int(sys.argv[2]))
]
print(json.dumps(made))
"""
_STATUS = _PLACE.partition("ticker =")[0] + "print(client.order(sys.argv[1]).status)"


def on_exchange(trial: Any, script: str, *words: str) -> str:
    """What a script with the exchange's client wrote, on the host."""
    return str(trial.on_host(f"/opt/recio/current/venv/bin/python - {' '.join(words)}", script)).strip()


def place(page: Page, trial: Any, how_many: int) -> list[str]:
    """Resting orders far from the price, on the quarter hour's or the hour's market that closes last; once the page has them."""
    events = page.request.get("/api/events").json()["events"]
    last = max(events, key=lambda event: event["close_time_ms"])
    rows = page.request.get(f"/api/strikes/all?event={last['event_ticker']}").json()["rows"]
    middle = min((row for row in rows if row["yes_ask_e4"]), key=lambda row: abs(row["yes_ask_e4"] - 5_000))
    ids: list[str] = json.loads(on_exchange(trial, _PLACE, middle["market_ticker"], str(how_many)))
    for order_id in ids:
        expect(page.locator(f'tr[data-resting="{order_id}"]')).to_be_visible(timeout=90_000)
    return ids


@pytest.mark.parametrize("size", ["desk", "phone"])
def test_a_foreign_order_is_cancelled_and_its_row_goes(open_page: Any, trial: Any, size: str) -> None:
    page = open_page("/account", size=size)
    first, second = place(page, trial, 2)
    row = page.locator(f'tr[data-resting="{first}"]')
    expect(row).to_contain_text("buy 1 YES at 1¢, or sell 1 NO at 99¢")
    button = row.get_by_role("button", name=re.compile("^Cancel: buy 1 YES at 1¢"))
    expect(button).to_be_enabled()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    if size == "phone":
        # Asked inside the page and at once: the list is drawn anew as it changes, and a row found may be gone when it is measured.
        side = button.evaluate("b => Math.min(b.getBoundingClientRect().height, b.getBoundingClientRect().width)")
        assert side >= 44, side

    # thought better of it
    button.click()
    ask = page.locator("#ask")
    expect(ask).to_contain_text("Cancel this order?")
    expect(ask).to_contain_text(
        re.compile(r"Buy 1 YES at 1¢, or sell 1 NO at 99¢ in KX.*; 0 of 1 had filled.*rests since .*\d")
    )
    ask.get_by_role("button", name="Keep").click()
    expect(button).to_be_focused()
    assert on_exchange(trial, _STATUS, first) == "resting"

    button.click()
    ask.get_by_role("button", name="Cancel the order").click()
    expect(page.locator("#said")).to_contain_text("Cancelled: 1 of 1 taken off the book", timeout=15_000)
    expect(row).to_have_count(0, timeout=15_000)
    expect(page.locator(".account-cancels")).to_contain_text("1 of 1 taken off the book")
    assert on_exchange(trial, _STATUS, first) == "canceled"

    # the second by keyboard alone; the focus does not fall out of the page when its row goes
    other = page.locator(f'tr[data-resting="{second}"]')
    other.get_by_role("button").focus()
    page.keyboard.press("Enter")
    expect(ask).to_be_visible()
    ask.get_by_role("button", name="Cancel the order").focus()
    page.keyboard.press("Enter")
    expect(other).to_have_count(0, timeout=15_000)
    expect(page.locator("#elsewhere-title")).to_be_focused()
    assert on_exchange(trial, _STATUS, second) == "canceled"


def test_without_script_it_says_what_it_needs(browser: Any, trial: Any, signed_in: Any, open_page: Any) -> None:
    (order_id,) = place(page := open_page("/account"), trial, 1)
    context = browser.new_context(
        base_url=trial.url, ignore_https_errors=True, java_script_enabled=False, storage_state=signed_in
    )
    plain = context.new_page()
    goto(plain, "/account")
    row = plain.locator(f'tr[data-resting="{order_id}"]')
    expect(row).to_contain_text(f"needs script, or recio account cancel {order_id} on the host")
    expect(row.get_by_role("button")).to_have_count(0)
    context.close()
    page.locator(f'tr[data-resting="{order_id}"]').get_by_role("button").click()
    page.locator("#ask").get_by_role("button", name="Cancel the order").click()
    expect(page.locator(f'tr[data-resting="{order_id}"]')).to_have_count(0, timeout=15_000)
