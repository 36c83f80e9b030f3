"""testssl.sh: the page's TLS, with the host's own authority trusted, as it is in the owner's browser."""

from __future__ import annotations

import json
import os
import tempfile
import time
from pathlib import Path

from outside.result import Figure, Place, Result, run
from outside.tools import Tools

GRADES = ("T", "M", "F", "E", "D", "C", "B", "A-", "A", "A+")
# Grades need everything; without it the protocols, the certificate and the headers are looked at.
SHORT = ("--protocols", "--server-defaults", "--headers")
# Not findings of the host: the tool's own engines, and how far away the ends of certificates are that are renewed by the day.
IGNORED = (
    "engine_problem",
    "cert_notAfter",
    "cert_expirationStatus",
    "intermediate_cert_",
    "scanTime",
    "grade_cap_reason",
)


def parse(entries: list[dict[str, str]]) -> tuple[dict[str, Figure], dict[str, str]]:
    """(score and grade where the run was whole, findings)."""
    figures: dict[str, Figure] = {}
    findings: dict[str, str] = {}
    for entry in entries:
        name, severity, text = entry["id"], entry["severity"], entry["finding"]
        if name == "final_score":
            figures["score"] = Figure(float(text), higher=True)
        elif name == "overall_grade":
            figures["grade"] = Figure(GRADES.index(text), higher=True)
        elif severity not in ("OK", "INFO", "DEBUG") and not name.startswith(IGNORED):
            findings[name] = f"{severity.lower()}: {text}"
    return figures, findings


def look(place: Place, tools: Tools, *, whole: bool) -> Result:
    """Ask the host's proxy (a short look about 40 s, a whole one 1 to 3 minutes)."""
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        run(
            [
                "bash", str(tools.testssl), "--quiet", "--warnings", "off", "--color", "0", "--add-ca", place.ca_file,
                "--jsonfile", str(report), *(() if whole else SHORT), f"https://{place.address}",
            ],
            timeout_s=1800,
            allowed=range(50),  # the number of what it could not look at; 50 and more: it did not run
            env={**os.environ, "TESTSSL_INSTALL_DIR": str(tools.root / "etc/testssl")},
        )  # fmt: skip
        figures, findings = parse(json.loads(report.read_text(encoding="utf-8")))
    if whole and "grade" not in figures:
        raise ValueError("testssl.sh gave no grade")
    return Result("testssl.sh", tools.versions["testssl.sh"], time.monotonic() - started, figures, findings, whole)
