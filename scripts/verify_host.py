#!/usr/bin/env python3
"""Runs the tests that need a deployed host against a trial host (`SUITES` says which on what); exit code 1 on failures.

With ``--drill`` two more hosts are made at the end: one is lost, the other comes back from the copy on another machine. While they are
made, the fault matrix is done to the host under test.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

from trialhost import place
from trialhost.place import write_json

PROJECT = place.PROJECT
REPORTS = PROJECT / "build" / "reports"


# A machine of its own is emulated and slow: there what only it can show, and what reads the contract.
SUITES = {
    "host": ["tests/host", "--ignore=tests/host/test_recover_drill.py"],
    "browser": ["tests/browser"],
    "machine": [
        "tests/host/machine/test_enforced.py", "tests/host/test_units.py", "tests/host/test_machine.py", "tests/host/test_postgresql.py",
        "tests/host/test_contract.py", "tests/host/machine/test_load.py", "tests/host/machine/test_power.py",
    ],
    "faults": ["tests/faults", "-s"],
    "drill": ["tests/host/test_recover_drill.py", "-s"],
}  # fmt: skip
DRILL = ("first", "second")
ON = {place.CONTAINER: ("host", "browser", "faults"), place.VM: ("machine",)}


def own_environment() -> dict[str, str]:
    """This process's environment without molecule's: what is run below uses the project's own ansible.cfg, as by hand."""
    return {
        name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "MOLECULE_", "RECIO_"))
    }


def run(name: str, summary: Path, base: dict[str, str] | None = None, **more: str) -> int:
    """One pytest run over a suite with the host's facts in RECIO_TRIAL; ``more`` joins ``base``, or this process's environment."""
    command = [
        str(PROJECT / ".venv/bin/python"), "-m", "pytest", *SUITES[name], "-q", "-p", "no:cacheprovider",
        "--timeout=400", "--durations=8", f"--junitxml={REPORTS / name}.xml",
    ]  # fmt: skip
    environment = {
        **(os.environ if base is None else base),
        "RECIO_TRIAL": str(summary),
        "PYTHONUNBUFFERED": "1",
        **more,
    }
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


def drill(beside: Callable[[], int]) -> list[int]:
    """Make two hosts, lose the first, bring the second back from the copy alone; both are gone at the end, their journals kept.

    ``beside`` runs while they are made: it mostly waits, they mostly work. The drill itself has the machine to itself: it is timed.
    """
    own = own_environment()
    codes: list[int] = []
    other = threading.Thread(target=lambda: codes.append(beside()), daemon=True)
    other.start()
    made = []
    try:
        for name in DRILL:
            up = subprocess.run([sys.executable, "scripts/up.py", "--name", name], cwd=PROJECT, env=own, check=False)
            host = place.find(name)
            if up.returncode or host is None:
                print(f"FAILED the host {name} was not made (exit code {up.returncode})")
                return [1]
            made.append(host)
        other.join()
        return [*(codes or [1]), run("drill", made[0].summary, own, RECIO_TRIAL_SECOND=str(made[1].summary))]
    finally:
        other.join()
        for name in DRILL:
            subprocess.run(["/bin/bash", "molecule/default/keep_journal.sh", name], cwd=PROJECT, check=False)
            subprocess.run([sys.executable, "scripts/trial.py", "down", "--name", name], cwd=PROJECT, check=False)


def main() -> int:
    """Find the host, write its facts, run the tests."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--name", default="trial", help="the host (default: trial)")
    parser.add_argument("--only", choices=list(SUITES), help="one suite")
    parser.add_argument(
        "--drill", action="store_true", help="lose a machine and bring it back, on two hosts of their own"
    )
    arguments = parser.parse_args()
    host = place.find(arguments.name)
    if host is None:
        print(f"error: there is no trial host {arguments.name}: start it with `make up`", file=sys.stderr)
        return 1
    REPORTS.mkdir(parents=True, exist_ok=True)
    write_json(host.summary, host.facts())
    wanted = [name for name in ON[host.kind] if arguments.only in (None, name)]
    codes = [run(name, host.summary) for name in wanted if not (arguments.drill and name == "faults")]
    if arguments.drill:
        codes += drill(lambda: run("faults", host.summary))
    return 1 if any(codes) else 0


if __name__ == "__main__":
    sys.exit(main())
