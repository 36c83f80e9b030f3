"""Debian's security updates that wait: looked for by root, when the package lists or what is installed changed; told by a small file.

Most come by themselves (unattended-upgrades); what restarts the database or the page waits until a person says so.
"""

from __future__ import annotations

import os
import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec

from recio.contract.model import UpdatesRule

__all__ = ["CURE", "Updates", "complaint", "entries", "keep", "look", "read_updates", "told"]

CURE = "playbooks/upgrade.yml on the controller, or apt-get update && apt-get upgrade here"
DAY_S = 86400.0
_LOOKED_LATELY_S = 3600.0  # root looks every ten minutes
# `Inst NAME [OLD] (NEW ORIGIN [ARCH])`; a package that comes new with an update has no [OLD].
_INSTALLED = re.compile(r"^Inst (?P<name>\S+) (?:\[(?P<old>[^\]]+)\] )?\((?P<new>\S+) (?P<origin>[^\[)]+)")
_SECURITY = re.compile(r"Debian-Security|-security\b")


class Updates(msgspec.Struct, frozen=True):
    """``at_s`` when somebody looked, ``lists_s`` how new the lists are (epoch seconds, 0: there are none), ``pending`` name ->
    since when it is known here. ``basis`` is what it was made from; ``why`` is not empty where apt did not answer."""

    at_s: float
    lists_s: float
    pending: dict[str, float]
    basis: tuple[float, ...] = ()
    why: str = ""


def entries(simulated: str) -> Iterator[tuple[str, str, str, bool]]:
    """From the words of `apt-get --simulate upgrade`: name, old version ('' for a package that comes new), new version, and
    whether it is a security update of what is installed."""
    for entry in map(_INSTALLED.match, simulated.splitlines()):
        if entry is not None:
            old = entry["old"] or ""
            yield entry["name"], old, entry["new"], bool(old and _SECURITY.search(entry["origin"]))


def _path() -> Path:
    return Path(os.environ.get("RECIO_UPDATES", "/var/lib/recio/updates.json"))


def read_updates() -> Updates | None:
    """What root last found; None before its first look."""
    try:
        return msgspec.json.decode(_path().read_bytes(), type=Updates)
    except (OSError, msgspec.DecodeError):
        return None


def keep(found: Updates) -> None:
    """Replace the file, whole. Root's."""
    fresh = _path().with_suffix(".new")
    fresh.write_bytes(msgspec.json.encode(found))
    fresh.chmod(0o644)
    fresh.replace(_path())


def look(
    before: Updates | None, apt: Path = Path("/var/lib/apt"), dpkg: Path = Path("/var/lib/dpkg/status")
) -> Updates:
    """Look again: seconds of work when lists or packages changed since ``before``, none when not. Downloads nothing."""
    now_s = time.time()
    lists_s = _lists_s(apt)
    basis = (_changed_s(apt / "lists"), _changed_s(dpkg))
    if before is not None and before.basis == basis and not before.why:
        return msgspec.structs.replace(before, at_s=now_s, lists_s=lists_s)
    known = before.pending if before else {}
    command = ["apt-get", "--simulate", "--quiet", "upgrade", "--with-new-pkgs"]
    try:
        done = subprocess.run(  # noqa: S603
            command, capture_output=True, text=True, check=True, timeout=120, env=os.environ | {"LC_ALL": "C"}
        )
    except (OSError, subprocess.SubprocessError) as failure:
        return Updates(now_s, lists_s, known, basis, f"`{' '.join(command)}` gave no answer: {failure}"[:300])
    names = [name for name, _old, _new, security in entries(done.stdout) if security]
    return Updates(now_s, lists_s, {name: known.get(name, now_s) for name in names}, basis)


def _lists_s(apt: Path) -> float:
    """When the lists were fetched, at least: apt's daily stamp, or when one came in; a list's own date is the archive's."""
    if not any((apt / "lists").glob("*Release")):
        return 0.0
    return max(
        map(_changed_s, [apt / "periodic" / "update-stamp", apt / "periodic" / "update-success-stamp", apt / "lists"])
    )


def _changed_s(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def complaint(found: Updates | None, rule: UpdatesRule, now_s: float) -> str:
    """Why a person has to look after the updates, as one sentence; empty when nobody has to (or nobody has looked yet)."""
    if found is None:
        return ""
    if found.why:
        return found.why
    if now_s - found.at_s > _LOOKED_LATELY_S:
        return f"nobody has looked for security updates for {(now_s - found.at_s) / 3600:.0f} h: is cron running?"
    if now_s - found.lists_s > rule.lists_max_days * DAY_S:
        age = f"are {(now_s - found.lists_s) / DAY_S:.0f} days old" if found.lists_s else "are not there"
        return f"Debian's package lists {age}: which security updates there are is not known"
    old = sorted(name for name, since_s in found.pending.items() if now_s - since_s > rule.pending_max_days * DAY_S)
    if not old:
        return ""
    days = (now_s - min(found.pending.values())) / DAY_S
    return f"security updates wait for up to {days:.0f} days: {_named(old)}"


def told(found: Updates | None, now_s: float) -> str:
    """What is known, in words."""
    if found is None:
        return "not looked for yet: root does it every ten minutes"
    if not found.lists_s:
        return "not known: there are no package lists"
    lists = f"by lists of {max(0.0, now_s - found.lists_s) / 3600:.0f} h ago"
    if not found.pending:
        return f"no security update waits, {lists}"
    waiting = "a security update waits" if len(found.pending) == 1 else f"{len(found.pending)} security updates wait"
    return f"{waiting}, {lists}: {_named(sorted(found.pending))}"


def _named(names: list[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
