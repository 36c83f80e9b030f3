#!/usr/bin/env python3
"""Everything `make test` runs, step after step, to the end; the last line counts it all.

A lint step counts as one, so does the molecule sequence; pytest runs count their tests. Any failure makes the exit code 1.
The whole host is tried beside all other steps, since it waits for much of its time; what it said is shown when it has ended.
The machine with a kernel of its own comes last, beside what of the host is left: without KVM it is slow.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import shutil
import subprocess
import sys
import threading
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]
BIN = PROJECT / ".venv" / "bin"
REPORTS = PROJECT / "build" / "reports"


@dataclasses.dataclass
class Count:
    """Passed, failed, skipped; what failed, a line each, as far as it has a name."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0
    failures: tuple[str, ...] = ()

    def add(self, other: Count) -> None:
        """Sum up."""
        self.passed += other.passed
        self.failed += other.failed
        self.skipped += other.skipped
        self.failures += other.failures


@dataclasses.dataclass(frozen=True)
class Step:
    """A command; with `reports`, the JUnit files its tests are counted from."""

    group: str
    name: str
    command: tuple[str, ...]
    reports: tuple[str, ...] = ()
    counts_itself: bool = True
    environment: tuple[tuple[str, str], ...] = ()


def pytest_step(name: str, *words: str) -> Step:
    """A pytest run over tests/NAME."""
    report = f"{name}.xml"
    command = ("python", "-m", "pytest", f"tests/{name}", "-q", f"--junitxml={REPORTS / report}", *words)
    return Step("pytest", f"{name} tests", command, (report,), counts_itself=False)


STEPS = (
    Step("lint", "ruff check", ("ruff", "check", ".", "inventory/trial")),
    Step("lint", "ruff format", ("ruff", "format", "--check", ".", "inventory/trial")),
    Step("lint", "mypy", ("mypy",)),
    Step("lint", "imports point one way", ("lint-imports",), environment=(("PYTHONPATH", "app"),)),
    Step(
        "lint",
        "ansible-lint",
        (
            "ansible-lint",
            "--offline",
            "--profile=production",
            "--strict",
            "--exclude",
            "templates/static",
            "--exclude",
            "inventory/cloud-init.yml",  # user data: its first line and its shape are cloud-init's
            "--exclude",
            "tests/faults/matrix.yml",  # a table: one line each
        ),
    ),
    Step(
        "lint",
        "playbook syntax",
        (
            "ansible-playbook",
            "-i",
            "inventory/local.yml",
            "--syntax-check",
            "site.yml",
            *(f"playbooks/{name}.yml" for name in ("backup", "restore", "rollback", "uninstall", "upgrade", "droplet")),
        ),
    ),
    pytest_step("unit"),
    pytest_step("property"),
    # Real servers in real time: a file mostly waits, so two go side by side, each worker with a database cluster of its own.
    pytest_step("integration", "-n", "2", "--dist", "loadfile"),
    Step(
        "molecule",
        "molecule default",
        ("molecule", "test", "--scenario-name=default", "--no-command-borders"),
        ("host.xml", "faults.xml", "power.xml", "drill.xml"),
    ),
    # After the integration tests: beside them and the other host a browser would be too slow to be judged.
    Step(
        "browser",
        "browser tests, uninstall",
        ("python", "scripts/verify_host.py", "--apart", "browser"),
        ("browser.xml", "uninstall.xml"),
    ),
    Step(
        "machine",
        "molecule vm",
        ("molecule", "test", "--scenario-name=vm", "--no-command-borders"),
        ("machine.xml", "uninstalled.xml"),
    ),
)
GROUPS = ("lint", "pytest", "molecule", "browser", "machine")


def read_report(path: Path) -> Count:
    """Count a JUnit file; a run that left none, or an unreadable one, has failed."""
    try:
        suites = list(ElementTree.parse(path).getroot().iter("testsuite"))  # noqa: S314 (our own file)
    except (OSError, ElementTree.ParseError) as error:
        return Count(failed=1, failures=(f"{path.name}: the run left no report that can be read ({error})",))
    total = Count()
    for suite in suites:
        tests, skipped = int(suite.get("tests", 0)), int(suite.get("skipped", 0))
        failed = int(suite.get("failures", 0)) + int(suite.get("errors", 0))
        total.add(Count(max(0, tests - failed - skipped), failed, skipped, tuple(failures(suite))))
    return total


