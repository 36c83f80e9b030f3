"""What must survive a kill -9: one JSON line per operation, on disk before the answer goes out.

A line is whole or it never happened: an operation whose line was torn was never answered. At start, and when
it has grown long, the state is written anew as one picture and put in place by a rename.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec

__all__ = ["Journal", "JournalError"]

log = logging.getLogger(__name__)
Change = dict[str, Any]
LONG_BYTES = 8 << 20


class JournalError(Exception):
    """The state folder cannot be used; the text says which file, why, and what to do."""


class Journal:
    """The journal in a folder, held by one process at a time."""

    def __init__(self, folder: Path) -> None:
        """Open (and lock) it; JournalError when that cannot be done."""
        self._path = folder / "journal.jsonl"
        self._encoder = msgspec.json.Encoder()
        self._start_bytes = self._bytes = 0
        self._file: int | None = None
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._lock = os.open(folder / "lock", os.O_CREAT | os.O_RDWR, 0o600)
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as problem:
            raise JournalError(f"{folder} is in use by another simulator; stop it or give another --state") from problem
        except OSError as problem:
            raise JournalError(f"cannot use the state folder {folder}: {problem}") from problem

    def read(self) -> Iterator[Change]:
        """Every change in order. A torn last line is dropped; a broken line before it is a JournalError."""
        try:
            lines = self._path.read_bytes().split(b"\n")
        except FileNotFoundError:
            return
        except OSError as problem:
            raise JournalError(f"cannot read {self._path}: {problem}") from problem
        for number, line in enumerate(lines, start=1):
            if not line:
                continue
            try:
                changes = msgspec.json.decode(line, type=list[Change])
            except msgspec.MsgspecError as problem:
                if number == len(lines):  # no newline after it: the write never finished
                    log.warning("dropped the torn last line of %s (%d bytes)", self._path, len(line))
                    return
                raise JournalError(
                    f"line {number} of {self._path} is damaged ({problem}); move the file away to start afresh"
                ) from problem
            yield from changes

    def start(self, picture: Iterable[Change]) -> None:
        """Write the state as it is now in place of the old file, and append from here on."""
        temporary = self._path.with_suffix(".new")
        try:
            with temporary.open("wb") as out:
                for change in picture:
                    out.write(self._encoder.encode([change]) + b"\n")
                out.flush()
                os.fsync(out.fileno())
                self._start_bytes = self._bytes = out.tell()
            temporary.replace(self._path)
            folder = os.open(self._path.parent, os.O_RDONLY)
            os.fsync(folder)
            os.close(folder)
            former, self._file = self._file, os.open(self._path, os.O_WRONLY | os.O_APPEND)
            if former is not None:
                os.close(former)
        except OSError as problem:
            raise JournalError(f"cannot write {temporary}: {problem}") from problem

    def is_long(self) -> bool:
        """Whether it is worth while to write the state anew in place of its history."""
        return self._bytes - self._start_bytes > LONG_BYTES

    def append(self, changes: list[Change]) -> None:
        """Put one operation on disk. JournalError: it may not be answered as done."""
        if not changes:
            return
        if self._file is None:
            raise JournalError("the journal is not started")
        line = self._encoder.encode(changes) + b"\n"
        try:
            if os.write(self._file, line) != len(line):
                raise OSError("short write")
            os.fdatasync(self._file)
            self._bytes += len(line)
        except OSError as problem:
            raise JournalError(f"cannot write {self._path}: {problem}") from problem

    def close(self) -> None:
        """Let go of the file and the lock."""
        for handle in (self._file, self._lock):
            if handle is not None:
                with contextlib.suppress(OSError):
                    os.close(handle)
        self._file = None
