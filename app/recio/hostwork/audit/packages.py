"""What Debian's packages say of their files: whose a file is, whether its content is the one that came with it, what differs."""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import subprocess
from functools import cached_property
from pathlib import Path

from recio.hostwork.audit.compare import Entry

__all__ = ["Packages", "differing", "package_manager_works", "verify"]

_CONFFILE = re.compile(r"^ (/\S+) ([0-9a-f]{32})(?: obsolete)?$", re.MULTILINE)
_VERIFIED = re.compile(r"^(?P<flags>\S{9}|missing) +(?:c )? *(?P<path>/.*)$")
# deb-systemd-helper notes here which links it made for a package's units, below the same path as in /etc/systemd/system.
_UNIT_LINKS = ("/etc/systemd/system/", "/var/lib/systemd/deb-systemd-helper-enabled/")


class Packages:
    """dpkg's own lists below ``root``, read when first asked."""

    def __init__(self, root: Path = Path("/")) -> None:
        self._root, self._dpkg = root, root / "var/lib/dpkg"

    @cached_property
    def sums(self) -> dict[str, str]:
        """Absolute path -> MD5 as its package brought it, of all files and conffiles that have one."""
        found: dict[str, str] = {}
        for listing in (self._dpkg / "info").glob("*.md5sums"):
            for line in listing.read_text(errors="surrogateescape").splitlines():
                digest, _, path = line.partition("  ")
                found[self._real(f"/{path}")] = digest
        status = self._dpkg / "status"
        if status.exists():
            found |= {self._real(path): md5 for path, md5 in _CONFFILE.findall(status.read_text(errors="replace"))}
        return found

    @cached_property
    def listed(self) -> frozenset[str]:
        """Every path that a package lists, links too."""
        lists = (self._dpkg / "info").glob("*.list")
        return frozenset(
            self._real(path) for one in lists for path in one.read_text(errors="surrogateescape").splitlines()
        )

    def owns(self, path: str) -> bool:
        """Whether a package brought something to this path."""
        return path in self.sums or path in self.listed

    def vouches(self, path: str, entry: Entry) -> bool:
        """Whether a package brought this very content here; of a link, whether a package listed it or Debian's helper made it."""
        if entry.kind == "link":
            made = self._root / path.replace(*_UNIT_LINKS, 1).lstrip("/")
            return path in self.listed or (path.startswith(_UNIT_LINKS[0]) and made.is_file())
        wanted = self.sums.get(path)
        if wanted is None or entry.kind != "file":
            return False
        try:
            with (self._root / path.lstrip("/")).open("rb") as file:
                return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest() == wanted
        except OSError:
            return False

    def _real(self, path: str) -> str:
        """dpkg may still write /bin/su, which lies in /usr/bin: the path with its folder's links followed."""
        folder, _, name = path.rpartition("/")
        return f"{self._folder(folder)}/{name}"

    def _folder(self, folder: str) -> str:
        if folder not in self._folders:
            there = os.path.realpath(self._root / folder.lstrip("/"))
            self._folders[folder] = "" if there == str(self._root).rstrip("/") or there == "/" else self._below(there)
        return self._folders[folder]

    def _below(self, there: str) -> str:
        return there.removeprefix(str(self._root).rstrip("/"))

    @cached_property
    def _folders(self) -> dict[str, str]:
        return {}


def differing(said: str) -> dict[str, bool]:
    """From the words of `dpkg --verify`: each path that is not as its package brought it -> whether it is missing."""
    found = (_VERIFIED.match(line) for line in said.splitlines())
    return {one["path"]: one["flags"] == "missing" for one in found if one}


def verify() -> str:
    """`dpkg --verify`, all packages; seconds. Its exit status tells that something differs, and is no failure."""
    words = ["dpkg", "--verify"]
    done = subprocess.run(words, capture_output=True, text=True, errors="surrogateescape", check=False, timeout=600)  # noqa: S603
    return done.stdout


def package_manager_works(lock: Path = Path("/var/lib/dpkg/lock-frontend")) -> bool:
    """Whether dpkg or apt is at work now, so that a file may be half way between two versions."""
    try:
        with lock.open("r+") as file:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            fcntl.lockf(file, fcntl.LOCK_UN)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return False
