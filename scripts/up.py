#!/usr/bin/env python3
"""The main job on a trial host: controller, host, release, playbook, summary (`make up`; standard library only)."""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import trial
from trialhost import place, ssh, summary
from trialhost.place import Host, TrialError, write_json

PROJECT = place.PROJECT
BIN = PROJECT / ".venv" / "bin"
RECAP = re.compile(r"changed=(\d+)\s+unreachable=(\d+)\s+failed=(\d+)")
COLOUR = re.compile(r"\x1b\[[0-9;]*m")


class Phases:
    """Seconds per phase, in the order they began."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._name = ""
        self._since = 0.0

    def begin(self, name: str) -> None:
        """End the phase before, head the new one."""
        self.end()
        self._name, self._since = name, time.monotonic()
        print(f"\n==> {name}", flush=True)

    def end(self) -> None:
        """End the running phase, if any."""
        if self._name:
            self.seconds[self._name] = round(time.monotonic() - self._since, 1)
        self._name = ""


def step(command: list[str], what: str) -> None:
    """Run a step with its own output; say which one failed."""
    code = subprocess.run(command, cwd=PROJECT, check=False).returncode
    if code:
        raise _unfinished(what, code)


def _unfinished(what: str, code: int) -> TrialError:
    return TrialError(f"{what} did not finish (exit code {code}); when it is put right, run the same command again")


def build_release(host: Host) -> str:
    """Build for the Python and machine the host has; the folder, which the play is given so that it need not look again."""
    asked = ssh.run(
        host, "python3 -c 'import sys; print(\"cp%d%d\" % sys.version_info[:2])' && uname -m"
    ).stdout.split()
    if len(asked) != 2:
        raise TrialError(f"{host.name} does not say which Python it has: `make ssh` and look")
    command = [str(BIN / "python"), "scripts/build_release.py", "--python", asked[0], "--arch", asked[1]]
    done = subprocess.run(command, cwd=PROJECT, stdout=subprocess.PIPE, text=True, check=False)
    print(done.stdout, end="", flush=True)
    if done.returncode:
        raise _unfinished("building the release", done.returncode)
    return done.stdout.split()[-1]


def play(host: Host, phases: Phases, options: list[str]) -> int:
    """Run site.yml; every play is a phase. Returns how many tasks changed something."""
    environment = {
        **os.environ,
        "RECIO_TRIAL_NAME": host.name,
        "PATH": f"{BIN}:{os.environ['PATH']}",
        "ANSIBLE_FORCE_COLOR": "1" if sys.stdout.isatty() else "0",
    }
    command = [str(BIN / "ansible-playbook"), "-i", "inventory/trial", "site.yml", *options]
    changed = 0
    with subprocess.Popen(
        command, cwd=PROJECT, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None  # noqa: S101 (it is piped)
        for line in process.stdout:
            plain = COLOUR.sub("", line)
            if plain.startswith("PLAY [") and "]" in plain:
                phases.begin(plain[6 : plain.index("]")])
            elif plain.startswith("PLAY RECAP"):
                phases.end()
            if found := RECAP.search(plain):
                changed += int(found[1])
            print(line, end="", flush=True)
        code = process.wait()
    if code:
        raise TrialError(
            f"the playbook stopped (exit code {code}) at what is written above; the host is left as it is for a look "
            f"(`make ssh`, `make logs`), and `make up` continues"
        )
    return changed


def bring_up(name: str, kind: str, options: list[str], *, to_disk: bool = False) -> None:
    """All phases, then the summary; may be repeated and interrupted at any point.

    A virtual machine is deployed as a container first, then once more with its own kernel; ``to_disk`` ends at its first boot.
    """
    phases = Phases()
    started = time.monotonic()
    phases.begin("Controller")
    step(["scripts/bootstrap.sh", "up"], "preparing this machine")
    phases.begin("Trial host")
    host = trial.up(name, kind)
    phases.begin("Release")
    release = build_release(host)
    changed = 0
    if host.boxed or not to_disk:
        changed = play(host, phases, ["-e", f"app_release_dir={release}", *options])
    if host.kind == place.VM and host.boxed:
        phases.begin("A kernel of its own")
        trial.give_kernel(host)
        if not to_disk:
            changed += play(host, phases, ["-e", f"app_release_dir={release}", *options])
    write_json(host.summary, host.facts())
    seconds = {**phases.seconds, "total": round(time.monotonic() - started, 1)}
    record = {"changed": changed, "seconds": seconds, "at": int(time.time())}
    # The run that built the host and the run that changed nothing are two different figures.
    write_json(Path(f"{place.BUILD}/{name}-timings{'' if changed else '-unchanged'}.json"), record)
    summary.show(host, seconds, changed)


def main() -> int:
    """Read the command line; 1 with one sentence when something is missing."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--name", default="trial", help="the host (default: trial)")
    parser.add_argument("--kind", choices=list(place.SUITES), default=place.CONTAINER, help="default: %(default)s")
    parser.add_argument("--to-disk", action="store_true", help="of a virtual machine: end when it has its kernel")
    arguments, options = parser.parse_known_args()  # the rest goes to ansible-playbook
    try:
        bring_up(arguments.name, arguments.kind, options, to_disk=arguments.to_disk)
    except TrialError as error:
        print(f"\nerror: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\ninterrupted; the same command continues", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
