#!/usr/bin/env python3
"""Fills a new release's empty venv with the packages of one at work: same_packages.py OLD_VENV NEW_VENV (standard library only).

Installing the same locked packages from their wheels takes a quarter of a minute of every deploy, copying them a second. Only what is
exactly as pip left it is taken: each file's SHA-256 is the one pip recorded when it checked the lock's hashes (RECORD, PEP 376 and 627).
Files are copied, not linked: one release's damage must not be the other's. Exit code 1 with the reason when anything differs; the
caller then installs from the wheels. Bytecode is taken as far as the sums kept beside the venv (SUMS) vouch for it; the rest is
compiled anew. The application's own package is left out.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import os
import sys
from pathlib import Path

OWN = "recio"
SUMS = "bytecode.sums"  # of `sha256sum`, relative to the release


def checksum(content: bytes) -> str:
    """As RECORD writes it: URL-safe base64 without padding."""
    return "sha256=" + base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()


def site_packages(venv: Path) -> Path:
    """The one folder of packages; ValueError unless it is there and belongs to this Python."""
    found = venv / f"lib/python{sys.version_info[0]}.{sys.version_info[1]}/site-packages"
    if not found.is_dir():
        raise ValueError(f"{venv} has no packages of Python {sys.version_info[0]}.{sys.version_info[1]}")
    return found


def copy(old: Path, new: Path, record: Path) -> int:
    """Copy one distribution; how many files. ValueError names the first that is not as recorded."""
    source, target = site_packages(old), site_packages(new)
    lines, files = io.StringIO(), 0
    writer = csv.writer(lines, lineterminator="\n")
    with record.open(newline="", encoding="utf-8") as listed:
        for name, recorded, size in csv.reader(listed):
            if name.endswith(".pyc"):
                continue
            here, there = source / name, Path(os.path.normpath(target / name))
            if not there.is_relative_to(new):
                raise ValueError(f"{record}: {name} lies outside of the venv")
            if recorded:
                content = here.read_bytes()
                if checksum(content) != recorded:
                    raise ValueError(f"{here} is not what was installed")
                start = f"#!{old}/".encode()
                if content.startswith(start):  # a command names its Python
                    content = f"#!{new}/".encode() + content[len(start) :]
                    recorded, size = checksum(content), str(len(content))
                there.parent.mkdir(parents=True, exist_ok=True)
                there.write_bytes(content)
                there.chmod(here.stat().st_mode & 0o7777)
                os.utime(
                    there, ns=(here.stat().st_atime_ns, here.stat().st_mtime_ns)
                )  # bytecode names its source's time
                files += 1
            writer.writerow((name, recorded, size))
    (target / record.relative_to(source)).write_text(lines.getvalue(), encoding="utf-8")
    return files


def copy_bytecode(old: Path, new: Path) -> int:
    """Copy the bytecode of every source that was copied, as far as it is what was summed; how many files."""
    listed = old.parent / SUMS
    if not listed.exists():
        return 0
    files = 0
    for line in listed.read_text(encoding="utf-8").splitlines():
        wanted, _, name = line.partition("  ")
        here = old.parent / name
        there = new / here.relative_to(old)
        source = there.parent.parent / (there.name.split(".", 1)[0] + ".py")
        if source.exists() and here.exists() and hashlib.sha256(content := here.read_bytes()).hexdigest() == wanted:
            there.parent.mkdir(exist_ok=True)
            there.write_bytes(content)
            files += 1
    return files


def main(old: Path, new: Path) -> int:
    """Copy every distribution but our own."""
    try:
        records = [
            record for record in sorted(site_packages(old).glob("*.dist-info/RECORD"))
            if record.parent.name.partition("-")[0] != OWN
        ]  # fmt: skip
        if not records:
            raise ValueError(f"{old} holds no packages")
        files = sum(copy(old, new, record) for record in records)
        compiled = copy_bytecode(old, new)
    except (OSError, ValueError) as wrong:
        print(f"packages of {old} not taken over: {wrong}")
        return 1
    print(
        f"{len(records)} packages with {files} files taken over from {old}, each as it was installed; {compiled} compiled"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve()))
