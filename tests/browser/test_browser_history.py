"""The history by hand: filter, page through, a trade's page, both exports, the curve, print, calibration, and all without script."""

from __future__ import annotations

import csv
import json
import re
import time
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from accessibility import violations
from playwright.sync_api import Page, expect
from test_browser_trade import buy, choose_event
from weblook.layout import flaws
from weblook.site import goto, settle

ALL = "/history?state=all&period=all"
NO_SUCH = "/history?period=all&exit=unfilled&outcome=won"  # what was never filled has won nothing

SETTLED_S = 150  # the next market's close and its settlement, on a busy machine


def _matching(page: Page) -> int:
    said = re.match(r"([\d,]+) trades? match", page.locator("#found > p").first.inner_text())
    assert said, page.locator("#found > p").first.inner_text()
    return int(said[1].replace(",", ""))


def _ids(page: Page) -> list[int]:
    return [int(text) for text in page.locator(".past tbody th a").all_inner_texts()]


@pytest.fixture
def history(open_page: Any) -> Page:
    """Every trade there is; the deploy's own is always there."""
    page: Page = open_page(ALL)
    settle(page)
    assert _matching(page) >= 1
    return page


def test_a_filter_is_applied_at_once_and_stands_in_the_address(history: Page) -> None:
    whole, sides = _matching(history), {}
    for side in ("yes", "no"):
        history.get_by_role("combobox", name="Side").focus()
        history.get_by_role("combobox", name="Side").select_option(side)
        history.wait_for_url(lambda url, side=side: parse_qs(urlsplit(url).query).get("side") == [side])  # type: ignore[misc]
        expect(
            history.locator(".past tbody td[data-label='Side']", has_text="NO" if side == "yes" else "YES")
        ).to_have_count(0)
        sides[side] = _matching(history)
        assert history.evaluate("document.activeElement.name") == "side", "the focus stays where it was"
    assert sum(sides.values()) == whole
    history.reload()
    expect(history.get_by_role("combobox", name="Side")).to_have_value("no")
    assert _matching(history) == sides["no"]
    history.get_by_role("link", name="Clear").click()
    expect(history.get_by_role("combobox", name="Side")).to_have_value("")
    assert parse_qs(urlsplit(history.url).query) == {}


def test_what_matches_nothing_says_so_and_looks_well(open_page: Any) -> None:
    for size in ("desk", "small"):
        page = open_page(NO_SUCH, size)
        settle(page)
        assert _matching(page) == 0
        expect(page.get_by_text("No trade matches. Widen the filter.")).to_be_visible()
        expect(page.get_by_role("combobox", name="Ended by")).to_be_visible()  # a filter in use is not hidden
        assert not flaws(page)
        assert not violations(page)


def test_pages_join_without_a_gap(history: Page) -> None:
    whole, seen = _matching(history), _ids(history)
    while (older := history.get_by_role("link", name="Older")).count():
        older.click()
        expect(history.get_by_role("link", name="Newest")).to_be_visible()
        assert _ids(history)[0] < seen[-1]
        seen += _ids(history)
        if len(seen) >= 200:
            break
    assert len(seen) == whole or len(seen) >= 200
    assert seen == sorted(set(seen), reverse=True), "each trade once, newest first"
    goto(history, f"{ALL}&before={seen[0]}")
    assert _ids(history) == seen[1:51]
    history.get_by_role("link", name="Newest").click()
    expect(history.locator(".past tbody th a").first).to_have_text(str(seen[0]))


def test_a_trade_tells_its_story(history: Page) -> None:
    row = history.locator(".past tbody tr", has=history.locator(".state-closed")).first
    number, pnl = row.locator("th a").inner_text(), row.locator("td[data-label='PnL']").inner_text()
    row.locator("th a").click()
    expect(history.get_by_role("heading", level=1)).to_contain_text(f"Trade {number}")
    settle(history)
    main = history.locator("main")
    for title in ("The arithmetic", "What was seen at entry", "What happened", "Orders", "Fills"):
        expect(main.get_by_role("heading", name=title)).to_be_visible()
    assert "says otherwise" not in main.inner_text()
    shown = main.locator("dl.totals dd").nth(7).inner_text()
    assert round(float(shown.replace("−", "-").replace("$", "").replace(",", "")), 2) == pytest.approx(
        float(pnl.replace("−", "-").replace("$", "").replace(",", "")), abs=0.011
    )
    assert main.locator(".timeline li b").count() >= 2, "its log"
    history.get_by_role("link", name="History", exact=True).first.click()
    expect(history.get_by_role("heading", level=1)).to_have_text("History")


