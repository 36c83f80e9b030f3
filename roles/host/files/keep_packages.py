#!/usr/bin/env python3
"""Makes package files again of what is installed: keep_packages.py FOLDER PACKAGE… (standard library only).

An update can only be taken back while the earlier version can be had, and an archive of security updates holds the newest alone.
A configuration file that was changed is left out: dpkg keeps it as it is, and goes on knowing that it was changed. Were it in the package,
it would count as the distribution's own, and the next update would replace it unasked. One that was deleted comes again with the next
update. Exit code 1 with the reason when a package cannot be made.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(os.environ.get("DPKG_ROOT") or "/")  # as dpkg's own commands take it
SCRIPTS = ("preinst", "postinst", "prerm", "postrm", "config")


def asked(*words: str) -> str:
    """What one of dpkg's commands says."""
    done = subprocess.run(words, capture_output=True, check=False, env={**os.environ, "LC_ALL": "C"})  # noqa: S603
    if done.returncode:
        raise ValueError(f"`{' '.join(words)}`: {done.stderr.decode(errors='replace').strip()}")
    return done.stdout.decode("utf-8", "surrogateescape")


def on_disk(path: str) -> Path:
    """Where a path of the host is."""
    return ROOT / path.lstrip("/")


def diversions() -> dict[str, tuple[str, str]]:
    """Path -> where the file of that name is instead, and the package whose own stays (none: the administrator diverted it)."""
    found = {}
    for line in asked("dpkg-divert", "--list").splitlines():
        entry = re.fullmatch(r"(?:local )?diversion of (\S+) to (\S+)(?: by (\S+))?", line)
        if entry is not None:
            found[entry[1]] = (entry[2], entry[3] or "")
    return found


def settings(name: str) -> dict[str, bool]:
    """Configuration files -> whether each is still as the package brought it, and its own."""
    found = {}
    for line in asked("dpkg-query", "--show", "--showformat=${Conffiles}", name).splitlines():
        entry = re.fullmatch(r" (/.+) ([0-9a-f]{32}|newconffile)(| .+)", line)
        if entry is not None:
            path, checksum, flags = entry.groups()
            place = on_disk(path)
            same = place.is_file() and hashlib.md5(place.read_bytes(), usedforsecurity=False).hexdigest() == checksum
            found[path] = same and not flags  # `obsolete`: no longer its own
    return found


def write_control(name: str, folder: Path, settings_kept: list[str]) -> None:
    """The package's description and its scripts."""
    status = asked("dpkg-query", "--status", name)
    fields = re.findall(r"(?m)^(?:.+(?:\n[ \t].*)*)$", status)
    ours = ("Status:", "Conffiles:", "Config-Version:", "Triggers-Pending:", "Triggers-Awaited:")  # dpkg's notes on it
    folder.mkdir(parents=True)
    told = "".join(f"{field}\n" for field in fields if not field.startswith(ours))
    (folder / "control").write_text(told, encoding="utf-8", errors="surrogateescape")
    for part in asked("dpkg-query", "--control-list", name).split():
        place = folder / part
        place.write_text(asked("dpkg-query", "--control-show", name, part), encoding="utf-8", errors="surrogateescape")
        place.chmod(0o755 if part in SCRIPTS else 0o644)
    if settings_kept:
        (folder / "conffiles").write_text("".join(f"{path}\n" for path in settings_kept), encoding="utf-8")


def copy(source: Path, target: Path, folder: bool) -> None:
    """One file, link or folder with its rights; the owner first, because a change of owner takes set-user-ID and capabilities away."""
    if folder:
        target.mkdir(parents=True, exist_ok=True)
    else:
        shutil.copyfile(source, target, follow_symlinks=False)
    seen = source.stat() if folder else source.lstat()
    os.chown(target, seen.st_uid, seen.st_gid, follow_symlinks=False)
    shutil.copystat(source, target, follow_symlinks=folder)


def keep(name: str, folder: Path, diverted: dict[str, tuple[str, str]]) -> Path:
    """Make the file of one installed package."""
    tree = folder / "tree"
    shutil.rmtree(tree, ignore_errors=True)
    as_brought = settings(name)
    write_control(name, tree / "DEBIAN", [path for path, same in as_brought.items() if same])
    listed = [line for line in asked("dpkg-query", "--listfiles", name).splitlines() if line.startswith("/")]
    # A folder in the package may be a link on the host (/lib).
    folders = {str(parent) for path in listed for parent in Path(path).parents}
    for path in listed:
        instead, owner = diverted.get(path, (path, name))
        source = on_disk(path if owner == name.split(":")[0] else instead)
        if path == "/." or not as_brought.get(path, True) or not os.path.lexists(source):
            continue
        copy(source, tree / path.lstrip("/"), path in folders or (source.is_dir() and not source.is_symlink()))
    made = folder / f"{name.replace(':', '_')}.deb"
    asked("dpkg-deb", "--build", "-Znone", str(tree), str(made))
    shutil.rmtree(tree)
    return made


def main() -> int:
    """Make them all."""
    folder, names = Path(sys.argv[1]), sys.argv[2:]
    shutil.rmtree(folder, ignore_errors=True)  # of a run that was killed
    os.umask(0o022)
    folder.mkdir(parents=True, mode=0o700)
    try:
        diverted = diversions()
        for name in names:
            print(keep(name, folder, diverted))
    except (OSError, ValueError) as failure:
        shutil.rmtree(folder, ignore_errors=True)
        print(f"an installed package could not be kept: {failure}; nothing was updated", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
