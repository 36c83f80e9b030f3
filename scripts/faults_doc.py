#!/usr/bin/env python3
"""Writes docs/faults.md from tests/faults/matrix.yml and what the last run measured; with --check, exit status 1 when the page
is not what it would write. ``--take build/reports/faults.jsonl`` keeps a run's figures in tests/faults/measured.yml first; with ``--add``
only those of faults that have none yet, from a run on a machine that had other work."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import yaml

PROJECT = Path(__file__).resolve().parents[1]
MATRIX = PROJECT / "tests/faults/matrix.yml"
MEASURED = PROJECT / "tests/faults/measured.yml"
PAGE = PROJECT / "docs/faults.md"
KEPT = ("fault", "what", "noticed_s", "told_s", "said", "recovered_s", "healed", "orders", "fills", "trades")
NOTICED_S, RECOVERED_S = 10.0, 30.0  # what is wanted
Row = dict[str, Any]

HEAD = """# The fault matrix

Written by `scripts/faults_doc.py` from `tests/faults/matrix.yml` and the last run's figures; do not edit. 1 to 40 are the classic faults of
such a host, A1 and on the ones this desk adds. Tests below `tests/faults/` do the fault to a deployed host that trades, and wait until it
is noticed, named by its cause, and well again; then every order, fill, position and cent is compared with the exchange's own record, and
every trade with its log. `make faults` runs them; `make test` all that are not marked `long`.

Of {total} faults, {whole} have a test without a known gap, {partly} are tested in part, {none} have no test.
"""
MEASURED_HEAD = """
## As measured

On a trial host in a container on two cores. Noticed: a service's status says so, and entries stop with it. Told: an incident that names the
cause, from which a person is notified. Well again: all twelve prove their function, counted from the fault, or from its end where the
machine cannot end it itself. Between the faults, {trades} trades with {orders} orders and {fills} fills were made: none was lost, none
doubled.

Noticed within {noticed:g} s in {within} of {of} (p95 {p95:g} s, most {most:g} s). Told: p95 {told:g} s. Well again without a hand
within {recovered:g} s in {back} of {alone} (most {longest:g} s).
"""


def p95(values: Sequence[float]) -> float:
    """The smallest value that at least 95 of a hundred do not exceed; 0.0 of none."""
    ordered = sorted(values)
    return ordered[-(-95 * len(ordered) // 100) - 1] if ordered else 0.0


def figures(rows: Sequence[Row]) -> list[str]:
    """The section with the last run's times."""
    noticed = [row["noticed_s"] for row in rows if row["noticed_s"] is not None]
    told = [row["told_s"] for row in rows if row["told_s"] is not None]
    alone = [row["recovered_s"] for row in rows if row["healed"] == "itself"]
    text = MEASURED_HEAD.format(
        trades=max(row["trades"] for row in rows), orders=max(row["orders"] for row in rows), fills=max(row["fills"] for row in rows),
        noticed=NOTICED_S, within=sum(value <= NOTICED_S for value in noticed), of=len(noticed), p95=p95(noticed), most=max(noticed),
        told=p95(told), recovered=RECOVERED_S, back=sum(value <= RECOVERED_S for value in alone), alone=len(alone), longest=max(alone),
    )  # fmt: skip
    lines = [
        text,
        "| # | Fault | Noticed, s | Told, s | What was said | Well again, s | By |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        said = row["said"].replace("|", "/").replace("\n", " ")[:120]
        shown = ["–" if row[name] is None else f"{row[name]:g}" for name in ("noticed_s", "told_s", "recovered_s")]
        lines.append(
            f"| {row['fault']} | {row['what']} | {shown[0]} | {shown[1]} | {said} | {shown[2]} | {row['healed']} |"
        )
    return lines


def page() -> str:
    """The whole page."""
    rows: list[Row] = yaml.safe_load(MATRIX.read_text())
    none = sum(not row.get("tests") for row in rows)
    partly = sum(bool(row.get("tests") and row.get("gap")) for row in rows)
    lines = [HEAD.format(total=len(rows), whole=len(rows) - none - partly, partly=partly, none=none)]
    lines += ["| # | Fault | Must hold | Tests | Missing |", "|---|---|---|---|---|"]
    for row in rows:
        tests = "<br>".join(f"`{test}`" for test in row.get("tests", [])) or "**none**"
        lines.append(f"| {row['id']} | {row['fault']} | {row['expected']} | {tests} | {row.get('gap', '')} |")
    if MEASURED.exists():
        lines += figures(yaml.safe_load(MEASURED.read_text()))
    return "\n".join(lines) + "\n"


def take(report: Path, *, only_new: bool) -> None:
    """Keep a run's figures; one in which a test failed has none of that fault, and is refused (SystemExit).

    ``only_new``: what was measured before stays as it is.
    """
    suites = ElementTree.parse(report.with_suffix(".xml")).iter("testsuite")  # noqa: S314 - pytest's own, beside the report
    failed = sum(int(suite.get("failures", 0)) + int(suite.get("errors", 0)) for suite in suites)
    if failed:
        raise SystemExit(
            f"error: {failed} tests failed in {report.with_suffix('.xml')}: their faults are not in {report}; mend them first"
        )
    rows = [json.loads(line) for line in report.read_text().splitlines()]
    kept = [{name: row[name] for name in KEPT} for row in rows]
    if only_new and MEASURED.exists():
        before: list[Row] = yaml.safe_load(MEASURED.read_text())
        known = {row["what"] for row in before}
        kept = before + [row for row in kept if row["what"] not in known]
    MEASURED.write_text(
        "# Written by scripts/faults_doc.py --take; do not edit.\n" + yaml.safe_dump(kept, sort_keys=False, width=1000)
    )


def main() -> int:
    """Write or check."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="say whether the page is what it would write")
    parser.add_argument("--take", type=Path, help="a run's report whose figures are kept")
    parser.add_argument("--add", action="store_true", help="with --take: only of faults not measured yet")
    given = parser.parse_args()
    if given.take:
        take(given.take, only_new=given.add)
    if not given.check:
        PAGE.write_text(page())
    elif not PAGE.exists() or PAGE.read_text() != page():
        print("docs/faults.md is not what the matrix says: run scripts/faults_doc.py", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
