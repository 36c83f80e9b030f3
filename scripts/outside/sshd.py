"""ssh-audit: the algorithms SSH offers."""

from __future__ import annotations

import json
import os
import sys
import time
from typing import Any

from outside.result import Figure, Place, Result, run
from outside.tools import Tools


def parse(report: dict[str, Any]) -> tuple[int, int, dict[str, str]]:
    """(how many algorithms fail, how many have a warning, findings by algorithm)."""
    fails = warns = 0
    findings: dict[str, str] = {}
    for kind in ("kex", "key", "enc", "mac"):
        for entry in report[kind]:
            bad, weak = entry["notes"].get("fail", []), entry["notes"].get("warn", [])
            fails, warns = fails + bool(bad), warns + bool(weak)
            if bad or weak:
                findings[f"{kind} {entry['algorithm']}"] = "; ".join([*bad, *weak])
    for cve in report["cves"]:
        findings[cve["name"]] = cve["description"]
    for note in report["additional_notes"]:
        if "throttling" in note:
            findings["throttling"] = note.split(".  ")[0]
        elif "Terrapin" in note:
            findings["Terrapin"] = note.split(".  ")[0]
        else:
            findings[" ".join(note.split()[:5])] = note
    return fails, warns, findings


def look(place: Place, tools: Tools) -> Result:
    """Ask the host's sshd (5 to 20 s)."""
    started = time.monotonic()
    environment = {**os.environ, "PYTHONPATH": str(tools.root / "usr/lib/python3/dist-packages")}
    words = [sys.executable, "-m", "ssh_audit.ssh_audit", "--json", "--timeout=15", place.address]
    # 2 warnings, 3 failures; 1 is a connection that could not be made.
    report = json.loads(run(words, timeout_s=180, allowed=(0, 2, 3), env=environment))
    if not report["kex"]:
        raise ValueError(f"ssh-audit saw no algorithm of {place.address}: is its SSH there?")
    fails, warns, findings = parse(report)
    figures = {"failures": Figure(fails, higher=False), "warnings": Figure(warns, higher=False)}
    return Result("ssh-audit", tools.versions["ssh-audit"], time.monotonic() - started, figures, findings)
