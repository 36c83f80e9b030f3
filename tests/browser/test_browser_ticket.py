"""The ticket's truth: what it shows is the quote's, a lost answer is looked up by its key, and everything open closes by one confirm."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from playwright.sync_api import Page, Route, expect
from test_browser_trade import SERIES, buy, cheap_row, choose_event, live


def open_ticket(page: Page, at_least_s: int = 40) -> str:
    """A ticket for one contract whose bill is shown and which the desk would take; its market."""
    for _ in range(5):
        choose_event(page, at_least_s)
        ticker = cheap_row(page)
        page.locator(f'tr[data-ticker="{ticker}"] [data-order=yes]').click()
        ask = float(re.sub("[^0-9.]", "", page.locator("#ticket-price").input_value()))
        page.locator("#ticket-price").fill(f"{min(99, ask + 3):g}")
        page.wait_for_function(
            "() => !document.querySelector('#ticket-send').disabled || !document.querySelector('#ticket-refusals').hidden"
        )
        if page.locator("#ticket-send").is_enabled():
            return ticker
        page.keyboard.press("Escape")
    raise AssertionError("five markets ran away")


def outcome(page: Page) -> str:
    """What the ticket came to, once it is decided."""
    line = page.locator("#ticket-line")
    expect(line).to_have_text(re.compile("^(Open: 1 at|Nothing bought|Refused|Closed)"), timeout=30_000)
    return line.inner_text()


def entries_of(page: Page, key: str) -> int:
    """How many entry orders stand behind a ticket's key."""
    return int(
        page.evaluate(
            """async (key) => {
                const ticket = await (await fetch(`/api/tickets/${key}`)).json();
                if (!ticket.trade_id) return 0;
                const trade = await (await fetch(`/api/trades/${ticket.trade_id}`)).json();
                return trade.orders.filter((order) => order.purpose === "entry").length;
            }""",
            key,
        )
    )


def test_an_answer_lost_after_the_desk_heard_is_looked_up_by_its_key(open_page: Any) -> None:
    page = open_page("/")
    keys: list[str] = []

    def swallow(route: Route) -> None:
        keys.append(route.request.post_data_json["idempotency_key"])
        route.fetch()  # the desk hears it and decides
        route.abort()  # its answer does not come back

    page.route("**/api/tickets", swallow)
    open_ticket(page)
    page.locator("#ticket-send").click()
    outcome(page)
    assert len(keys) == 1, "it asked what became of it instead of sending again"
    assert entries_of(page, keys[0]) <= 1
    page.keyboard.press("Escape")


def test_an_order_that_never_arrived_goes_out_again_under_the_same_key(open_page: Any) -> None:
    page = open_page("/")
    keys: list[str] = []

    def first_is_lost(route: Route) -> None:
        keys.append(route.request.post_data_json["idempotency_key"])
        if len(keys) == 1:
            route.abort()
        else:
            route.continue_()

    page.route("**/api/tickets", first_is_lost)
    open_ticket(page)
    page.locator("#ticket-send").click()
    outcome(page)
    assert len(keys) == 2 and len(set(keys)) == 1
    assert entries_of(page, keys[0]) <= 1
    page.keyboard.press("Escape")


def quoted(page: Page, asked_for: tuple[str, str], click: str) -> dict[str, Any]:
    """The answer to the quote a click asks for; the ticket asks every two seconds anyway, and an older answer may come between."""
    with page.expect_response(lambda r: "/api/quote" in r.url and asked_for in parse_qsl(urlsplit(r.url).query)) as got:
        page.locator(click).click()
    answer: dict[str, Any] = got.value.json()
    return answer


def test_the_bill_is_the_quotes_own(open_page: Any) -> None:
    page = open_page("/")
    open_ticket(page)
    quote = quoted(page, ("count", "5"), "#ticket [data-preset='5']")
    expect(page.locator("#ticket-count")).to_have_value("5")
    assert quote["count_e2"] == 500
    expect(page.locator("#ticket-send")).to_contain_text("Buy 5 YES for at most")
    expect(page.locator("#ticket-title")).to_contain_text(f"BTC {quote['claim']}")
    assert page.locator("#q-levels tr").count() >= 1 and "0" not in page.locator("#q-more").inner_text()[:1]
    expect(page.locator("#q-edge")).to_contain_text(re.compile("each|–"))
    sure = page.locator("#q-sure")
    expect(sure).to_contain_text("95 % sure" if quote["model"]["low"] is not None else quote["model"]["why"][1:])
    quote = quoted(page, ("dollars", "5"), "#ticket [data-by=dollars]")
    assert 0 < quote["worst"]["max_loss_e6"] <= 5_000_000
    expect(page.locator("#ticket-unit")).to_contain_text("Dollars at risk")
    expect(page.locator("#ticket-send")).to_contain_text(f"Buy {quote['count_e2'] / 100:g} YES for at most $")
    page.keyboard.press("Escape")


