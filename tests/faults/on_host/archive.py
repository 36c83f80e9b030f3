"""Runs on a deployed host as root: an archive of its own, in which newer versions of installed packages are Debian's security updates.

`archive.py offer MARK PACKAGE… [--broken]`: each package as it came, MARK behind its version; with --broken the database's server
only ends.
`archive.py away`: the packages, their marks and the real archives as they were; nothing where nothing was offered.

apt is led to the archive by one file of settings, so that the host's own sources and lists are not touched. As Debian's security archive
does it, the archive holds the newest version alone.
"""

import argparse
import hashlib
import os
import shutil
import subprocess
import time
from email.utils import formatdate
from pathlib import Path

HOME = Path("/var/tmp/recio-test-archive")
SETTINGS = Path("/etc/apt/apt.conf.d/99recio-test-archive")
CAME, OFFERED, AUTO = HOME / "came", HOME / "offered", HOME / "auto"
CACHE = Path("/var/cache/apt/archives")
LED = f"""Dir::Etc::SourceList "{HOME}/sources.list";
Dir::Etc::SourceParts "/dev/null";
Dir::State::Lists "{HOME}/lists";
"""


def run(*words: str, cwd: Path = HOME) -> str:
    """What a command said that must succeed."""
    environment = {**os.environ, "LC_ALL": "C", "DEBIAN_FRONTEND": "noninteractive"}
    done = subprocess.run(words, cwd=cwd, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"`{' '.join(words)}`: {done.stdout[-1500:]}{done.stderr[-1500:]}")
    return done.stdout


def field(package: Path, name: str) -> str:
    """One field of a package file."""
    return run("dpkg-deb", "--field", str(package), name).strip()


def as_it_came(name: str) -> Path:
    """The package file of what is installed: apt still has it from the installation, or the archive does."""
    if not any(CAME.glob(f"{name}_*.deb")):
        version = run("dpkg-query", "--show", "--showformat=${Version}", name)
        kept = [file for file in CACHE.glob(f"{name}_*.deb") if field(file, "Version") == version]
        if kept:
            shutil.copy(kept[0], CAME)
        else:
            run("apt-get", "--quiet", "download", f"{name}={version}", cwd=CAME)
        if run("apt-mark", "showauto", name).strip():
            with AUTO.open("a", encoding="utf-8") as file:
                file.write(f"{name}\n")
    (found,) = CAME.glob(f"{name}_*.deb")
    return found


def newer(name: str, mark: str, broken: bool) -> None:
    """The package once more with a higher version, nothing else changed but what is to be broken."""
    tree = HOME / "tree"
    run("dpkg-deb", "--raw-extract", str(as_it_came(name)), str(tree))
    control = tree / "DEBIAN/control"
    lines = [line + mark if line.startswith("Version: ") else line for line in control.read_text().splitlines()]
    control.write_text("\n".join(lines) + "\n")
    for server in tree.glob("usr/lib/postgresql/*/bin/postgres") if broken else ():
        server.write_text("#!/bin/sh\necho 'a broken update' >&2\nexit 1\n")
    run("dpkg-deb", "--build", "-Znone", str(tree), str(OFFERED / f"{name}.deb"))
    shutil.rmtree(tree)


def publish() -> None:
    """The lists as apt reads them, with the names that make an archive Debian's security archive."""
    entries = []
    for file in sorted(OFFERED.glob("*.deb")):
        content = file.read_bytes()
        sums = f"Filename: ./{file.name}\nSize: {len(content)}\nSHA256: {hashlib.sha256(content).hexdigest()}\n"
        entries.append(run("dpkg-deb", "--field", str(file)) + sums)
    packages = "\n".join(entries).encode()
    (OFFERED / "Packages").write_bytes(packages)
    codename = next(
        line.split("=", 1)[1] for line in Path("/etc/os-release").read_text().splitlines() if "VERSION_CODENAME" in line
    )
    (OFFERED / "Release").write_text(
        f"Origin: Debian\nLabel: Debian-Security\nSuite: stable-security\nCodename: {codename}-security\n"
        f"Date: {formatdate(time.time(), usegmt=True)}\n"
        f"SHA256:\n {hashlib.sha256(packages).hexdigest()} {len(packages)} Packages\n"
    )
    (HOME / "sources.list").write_text(f"deb [trusted=yes] file:{OFFERED} ./\n")
    (HOME / "lists/partial").mkdir(parents=True, exist_ok=True)
    SETTINGS.write_text(LED)
    run("apt-get", "--quiet", "-o", "DPkg::Lock::Timeout=120", "update")


def offer(mark: str, names: list[str], broken: bool) -> None:
    """Offer these and no others."""
    SETTINGS.unlink(missing_ok=True)
    shutil.rmtree(OFFERED, ignore_errors=True)
    for folder in (CAME, OFFERED):
        folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        newer(name, mark, broken)
    publish()


def away() -> None:
    """Nobody notices that it was there."""
    SETTINGS.unlink(missing_ok=True)
    files = [
        str(file)
        for file in sorted(CAME.glob("*.deb"))
        if run("dpkg-query", "--show", "--showformat=${Version}", file.name.split("_")[0]) != field(file, "Version")
    ]
    if files:
        run(
            "apt-get", "--quiet", "--yes", "--allow-downgrades", "--no-remove", "-o", "DPkg::Lock::Timeout=120",
            "-o", "Dpkg::Options::=--force-confold", "install", *files,
        )  # fmt: skip
    if AUTO.exists():
        run("apt-mark", "auto", *AUTO.read_text().split())
    shutil.rmtree(HOME, ignore_errors=True)


parser = argparse.ArgumentParser()
parser.add_argument("verb", choices=["offer", "away"])
parser.add_argument("words", nargs="*")
parser.add_argument("--broken", action="store_true")
arguments = parser.parse_args()
os.umask(0o022)  # apt reads the archive as a user of its own
if arguments.verb == "offer":
    offer(arguments.words[0], arguments.words[1:], arguments.broken)
elif HOME.exists():
    away()
