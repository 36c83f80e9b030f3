"""The folder of backups: what is in it, writing one so that it is whole or not there, and what may be removed."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from recio.backup.crypt import Encryptor, Key
from recio.backup.errors import BackupError, Damaged
from recio.backup.lock import locked
from recio.backup.manifest import MANIFEST, PAYLOAD, Kind, Manifest, read_manifest, signed

__all__ = ["Entry", "Repository", "to_remove"]

_UNFINISHED = ".unfinished-"
_ARCHIVE = "wal"  # the continuous archive lies beside the backups, and is pgBackRest's


@dataclass(frozen=True)
class Entry:
    """A backup's folder; ``manifest`` is None, and ``why`` says so, when it is damaged at first sight."""

    folder: Path
    size: int
    made_s: float
    manifest: Manifest | None
    why: str = ""

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.folder.name


def to_remove(
    entries: Sequence[Entry], kept: frozenset[str], keep_days: dict[Kind, int], budget: int, now_s: float
) -> list[Entry]:
    """What retention removes: what is past its days, then the oldest until the rest fits ``budget`` bytes.

    Never one of ``kept`` (the newest verified of each kind, and the newest that a restore test brought back).
    """
    gone = [
        entry
        for entry in entries
        if entry.name not in kept
        and now_s - entry.made_s
        > 86400 * (keep_days[entry.manifest.kind] if entry.manifest else max(keep_days.values()))
    ]
    total = sum(entry.size for entry in entries) - sum(entry.size for entry in gone)
    for entry in sorted(entries, key=lambda e: (e.manifest is not None, e.made_s)):  # damaged ones first
        if total <= budget:
            break
        if entry not in gone and entry.name not in kept:
            gone.append(entry)
            total -= entry.size
    return gone


class Repository:
    """The folder, for one process at a time (``locked``)."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @contextlib.contextmanager
    def locked(self, wait_s: float = 900.0) -> Iterator[None]:
        """One backup, restore test or restore at a time; BackupError when another does not end within ``wait_s``."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        busy = f"another `recio backup` works in {self.folder}; try again when it is done"
        with locked(self.folder / ".lock", wait_s, busy):
            yield

    def entries(self) -> list[Entry]:
        """Every backup, oldest first."""
        found = []
        for folder in self.folder.iterdir() if self.folder.is_dir() else []:
            if not folder.is_dir() or folder.name.startswith((".", _ARCHIVE)):
                continue
            size = sum(file.stat().st_size for file in folder.iterdir() if file.is_file())
            try:
                manifest = read_manifest(folder)
            except Damaged as damage:
                found.append(Entry(folder, size, folder.stat().st_mtime, None, str(damage)))
            else:
                why = _at_first_sight(folder, manifest)
                found.append(Entry(folder, size, manifest.made_s, manifest if not why else None, why))
        return sorted(found, key=lambda entry: entry.made_s)

    def newest(self, kind: Kind) -> Entry | None:
        """The newest backup of a kind that is not damaged at first sight."""
        fitting = [entry for entry in self.entries() if entry.manifest and entry.manifest.kind == kind]
        return fitting[-1] if fitting else None

    def find(self, name: str) -> Entry:
        """A backup by its name."""
        for entry in self.entries():
            if entry.name == name:
                return entry
        raise BackupError(f"there is no backup {name} in {self.folder}; `recio backup list` shows them")

    def clear_unfinished(self) -> None:
        """Throw away what an interrupted backup left."""
        for folder in self.folder.glob(f"{_UNFINISHED}*"):
            shutil.rmtree(folder)

    def write(
        self, name: str, key: Key, make: Callable[[Encryptor], Manifest], check: Callable[[Path], object]
    ) -> Entry:
        """Make a backup: ``make`` fills the payload and describes it, ``check`` reads it back; only then it gets its name.

        Whatever is raised on the way leaves the repository as it was.
        """
        place = self.folder / name
        fresh = Path(tempfile.mkdtemp(prefix=_UNFINISHED, dir=self.folder))
        try:
            with (fresh / PAYLOAD).open("wb") as out:
                payload = Encryptor(out, key)
                described = make(payload)
                sha256 = payload.finish()
                out.flush()
                os.fsync(out.fileno())
            manifest = msgspec.structs.replace(
                described, size=payload.size, plain_size=payload.plain_bytes, sha256=sha256, key_id=key.key_id
            )
            with (fresh / MANIFEST).open("wb") as out:
                out.write(signed(manifest, key))
                out.flush()
                os.fsync(out.fileno())
            check(fresh)
            _sync(fresh)
            fresh.rename(place)
            _sync(self.folder)
        except BaseException:
            shutil.rmtree(fresh, ignore_errors=True)
            raise
        return next(entry for entry in self.entries() if entry.name == name)

    def remove(self, entry: Entry) -> None:
        """Remove a backup: first from sight, then its files, so that an interruption leaves no half of it in the list."""
        hidden = entry.folder.with_name(f"{_UNFINISHED}{entry.name}")
        entry.folder.rename(hidden)
        shutil.rmtree(hidden)


def _at_first_sight(folder: Path, manifest: Manifest) -> str:
    try:
        size = (folder / PAYLOAD).stat().st_size
    except FileNotFoundError:
        return f"{folder.name} has no {PAYLOAD}: the file was lost; take another backup"
    if size != manifest.size:
        return f"{folder.name} is cut off or grown: {PAYLOAD} has {size} bytes, {manifest.size} were written; take another backup"
    return ""


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
