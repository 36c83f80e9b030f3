#!/usr/bin/env python3
"""Look at a deployed trial host from outside and judge it by docs/outside.json; `--record` writes that and docs/outside.md."""

from __future__ import annotations

import argparse
import datetime
import sys

from outside import record
from outside.look import look, place_of, read_facts
from outside.result import Result
from trialhost.place import BUILD, PROJECT, TrialError, write_json

RECORD = PROJECT / "docs" / "outside.json"
PAGE = PROJECT / "docs" / "outside.md"


def tell(results: list[Result]) -> None:
    """One line per tool."""
    for result in results:
        figures = ", ".join(f"{name} {record.shown(name, figure.value)}" for name, figure in result.figures.items())
        if result.tool == "systemd-analyze":
            figures = (
                f"{len(result.figures)} units, the worst {max(figure.value for figure in result.figures.values()):g}"
            )
        print(f"{result.tool:16}{result.version:14}{result.seconds:5.0f} s  {figures}; {len(result.findings)} findings")


def main() -> int:
    """0: as recorded or better; 1: worse, unexplained, or a tool did not do its work."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--name", default="trial", help="the host (default: trial)")
    parser.add_argument("--short", action="store_true", help="as the host tests look: no grade of TLS")
    parser.add_argument("--record", action="store_true", help="write what was found into docs/")
    parser.add_argument(
        "--only", choices=sorted(record.ASKS), action="append", default=[], help="this tool (may be repeated)"
    )
    arguments = parser.parse_args()
    if arguments.short and arguments.record:
        parser.error("--record wants the whole look")
    try:
        results = look(
            place_of(read_facts(BUILD / f"{arguments.name}.json")), whole=not arguments.short, only=arguments.only
        )
    except (TrialError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    tell(results)
    without = record.unexplained(results)
    for sentence in without:
        print(f"no reason why it stays (scripts/outside/reasons.py): {sentence}")
    if arguments.record:
        new = record.as_record(results, datetime.datetime.now(datetime.UTC).date().isoformat())
        if arguments.only and RECORD.exists():
            new["tools"] = dict(sorted({**record.load(RECORD)["tools"], **new["tools"]}.items()))
        write_json(RECORD, new)
        PAGE.write_text(record.page(new), encoding="utf-8")
        print(f"written: {RECORD.relative_to(PROJECT)}, {PAGE.relative_to(PROJECT)}")
        return 1 if without else 0
    old = record.load(RECORD)
    verdicts = [record.compare(old, result) for result in results]
    for verdict in verdicts:
        for sentence in verdict.better:
            print(f"better (--record it): {sentence}")
        for sentence in verdict.worse:
            print(f"WORSE: {sentence}")
    return 1 if without or any(verdict.worse for verdict in verdicts) else 0


if __name__ == "__main__":
    sys.exit(main())
