"""What differs between the recorded and the present state of the privileged files, and what of it nobody needs to hear. Pure."""

from __future__ import annotations

import stat
from collections.abc import Callable, Mapping
from typing import Literal

import msgspec

from recio.monitoring.audit import Difference

__all__ = ["Entry", "Files", "compare", "taken_over"]

Kind = Literal["file", "folder", "link", "other", "account", "altered", "missing"]
_SHOWN = {"file": "a file", "folder": "a folder", "link": "a link", "other": "neither file nor folder nor link"}
_NOT_AS_BROUGHT = {"altered": "not as its package brought it", "missing": "gone, though its package brought it"}


class Entry(msgspec.Struct, frozen=True, array_like=True):
    """One file as it is. ``sum`` is SHA-256 of its content, of a link's target, or of an account's line; ``capabilities`` the
    attribute that lets a program do what only root may, in hex. ``packaged``: a Debian package says that the file is its own.
    ``harmless``: new, it gives nobody anything (an account nobody can log in as, a folder that root alone writes in)."""

    kind: Kind
    mode: int = 0
    uid: int = 0
    gid: int = 0
    sum: str = ""
    capabilities: str = ""
    packaged: bool = False
    harmless: bool = False


Files = Mapping[str, Entry]


def compare(was: Files, now: Files, vouched: Callable[[str, Entry], bool]) -> list[Difference]:
    """Every difference that a person must hear of, by path. ``vouched``: whether a Debian package brought this very content here,
    asked only of what differs. Debian records no modes and owners, so that these are never vouched for."""
    found = []
    for path in sorted(was.keys() | now.keys()):
        before, after = was.get(path), now.get(path)
        if before is None:
            what = _new(path, after, vouched) if after else ""
        elif after is None:
            what = _gone(before)
        else:
            what = _changed(path, before, after, vouched)
        if what:
            found.append(Difference(path, what))
    return found


def taken_over(was: Files, now: Files, differences: list[Difference], mine: Callable[[str], bool]) -> dict[str, Entry]:
    """The record to keep: what is there now, but of differences that are not ``mine`` what was recorded before."""
    others = {one.path for one in differences if not mine(one.path)}
    return {path: entry for path, entry in now.items() if path not in others} | {
        path: was[path] for path in others if path in was
    }


def _new(path: str, after: Entry, vouched: Callable[[str, Entry], bool]) -> str:
    if after.kind in _NOT_AS_BROUGHT:
        return _NOT_AS_BROUGHT[after.kind]
    if after.harmless or (_plain(after) and vouched(path, after)):
        return ""
    extra = [name for bit, name in ((stat.S_ISUID, "setuid"), (stat.S_ISGID, "setgid")) if after.mode & bit]
    if after.kind == "folder":
        extra = []
    if after.capabilities:
        extra.append("with capabilities")
    return " ".join(["new", *extra])


def _plain(entry: Entry) -> bool:
    """No more than a file of root's that others may read."""
    risky = stat.S_ISUID | stat.S_ISGID | stat.S_IWGRP | stat.S_IWOTH
    return entry.kind == "link" or (entry.uid == 0 and not entry.mode & risky and not entry.capabilities)


def _gone(before: Entry) -> str:
    """What left with its package is fine; while the package is there, its missing files are told by dpkg as ``missing``."""
    return "" if before.packaged or before.kind in _NOT_AS_BROUGHT else "gone"


def _changed(path: str, before: Entry, after: Entry, vouched: Callable[[str, Entry], bool]) -> str:
    if "missing" in (before.kind, after.kind):
        return "" if before.kind == after.kind else _new(path, after, vouched)
    if _form(before) != _form(after):
        return f"{_SHOWN.get(after.kind, after.kind)}, was {_SHOWN.get(before.kind, before.kind)}"
    parts = []
    if before.sum != after.sum and not vouched(path, after):
        parts.append(_NOT_AS_BROUGHT.get(after.kind, "target" if after.kind == "link" else "content"))
    if before.mode != after.mode:
        parts.append(f"mode {after.mode:04o}, was {before.mode:04o}")
    if (before.uid, before.gid) != (after.uid, after.gid):
        parts.append(f"owner {after.uid}:{after.gid}, was {before.uid}:{before.gid}")
    if before.capabilities != after.capabilities:
        parts.append("capabilities")
    return "; ".join(parts)


def _form(entry: Entry) -> str:
    return "file" if entry.kind == "altered" else entry.kind