@pytest.mark.parametrize("kind", ["CSV", "JSON"])
def test_an_export_holds_what_the_page_shows(history: Page, kind: str, tmp_path: Path) -> None:
    matching, shown = _matching(history), _ids(history)
    with history.expect_download() as coming:
        history.get_by_role("link", name=kind, exact=True).click()
    place = tmp_path / coming.value.suggested_filename
    coming.value.save_as(place)
    assert re.fullmatch(rf"trades-\d{{8}}-\d{{6}}\.{kind.lower()}", place.name)
    if kind == "CSV":
        ids = [int(line["trade_id"]) for line in csv.DictReader(place.read_text().splitlines())]
    else:
        ids = [trade["trade_id"] for trade in json.loads(place.read_text())["trades"]]
    ids = [number for number in ids if number <= shown[0]]  # one may have been made meanwhile
    assert len(ids) == matching and ids[: len(shown)] == shown


def _with_a_curve(history: Page, open_page: Any) -> None:
    """Two finished trades at least: a host that has just been deployed has one, so one is made and waited for."""
    none_yet = history.get_by_text("A curve needs two finished trades.")
    if not none_yet.count():
        return
    desk = open_page("/")
    choose_event(desk, at_least_s=20)
    buy(desk)
    deadline = time.monotonic() + SETTLED_S
    while none_yet.count():
        assert time.monotonic() < deadline, f"the trade had not finished after {SETTLED_S} s"
        time.sleep(2)
        history.reload()
        settle(history)


def test_the_curve_says_what_it_was_worth_when_pointed_at(history: Page, open_page: Any) -> None:
    _with_a_curve(history, open_page)
    said = history.locator("#curve-at")
    expect(said).to_contain_text("last")
    expect(history.locator("#curve canvas")).to_have_count(2)
    history.locator("#curve .u-over").first.hover()
    expect(said).to_contain_text("highest")
    history.locator("h1").hover()
    expect(said).to_contain_text("last")
    history.get_by_text("The curve as a table").click()
    expect(history.get_by_role("table", name="Running PnL after fees, sampled")).to_be_visible()
    history.get_by_role("combobox", name="Side").select_option("yes")  # what replaces the figures brings its own curve
    history.wait_for_url(re.compile("side=yes"))
    history.wait_for_function(
        "document.querySelectorAll('#curve canvas').length === (document.querySelector('#curve') ? 2 : 0)"
    )


def test_it_prints_as_a_report(history: Page) -> None:
    history.emulate_media(media="print")
    for gone in (".bar", ".vitals", ".past-filters", ".foot", ".downloads"):
        expect(history.locator(gone)).to_be_hidden()
    for kept in ("h1", ".past-totals", ".past tbody tr >> nth=0", ".groups .group >> nth=0"):
        expect(history.locator(kept)).to_be_visible()
    if history.locator("#curve").count():
        expect(history.locator("#curve .equity")).to_be_visible()  # the drawing, not the canvas of a dark page
        expect(history.locator("#curve .plots")).to_be_hidden()
    assert history.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"


def test_calibration_gives_a_verdict(history: Page) -> None:
    history.get_by_role("link", name="Calibration and strike distance").click()
    expect(history.get_by_role("heading", level=1)).to_have_text("Calibration against the market")
    settle(history)
    assert re.search(r"edge", history.locator(".verdict").inner_text(), re.IGNORECASE)
    assert not flaws(history)


def test_it_is_read_and_filtered_without_script(browser: Any, trial: Any, signed_in: Any) -> None:
    context = browser.new_context(
        base_url=trial.url, ignore_https_errors=True, storage_state=signed_in, java_script_enabled=False
    )
    page = context.new_page()
    goto(page, "/history?period=all")
    page.get_by_role("combobox", name="Side").select_option("yes")
    page.get_by_role("button", name="Show").click()
    page.wait_for_url(re.compile("side=yes"))
    shown = page.locator(".past tbody td[data-label='Side']")
    assert set(shown.all_inner_texts()) <= {"YES"}
    page.get_by_text("More filters").click()
    page.get_by_role("combobox", name="Hour (ET)").select_option("3")
    page.get_by_role("button", name="Show").click()
    page.wait_for_url(re.compile("hour=3"))
    expect(page.get_by_role("combobox", name="Hour (ET)")).to_be_visible()
    assert page.locator("#curve svg.equity").count() == page.locator("#curve").count()
    context.close()
