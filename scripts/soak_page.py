#!/usr/bin/env python3
"""Leaves the trade page of a trial host open and says whether its memory grows (`make soak-page MINUTES=15`); exit code 1 if so."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from weblook.site import Site, SiteError, goto, launched, settle
from weblook.soak import growth, watch

ROOT = Path(__file__).resolve().parent.parent
# A minute. 5 KB a minute held by the script would be 7 MB a day; of the whole heap the engine decides, so that it only must not run away.
MOST = {"heap_kb": 100.0, "held_kb": 5.0, "nodes": 4.0, "listeners": 1.0}


def main() -> int:
    """Watch, print, judge."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--name", default="trial", help="the host (default: trial)")
    parser.add_argument("--minutes", type=float, default=15.0)
    parser.add_argument("--path", default="/?series=KXBTCSIM", help="the page (default: %(default)s)")
    given = parser.parse_args()
    try:
        site = Site.of(ROOT / "build" / f"{given.name}.json")
        with launched() as browser:
            page = site.context(browser, state=site.sign_in(browser)).new_page()
            goto(page, given.path)
            settle(page)
            every_s = min(60.0, given.minutes * 60 / 12)
            samples = watch(page, given.minutes * 60, every_s, weigh=True)
            lost = page.evaluate("() => document.body.classList.contains('lost')")
    except SiteError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(f"{'minute':>7} {'heap KB':>9} {'held KB':>9} {'nodes':>7} {'listeners':>10}")
    for one in samples:
        print(f"{one.at_s / 60:7.1f} {one.heap_kb:9.0f} {one.held_kb:9.1f} {one.nodes:7d} {one.listeners:10d}")
    grows = growth(samples)
    print(
        "growth a minute: " + ", ".join(f"{what} {value:+.2f} (most {MOST[what]:g})" for what, value in grows.items())
    )
    if lost:
        print("error: the stream was lost at the end: the page did not do its work", file=sys.stderr)
    return 1 if lost or any(grows[what] > most for what, most in MOST.items()) else 0


if __name__ == "__main__":
    sys.exit(main())
