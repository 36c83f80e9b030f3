"""Research as a person uses it on the deployed host: start, watch, open the report, cancel, lay side by side."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import Page, expect
from weblook.site import goto

_RUN = re.compile(r"asked=(\d+)")
_ENDS_MS = 180_000  # a tenth of a day takes seconds, at the lowest priority of a busy machine a minute


def started(page: Page, days: str, probability: str, kind: str = "backtest") -> str:
    """Start a run from the form; gives its number."""
    goto(page, "/research")
    page.locator(f'#run-form input[name=kind][value="{kind}"]').check()
    page.locator("#run-form input[name=days]").fill(days)
    page.locator(".all-settings summary").click()
    page.locator("#run-form input[name=min_probability_percent]").fill(probability)
    page.locator("#run-form input[name=model_weight]").fill("1")
    page.get_by_role("button", name="Start", exact=True).click()
    page.wait_for_url(_RUN)
    found = _RUN.search(page.url)
    assert found
    return found[1]


def row(page: Page, run: str) -> Any:
    return page.locator(f'#runs tr[data-run="{run}"]')


def test_two_runs_are_watched_to_their_end_and_laid_side_by_side(open_page: Any) -> None:
    page = open_page("/research")
    first, second = started(page, "0.1", "60"), started(page, "0.1", "75")
    expect(row(page, second)).to_have_attribute("data-state", "done", timeout=_ENDS_MS)
    expect(row(page, first)).to_have_attribute("data-state", "done")
    for run in (first, second):
        row(page, run).get_by_role("checkbox").check()
    page.get_by_role("button", name="Compare those ticked").click()
    expect(page.locator("h1")).to_contain_text("2 runs side by side")
    expect(page.locator("#curves canvas")).to_be_visible()
    expect(page.locator("table.beside").first).to_contain_text("Probability at least")
    page.locator(".curve-table summary").click()
    expect(page.locator(".curve-table table")).to_have_count(2)
    goto(page, f"/research/runs/{first}")
    expect(page.locator("#curves canvas")).to_be_visible()
    with page.expect_popup() as opened:
        page.get_by_role("link", name="Open the report").click()
    report = opened.value
    report.wait_for_load_state()
    expect(report.locator("h1")).to_contain_text("Backtest of simulated path")
    with page.expect_download() as kept:
        page.get_by_role("link", name="trades.csv").click()
    assert kept.value.suggested_filename == f"recio-backtest-{first}-trades.csv"
    for word in ("undefined", "NaN", "None"):
        assert word not in page.inner_text("main"), word


def test_a_long_one_is_cancelled_from_the_list(open_page: Any) -> None:
    page = open_page("/research")
    run = started(page, "7", "90", "replay")
    row(page, run).get_by_role("button", name="Cancel").click()
    expect(row(page, run)).to_have_attribute("data-state", "cancelled", timeout=10_000)


def test_what_cannot_be_run_is_said_where_it_was_typed(open_page: Any) -> None:
    page = open_page("/research")
    page.locator("#run-form").evaluate("form => { form.noValidate = true; }")
    page.locator("#run-form input[name=days]").fill("99")
    page.get_by_role("button", name="Start", exact=True).click()
    expect(page.locator("[role=alert]").filter(has_text="0.05 to 31")).to_be_visible()
    expect(page.locator("#run-form input[name=days]")).to_have_value("99")


@pytest.mark.parametrize("size", ["desk", "phone", "small"])
def test_it_fits_and_reads_without_script(open_page: Any, browser: Any, trial: Any, signed_in: Any, size: str) -> None:
    page = open_page("/research", size=size)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    context = browser.new_context(
        base_url=trial.url, ignore_https_errors=True, storage_state=signed_in, java_script_enabled=False
    )
    bare = context.new_page()
    goto(bare, "/research")
    expect(bare.get_by_role("button", name="Start", exact=True)).to_be_visible()
    expect(bare.locator("#runs")).to_be_visible()
    context.close()
