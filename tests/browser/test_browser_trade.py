"""A trader's day on the deployed appliance: live numbers, a whole trade by mouse and by keyboard, a close, a lost stream."""

from __future__ import annotations

import re
from typing import Any

import pytest
from accessibility import violations
from playwright.sync_api import Page, expect
from playwright.sync_api import TimeoutError as PlaywrightTimeoutError
from weblook.site import goto

SERIES = "KXBTCSIM"


def live(page: Page) -> None:
    """Wait until the stream has painted."""
    expect(page.locator("#v-price")).to_have_text(re.compile(r"^\d\.\d s$"), timeout=15_000)


def choose_event(page: Page, at_least_s: int = 50) -> None:
    """Show an event of the short series that closes late enough for a whole trade."""
    goto(page, f"/?series={SERIES}")
    live(page)
    page.wait_for_function("() => window.desk.latest.events && window.desk.latest.table")
    ticker = page.evaluate(
        """([series, seconds]) => window.desk.latest.events.events
            .filter((e) => e.series_ticker === series && e.close_time_ms - window.desk.now() >= seconds * 1000)
            .map((e) => e.event_ticker)[0]""",
        [SERIES, at_least_s],
    )
    assert ticker, f"no {SERIES} event closes in {at_least_s} s or later"
    page.select_option("#event", ticker)
    page.wait_for_function(
        "(t) => window.desk.latest.table.event_ticker === t && window.desk.latest.table.rows.length > 0", arg=ticker
    )


_FIND = """() => {
    const button = (r) => document.querySelector(`tr[data-ticker="${r.market_ticker}"] [data-order=yes]`);
    const taken = new Set((window.desk.latest.trades?.live || []).map((t) => t.market_ticker));
    const rows = (window.desk.latest.table?.rows || []).filter((r) =>
        r.yes_ask_e4 >= 1000 && r.yes_ask_e4 <= 9000 && button(r) && !button(r).disabled && !taken.has(r.market_ticker));
    rows.sort((a, b) => Math.abs(a.yes_ask_e4 - 5000) - Math.abs(b.yes_ask_e4 - 5000));
    return rows[0]?.market_ticker;
}"""


_SHOWN = """() => (window.desk.latest.table?.rows || []).map((r) =>
    [r.market_ticker, r.yes_ask_e4, document.querySelector(`tr[data-ticker="${r.market_ticker}"] [data-order=yes]`)?.disabled])"""


def cheap_row(page: Page) -> str:
    """A market whose YES is offered, at an ask nearest to 50 cents, and which no live trade holds.

    When the price has run to where nothing of this event costs between 10 and 90 cents, another event is shown.
    """
    for _ in range(4):
        try:
            return str(page.wait_for_function(_FIND, timeout=15_000).json_value())
        except PlaywrightTimeoutError:
            choose_event(page)
    raise AssertionError(
        f"nothing can be bought between 10 and 90 cents (market, ask, button off): {page.evaluate(_SHOWN)}"
    )


def buy(page: Page, *, keyboard: bool = False) -> int:
    """Buy one YES from the table, wait until it is open; gives the trade's id.

    A short market may run away between the look and the order; then the desk refuses or buys nothing, says so, and one
    tries again.
    """
    said = []
    for _ in range(12):
        trade_id = try_to_buy(page, cheap_row(page), keyboard)
        if trade_id is not None:
            expect(page.locator(f'#live [data-trade="{trade_id}"]')).to_contain_text("open")
            return trade_id
        said.append(page.locator("#ticket-line").inner_text())
        assert re.match("Refused: the limit|Nothing bought|The desk would refuse", said[-1]), said
        page.keyboard.press("Escape")
    raise AssertionError(f"twelve tries bought nothing: {said}")


def told(page: Page) -> None:
    """Wait for the ticket's bill: it can be sent, or, when the market ran away from the limit, the desk says why not."""
    page.wait_for_function(
        "() => !document.querySelector('#ticket-send').disabled || !document.querySelector('#ticket-refusals').hidden",
        timeout=10_000,
    )


