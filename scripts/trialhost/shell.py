"""Running other programs: quietly, with their words kept for the error message."""

from __future__ import annotations

import contextlib
import fcntl
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

from trialhost.place import STATE, TrialError


def run(command: Sequence[str], *, stdin: str | None = None, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run to the end and return the outcome; a failure raises with the program's last words."""
    done = subprocess.run(command, input=stdin, capture_output=True, text=True, check=False)
    if check and done.returncode:
        words = (done.stderr.strip() or done.stdout.strip()).splitlines()[-5:]
        raise TrialError(f"`{' '.join(command)}` failed with {done.returncode}: {' | '.join(words)}")
    return done


def need(*tools: str, purpose: str = "up") -> None:
    """Refuse to start without these programs, which `bootstrap.sh` installs for a purpose."""
    missing = [tool for tool in tools if shutil.which(tool) is None]
    if missing:
        raise TrialError(f"missing {', '.join(missing)}: run `scripts/bootstrap.sh {purpose}` as root to install it")


@contextlib.contextmanager
def machine_lock(name: str = "lock") -> Iterator[None]:
    """One change of bridge, registry or roots at a time on this machine; with a name, one of that."""
    STATE.mkdir(parents=True, exist_ok=True)
    with (STATE / name).open("w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def free_gb(path: Path) -> float:
    """Free space in 10^9 bytes where `path` is or will be."""
    while not path.exists():
        path = path.parent
    return shutil.disk_usage(path).free / 1e9
