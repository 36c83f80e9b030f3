"""What a tool said: figures that may only get better, and findings, each with a reason to stay or it must go."""

from __future__ import annotations

import dataclasses
import subprocess
from collections.abc import Sequence

from trialhost.place import TrialError


@dataclasses.dataclass(frozen=True)
class Figure:
    """A number with a direction: ``higher`` says whether more is better."""

    value: float
    higher: bool


@dataclasses.dataclass(frozen=True)
class Result:
    """One tool's outcome. ``findings`` maps a stable name (`SSH-7408 LogLevel`) to what the tool said of it."""

    tool: str
    version: str
    seconds: float
    figures: dict[str, Figure]
    findings: dict[str, str]
    whole: bool = True  # False: a shorter run, which can only find less


@dataclasses.dataclass(frozen=True)
class Place:
    """The host that is looked at."""

    ssh: tuple[str, ...]  # the words before a command, which runs as root
    address: str
    ca_file: str


def run(words: Sequence[str], *, timeout_s: float, allowed: Sequence[int] = (0,), **options: object) -> bytes:
    """Standard output of a tool; TrialError with its last words for another exit code, or when it takes too long."""
    try:
        done = subprocess.run(list(words), capture_output=True, timeout=timeout_s, check=False, **options)  # type: ignore[call-overload]
    except FileNotFoundError as error:
        raise TrialError(f"{words[0]} is missing here: scripts/bootstrap.sh test") from error
    except subprocess.TimeoutExpired as error:
        raise TrialError(f"{words[0]} did not end within {timeout_s:.0f} s") from error
    if done.returncode not in allowed:
        last = (done.stderr or done.stdout).decode(errors="replace").strip().splitlines()[-1:]
        raise TrialError(f"{' '.join(words[:6])} … ended with {done.returncode}: {' '.join(last)}")
    return bytes(done.stdout)
