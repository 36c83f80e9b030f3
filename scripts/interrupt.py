#!/usr/bin/env python3
"""Kills `ansible-playbook site.yml` at random tasks, again and again, and asks that the next run continues to a good end.

On a bare host, then on an upgrade to another release: KILLS times SIGKILL for the whole controller (and, half of the times, its
connection too), then a run to the end, one that must change nothing, nothing half-written left, and the host's tests. The seed is
printed; the same seed draws the same tasks and moments (`make interrupt SEED=… KILLS=…`). Run it with `.venv/bin/python`.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import random
import re
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import trial
from trialhost import leftovers, other_release, place, ssh
from trialhost.place import Host, TrialError, write_json

PROJECT = place.PROJECT
BIN = PROJECT / ".venv" / "bin"
TASK = re.compile(r"^TASK \[(.*)\] \*+")
CHANGED = re.compile(r"changed=(\d+)\s+unreachable=(\d+)\s+failed=(\d+)")
USUAL_TASKS = 75
# Seconds between a task's headline and the kill: at once, in its middle, or in the middle of what takes long.
DELAYS_S = (0.0, 0.2, 1.0, 3.0, 10.0)
HOST_TESTS = ("test_machine.py", "test_contract.py", "test_units.py", "test_postgresql.py", "test_keys.py")


@dataclasses.dataclass(frozen=True)
class Kill:
    """At the `task`-th headline of the run, `delay_s` later; with `connection` the shared SSH connection dies too."""

    task: int
    delay_s: float
    connection: bool


@dataclasses.dataclass
class Run:
    """How one run of the playbook went: headlines seen, tasks that changed, exit code (negative: killed)."""

    tasks: list[str]
    changed: int
    code: int
    seconds: float


def draw(dice: random.Random, kills: int, tasks: int) -> list[Kill]:
    """One kill in each of `kills` equal parts of a run of `tasks` tasks: spread over the whole run, random within."""
    return [
        Kill(1 + int((part + dice.random()) * tasks / kills), dice.choice(DELAYS_S), dice.random() < 0.5)
        for part in range(kills)
    ]


def kill_all(process: subprocess.Popen[str]) -> None:
    """SIGKILL for the controller, its workers (which have sessions of their own) and what they started; nobody can say good-bye."""
    family = [psutil.Process(process.pid)]
    family += family[0].children(recursive=True)
    for member in family:
        member.kill()


def play(host: Host, options: list[str], log: Path, kill: Kill | None = None) -> Run:
    """Run site.yml to its end, or to the kill."""
    environment = {
        **os.environ,
        "RECIO_TRIAL_NAME": host.name,
        "PATH": f"{BIN}:{os.environ['PATH']}",
        "ANSIBLE_DISPLAY_SKIPPED_HOSTS": "true",  # else a headline appears only when its task has ended
        "ANSIBLE_NOCOLOR": "1",
    }
    run, started = Run([], -1, 0, 0.0), time.monotonic()
    timer: threading.Timer | None = None
    with (
        log.open("a", encoding="utf-8") as copy,
        subprocess.Popen(
            [str(BIN / "ansible-playbook"), "-i", "inventory/trial", "site.yml", *options],
            cwd=PROJECT, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, start_new_session=True,
        ) as process,
    ):  # fmt: skip
        assert process.stdout is not None  # noqa: S101 (it is piped)
        for line in process.stdout:
            copy.write(line)
            if found := TASK.search(line):
                run.tasks.append(found[1])
                if kill is not None and len(run.tasks) == kill.task:
                    timer = threading.Timer(kill.delay_s, kill_all, [process])
                    timer.start()
            if found := CHANGED.search(line):
                run.changed = int(found[1])
        run.code = process.wait()
    if timer is not None:
        timer.cancel()
    run.seconds = time.monotonic() - started
    return run


def finish(host: Host, options: list[str], log: Path, what: str) -> dict[str, object]:
    """To the end, once more without a change, nothing left behind, and the host's tests."""
    ended = play(host, options, log)
    print(f"  to the end: exit code {ended.code}, {ended.changed} changed, {ended.seconds:.0f} s", flush=True)
    if ended.code:
        raise TrialError(f"{what}: the run after the interruptions failed, see {log}")
    again = play(host, options, log)
    print(f"  once more: exit code {again.code}, {again.changed} changed, {again.seconds:.0f} s", flush=True)
    if again.code or again.changed:
        raise TrialError(
            f"{what}: the run after the good one changed {again.changed} (exit code {again.code}), see {log}"
        )
    left = leftovers.found(host)
    if left:
        raise TrialError(f"{what}: left behind are\n  " + "\n  ".join(left))
    write_json(host.summary, host.facts())
    tests = subprocess.run(
        [str(BIN / "python"), "-m", "pytest", "-q", "-p", "no:cacheprovider", "--timeout=400",
         *(f"tests/host/{name}" for name in HOST_TESTS)],
        cwd=PROJECT, env={**os.environ, "RECIO_TRIAL": str(host.summary)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    print(f"  host tests: {tests.stdout.strip().splitlines()[-1]}", flush=True)
    if tests.returncode:
        raise TrialError(f"{what}: the host's tests fail:\n{tests.stdout[-3000:]}")
    return {"seconds": round(ended.seconds, 1), "unchanged_seconds": round(again.seconds, 1), "tasks": len(again.tasks)}


def interrupt(
    host: Host, dice: random.Random, kills: int, options: list[str], log: Path, what: str
) -> dict[str, object]:
    """`kills` interruptions of one deploy, then its end. A run that ends before its kill was reached counts as none."""
    done, tasks = 0, USUAL_TASKS
    plan = draw(dice, kills, tasks)
    while done < kills:
        kill = plan[done]
        run = play(host, options, log, kill)
        if run.code == 0:
            print(f"  the run ended before task {kill.task} (+{kill.delay_s:g} s); drawn again", flush=True)
            plan[done] = dataclasses.replace(kill, task=1 + int(dice.random() * (len(run.tasks) - 1)), delay_s=0.2)
            continue
        at = run.tasks[-1] if run.tasks else "the start"
        if run.code > 0:
            raise TrialError(f"{what}: the run after {done} interruptions failed by itself in '{at}', see {log}")
        done += 1
        if kill.connection:
            ssh.close_master(host)
        print(
            f"  {done:2} killed in task {len(run.tasks)} '{at}' after {run.seconds:.0f} s"
            f"{', its connection too' if kill.connection else ''}",
            flush=True,
        )
    return {"kills": done, **finish(host, options, log, what)}


def main() -> int:
    """Read the command line, interrupt both deploys; 1 with one sentence when anything is not as it must be."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--name", default="interrupt", help="the host, made anew (default: interrupt)")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--kills", type=int, default=10, help="in all, half of them on the bare host")
    parser.add_argument(
        "--only", choices=["bare", "upgrade"], help="one of the two; the upgrade is of a deployed host then"
    )
    parser.add_argument("--keep", action="store_true", help="leave the host for a look")
    arguments = parser.parse_args()
    log = place.BUILD / "reports" / f"interrupt-{arguments.seed}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    print(f"seed {arguments.seed}, {arguments.kills} kills; the playbook's words are in {log}", flush=True)
    dice = random.Random(arguments.seed)  # noqa: S311 (no secret)
    try:
        if arguments.only != "upgrade":
            trial.down(arguments.name)
        host = trial.up(arguments.name)
        bare = {"bare": arguments.kills, "upgrade": 0, None: max(1, arguments.kills // 2)}[arguments.only]
        record: dict[str, object] = {"seed": arguments.seed}
        if bare:
            print("a bare host:", flush=True)
            record["bare"] = interrupt(host, dice, bare, [], log, "a bare host")
        if arguments.kills > bare:
            print("an upgrade:", flush=True)
            other = ["-e", f"app_release_dir={other_release.build('interrupted-upgrade')}"]
            record["upgrade"] = interrupt(host, dice, arguments.kills - bare, other, log, "an upgrade")
        write_json(place.BUILD / "reports" / "interrupt.json", record)
    except TrialError as error:
        print(f"\nerror (seed {arguments.seed}): {error}", file=sys.stderr)
        return 1
    if not arguments.keep:
        trial.down(arguments.name)
    print("every interruption was continued to a good end, and nothing was left behind", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