def failures(suite: ElementTree.Element) -> Iterator[str]:
    """Which of its tests failed, with the first line of why."""
    for case in suite.iter("testcase"):
        for how in (*case.findall("failure"), *case.findall("error")):
            why = (how.get("message") or "").strip().partition("\n")[0]
            yield f"{case.get('classname')}::{case.get('name')} ({how.tag}): {why[:200]}"


def run(step: Step, log: Path | None = None) -> Count:
    """Run one step with its output shown, or written to ``log`` and shown at its end; count it."""
    print(f"\n==> {step.name}" + (f", beside the next steps (tail -f {log})" if log else ""), flush=True)
    for report in step.reports:
        (REPORTS / report).unlink(missing_ok=True)
    environment = {**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}", **dict(step.environment)}
    if not sys.stdout.isatty():
        environment |= {"NO_COLOR": "1", "ANSIBLE_NOCOLOR": "1", "ANSIBLE_FORCE_COLOR": "0", "PY_COLORS": "0"}
    started = time.monotonic()
    command = [str(BIN / step.command[0]), *step.command[1:]]
    if log is None:
        code = subprocess.run(command, cwd=PROJECT, env=environment, stdin=subprocess.DEVNULL, check=False).returncode
    else:
        with log.open("wb") as written:
            code = subprocess.run(
                command, cwd=PROJECT, env=environment, stdin=subprocess.DEVNULL, stdout=written,
                stderr=subprocess.STDOUT, check=False,
            ).returncode  # fmt: skip
        print(f"\n==> {step.name} said:\n{log.read_text(encoding='utf-8', errors='replace')}", flush=True)
    count = Count()
    for report in step.reports:
        count.add(read_report(REPORTS / report))
    if step.counts_itself:
        count.add(Count(failed=1) if code else Count(passed=1))
    elif code not in (0, 1) and not count.failed:
        count.failed += 1  # pytest could not even start, or found nothing to run
    if code and step.group in ("molecule", "machine"):
        show_host_tests(step)
    verdict = "ok" if code == 0 else f"FAILED (exit code {code})"
    print(f"--- {step.name}: {verdict}, {time.monotonic() - started:.0f} s", flush=True)
    return count


def show_host_tests(step: Step) -> None:
    """Inside molecule's output the host tests' words are hard to read: show them once more as they were written."""
    for report in step.reports:
        log = REPORTS / report.replace(".xml", ".log")
        if log.exists():
            print(f"\n{log}:\n{log.read_text(encoding='utf-8', errors='replace')}", flush=True)


def remove_hosts() -> None:
    """Leave no molecule host behind, whatever happened; its journal stays in build/NAME-journal.txt."""
    script = PROJECT / "molecule" / "default" / "keep_journal.sh"
    for name in ("molecule", "pages", "second", "vm"):
        subprocess.run(["/bin/bash", str(script), name], cwd=PROJECT, check=False)
        subprocess.run(
            [sys.executable, str(PROJECT / "scripts" / "trial.py"), "down", "--name", name],
            stdout=subprocess.DEVNULL,
            check=False,
        )


def main() -> int:
    """Run the chosen groups of steps and print the one honest line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--only",
        choices=GROUPS,
        action="append",
        help="only these groups",
    )
    arguments = parser.parse_args()
    chosen = [step for step in STEPS if step.group in (arguments.only or GROUPS)]
    shutil.rmtree(REPORTS, ignore_errors=True)
    REPORTS.mkdir(parents=True)
    counts: dict[str, Count] = {}
    started = time.monotonic()
    host = next((step for step in chosen if step.group == "molecule"), None)
    beside = len(chosen) > 1
    waiting: threading.Thread | None = None

    def try_host(step: Step) -> None:
        counts[step.name] = Count(failed=1)  # until it has counted itself
        counts[step.name] = run(step, REPORTS / "molecule.log")

    try:
        if beside and host is not None:
            waiting = threading.Thread(target=try_host, args=(host,), daemon=True)
            waiting.start()
        for step in chosen:
            if step is not host or not beside:
                counts[step.name] = run(step)
        if waiting is not None:
            waiting.join()
    finally:
        if any(step.group in ("molecule", "browser", "machine") for step in chosen):
            remove_hosts()
    total = Count()
    where = []
    for name, count in counts.items():
        total.add(count)
        if count.failed:
            where.append(f"{name} ({count.failed})")
    print(f"\n==> {time.monotonic() - started:.0f} s" + (f"; failed: {', '.join(where)}" if where else ""))
    for line in total.failures:
        print(f"failed: {line}")
    print(f"{total.passed} passed, {total.failed} failed, {total.skipped} skipped", flush=True)
    return 1 if total.failed else 0


if __name__ == "__main__":
    sys.exit(main())
