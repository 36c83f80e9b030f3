"""The privileged files as they are now: the watched places, every program of the root file system that gives rights, and what of
Debian's packages is not as it came. Content is read to be summed, and stays here."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

from recio.hostwork.audit import places
from recio.hostwork.audit.compare import Entry

__all__ = ["accounts", "entry_of", "name_of", "printable", "privileged_programs", "scan", "watched"]

_NO_LOG_IN = ("/usr/sbin/nologin", "/sbin/nologin", "/bin/false", "/usr/bin/false", "/bin/sync")


def scan(root: Path, patterns: Iterable[str]) -> dict[str, Entry]:
    """Every entry below the patterns, by its absolute path on the host whose / is ``root``."""
    found: dict[str, Entry] = {}
    for path in watched(root, patterns):
        name = name_of(root, path)
        if name not in found and not places.ignored(name) and (entry := entry_of(path)):
            found[name] = entry
    return found


def watched(root: Path, patterns: Iterable[str]) -> Iterator[Path]:
    """Files and folders that the patterns mean, each folder with all in it; links are not followed."""
    for pattern in patterns:
        for place in root.glob(pattern):
            yield place
            if place.is_dir() and not place.is_symlink():
                for folder, folders, files in os.walk(place):
                    yield from (Path(folder, name) for name in (*folders, *files))


def name_of(root: Path, path: Path) -> str:
    """The absolute path on the host whose / is ``root``."""
    return printable("/" + str(path)[len(str(root)) :].lstrip("/"))


def printable(text: str) -> str:
    """Without bytes that are no UTF-8 and without signs that would break a line: a file's name may hold both, to hide or to disturb."""
    if text.isprintable():  # as nearly every name is
        return text
    known = text.encode(errors="surrogateescape").decode(errors="backslashreplace")
    return "".join(sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in known)


def entry_of(path: Path, altered: bool = False) -> Entry | None:
    """What lies there, summed; None when it is gone or cannot be read as what it was a moment before."""
    try:
        state = path.lstat()
        rights = (stat.S_IMODE(state.st_mode), state.st_uid, state.st_gid)
        if stat.S_ISLNK(state.st_mode):
            # A link's own rights mean nothing.
            target = os.fsencode(path.readlink())
            return Entry("link", 0, state.st_uid, state.st_gid, hashlib.sha256(target).hexdigest())
        if stat.S_ISDIR(state.st_mode):
            return Entry("folder", *rights, harmless=state.st_uid == 0 and not rights[0] & 0o022)
        if not stat.S_ISREG(state.st_mode):
            return Entry("other", *rights)
        return Entry("altered" if altered else "file", *rights, _sum(path), _capabilities(path, rights[0]))
    except OSError:
        return None


def _sum(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _capabilities(path: Path, mode: int) -> str:
    if not mode & 0o111:
        return ""
    try:
        return os.getxattr(path, "security.capability", follow_symlinks=False).hex()
    except OSError:  # it has none, or its file system knows none
        return ""


def privileged_programs(root: Path) -> Iterator[Path]:
    """Regular files of ``root``'s file system that run with other rights than their caller's: setuid, setgid, capabilities."""
    device = root.lstat().st_dev
    folders = [str(root)]
    while folders:
        try:
            listing = list(os.scandir(folders.pop()))
        except OSError:  # gone meanwhile
            continue
        for one in listing:
            try:
                state = one.stat(follow_symlinks=False)
            except OSError:
                continue
            if stat.S_ISDIR(state.st_mode):
                if state.st_dev == device:
                    folders.append(one.path)
            elif stat.S_ISREG(state.st_mode):
                mode = state.st_mode
                if mode & (stat.S_ISUID | stat.S_ISGID) or _capabilities(Path(one.path), mode):
                    yield Path(one.path)


def accounts(root: Path) -> dict[str, Entry]:
    """The account files, each line an entry (`/etc/passwd:alice`), and each file's own rights."""
    found = {}
    for pattern in places.ACCOUNTS:
        path = root / pattern
        entry = entry_of(path)
        if entry is None:
            continue
        found[f"/{pattern}"] = Entry("account", entry.mode, entry.uid, entry.gid)
        for line in path.read_text(errors="surrogateescape").splitlines():
            name = f"/{pattern}:{printable(line.partition(':')[0])}"
            while name in found:  # a second line of the same name
                name += "+"
            sum_ = hashlib.sha256(line.encode(errors="surrogateescape")).hexdigest()
            found[name] = Entry("account", sum=sum_, harmless=powerless(path.name, line.split(":")))
    return found


def powerless(file: str, fields: list[str]) -> bool:
    """Whether a new line of an account file lets nobody in and gives nobody more: what a package's installation adds."""
    try:
        if file == "passwd":
            return 0 < int(fields[2]) < 1000 and fields[6] in _NO_LOG_IN
        if file == "shadow":
            return fields[1].startswith(("!", "*"))
        people = fields[2:] if file == "gshadow" else fields[3:]  # administrators and members; members
        return fields[1] in ("x", "!", "*", "") and not "".join(people)
    except (IndexError, ValueError):
        return False
