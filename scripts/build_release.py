#!/usr/bin/env python3
"""Builds a release: recio's wheel and a wheelhouse for the host's Python, in build/release/, reused when unchanged.

Run it with `.venv/bin/python`. The last line of its output is the folder, holding manifest.json, the wheel,
requirements.txt (the lock) and wheelhouse/. The host needs no index: everything it installs is in the folder.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]
RELEASES = PROJECT / "build" / "release"
LOCK = PROJECT / "requirements" / "host.lock"
CONTENT = ("app", "templates", "pyproject.toml", "package-lock.json", "requirements/host.lock")
# The newest glibc a wheel may ask for: Debian 12 has 2.36, Debian 13 has 2.41.
GLIBC_MINOR = {"cp311": 36, "cp313": 41}
KEPT = 3


class ReleaseError(Exception):
    """A release that cannot be built; one sentence with the cure."""


def files() -> Iterator[Path]:
    """Everything that makes a release what it is, in a fixed order."""
    for name in CONTENT:
        path = PROJECT / name
        if path.is_dir():
            found = (file for file in sorted(path.rglob("*")) if file.is_file())
            yield from (file for file in found if "__pycache__" not in file.parts and file.suffix != ".pyc")
        elif path.exists():
            yield path


def version() -> str:
    """The project's version with ten hex digits of its content: same content, same release."""
    digest = hashlib.sha256()
    for file in files():
        digest.update(str(file.relative_to(PROJECT)).encode() + b"\0" + file.read_bytes() + b"\0")
    base = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    return f"{base}+{digest.hexdigest()[:10]}"


def run(command: list[str], what: str, environment: dict[str, str] | None = None) -> None:
    """Run a step; its words are shown only when it fails."""
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env={**os.environ, **(environment or {})}
    )
    if done.returncode:
        raise ReleaseError(f"{what} failed:\n{(done.stderr or done.stdout).strip()[-3000:]}")


def build_wheel(folder: Path, full_version: str) -> Path:
    """Build the wheel from a copy, whose version carries the content's digest."""
    staging = folder / "source"
    (staging / "templates").mkdir(parents=True)
    # Without its own .gitignore the builder finds the project's, and leaves out the fetched npm files.
    (staging / ".gitignore").touch()
    for file in files():
        copy = staging / file.relative_to(PROJECT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, copy)
    project = staging / "pyproject.toml"
    text = project.read_text(encoding="utf-8")
    project.write_text(re.sub(r'(?m)^version = ".*"$', f'version = "{full_version}"', text, count=1), encoding="utf-8")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(staging)]
    run(command, "building the wheel", {"SOURCE_DATE_EPOCH": "1700000000"})
    shutil.rmtree(staging)
    return next(folder.glob("recio-*.whl"))


def wheelhouse(python: str, arch: str) -> Path:
    """The locked wheels for the target, downloaded once per lock; only binaries, every hash checked."""
    key = hashlib.sha256(LOCK.read_bytes()).hexdigest()[:10]
    house = PROJECT / "build" / "wheelhouse" / f"{key}-{python}-{arch}"
    if house.exists():
        return house
    partial = house.with_name(house.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    glibc = range(GLIBC_MINOR[python], 16, -1)
    platforms = [*(f"manylinux_2_{minor}_{arch}" for minor in glibc), f"manylinux2014_{arch}"]
    pip = PROJECT / "build" / "bootstrap" / "bin" / "pip"
    if not pip.exists():
        raise ReleaseError(f"{pip} is missing: run `scripts/bootstrap.sh dev`")
    print(f"downloading the wheelhouse for {python} on {arch}", file=sys.stderr, flush=True)
    run(
        [str(pip), "download", "--quiet", "--no-deps", "--require-hashes", "--only-binary=:all:",
         "--implementation=cp", f"--python-version={python[2]}.{python[3:]}",
         *(f"--platform={name}" for name in platforms), f"--dest={partial}", f"--requirement={LOCK}"],
        "downloading the wheelhouse (network? lock without a wheel for this Python?)",
    )  # fmt: skip
    partial.replace(house)
    return house


def digests(folder: Path) -> dict[str, str]:
    """SHA-256 of every file of the release, by its path in it."""
    found = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in found}


def build(python: str, arch: str) -> Path:
    """Build the release, or find it already built; a half-built one never carries the final name."""
    fetch = PROJECT / "scripts" / "fetch_npm.py"
    if fetch.exists():
        run([sys.executable, str(fetch)], "fetching the page's npm packages")
    full_version = version()
    folder = RELEASES / f"{full_version}-{python}-{arch}"
    if (folder / "manifest.json").exists():
        return folder
    print(f"building release {full_version} for {python} on {arch}", file=sys.stderr, flush=True)
    partial = folder.with_name(folder.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    wheel = build_wheel(partial, full_version)
    shutil.copytree(wheelhouse(python, arch), partial / "wheelhouse", copy_function=os.link)
    shutil.copyfile(LOCK, partial / "requirements.txt")
    manifest = {
        "version": full_version, "python": python, "arch": arch, "wheel": wheel.name, "sha256": digests(partial),
    }  # fmt: skip
    (partial / "manifest.json").write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")
    shutil.rmtree(folder, ignore_errors=True)
    partial.replace(folder)
    prune(folder)
    return folder


def prune(newest: Path) -> None:
    """Keep the last releases of this target and drop the rest; the hosts keep their own."""
    suffix = newest.name.split("-", 1)[1]
    ours = sorted(RELEASES.glob(f"*-{suffix}"), key=lambda path: path.stat().st_mtime, reverse=True)
    for old in ours[KEPT:]:
        shutil.rmtree(old)
        old.with_name(old.name + ".tar").unlink(missing_ok=True)  # packed by the deploy


@contextmanager
def alone() -> Iterator[None]:
    """One build at a time in this project: two deploys that begin together would each remove what the other has half built."""
    RELEASES.mkdir(parents=True, exist_ok=True)
    with (RELEASES / ".lock").open("w", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("another build is under way in this project; waiting for its end", file=sys.stderr, flush=True)
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def main() -> int:
    """Read the target from the command line, build, print the folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--python", choices=sorted(GLIBC_MINOR), default="cp311", help="the host's Python")
    parser.add_argument("--arch", choices=["x86_64", "aarch64"], default=platform.machine(), help="the host's machine")
    arguments = parser.parse_args()
    try:
        with alone():
            print(build(arguments.python, arguments.arch))
    except ReleaseError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
