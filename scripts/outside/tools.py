"""The tools that look: lynis, testssl.sh and ssh-audit of one Debian release, whatever this machine's own release is.

They are fetched with apt, so that Debian's signature stands for them, and unpacked into the cache, so that nothing is installed.
nmap, openssl, dig and procps come from this machine (scripts/bootstrap.sh test).
"""

from __future__ import annotations

import dataclasses
import os
import shutil
import subprocess
from pathlib import Path

from trialhost import place
from trialhost.place import TrialError

SUITE = "trixie"  # testssl.sh gives grades since 3.2, which Debian 12 does not have
PACKAGES = ("lynis", "testssl.sh", "ssh-audit")
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")


@dataclasses.dataclass(frozen=True)
class Tools:
    """Where the unpacked tools lie, and which they are."""

    root: Path
    versions: dict[str, str]

    @property
    def testssl(self) -> Path:
        """The script."""
        return self.root / "usr/bin/testssl"


def configuration(folder: Path) -> str:
    """An apt of its own: its lists, its archives, nothing of this machine's."""
    return f"""
Dir::Etc::sourcelist "{folder}/sources.list";
Dir::Etc::sourceparts "-";
Dir::State "{folder}/state";
Dir::State::status "/dev/null";
Dir::Cache "{folder}/cache";
APT::Sandbox::User "root";
APT::Architecture "amd64";
APT::Architectures {{ "amd64"; }};
Acquire::Languages "none";
Acquire::Retries "2";
"""


def apt(folder: Path, *words: str, into: Path | None = None) -> None:
    """Run the private apt-get; TrialError with its last words when it fails."""
    environment = {**os.environ, "APT_CONFIG": str(folder / "apt.conf"), "LC_ALL": "C.UTF-8"}
    done = subprocess.run(
        ["apt-get", "-qq", *words], cwd=into, env=environment, capture_output=True, text=True, check=False, timeout=300
    )
    if done.returncode:
        last = (done.stderr.strip() or done.stdout.strip()).splitlines()[-1:]
        raise TrialError(
            f"`apt-get {' '.join(words)}` for Debian {SUITE} failed: {' '.join(last)} "
            f"(network? RECIO_DEBIAN_MIRROR is {place.MIRROR})"
        )


def fetch(folder: Path | None = None) -> Tools:
    """The tools, fetched once and kept in the cache (15 s; later 0)."""
    folder = folder or place.cache_dir() / "outside"
    done = folder / "versions"
    if not done.exists():
        if not KEYRING.exists():
            raise TrialError(f"{KEYRING} is missing: apt-get install debian-archive-keyring")
        shutil.rmtree(folder, ignore_errors=True)
        for part in ("state/lists/partial", "cache/archives/partial", "debs", "root"):
            (folder / part).mkdir(parents=True)
        (folder / "apt.conf").write_text(configuration(folder), encoding="utf-8")
        source = f"deb [signed-by={KEYRING}] {place.MIRROR} {SUITE} main\n"
        (folder / "sources.list").write_text(source, encoding="utf-8")
        apt(folder, "update")
        apt(folder, "download", *PACKAGES, into=folder / "debs")
        archives = sorted((folder / "debs").glob("*.deb"))
        for archive in archives:
            subprocess.run(["dpkg-deb", "--extract", str(archive), str(folder / "root")], check=True)
        shutil.rmtree(folder / "state")
        shutil.rmtree(folder / "cache")
        lines = [" ".join(archive.name.split("_")[:2]) for archive in archives]
        done.write_text("\n".join(lines) + "\n", encoding="utf-8")
    versions = dict(line.split(" ", 1) for line in done.read_text(encoding="utf-8").splitlines())
    if set(versions) != set(PACKAGES):
        done.unlink()
        raise TrialError(f"{folder} holds {', '.join(sorted(versions))}: removed what was noted there; run it again")
    return Tools(folder / "root", versions)
