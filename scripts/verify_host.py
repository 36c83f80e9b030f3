#!/usr/bin/env python3
"""Runs the tests that need a deployed host against a trial host (`SUITES` says which on what); exit code 1 on failures.

With ``--whole`` it is tried to its end: its own tests, a short chaos, the fault matrix (without what is marked ``long``), reboot and power
cut, while a fresh host is made; then it is lost with its disk, and the fresh one comes back from the copy on another machine.
With ``--apart browser`` a host is made for that suite alone: a browser works, and would disturb what measures times. At its end the
appliance is uninstalled from it, and the host compared with what it was before.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path

import trial
from trialhost import place, state
from trialhost.place import write_json

PROJECT = place.PROJECT
REPORTS = PROJECT / "build" / "reports"


# A machine with a kernel of its own may be slow: there what only it can show, and what reads the contract.
SUITES = {
    "host": ["tests/host", *(f"--ignore=tests/host/test_{name}.py" for name in ("recover_drill", "power", "uninstall"))],
    "browser": ["tests/browser"],
    # test_enforced first: systemd 257 there forgets the traffic counters at a daemon-reload, until a unit is started again.
    "machine": [
        "tests/host/machine/test_enforced.py", "tests/host/machine/test_quotas.py", "tests/host/machine/test_auditd.py",
        "tests/host/test_units.py", "tests/host/test_machine.py", "tests/host/test_postgresql.py", "tests/host/test_contract.py",
        "tests/host/machine/test_load.py", "tests/host/test_power.py",
    ],
    "faults": ["tests/faults", "-s"],
    "power": ["tests/host/test_power.py", "-s"],
    "drill": ["tests/host/test_recover_drill.py", "-s"],
    "uninstall": ["tests/host/test_uninstall.py"],
    "uninstalled": ["tests/host/machine/test_uninstalled.py"],
}  # fmt: skip
PAGES, SECOND = "pages", "second"  # the page's host; the fresh one of the drill
MOLECULE_SETS = ("RECIO_TRIAL_NAME", "RECIO_TRIAL_OPTIONAL")  # molecule/*/molecule.yml, ansible.env
CHAOS = ("--seed", "20261129", "--minutes", "3")
ON = {place.CONTAINER: ("host", "browser", "faults", "power"), place.VM: ("machine", "uninstalled")}


def own_environment() -> dict[str, str]:
    """This process's environment without molecule's: what is run below uses the project's own ansible.cfg, as by hand."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("ANSIBLE_", "MOLECULE_")) and name not in MOLECULE_SETS
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


def run(name: str, summary: Path, *words: str, **more: str) -> int:
    """One pytest run over a suite with the host's facts in RECIO_TRIAL and ``more``, else in the project's own environment."""
    command = [
        str(PROJECT / ".venv/bin/python"), "-m", "pytest", *SUITES[name], *words, "-q", "-p", "no:cacheprovider",
        "--timeout=400", "--durations=8", f"--junitxml={REPORTS / name}.xml",
    ]  # fmt: skip
    environment = {**own_environment(), "RECIO_TRIAL": str(summary), "PYTHONUNBUFFERED": "1", **more}
    return shown(command, REPORTS / f"{name}.log", environment)


def injure(host: place.Host) -> list[int]:
    """The fault matrix without its long ones, then chaos by a known seed."""
    chaos = [str(PROJECT / ".venv/bin/python"), "scripts/chaos.py", "--name", host.name, *CHAOS]
    code = shown(chaos, REPORTS / "chaos.log", {**own_environment(), "PYTHONUNBUFFERED": "1"})
    print(f"{'FAILED' if code else '1 passed:'} chaos {' '.join(CHAOS)}", flush=True)
    return [run("faults", host.summary, "-m", "not long"), run("power", host.summary), code]


def keep_journal(name: str) -> None:
    """What a host had to say, into build/NAME-journal.txt."""
    subprocess.run(["/bin/bash", "molecule/default/keep_journal.sh", name], cwd=PROJECT, check=False)


def bare(name: str) -> Path:
    """A fresh host as Debian leaves it; gives the file that says what it is made of."""
    kept = REPORTS / f"{name}-bare.json"
    write_json(kept, state.taken(trial.up(name)))
    return kept


def made(name: str) -> place.Host | None:
    """A host with the appliance on it; None, after having said so, when it could not be made."""
    done = subprocess.run(
        [sys.executable, "scripts/up.py", "--name", name], cwd=PROJECT, env=own_environment(), check=False
    )
    host = place.find(name)
    if done.returncode or host is None:
        print(f"FAILED the host {name} was not made (exit code {done.returncode})", flush=True)
        return None
    return host


def removed(name: str) -> None:
    """It is gone, its journal kept."""
    keep_journal(name)
    subprocess.run([sys.executable, "scripts/trial.py", "down", "--name", name], cwd=PROJECT, check=False)


def apart(suite: str) -> int:
    """Make a host for one suite, take the appliance from it, and remove it."""
    try:
        before = bare(PAGES)
        host = made(PAGES)
        if host is None:
            return 1
        codes = [run(suite, host.summary)]
        return max(*codes, run("uninstall", host.summary, RECIO_TRIAL_BARE=str(before)))
    finally:
        removed(PAGES)


def whole(lost: place.Host) -> list[int]:
    """The host's own tests; then it is injured while the fresh one is made: the one mostly waits, the other mostly works."""
    codes = [run("host", lost.summary)]
    other = threading.Thread(target=lambda: codes.extend(injure(lost)), daemon=True)
    other.start()
    try:
        second = made(SECOND)
        other.join()
        keep_journal(lost.name)  # it will not be there to ask
        if second is None or len(codes) == 1:
            return [*codes, 1]
        return [*codes, run("drill", lost.summary, RECIO_TRIAL_SECOND=str(second.summary))]
    finally:
        other.join()
        removed(SECOND)


def main() -> int:
    """Find the host, write its facts, run the tests."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--name", default="trial", help="the host (default: trial)")
    parser.add_argument("--only", choices=list(SUITES), help="one suite")
    parser.add_argument(
        "--whole",
        action="store_true",
        help="all of it but the browser's, with a second host; the first is lost at the end",
    )
    parser.add_argument("--apart", choices=["browser"], help="one suite on a host that is made for it")
    arguments = parser.parse_args()
    REPORTS.mkdir(parents=True, exist_ok=True)
    if arguments.apart:
        return apart(arguments.apart)
    host = place.find(arguments.name)
    if host is None:
        print(f"error: there is no trial host {arguments.name}: start it with `make up`", file=sys.stderr)
        return 1
    write_json(host.summary, host.facts())
    wanted = [name for name in ON[host.kind] if arguments.only in (None, name)]
    codes = whole(host) if arguments.whole else [run(name, host.summary) for name in wanted]
    return 1 if any(codes) else 0


if __name__ == "__main__":
    sys.exit(main())