def test_closing_all_shows_what_each_would_get_and_answers_for_each(open_page: Any) -> None:
    page = open_page("/")
    choose_event(page, 60)
    trades = [buy(page)]
    page.locator("#close-all-open").click()
    expect(page.locator("#close-all-rows tr")).to_have_count(
        page.evaluate("() => window.desk.latest.trades.live.filter((t) => t.state === 'open').length")
    )
    expect(page.locator("#close-all-sum")).to_contain_text("after fees")
    page.locator("#close-all-yes").click()
    expect(page.locator("#close-all-line")).to_have_text(re.compile(r"\d+ of \d+ are being sold"), timeout=15_000)
    page.locator("#close-all [data-dismiss]").click()
    for trade_id in trades:
        expect(page.locator(f'#live [data-trade="{trade_id}"]')).to_have_count(0, timeout=120_000)


def test_the_limits_are_shown_and_move_with_the_stream(open_page: Any) -> None:
    page = open_page(f"/?series={SERIES}")
    live(page)
    page.wait_for_function("() => window.desk.latest.trades?.limits")
    shown = page.evaluate("() => window.desk.latest.trades.limits.meters.map((m) => m.label)")
    expect(page.locator("#limits-list .limit")).to_have_count(len(shown))
    expect(page.locator("#limits-list")).to_contain_text("Loss today")
    first = page.evaluate("() => window.desk.latest.trades.now_ms")
    page.wait_for_function("(then) => window.desk.latest.trades.now_ms > then", arg=first, timeout=15_000)
    expect(page.locator("#limits-age")).not_to_have_class(re.compile("is-stale"))


def test_the_strike_table_by_arrow_keys_and_every_strike_on_demand(open_page: Any) -> None:
    page = open_page("/")
    choose_event(page)
    cheap_row(page)
    page.locator("h1").evaluate("(el) => document.activeElement.blur()")
    page.keyboard.press("o")
    at = "() => [document.activeElement.closest('tr.strike')?.dataset.ticker, document.activeElement.dataset.order]"
    ticker, side = page.evaluate(at)
    assert ticker and side in ("yes", "no")
    page.keyboard.press("End")
    last = page.evaluate(at)
    page.keyboard.press("Home")
    first = page.evaluate(at)
    assert first[0] != last[0] and first[1] == last[1] == side
    page.keyboard.press("ArrowDown")
    assert page.evaluate(at)[0] != first[0]
    page.keyboard.press("Enter")
    expect(page.locator("#ticket")).to_be_visible()
    page.keyboard.press("Escape")
    few = page.locator("#strikes tr.strike").count()
    page.locator("#strikes-all").click()
    expect(page.locator("#strikes-all")).to_have_attribute("aria-pressed", "true")
    page.wait_for_function("(few) => document.querySelectorAll('#strikes tr.strike').length >= few", arg=few)
    everything = page.evaluate(
        "async () => (await (await fetch(`/api/strikes/all?event=${window.desk.latest.table.event_ticker}`)).json()).rows.length"
    )
    expect(page.locator("#strikes tr.strike")).to_have_count(everything, timeout=10_000)
    page.locator("#strikes-all").click()
    expect(page.locator("#strikes-all")).to_have_attribute("aria-pressed", "false")


def test_the_chart_says_in_words_what_it_shows_and_why_it_failed(open_page: Any) -> None:
    page = open_page(f"/?series={SERIES}")
    live(page)
    for seconds, name in ((60, "1 m"), (10800, "3 h"), (86400, "1 d"), (900, "15 m")):
        page.locator(f'#spans [data-seconds="{seconds}"]').click()
        expect(page.locator("#chart-text")).to_contain_text(re.compile(f"last {name}", re.I), timeout=8_000)
    page.route("**/api/bars*", lambda route: route.fulfill(status=503, json={"detail": "the database is away"}))
    page.locator('#spans [data-seconds="300"]').click()
    expect(page.locator("#chart-failed")).to_contain_text("the database is away", timeout=8_000)
    page.unroute("**/api/bars*")
    page.locator('#spans [data-seconds="900"]').click()
    expect(page.locator("#chart-failed")).to_be_empty(timeout=8_000)


def test_sounds_are_off_until_switched_on_and_stay_on_this_device(open_page: Any) -> None:
    page = open_page("/")
    button = page.locator("#sounds")
    expect(button).to_have_text("Sounds off")
    button.click()
    expect(button).to_have_text("Sounds on")
    assert page.evaluate("() => localStorage.getItem('recio.sounds')") == "on"
    page.reload()
    expect(button).to_have_attribute("aria-pressed", "true")
    button.click()
    assert page.evaluate("() => localStorage.getItem('recio.sounds')") == "off"
