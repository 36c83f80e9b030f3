"""A new release takes the packages of the one at work, only where each file is exactly what pip installed."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[3]
PROGRAM = PROJECT / "roles/app/files/same_packages.py"
SITE = f"lib/python{sys.version_info[0]}.{sys.version_info[1]}/site-packages"


def empty_venv(place: Path) -> Path:
    """As the release's own, without pip."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", place], check=True)
    return place


def taken(old: Path, new: Path) -> tuple[int, str]:
    """Exit code and words."""
    done = subprocess.run([sys.executable, PROGRAM, old, new], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A venv with pip and its commands, as `python3 -m venv` makes it."""
    place = tmp_path_factory.mktemp("whole") / "venv"
    subprocess.run([sys.executable, "-m", "venv", place], check=True)
    return place


@pytest.fixture
def old(whole: Path, tmp_path: Path) -> Path:
    """One of its own to spoil."""
    return Path(shutil.copytree(whole, tmp_path / "old", symlinks=True))


def test_what_was_installed_works_in_its_new_place_and_can_be_taken_over_again(whole: Path, tmp_path: Path) -> None:
    second, third = empty_venv(tmp_path / "second"), empty_venv(tmp_path / "third")
    code, said = taken(whole, second)
    assert code == 0, said
    shown = subprocess.run([second / "bin/pip", "--version"], capture_output=True, text=True, check=True).stdout
    assert str(second) in shown, "its command names its own Python"
    assert taken(second, third)[0] == 0
    checked = subprocess.run([third / "bin/python", "-m", "pip", "check"], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout
    source, target = whole / SITE / "pip/__init__.py", third / SITE / "pip/__init__.py"
    assert source.read_bytes() == target.read_bytes()
    assert source.stat().st_ino != target.stat().st_ino, "one release's damage must not be the other's"


def test_bytecode_is_taken_as_far_as_its_sum_vouches_for_it(old: Path, tmp_path: Path) -> None:
    new = empty_venv(tmp_path / "release" / "venv")
    package = old / SITE / "pip"
    subprocess.run(
        [sys.executable, "-m", "compileall", "-q", package / "__init__.py", package / "__main__.py"], check=True
    )
    good, spoilt = (next(package.glob(f"__pycache__/{name}.*.pyc")) for name in ("__init__", "__main__"))
    sums = [
        f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.relative_to(old.parent)}" for file in (good, spoilt)
    ]
    (old.parent / "bytecode.sums").write_text("\n".join(sums) + "\n")
    spoilt.write_bytes(b"spoilt")
    code, said = taken(old, new)
    assert code == 0
    assert "; 1 compiled" in said
    here = new / good.relative_to(old)
    assert here.read_bytes() == good.read_bytes()
    assert not (new / spoilt.relative_to(old)).exists()
    # Python takes it for its source's: compiling again leaves it alone.
    before = here.stat().st_mtime_ns
    subprocess.run([sys.executable, "-m", "compileall", "-q", new / SITE / "pip/__init__.py"], check=True)
    assert here.stat().st_mtime_ns == before


def test_a_changed_file_is_not_taken_over(old: Path, tmp_path: Path) -> None:
    (old / SITE / "pip/__init__.py").write_text("changed = True\n")
    code, said = taken(old, empty_venv(tmp_path / "new"))
    assert code == 1
    assert "pip/__init__.py is not what was installed" in said


def test_a_missing_file_is_told(old: Path, tmp_path: Path) -> None:
    (old / SITE / "pip/py.typed").unlink()
    code, said = taken(old, empty_venv(tmp_path / "new"))
    assert code == 1
    assert "py.typed" in said


def test_a_record_that_leads_out_of_the_venv_is_refused(old: Path, tmp_path: Path) -> None:
    outside = tmp_path / "old-file"
    outside.write_text("x")
    (record,) = (old / SITE).glob("pip-*/RECORD")
    record.write_text(f"../../../../{outside.name},sha256=x,1\n")
    code, said = taken(old, empty_venv(tmp_path / "new"))
    assert code == 1
    assert "outside" in said


def test_our_own_package_and_an_empty_venv_are_no_packages(tmp_path: Path) -> None:
    bare = empty_venv(tmp_path / "bare")
    own = bare / SITE / "recio-1.dist-info"
    own.mkdir()
    (own / "RECORD").write_text("")
    code, said = taken(bare, empty_venv(tmp_path / "new"))
    assert code == 1
    assert "holds no packages" in said
