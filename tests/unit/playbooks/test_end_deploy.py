"""What interrupted deploys left goes with the first that ends well; what is newer than that, or being installed now, stays."""

from __future__ import annotations

import fcntl
import os
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[3] / "roles/app/files/end_deploy.sh"


@pytest.fixture
def host(tmp_path: Path) -> Path:
    for release in ("1.0", "1.1"):
        (tmp_path / "releases" / release / "venv").mkdir(parents=True)
    (tmp_path / "releases/1.0/.complete").touch()
    (tmp_path / "releases/1.2.tar").touch()
    for name, age in (("ansible-tmp-1", 20), ("ansible-tmp-2", -20), ("kept", 20)):
        folder = tmp_path / ".ansible/tmp" / name
        folder.mkdir(parents=True)
        os.utime(folder, (1_000_000 - age, 1_000_000 - age))
    (tmp_path / "under_way").touch()
    os.utime(tmp_path / "under_way", (1_000_000, 1_000_000))
    return tmp_path


def _end(host: Path) -> None:
    script = SCRIPT.read_text().replace("/var/lib/recio/deploy", str(host)).replace("/opt/recio", str(host))
    subprocess.run(["sh", "-c", script], env={**os.environ, "HOME": str(host), "SUDO_USER": "nobody"}, check=True)


def _there(host: Path) -> set[str]:
    return {
        str(path.relative_to(host))
        for pattern in ("releases/[0-9]*", ".ansible/tmp/*", "under_way")
        for path in host.glob(pattern)
    }


def test_what_interrupted_deploys_left_goes(host: Path) -> None:
    _end(host)
    assert _there(host) == {"releases/1.0", ".ansible/tmp/ansible-tmp-2", ".ansible/tmp/kept"}


def test_an_installation_under_way_is_left_alone(host: Path) -> None:
    with (host / "releases/.lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        _end(host)
    assert {"releases/1.1", "releases/1.2.tar"} <= _there(host)


def test_without_a_flag_nothing_is_touched(host: Path) -> None:
    (host / "under_way").unlink()
    before = _there(host)
    _end(host)
    assert _there(host) == before
