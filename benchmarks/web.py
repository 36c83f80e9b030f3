#!/usr/bin/env python3
"""The page measured on a deployed host: tick to painted cell, the API under load, the first load, memory by tabs.

.venv/bin/python benchmarks/web.py --name trial [--only tabs|load|first] [--seconds 30]
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(PROJECT / "tests" / "host"), str(PROJECT / "scripts")]

import web_first  # noqa: E402
import web_load  # noqa: E402
import web_tabs  # noqa: E402
from desk import Desk  # noqa: E402
from tester import tester_password  # noqa: E402
from trialhost.summary import table  # noqa: E402
from weblook.site import Site, SiteError  # noqa: E402

Row = tuple[str, str, str, str]
PARTS = ("first", "load", "tabs")


def _desk(facts: dict[str, str]) -> Desk:
    desk = Desk(facts["url"], facts["ca_file"])
    answer = desk.log_in(facts["admin_user"], tester_password(facts))
    if answer.status != 200:
        raise SystemExit(f"error: the desk at {facts['url']} refuses {facts['admin_user']}: {answer.body}")
    return desk


def rows(summary: Path, parts: tuple[str, ...] = PARTS, seconds: float = web_tabs.SECONDS) -> Iterator[Row]:
    """The chosen parts of the host that ``summary`` describes."""
    facts = json.loads(summary.read_text())
    site = Site.of(summary)

    def ssh(command: str) -> str:
        words = ["ssh", "-F", facts["ssh_config"], facts["host"], command]
        return subprocess.run(words, capture_output=True, text=True, check=True, stdin=subprocess.DEVNULL).stdout

    known: dict[str, Callable[[], Iterator[Row]]] = {
        "first": lambda: web_first.rows(site),
        "load": lambda: web_load.rows(facts, _desk(facts), _desk(facts)),
        "tabs": lambda: web_tabs.rows(facts, site, ssh, seconds),
    }
    for part in parts:
        yield from known[part]()


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--name", default="trial", help="the host (default: trial)")
    parser.add_argument("--only", choices=PARTS, action="append", help="one part; may be repeated")
    parser.add_argument("--seconds", type=float, default=web_tabs.SECONDS, help="of each round of tabs")
    given = parser.parse_args()
    summary = PROJECT / "build" / f"{given.name}.json"
    try:
        found = list(rows(summary, tuple(given.only or PARTS), given.seconds))
    except SiteError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(table([("measure", "median", "p99", "note"), *found]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
