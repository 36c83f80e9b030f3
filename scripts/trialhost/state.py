"""What a host is made of, for comparing it with itself: files, accounts, packages, units, listening ports, firewall rules.

`taken(host)` runs this very file on the host as root, by the host's own Python: hence the standard library alone.
"""

from __future__ import annotations

import hashlib
import json
import os
import shlex
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from trialhost.place import Host

__all__ = ["State", "taken"]

State = dict[str, dict[str, str]]  # kind -> name -> how it is


def taken(host: Host) -> State:
    """The host as it is now, contents and account lines as sums; takes two or three seconds."""
    from trialhost import machine, ssh
    from trialhost.place import TrialError
    from trialhost.shell import run

    done = ssh.run(host, f"python3 -c {shlex.quote(Path(__file__).read_text(encoding='utf-8'))}", timeout_s=300)
    if done.returncode:
        raise TrialError(f"{host.name} did not say what it is made of: {done.stderr.strip()[-500:]}")
    found: State = json.loads(done.stdout)
    leader = machine.running_pid(host)
    if host.boxed and leader is not None:
        # From outside, by this machine's own nft: the host's may be gone with its package while its rules stay in force.
        # The leader is the container's manager, in this machine's network; its child is the container's first process.
        first = run(["pgrep", "--parent", str(leader)]).stdout.split()[0]
        rules = run(["nsenter", "--net", f"--target={first}", "nft", "list", "ruleset"]).stdout
        found["firewall"] = {str(number): line.strip() for number, line in enumerate(rules.splitlines())}
    return found


def _said(*command: str) -> list[list[str]]:
    """A command's lines, each as its words; none when the host has no such command."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return []
    return [line.split() for line in done.stdout.splitlines()]


def _sum(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]


def _entry(path: Path, state: os.stat_result) -> str:
    rights = f"{stat.S_IMODE(state.st_mode):04o} {state.st_uid}:{state.st_gid}"
    if stat.S_ISLNK(state.st_mode):
        return f"link to {path.readlink()}"
    if stat.S_ISREG(state.st_mode):
        return f"file {rights} {_sum(path.read_bytes())}"
    return f"{'folder' if stat.S_ISDIR(state.st_mode) else 'special'} {rights}"


def _files(folder: Path, device: int) -> Iterator[tuple[str, str]]:
    """Everything of the root file system; what other file systems hold (/proc, /run) is the running host's, not the disk's."""
    for path in folder.iterdir():
        try:
            state = path.lstat()
            if state.st_dev != device:
                continue
            yield str(path), _entry(path, state)
            if stat.S_ISDIR(state.st_mode):
                yield from _files(path, device)
        except FileNotFoundError:  # gone meanwhile
            continue


def _accounts() -> Iterator[tuple[str, str]]:
    for name in ("passwd", "group", "shadow", "gshadow"):
        for line in Path("/etc", name).read_text(encoding="utf-8").splitlines():
            account, _, rest = line.partition(":")
            yield f"{name}:{account}", _sum(rest.encode())


def _look() -> State:
    manual = {words[0] for words in _said("apt-mark", "showmanual")}
    packages = _said("dpkg-query", "-W", "-f", "${Package} ${Version} ${db:Status-Abbrev}\n")
    running = _said(
        "systemctl", "list-units", "--type=service,socket,timer,path,slice,target,mount", "--state=active,failed", "--plain",
        "--no-legend",
    )  # fmt: skip
    return {
        "files": dict(_files(Path("/"), os.lstat("/").st_dev)),
        "accounts": dict(_accounts()),
        "packages": {name: f"{' '.join(rest)} {'wanted' if name in manual else 'needed'}" for name, *rest in packages},
        "units": {words[0]: words[1] for words in _said("systemctl", "list-unit-files", "--plain", "--no-legend")},
        "running": {words[0]: words[2] for words in running},
        "ports": {f"{words[0]} {words[4]}": "open" for words in _said("ss", "-Hltun")},
        "firewall": {str(number): " ".join(words) for number, words in enumerate(_said("nft", "list", "ruleset"))},
    }


if __name__ == "__main__":
    print(json.dumps(_look()))
