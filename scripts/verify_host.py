#!/usr/bin/env python3
"""Runs the tests that need a deployed host (tests/host, tests/browser) against a trial host; exit code 1 on failures."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

from trialhost import place
from trialhost.place import write_json

PROJECT = place.PROJECT
REPORTS = PROJECT / "build" / "reports"


def run(name: str, summary: Path) -> int:
    """One pytest run over tests/NAME with the host's facts in RECIO_TRIAL."""
    command = [
        str(PROJECT / ".venv/bin/python"), "-m", "pytest", f"tests/{name}", "-q", "-p", "no:cacheprovider",
        "--timeout=400", "--durations=8", f"--junitxml={REPORTS / name}.xml",
    ]  # fmt: skip
    environment = {**os.environ, "RECIO_TRIAL": str(summary), "PYTHONUNBUFFERED": "1"}
    with (
        (REPORTS / f"{name}.log").open("w", encoding="utf-8") as log,
        subprocess.Popen(
            command, cwd=PROJECT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        ) as process,
    ):
        assert process.stdout is not None  # noqa: S101 (it is piped)
        for line in process.stdout:
            print(line, end="", flush=True)
            log.write(line)
            log.flush()
        return process.wait()


def main() -> int:
    """Find the host, write its facts, run the tests."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--name", default="trial", help="the host (default: trial)")
    parser.add_argument("--only", choices=["host", "browser"], help="one of the two")
    arguments = parser.parse_args()
    host = place.find(arguments.name)
    if host is None:
        print(f"error: there is no trial host {arguments.name}: start it with `make up`", file=sys.stderr)
        return 1
    REPORTS.mkdir(parents=True, exist_ok=True)
    write_json(host.summary, host.facts())
    codes = [run(name, host.summary) for name in ("host", "browser") if arguments.only in (None, name)]
    return 1 if any(codes) else 0


if __name__ == "__main__":
    sys.exit(main())
