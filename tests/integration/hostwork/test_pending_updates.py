"""Security updates as apt itself finds them, in an archive and a package database of the test's own."""

from __future__ import annotations

import hashlib
import os
import subprocess
import time
from pathlib import Path

import pytest

from recio.monitoring import updates

STATUS = "Package: {name}\nStatus: install ok installed\nMaintainer: t\nArchitecture: all\nVersion: {version}\nDescription: t\n\n"
OFFER = (
    "Package: {name}\nMaintainer: t\nArchitecture: all\nVersion: {version}\nFilename: {name}.deb\nSize: 1\nSHA256: {zero}\n"
    "Description: t\n\n"
)


class Apt:
    """Archives on disk and apt's own folders, found by APT_CONFIG."""

    def __init__(self, root: Path) -> None:
        self.root, self.state, self.dpkg = root, root / "var", root / "status"
        for folder in ("etc", "var/lists/partial", "cache/archives/partial", "parts"):
            (root / folder).mkdir(parents=True)
        lines = {
            "Dir::Etc": root / "etc", "Dir::Etc::Parts": root / "parts", "Dir::State": self.state,
            "Dir::State::Lists": self.state / "lists",
            "Dir::State::status": self.dpkg, "Dir::Cache": root / "cache", "APT::Architecture": "amd64", "APT::Sandbox::User": "root",
        }  # fmt: skip
        (root / "apt.conf").write_text("".join(f'{name} "{value}";\n' for name, value in lines.items()))
        sources = [f"deb [trusted=yes] file:{self._archive(name)} ./" for name in ("security", "main")]
        (root / "etc/sources.list").write_text("\n".join(sources) + "\n")
        self.installed({})

    def _archive(self, name: str) -> Path:
        folder = self.root / name
        folder.mkdir(exist_ok=True)
        return folder

    def installed(self, packages: dict[str, str]) -> None:
        self.dpkg.write_text("".join(STATUS.format(name=name, version=v) for name, v in packages.items()))

    def offer(self, archive: str, label: str, packages: dict[str, str]) -> None:
        """What an archive has, under the label of its Release file."""
        folder = self._archive(archive)
        text = "".join(OFFER.format(name=name, version=v, zero="0" * 64) for name, v in packages.items()).encode()
        (folder / "Packages").write_bytes(text)
        digest = hashlib.sha256(text).hexdigest()
        (folder / "Release").write_text(
            f"Origin: Debian\nLabel: {label}\nSuite: stable\nDate: Sat, 28 Nov 2026 00:00:00 UTC\nSHA256:\n {digest} {len(text)} Packages\n"
        )

    def update(self) -> None:
        done = subprocess.run(["apt-get", "update"], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr + done.stdout

    def look(self, before: updates.Updates | None = None) -> updates.Updates:
        return updates.look(before, self.state, self.dpkg)


@pytest.fixture
def apt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Apt:
    made = Apt(tmp_path)
    monkeypatch.setenv("APT_CONFIG", str(tmp_path / "apt.conf"))
    monkeypatch.setenv("RECIO_UPDATES", str(tmp_path / "updates.json"))
    return made


def test_what_waits_is_found_known_since_when_and_looked_for_only_when_something_changed(apt: Apt) -> None:
    nothing = apt.look()
    assert (nothing.lists_s, nothing.pending) == (0.0, {})
    apt.installed({"database": "1", "editor": "1"})
    apt.offer("security", "Debian-Security", {"database": "2"})
    apt.offer("main", "Debian", {"editor": "2"})
    apt.update()
    first = apt.look(nothing)
    assert list(first.pending) == ["database"], "the editor's update is no security update"
    assert first.why == "" and time.time() - first.lists_s < 60
    updates.keep(first)
    assert updates.read_updates() == first
    again = apt.look(first)
    assert again.pending == first.pending and again.at_s > first.at_s

    path, os.environ["PATH"] = os.environ["PATH"], ""  # nothing changed: apt is not even asked
    try:
        assert apt.look(first).why == ""
        os.utime(apt.dpkg, (1, 1))
        failed = apt.look(first)
    finally:
        os.environ["PATH"] = path
    assert "gave no answer" in failed.why and failed.pending == first.pending, "what was known is not forgotten"

    apt.offer("security", "Debian-Security", {"database": "3", "editor": "3"})
    apt.update()
    later = apt.look(failed)
    assert sorted(later.pending) == ["database", "editor"]
    assert later.pending["database"] == first.pending["database"] < later.pending["editor"]
    apt.installed({"database": "3", "editor": "3"})
    assert apt.look(later).pending == {}
