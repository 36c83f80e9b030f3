"""Other releases than the one of this clone: the same program with one more line, so that its version differs."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from trialhost.place import BUILD, PROJECT, TrialError

COPIED = (
    "app",
    "templates",
    "pyproject.toml",
    "package-lock.json",
    "requirements/host.lock",
    "scripts/build_release.py",
)


def build(mark: str, breaking: str = "", migration: str = "", python: str = "cp311") -> Path:
    """Build a release of a copy of this clone in build/other/MARK; returns its folder.

    `mark` becomes a comment in it, `breaking` code at the end of the watchdog's module: what a bad release does; `migration` the SQL of
    one revision more.
    """
    copy = BUILD / "other" / mark
    shutil.rmtree(copy, ignore_errors=True)
    for name in COPIED:
        source, target = PROJECT / name, copy / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copyfile(source, target)
    with (copy / "app/recio/__init__.py").open("a", encoding="utf-8") as file:
        file.write(f"\n# {mark}\n")
    if breaking:
        with (copy / "app/recio/services/btc_price_watchdog.py").open("a", encoding="utf-8") as file:
            file.write(f"\n{breaking}\n")
    if migration:
        _add_revision(copy / "app/recio/store/migrations/versions", migration)
    # What was downloaded for this clone serves the copy as well.
    (copy / "build").mkdir()
    for name in ("bootstrap", "wheelhouse"):
        (BUILD / name).mkdir(exist_ok=True)
        (copy / "build" / name).symlink_to(BUILD / name)
    done = subprocess.run(
        [sys.executable, str(copy / "scripts/build_release.py"), "--python", python],
        cwd=copy, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise TrialError(f"the release {mark} could not be built: {(done.stderr or done.stdout).strip()[-800:]}")
    return Path(done.stdout.split()[-1])


def _add_revision(folder: Path, sql: str) -> None:
    """The newest revision's program once more, one number on, with this SQL."""
    newest = max(folder.glob("r[0-9]*.py"))
    number, before = f"{int(newest.name[1:5]) + 1:04d}", f"{int(newest.name[1:5]) - 1:04d}"
    program = newest.read_text(encoding="utf-8")
    stem = newest.stem[1:]  # 0015_cancel
    program = program.replace(stem, f"{number}_other").replace(stem[:4], number).replace(f'"{before}"', f'"{stem[:4]}"')
    (folder / f"r{number}_other.py").write_text(program, encoding="utf-8")
    (folder / f"{number}_other.sql").write_text(sql, encoding="utf-8")
