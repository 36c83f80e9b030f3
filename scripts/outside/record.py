"""The ratchet: docs/outside.json holds what was reached, and a look may not be worse. docs/outside.md is written from it."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from outside.lynis import SKIPPED
from outside.reasons import reason
from outside.result import Result
from outside.tls import GRADES
from outside.units import ROOTS_OWN, allowed

ASKS = {
    "lynis": "the hardening of the host, run on it from a folder in memory",
    "nmap": "all 65,535 TCP ports, from the host's network",
    "ssh-audit": "the algorithms of SSH",
    "systemd-analyze": "how exposed each unit is: 0 is not at all, 10 is wholly",
    "testssl.sh": "the page's TLS, with the host's own authority trusted",
}


@dataclasses.dataclass(frozen=True)
class Verdict:
    """What is worse than the record, and what is better and should be recorded; one sentence each."""

    worse: list[str]
    better: list[str]


def compare(record: dict[str, Any], result: Result) -> Verdict:
    """Judge one tool's outcome by its part of the record; a short run is not better for what it did not look at."""
    old = record["tools"].get(result.tool)
    if old is None:
        return Verdict([f"{result.tool} is not in the record: --record"], [])
    worse, better = [], []
    for name, figure in result.figures.items():
        before = old["figures"].get(name)
        if before is None and result.tool == "systemd-analyze":
            continue  # a unit that comes and goes (a check of a key): above its maximum it is a finding
        if before is None:
            worse.append(f"{result.tool}: {name} is {shown(name, figure.value)} and not in the record")
        elif figure.value != before["value"]:
            sentence = f"{result.tool}: {name} is {shown(name, figure.value)}, recorded {shown(name, before['value'])}"
            (better if (figure.value > before["value"]) == figure.higher else worse).append(sentence)
    if result.whole:
        if result.tool != "systemd-analyze":
            worse += [f"{result.tool}: {name} is gone" for name in old["figures"] if name not in result.figures]
        better += [f"{result.tool}: {name} is mended" for name in old["findings"] if name not in result.findings]
    worse += [
        f"{result.tool}: new: {name} ({text})" for name, text in result.findings.items() if name not in old["findings"]
    ]
    return Verdict(worse, better)


def unexplained(results: Sequence[Result]) -> list[str]:
    """Findings nobody wrote a reason for."""
    return [
        f"{result.tool}: {name} ({text})"
        for result in results
        for name, text in result.findings.items()
        if reason(result.tool, name) is None
    ]


def shown(name: str, value: float) -> str:
    """A figure as people write it."""
    return GRADES[int(value)] if name == "grade" else f"{value:g}"


def as_record(results: Sequence[Result], day: str) -> dict[str, Any]:
    """The record of these results."""
    tools = {result.tool: dataclasses.asdict(result) for result in sorted(results, key=lambda result: result.tool)}
    for entry in tools.values():
        del entry["tool"], entry["whole"], entry["seconds"]
    return {"day": day, "tools": tools}


def load(path: Path) -> dict[str, Any]:
    """The record as it was written."""
    loaded: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return loaded


def page(record: dict[str, Any]) -> str:
    """docs/outside.md."""
    lines = [
        "# A look from outside",
        "",
        f"Tools that are not ours looked at a freshly deployed host on {record['day']}.",
        "`make outside OPTIONS=--record` looks again and writes this page and `outside.json` beside it. The host tests hold every",
        "host to that record: a figure that is worse, or a finding that is new, fails. What they found and we keep stands here with",
        "the reason.",
        "",
        "| tool | version | asks | result |",
        "|---|---|---|---|",
    ]
    for tool, entry in record["tools"].items():
        figures = entry["figures"]
        if tool == "systemd-analyze":
            ours = {unit: figure["value"] for unit, figure in figures.items() if unit not in ROOTS_OWN}
            result = f"{len(ours)} units, the worst {max(ours.values()):g} ({max(ours, key=lambda unit: ours[unit])})"
        else:
            result = ", ".join(f"{name} {shown(name, figure['value'])}" for name, figure in figures.items())
        lines.append(f"| {tool} | {entry['version']} | {ASKS[tool]} | {result} |")
    for tool, entry in record["tools"].items():
        if entry["findings"]:
            lines += [
                "",
                f"## What {tool} found and why it stays",
                "",
                "| finding | it says | it stays because |",
                "|---|---|---|",
            ]
            lines += [
                f"| {name} | {clean(text)} | {reason(tool, name) or 'NO REASON'} |"
                for name, text in entry["findings"].items()
            ]
    lines += ["", "## Left out of lynis's score", "", "| test | why |", "|---|---|"]
    lines += [f"| {test} | {why} |" for test, why in SKIPPED.items()]
    lines += ["", "## Exposure of each unit", "", "| unit | exposure | allowed |", "|---|---|---|"]
    for unit, figure in record["tools"].get("systemd-analyze", {"figures": {}})["figures"].items():
        most = allowed(unit)
        lines.append(f"| {unit} | {figure['value']:g} | {'root at work, no rule' if most is None else f'{most:g}'} |")
    return "\n".join(lines) + "\n"


def clean(text: str) -> str:
    """Safe in a table's cell, and not longer than a line."""
    short = text if len(text) <= 120 else text[:117] + "…"
    return short.replace("|", "/")
