"""What a piece of work is given, how it says what it does, and how it fails."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from recio.contract import Contract
from recio.store.db import Database

__all__ = ["Job", "WorkFailed", "run_command"]


class WorkFailed(RuntimeError):
    """The work was not done; the message is the sentence the user reads: what, why, and what holds now."""


@dataclass(frozen=True)
class Job:
    """One request under way. ``say`` tells the page what happens now; ``args`` are the kind's typed arguments."""

    request_id: int
    args: Any
    contract: Contract
    db: Database
    say: Callable[[str], None]


def run_command(command: Sequence[str], timeout_s: float) -> str:
    """Standard output of a fixed command without a shell. Raises WorkFailed with the end of what it said."""
    try:
        done = subprocess.run(  # noqa: S603 - the words are this package's own, values were checked against the host
            list(command), capture_output=True, text=True, timeout=timeout_s, check=False, stdin=subprocess.DEVNULL, cwd="/"
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise WorkFailed(f"`{' '.join(command[:3])}` did not end within {timeout_s:g} s") from None
    except OSError as failure:
        raise WorkFailed(f"`{command[0]}` could not be started: {failure.strerror}") from None
    if done.returncode:
        said = " ".join((done.stderr or done.stdout).split())[-600:]
        raise WorkFailed(f"`{' '.join(command[:3])}` ended with {done.returncode}: {said or 'without a word'}")
    return done.stdout