def try_to_buy(page: Page, ticker: str, keyboard: bool) -> int | None:
    """One ticket; None when the market had moved."""
    button = page.locator(f'tr[data-ticker="{ticker}"] [data-order=yes]')
    if keyboard:
        button.focus()
        page.keyboard.press("Enter")
    else:
        button.click()
    expect(page.locator("#ticket")).to_be_visible()
    page.locator("#ticket-count").fill("1")
    ask = float(re.sub("[^0-9.]", "", page.locator("#ticket-price").input_value()))
    page.locator("#ticket-price").fill(f"{min(99, ask + 3):g}")
    expect(page.locator("#q-fill")).not_to_have_text("–", timeout=5_000)
    expect(page.locator("#ticket-send")).to_have_text(re.compile(r"Buy 1 YES for at most \$"), timeout=5_000)
    told(page)
    if page.locator("#ticket-send").is_disabled():
        return None
    if keyboard:
        page.locator("#ticket-price").focus()
        page.keyboard.press("Enter")
    else:
        page.locator("#ticket-send").click()
    expect(page.locator("#ticket-line")).to_have_text(
        re.compile("^(Open: 1 at|Refused|Nothing bought)"), timeout=15_000
    )
    if not page.locator("#ticket-line").inner_text().startswith("Open"):
        return None
    expect(page.locator("[data-step-name=open]")).to_have_class("is-done")
    # The ticket's answer may be there before the stream's next picture of the trades.
    shown = page.wait_for_function("() => window.desk.latest.trades.live[0]?.trade_id", timeout=10_000)
    trade_id = int(shown.json_value())
    if keyboard:
        page.keyboard.press("Escape")
    else:
        page.locator("#ticket [data-dismiss]").click()
    expect(page.locator("#ticket")).to_be_hidden()
    return trade_id


def test_price_and_table_move_and_are_young(open_page: Any) -> None:
    page = open_page(f"/?series={SERIES}")
    live(page)
    first = page.locator("#price").inner_text()
    expect(page.locator("#price")).not_to_have_text(first, timeout=10_000)
    expect(page.locator("#strikes tr.strike").first).to_be_visible()
    expect(page.locator("#strikes tr.now")).to_have_count(1)
    built = page.evaluate("() => window.desk.latest.table.built_at_ms")
    page.wait_for_function("(then) => window.desk.latest.table.built_at_ms > then", arg=built, timeout=10_000)
    age = page.evaluate("() => (window.desk.now() - window.desk.latest.price.price.received_at_ms) / 1000")
    assert 0 <= age < 10, f"the price is {age} s old"
    expect(page.locator("#v-services")).to_have_text(re.compile(r"^\d+/12$"))
    expect(page.locator("#countdown")).to_have_text(re.compile(r"^\d+:\d\d$"))


def test_a_whole_trade_from_the_click_to_the_history(open_page: Any) -> None:
    page = open_page("/")
    choose_event(page)
    trade_id = buy(page)
    done = page.locator(f'#done a[href="/history/{trade_id}"]')
    expect(done).to_be_visible(timeout=110_000)
    expect(page.locator(f'#live [data-trade="{trade_id}"]')).to_have_count(0)
    goto(page, f"/history?series={SERIES}")
    row = page.locator("tbody tr", has=page.locator(f'a[href="/history/{trade_id}"]'))
    expect(row).to_contain_text("closed")
    expect(row).to_contain_text(re.compile(r"[+−]\$\d"))
    row.get_by_role("link", name=str(trade_id)).click()
    expect(page.get_by_role("heading", level=1)).to_contain_text(f"Trade {trade_id}")
    expect(page.locator("main")).to_contain_text("entry")
    expect(page.get_by_role("table").nth(1).locator("tbody tr")).not_to_have_count(0)


def test_a_trade_by_keyboard_and_sold_again(open_page: Any) -> None:
    page = open_page("/")
    choose_event(page, 60)
    trade_id = buy(page, keyboard=True)
    close = page.locator(f'#live [data-trade="{trade_id}"] [data-close]')
    expect(close).to_be_enabled()
    close.focus()
    page.keyboard.press("Enter")
    expect(page.locator("#ask")).to_be_visible()
    page.locator("#ask-yes").focus()
    page.keyboard.press("Enter")
    expect(page.locator(f'#done a[href="/history/{trade_id}"]')).to_be_visible(timeout=110_000)


