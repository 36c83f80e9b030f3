#!/usr/bin/env python3
"""Runs the tests that need a deployed host against a trial host (`SUITES` says which on what); exit code 1 on failures.

With ``--drill`` the end of the host under test is part of it: a short chaos, the fault matrix (without what is marked ``long``) and a
power cut are done to it while a fresh host is made; then it is lost with its disk, and the fresh one comes back from the copy on
another machine.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path

from trialhost import place
from trialhost.place import write_json

PROJECT = place.PROJECT
REPORTS = PROJECT / "build" / "reports"


# A machine of its own is emulated and slow: there what only it can show, and what reads the contract.
SUITES = {
    "host": ["tests/host", "--ignore=tests/host/test_recover_drill.py", "--ignore=tests/host/test_power.py"],
    "browser": ["tests/browser"],
    "machine": [
        "tests/host/machine/test_enforced.py", "tests/host/test_units.py", "tests/host/test_machine.py", "tests/host/test_postgresql.py",
        "tests/host/test_contract.py", "tests/host/machine/test_load.py", "tests/host/test_power.py",
    ],
    "faults": ["tests/faults", "-s"],
    "power": ["tests/host/test_power.py", "-s"],
    "drill": ["tests/host/test_recover_drill.py", "-s"],
}  # fmt: skip
SECOND = "second"  # the fresh host of the drill
CHAOS = ("--seed", "20261129", "--minutes", "3")
ON = {place.CONTAINER: ("host", "browser", "faults", "power"), place.VM: ("machine",)}


def own_environment() -> dict[str, str]:
    """This process's environment without molecule's: what is run below uses the project's own ansible.cfg, as by hand."""
    return {
        name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "MOLECULE_", "RECIO_"))
    }


def shown(command: list[str], log: Path, environment: Mapping[str, str]) -> int:
    """Run it with its output shown and kept in ``log``; its exit code."""
    with (
        log.open("w", encoding="utf-8") as kept,
        subprocess.Popen(
            command, cwd=PROJECT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        ) as process,
    ):
        assert process.stdout is not None  # noqa: S101 (it is piped)
        for line in process.stdout:
            print(line, end="", flush=True)
            kept.write(line)
            kept.flush()
        return process.wait()


def run(name: str, summary: Path, *words: str, base: dict[str, str] | None = None, **more: str) -> int:
    """One pytest run over a suite with the host's facts in RECIO_TRIAL; ``more`` joins ``base``, or this process's environment."""
    command = [
        str(PROJECT / ".venv/bin/python"), "-m", "pytest", *SUITES[name], *words, "-q", "-p", "no:cacheprovider",
        "--timeout=400", "--durations=8", f"--junitxml={REPORTS / name}.xml",
    ]  # fmt: skip
    environment = {**(os.environ if base is None else base), "RECIO_TRIAL": str(summary), "PYTHONUNBUFFERED": "1"}
    return shown(command, REPORTS / f"{name}.log", environment | more)


def injure(host: place.Host) -> list[int]:
    """The fault matrix without its long ones, then chaos by a known seed."""
    chaos = [str(PROJECT / ".venv/bin/python"), "scripts/chaos.py", "--name", host.name, *CHAOS]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    code = shown(chaos, REPORTS / "chaos.log", environment)
    print(f"{'FAILED' if code else '1 passed:'} chaos {' '.join(CHAOS)}", flush=True)
    return [run("faults", host.summary, "-m", "not long"), run("power", host.summary), code]


def keep_journal(name: str) -> None:
    """What a host had to say, into build/NAME-journal.txt."""
    subprocess.run(["/bin/bash", "molecule/default/keep_journal.sh", name], cwd=PROJECT, check=False)


def drill(lost: place.Host) -> list[int]:
    """Make a fresh host, lose ``lost``, bring the fresh one back from the copy alone; it is gone at the end, its journal kept.

    ``lost`` is injured while the fresh one is made: the one mostly waits, the other mostly works. The drill itself has the machine to
    itself: it is timed.
    """
    own = own_environment()
    codes: list[int] = []
    other = threading.Thread(target=lambda: codes.extend(injure(lost)), daemon=True)
    other.start()
    try:
        up = subprocess.run([sys.executable, "scripts/up.py", "--name", SECOND], cwd=PROJECT, env=own, check=False)
        second = place.find(SECOND)
        other.join()
        if up.returncode or second is None:
            print(f"FAILED the host {SECOND} was not made (exit code {up.returncode})")
            return [1]
        keep_journal(lost.name)  # it will not be there to ask
        return [*(codes or [1]), run("drill", lost.summary, base=own, RECIO_TRIAL_SECOND=str(second.summary))]
    finally:
        other.join()
        keep_journal(SECOND)
        subprocess.run([sys.executable, "scripts/trial.py", "down", "--name", SECOND], cwd=PROJECT, check=False)


def main() -> int:
    """Find the host, write its facts, run the tests."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--name", default="trial", help="the host (default: trial)")
    parser.add_argument("--only", choices=list(SUITES), help="one suite")
    parser.add_argument(
        "--drill", action="store_true", help="at the end lose the machine, and bring it back on a fresh one"
    )
    arguments = parser.parse_args()
    host = place.find(arguments.name)
    if host is None:
        print(f"error: there is no trial host {arguments.name}: start it with `make up`", file=sys.stderr)
        return 1
    REPORTS.mkdir(parents=True, exist_ok=True)
    write_json(host.summary, host.facts())
    wanted = [name for name in ON[host.kind] if arguments.only in (None, name)]
    codes = [run(name, host.summary) for name in wanted if not (arguments.drill and name in ("faults", "power"))]
    if arguments.drill:
        codes += drill(host)
    return 1 if any(codes) else 0


if __name__ == "__main__":
    sys.exit(main())
