"""An installed package becomes a package file again, and going back with it loses nobody's changes: with dpkg, in a root of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = Path(__file__).resolve().parents[3] / "roles/host/files/keep_packages.py"
pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="dpkg installs as root alone")


class Root:
    """A machine with nothing on it but dpkg's records."""

    def __init__(self, place: Path) -> None:
        self.place, self.built = place / "root", place / "built"
        for folder in ("var/lib/dpkg/info", "var/lib/dpkg/updates", "usr/lib"):
            (self.place / folder).mkdir(parents=True)
        (self.place / "var/lib/dpkg/status").touch()
        (self.place / "lib").symlink_to("usr/lib")

    def run(self, *words: object) -> str:
        """A command of dpkg's, in this root."""
        environment = os.environ | {"DPKG_ROOT": str(self.place), "LC_ALL": "C"}
        done = subprocess.run(
            [str(word) for word in words], env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def install(self, package: Path) -> None:
        """As apt has it done for playbooks/upgrade.yml."""
        self.run("dpkg", f"--root={self.place}", "--force-script-chrootless,confdef,confold", "--install", package)

    def build(self, version: str, setting: str = "as it came") -> Path:
        """The package `desk` of a version."""
        tree = self.built / version
        for path, text in {
            "DEBIAN/control": f"Package: desk\nVersion: {version}\nArchitecture: all\nMaintainer: me <me@localhost>\nDescription: x\n y\n",
            "DEBIAN/conffiles": "/etc/changed.conf\n/etc/gone.conf\n/etc/same.conf\n",
            "DEBIAN/postinst": "#!/bin/sh\nexit 0\n",
            "etc/changed.conf": f"{setting}\n",
            "etc/gone.conf": "x\n",
            "etc/same.conf": f"{version}\n",
            "lib/desk/program": f"{version}\n",
            "usr/bin/sh": f"of desk {version}\n",
        }.items():  # fmt: skip
            (tree / path).parent.mkdir(parents=True, exist_ok=True)
            (tree / path).write_text(text)
        (tree / "DEBIAN/postinst").chmod(0o755)
        (tree / "lib/desk/link").symlink_to("program")
        os.chown(tree / "lib/desk/program", 0, 60)
        (tree / "lib/desk/program").chmod(0o4755)
        made = self.built / f"desk-{version}.deb"
        self.run("dpkg-deb", "--build", "-Znone", tree, made)
        return made

    def keep(self) -> Path:
        """What the program makes of the installed one."""
        said = self.run(sys.executable, PROGRAM, self.built / "kept", "desk")
        assert not (self.built / "kept/tree").exists()
        return Path(said.strip())


@pytest.fixture
def root(tmp_path: Path) -> Root:
    """Version 1 of a package, one of whose files is diverted and two of whose settings were changed."""
    made = Root(tmp_path)
    divert = ("--package", "another", "--divert", "/usr/bin/sh.desk", "--rename", "--add", "/usr/bin/sh")
    made.run("dpkg-divert", f"--root={made.place}", *divert)
    made.install(made.build("1"))
    (made.place / "etc/changed.conf").write_text("the owner's\n")
    (made.place / "etc/gone.conf").unlink()
    return made


def test_it_is_what_was_installed_without_what_was_changed(root: Root) -> None:
    kept = root.keep()
    tree = root.built / "seen"
    root.run("dpkg-deb", "--raw-extract", kept, tree)
    assert sorted(str(path.relative_to(tree)) for path in tree.rglob("*") if not path.is_dir()) == [
        "DEBIAN/conffiles", "DEBIAN/control", "DEBIAN/md5sums", "DEBIAN/postinst", "etc/same.conf", "lib/desk/link", "lib/desk/program",
        "usr/bin/sh",
    ]  # fmt: skip
    assert (tree / "DEBIAN/conffiles").read_text() == "/etc/same.conf\n"
    assert (tree / "usr/bin/sh").read_text() == "of desk 1\n", "its own file, wherever another package had it put"
    assert not (tree / "lib").is_symlink(), "a folder in a package, a link on the host"
    assert (tree / "lib/desk/link").readlink() == Path("program")
    program = (tree / "lib/desk/program").stat()
    assert (program.st_mode & 0o7777, program.st_gid) == (0o4755, 60)
    control = (tree / "DEBIAN/control").read_text()
    assert "Status:" not in control and "Conffiles:" not in control and "Description: x\n y\n" in control


def test_going_back_with_it_changes_nothing_of_the_owners(root: Root) -> None:
    kept = root.keep()
    root.install(root.build("2"))
    root.install(kept)
    assert root.run("dpkg-query", "--show", "--showformat=${Version} ${db:Status-Abbrev}", "desk").split() == [
        "1",
        "ii",
    ]
    assert (root.place / "lib/desk/program").read_text() == "1\n"
    assert (root.place / "etc/same.conf").read_text() == "1\n"
    # The next update knows that it was changed.
    root.install(root.build("3", setting="a new default"))
    assert (root.place / "etc/changed.conf").read_text() == "the owner's\n"
    assert (root.place / "etc/same.conf").read_text() == "3\n"


def test_a_package_that_is_not_there_is_named_and_nothing_is_left(root: Root) -> None:
    environment = os.environ | {"DPKG_ROOT": str(root.place)}
    words = [sys.executable, str(PROGRAM), str(root.built / "kept"), "desk", "nothing"]
    done = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "matching nothing;" in done.stderr and "nothing was updated" in done.stderr
    assert not (root.built / "kept").exists()
