"""What goes wrong while a trader looks on: an order whose answer is lost, a feed that falls silent. The page says so, and orders
follow."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from playwright.sync_api import expect
from test_browser_ticket import open_ticket
from test_browser_trade import SERIES, live

# The exchange's own way, from its host only; a bare Debian has no curl.
_ASK = (
    "import sys, urllib.request as u;"
    'u.urlopen(u.Request("http://127.0.0.1:8090/admin/faults", sys.stdin.buffer.read() or None, method=sys.argv[1]), timeout=9)'
)


@contextmanager
def exchange_faults(trial: Any, *faults: dict[str, Any]) -> Iterator[None]:
    """The simulated exchange misbehaves until the end of the block, then is healed."""
    trial.on_host(f"python3 -c '{_ASK}' PUT", json.dumps({"faults": list(faults)}))
    try:
        yield
    finally:
        trial.on_host(f"python3 -c '{_ASK}' DELETE")


def test_an_order_whose_answer_is_lost_is_unknown_then_found_and_never_sent_twice(open_page: Any, trial: Any) -> None:
    page = open_page("/")
    silent = {"kind": "drop_frame", "duration_s": 60}
    for _ in range(5):  # the market may run away from the limit between the look and the order: then one asks again
        ticker = open_ticket(page, 60)
        with exchange_faults(
            trial,
            {"kind": "error_after", "path": "*/portfolio/events/orders", "method": "POST", "status": 503, "count": 1},
            {"kind": "error_before", "path": "*/portfolio/*", "method": "GET", "status": 503, "duration_s": 60},
            silent | {"channel": "fill"}, silent | {"channel": "user_orders"},
        ):  # fmt: skip
            page.locator("#ticket-send").click()
            expect(page.locator("#ticket-line")).to_contain_text(
                re.compile("lost|unknown|Refused: the limit", re.I), timeout=20_000
            )
            if not (refused := page.locator("#ticket-line").inner_text().startswith("Refused")):
                trades = page.evaluate("() => window.desk.latest.trades.live")
                trade = next(t for t in trades if t["market_ticker"] == ticker)
                assert trade["state"] == "pending" and trade["entry_count_e2"] == 0, trade
                break
        page.keyboard.press("Escape")
    assert not refused, "five markets ran away"
    # healed: the order is found by its own id, and is one order
    expect(page.locator("#ticket-line")).to_have_text(
        re.compile(r"^(Open: 1 at|Nothing bought|Closed)"), timeout=60_000
    )
    found = page.evaluate("(id) => fetch(`/api/trades/${id}`).then((a) => a.json())", trade["trade_id"])
    assert len([order for order in found["orders"] if order["purpose"] == "entry"]) == 1, found["orders"]
    page.keyboard.press("Escape")


def test_a_silent_feed_is_said_greys_the_price_and_disables_entries(open_page: Any, trial: Any) -> None:
    page = open_page(f"/?series={SERIES}")
    live(page)
    buttons = page.locator("#strikes [data-order]:not([disabled])")
    expect(buttons.first).to_be_visible()
    trial.on_host("systemctl stop recio-btc_price_watchdog")
    try:
        expect(page.locator("#banner")).to_contain_text("old", timeout=40_000)
        expect(page.locator("#price-age")).to_have_class(re.compile("is-stale"))
        assert buttons.count() == 0, "no order button stays enabled"
        assert page.evaluate("() => !document.body.classList.contains('lost')"), "the stream itself is there"
    finally:
        trial.on_host("systemctl start recio-btc_price_watchdog")
    expect(page.locator("#banner")).to_be_hidden(timeout=40_000)
    expect(buttons.first).to_be_visible(timeout=20_000)
