"""Files into and out of a compressed tar stream, as they are at the moment each is read."""

from __future__ import annotations

import os
import tarfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from recio.backup.crypt import Encryptor, Key, decrypt
from recio.backup.errors import BackupError, Damaged

__all__ = ["Stream", "Tree", "count", "extract", "pack"]


@dataclass(frozen=True)
class Tree:
    """A folder to be packed, and what of it stays out (paths from its root)."""

    path: Path
    without: tuple[str, ...] = ()


def pack(trees: Sequence[Tree], out: Encryptor) -> int:
    """Write all trees as one tar stream; gives the number of files. A file may grow meanwhile: what it held when opened counts."""
    packed = 0
    with tarfile.open(fileobj=out, mode="w|gz", format=tarfile.PAX_FORMAT) as tar:  # type: ignore[call-overload]
        for tree in trees:
            for path in _walk(tree):
                packed += _add(tar, path)
    if not packed:
        raise BackupError(f"nothing to back up: no files in {', '.join(str(tree.path) for tree in trees)}")
    return packed


def _walk(tree: Tree) -> Iterator[Path]:
    skipped = {tree.path / name for name in tree.without}
    for at, names, files in os.walk(tree.path):
        folder = Path(at)
        names[:] = sorted(name for name in names if folder / name not in skipped)
        yield folder
        yield from (folder / name for name in sorted(files) if folder / name not in skipped)


def _add(tar: tarfile.TarFile, path: Path) -> int:
    try:
        if path.is_file() and not path.is_symlink():
            with path.open("rb") as file:
                # gettarinfo asks the open file: its size is the one that is read, whatever is appended or renamed over it now
                info = tar.gettarinfo(arcname=str(path).lstrip("/"), fileobj=file)
                info.type, info.linkname = tarfile.REGTYPE, ""
                tar.addfile(info, file)
            return 1
        if path.is_dir() and not path.is_symlink():  # links, sockets and pipes are nobody's data here
            tar.addfile(tar.gettarinfo(str(path), arcname=str(path).lstrip("/")))
    except FileNotFoundError:
        return 0  # gone since it was listed
    return 0


class Stream:
    """Decrypted chunks as something that can be read."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks, self._rest = chunks, b""

    def read(self, size: int) -> bytes:
        """At most ``size`` bytes; none at the end."""
        if not self._rest:
            self._rest = next(self._chunks, b"")
        part, self._rest = self._rest[:size], self._rest[size:]
        return part


def _members(payload: Path, key: Key) -> Iterator[tuple[tarfile.TarFile, tarfile.TarInfo]]:
    chunks = decrypt(payload, key)
    try:
        with tarfile.open(fileobj=Stream(chunks), mode="r|gz") as tar:  # type: ignore[call-overload]
            for member in tar:
                yield tar, member
    except (tarfile.TarError, EOFError, OSError) as error:
        raise Damaged(f"{payload} decrypts, but is no whole archive ({error}); take another backup") from error
    for _rest in chunks:  # to the last chunk, or a cut behind the archive's end would go unnoticed
        pass


def count(payload: Path, key: Key) -> int:
    """Read an encrypted archive to its end; gives the number of files."""
    return sum(member.isreg() for _tar, member in _members(payload, key))


def extract(payload: Path, key: Key, root: Path) -> int:
    """Unpack an encrypted archive below ``root`` with owners and modes; gives the number of files."""
    files = 0
    for tar, member in _members(payload, key):
        # Modes and owners are to stay, so no filter (Debian 12's Python has none yet); names that lead out are refused here.
        tar.extraction_filter = lambda found, _path: found
        if member.name.startswith("/") or ".." in Path(member.name).parts or not (member.isreg() or member.isdir()):
            raise Damaged(
                f"{payload} holds {member.name!r}, which no backup of ours does; nothing of it was put in place"
            )
        tar.extract(member, root)
        files += member.isreg()
    return files
