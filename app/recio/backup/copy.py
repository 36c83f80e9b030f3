"""A copy of everything a desk can be brought back from, as it lies on another machine or in a folder that was fetched from it.

    desk-KEYID-SYSTEMID/                  of one key and one database cluster: two desks never mix, a recovered one goes on in its own
      wal/archive/recio/…                 segments, as pgBackRest wrote them; never changed
      wal/backup/recio/LABEL/…            finished bases; never changed
      wal/info/MOMENT/…                   pgBackRest's own lists, which do change: each version beside the others, with desk.json about it
      backup_…/ data_backup_…/ config_…/  dumps

Everything is encrypted already, and no file ever changes its content: the other machine may refuse to overwrite or remove.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

import msgspec

from recio import release
from recio.backup.crypt import Key
from recio.backup.errors import BackupError, Damaged
from recio.backup.repository import Repository
from recio.backup.wal import Wal
from recio.store.schema import expected_revision

__all__ = [
    "INFO",
    "Desk",
    "assemble",
    "choose",
    "desk_name",
    "folders",
    "read_desk",
    "segments",
    "stage_info",
    "system_id",
]

INFO = "wal/info"
_LISTS = ("archive/recio/archive.info", "backup/recio/backup.info")


class Desk(msgspec.Struct, frozen=True):
    """Of which desk the lists are, signed with its key; ``server`` is PostgreSQL's major version."""

    host: str
    release: str
    schema: str
    server: str
    key_id: str
    signature: str = ""

    def text(self) -> bytes:
        """What is signed."""
        return msgspec.json.encode(msgspec.structs.replace(self, signature=""))


def system_id(data: Path) -> int:
    """The cluster's own number, as its control file begins with it."""
    try:
        return int.from_bytes((data / "global/pg_control").read_bytes()[:8], "little")
    except OSError as error:
        raise BackupError(f"{error.filename} cannot be read: there is no database cluster to copy") from error


def desk_name(key: Key, data: Path) -> str:
    """The folder of this desk's copy."""
    return f"desk-{key.key_id}-{system_id(data)}"


def segments(wal: Wal, since_s: float = 0.0) -> list[str]:
    """Everything of the archive that came after ``since_s`` (epoch seconds), by its path from the backups' folder, in order."""
    root, found = wal.repository.parent, []
    for at, _folders, names in os.walk(wal.repository / "archive" / "recio"):
        for name in names:
            path = Path(at, name)
            if not name.startswith("archive.info") and not name.endswith(".tmp") and path.stat().st_mtime >= since_s:
                found.append(str(path.relative_to(root)))
    return sorted(found)


def folders(wal: Wal) -> dict[str, list[str]]:
    """Finished bases and dumps: name -> its files, by their path from the backups' folder."""
    root = wal.repository.parent
    # The manifest takes its name when everything else of the base is on disk.
    manifests = (wal.repository / "backup" / "recio").glob("*/backup.manifest")
    bases = [path.parent for path in manifests if not path.parent.is_symlink()]  # pgBackRest's `latest` is one
    dumps = [entry.folder for entry in Repository(root).entries() if entry.manifest is not None]
    return {folder.name: sorted(_files(folder, root)) for folder in (*dumps, *sorted(bases))}


def _files(folder: Path, root: Path) -> Iterator[str]:
    return (str(path.relative_to(root)) for path in folder.rglob("*") if path.is_file() and not path.is_symlink())


def stage_info(wal: Wal, key: Key, into: Path, now_s: float) -> str:
    """Copy the lists as they are now to ``into``/MOMENT; gives a digest that is the same for the same lists of the same release."""
    lists = [path for name in _LISTS for path in (wal.repository / name, wal.repository / f"{name}.copy")]
    there = [path for path in lists if path.is_file()]
    if not any(path.name == "archive.info" for path in there):
        raise BackupError(f"{wal.repository} has no archive.info: `recio backup wal-setup` makes the archive")
    folder = into / f"{now_s:.3f}"
    folder.mkdir(parents=True)
    for path in there:
        shutil.copyfile(path, folder / path.name)
    server = (wal.data / "PG_VERSION").read_text().strip()
    desk = Desk(socket.gethostname(), release(), expected_revision(), server, key.key_id)
    signed = msgspec.structs.replace(desk, signature=key.sign(desk.text()))
    (folder / "desk.json").write_bytes(msgspec.json.encode(signed))
    return hashlib.sha256(b"".join(path.read_bytes() for path in sorted(folder.iterdir()))).hexdigest()[:16]


def choose(folder: Path, key: Key) -> Path:
    """The desk's folder in ``folder``, or ``folder`` itself when it is one; of several the one whose lists are the newest.

    A folder of dumps alone is one too. BackupError when nothing in it was made with the key.
    """
    if (folder / "wal").is_dir() or not any(folder.glob("desk-*")):
        return folder
    mine = [found for found in folder.glob(f"desk-{key.key_id}-*") if _moments(found)]
    if not mine:
        others = ", ".join(sorted(found.name for found in folder.glob("desk-*")))
        raise BackupError(f"{folder} holds {others}, none made with the key {key.key_id}: give the right backup_key")
    return max(mine, key=lambda found: float(_moments(found)[-1].name))


def _moments(folder: Path) -> list[Path]:
    def number(path: Path) -> float:
        try:
            return float(path.name)
        except ValueError as error:
            raise Damaged(f"{path} is no moment of ours; move it away") from error

    return sorted((folder / INFO).glob("[0-9]*"), key=number)


def read_desk(folder: Path, key: Key) -> Desk:
    """What the newest lists of a copy say of themselves; Damaged when they were not made with the key."""
    moments = _moments(folder)
    if not moments:
        raise Damaged(f"{folder / INFO} holds no lists of the archive: nothing of its WAL can be found")
    path = moments[-1] / "desk.json"
    try:
        desk = msgspec.json.decode(path.read_bytes(), type=Desk)
    except (OSError, msgspec.MsgspecError) as error:
        raise Damaged(
            f"{path} cannot be read ({error}); move {moments[-1].name} away to use the lists before"
        ) from error
    if desk.key_id != key.key_id:
        raise Damaged(
            f"{folder} was made with the key {desk.key_id}, this is the key {key.key_id}: give the right backup_key"
        )
    if not hmac.compare_digest(desk.signature, key.sign(desk.text())):
        raise Damaged(
            f"{path} was altered: its signature does not fit; move {moments[-1].name} away to use the lists before"
        )
    return desk


def assemble(folder: Path) -> Path:
    """Put the newest lists where pgBackRest looks for them; gives the repository. The copy stays as it was otherwise."""
    newest = _moments(folder)[-1]
    for name in _LISTS:
        target = folder / "wal" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        for suffix in ("", ".copy"):
            source = newest / f"{target.name}{suffix}"
            if source.is_file():
                shutil.copyfile(source, f"{target}{suffix}")
    return folder / "wal"