def test_a_refused_ticket_says_why(open_page: Any) -> None:
    page = open_page("/")
    choose_event(page)
    ticker = cheap_row(page)
    page.locator(f'tr[data-ticker="{ticker}"] [data-order=yes]').click()
    page.locator("#ticket-count").fill("99999")
    expect(page.locator("#ticket-send")).to_contain_text("99999", timeout=5_000)
    expect(page.locator("#ticket-refusals")).to_contain_text("99999", timeout=5_000)
    expect(page.locator("#ticket-line")).to_have_text("The desk would refuse this order.")
    expect(page.locator("#ticket-send")).to_be_disabled()
    page.keyboard.press("Escape")
    page.locator(f'tr[data-ticker="{ticker}"] [data-order=yes]').click()
    page.locator("#ticket-count").fill("0")
    expect(page.locator("#ticket-line")).to_contain_text("count", timeout=5_000)
    expect(page.locator("#ticket-send")).to_be_disabled()


def test_the_kill_switch_stops_entries_and_asks_before_it_lets_go(open_page: Any) -> None:
    page = open_page("/")
    choose_event(page)
    kill = page.locator("#kill button")
    kill.click()
    expect(kill).to_have_attribute("aria-pressed", "true", timeout=5_000)
    try:
        ticker = cheap_row(page)
        page.locator(f'tr[data-ticker="{ticker}"] [data-order=yes]').click()
        expect(page.locator("#ticket-refusals")).to_contain_text("kill switch", timeout=5_000)
        expect(page.locator("#ticket-send")).to_be_disabled()
        page.keyboard.press("Escape")
        expect(page.locator("#limits-line")).to_contain_text("kill switch", timeout=8_000)
    finally:
        kill.click()
        expect(page.locator("#ask")).to_be_visible()
        page.locator("#ask-yes").click()
        expect(kill).to_have_attribute("aria-pressed", "false", timeout=5_000)


def test_a_lost_stream_is_said_and_disables_orders_until_it_is_back(open_page: Any, trial: Any) -> None:
    page = open_page(f"/?series={SERIES}")
    live(page)
    page.wait_for_timeout(3_000)
    buttons = page.locator("#strikes [data-order]:not([disabled])")
    expect(buttons.first).to_be_visible()
    trial.on_host("systemctl stop recio-main_app")
    try:
        expect(page.locator("#banner")).to_contain_text("Live data is lost", timeout=20_000)
        assert buttons.count() == 0, "no order button stays enabled"
        found = violations(page)  # without a button the tables are still reached and scrolled by keys
        assert not found, [(v["id"], [n["target"] for n in v["nodes"]][:4]) for v in found]
    finally:
        trial.on_host("systemctl start recio-main_app")
    expect(page.locator("#banner")).to_be_hidden(timeout=30_000)
    expect(buttons.first).to_be_visible()


@pytest.mark.parametrize("size", ["phone", "small"])
def test_a_trade_on_a_phone(open_page: Any, size: str) -> None:
    page = open_page("/", size)
    choose_event(page)
    if size == "phone":
        buy(page)
    assert page.evaluate("() => document.documentElement.scrollWidth") <= page.viewport_size["width"], (
        "no sideways scrolling"
    )
    # The rows are made anew as the price moves, so a button found may be gone when it is measured: one look at them all.
    heights = page.wait_for_function("""() => {
        const shown = Array.from(document.querySelectorAll("#strikes [data-order]"), (b) => b.getBoundingClientRect().height);
        const seen = shown.filter((height) => height > 0);
        return seen.length > 0 && seen;
    }""").json_value()
    assert min(heights) >= 44, heights


def test_only_what_the_bill_shows_is_sent(open_page: Any) -> None:
    """Enter right after typing must not send the new count under the old count's bill."""
    page = open_page("/")
    choose_event(page)
    asked: list[str] = []
    page.on("request", lambda r: asked.append(r.url) if r.method == "POST" and r.url.endswith("/api/tickets") else None)
    page.locator(f'tr[data-ticker="{cheap_row(page)}"] [data-order=yes]').click()
    told(page)
    page.evaluate("""() => {
        const count = document.querySelector("#ticket-count");
        count.value = "7";
        count.dispatchEvent(new Event("input", { bubbles: true }));
        count.dispatchEvent(new KeyboardEvent("keydown", { key: "Enter", bubbles: true, cancelable: true }));
    }""")
    expect(page.locator("#ticket-send")).to_have_text(re.compile("Buy 7 YES"), timeout=8_000)
    told(page)
    assert asked == []
    page.keyboard.press("Escape")
