"""The trade page left open: its memory does not grow. A minute here, `make soak-page MINUTES=15` for as long as one likes."""

from __future__ import annotations

from typing import Any

from weblook.site import settle
from weblook.soak import Sample, growth, watch

SERIES = "KXBTCSIM"
# A minute; in so short a time the chart still fills and tables change hands. A node kept a tick would be 240.
MOST = {"heap_kb": 400.0, "nodes": 200.0, "listeners": 10.0}


def test_the_trade_page_does_not_grow(open_page: Any) -> None:
    page = open_page(f"/?series={SERIES}")
    settle(page)
    for _ in range(3):  # what fills or changes hands in one minute does not in the next; what is kept does in each
        samples = watch(page, 75, 5)
        assert page.evaluate("() => !document.body.classList.contains('lost')"), "the stream was there all the time"
        grows = growth(samples)
        over = {what: grows[what] for what in MOST if grows[what] > MOST[what]}
        if not over:
            break
    assert not over, f"growth a minute {grows}, most {MOST}: {samples}"


def test_a_page_that_keeps_what_it_paints_is_seen(open_page: Any) -> None:
    page = open_page("/account")
    settle(page)
    page.evaluate("""() => {
        window.kept = [];
        setInterval(() => {
            window.kept.push(new Array(5000).fill(Math.random()), document.createElement("p"));
            document.addEventListener("leak", () => window.kept.length);
        }, 100);
    }""")
    grows = growth(watch(page, 12, 1))
    assert all(grows[what] > MOST[what] for what in MOST), grows


def test_growth_is_the_slope_of_the_steady_part() -> None:
    def at(minute: float, heap: float) -> Sample:
        return Sample(60 * minute, heap, 100, 10)

    filling = [at(0, 100), at(1, 900), at(2, 1700)]
    steady = [at(minute, 2000 + (500 if minute == 6 else 0)) for minute in range(3, 10)]
    assert growth([*filling, *steady]) == {"heap_kb": 0, "held_kb": 0, "nodes": 0, "listeners": 0}
    assert growth([at(minute, 30 * minute) for minute in range(9)])["heap_kb"] == 30
