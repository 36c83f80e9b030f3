#!/usr/bin/env python3
"""Writes docs/contract.md: every figure of the contract, what enforces it, which test proves it, what was measured last.

contract_doc.py                    write it anew, with the measurements it had
contract_doc.py --measured FILE    ... with those of `recio contract --json` from a host
contract_doc.py --check            exit status 1 when the page is not what it would write
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(PROJECT / "app"))

import yaml  # noqa: E402

from recio.contract import parse  # noqa: E402
from recio.contract.clauses import clause_of, figures  # noqa: E402

SOURCE = PROJECT / "roles/contract/defaults/main.yml"
PAGE = PROJECT / "docs/contract.md"
MEASURED = PROJECT / "docs/contract-measured.json"
HEAD = """# The resource contract, figure by figure

Written by `scripts/contract_doc.py`; do not edit. The figures' home is `roles/contract/defaults/main.yml`. On a host,
`recio contract` measures all of this anew and names what is out of contract.

{summary}

Marks: ✓ holds, ✗ out of contract, – not known on that host; without a mark: a rule, which no host has a reading for.
"""


def cell(value: Any) -> str:
    """A value as it may stand in a table."""
    text = ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
    return text.replace("|", "\\|")


def page(measured: dict[str, Any]) -> str:
    """The whole page."""
    contract = parse(yaml.safe_dump(yaml.safe_load(SOURCE.read_text())["contract"]), str(SOURCE))
    rows: dict[str, list[str]] = {}
    counts = {True: 0, False: 0, None: 0}
    out = []
    for path, figure in figures(contract).items():
        clause, held = clause_of(path), measured.get("figures", {}).get(path, {})
        if held.get("is_reading", True):
            counts[held.get("holds")] += 1
        if held.get("holds") is False:
            out.append(path)
        mark = {True: "✓ ", False: "✗ ", None: "– "}[held.get("holds")] + held.get("measured", "not measured")
        mark = mark if held.get("is_reading", True) else ""
        enforced = f"{clause.enforced_by}. {clause.note}" if clause.note else clause.enforced_by
        section, _, rest = path.partition(".")
        rows.setdefault(section, []).append(
            f"| {rest or section} | {cell(figure)} | {cell(enforced)} | `{clause.proven_by}` | {cell(mark)} |"
        )
    named = ", ".join(f"`{path}`" for path in out) or "nothing"
    summary = (
        f"Last measured on {measured.get('host', 'no host')}: {counts[True]} figures hold, {counts[False]} do not, "
        f"{counts[None]} are not known there. Out of contract: {named}."
    )
    parts = [HEAD.format(summary=summary)]
    for section, lines in rows.items():
        table = "| figure | value | enforced by | proven by (tests/) | measured |\n|---|---|---|---|---|\n"
        parts.append(f"\n## {section}\n\n{table}" + "\n".join(lines) + "\n")
    return "".join(parts)


def main() -> int:
    """Write or check."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--measured", type=Path, help="the output of `recio contract --json`")
    parser.add_argument("--host", default="a trial host", help="what was measured, in a few words")
    options = parser.parse_args()
    if options.measured:
        kept = {"host": options.host, "figures": json.loads(options.measured.read_text())}
        MEASURED.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n")
    measured = json.loads(MEASURED.read_text()) if MEASURED.exists() else {}
    text = page(measured)
    if options.check:
        if PAGE.exists() and PAGE.read_text() == text:
            return 0
        print("docs/contract.md is not what the contract says: run scripts/contract_doc.py", file=sys.stderr)
        return 1
    PAGE.write_text(text)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
