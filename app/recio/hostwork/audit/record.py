"""The record of the privileged files: root's alone, since a sum of a short secret gives it away; and the looks that compare with it."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import msgspec

from recio.hostwork.audit import packages, places
from recio.hostwork.audit.compare import Entry, compare, taken_over
from recio.hostwork.audit.scan import accounts, entry_of, name_of, printable, privileged_programs, scan
from recio.monitoring.audit import Difference, Outcome, outcome_path

__all__ = ["Audit", "Look", "Record"]

_TOLD = 20  # differences that the page's file holds


class Record(msgspec.Struct, frozen=True):
    """What is right: ``files`` by absolute path, recorded ``at_s`` (epoch seconds) ``by`` a deploy or a person."""

    at_s: float
    by: str
    files: dict[str, Entry]


class Look(msgspec.Struct, frozen=True):
    """One look: every difference, of how many files, against which record, and what it took."""

    at_s: float
    recorded_s: float
    by: str
    files: int
    seconds: float
    differences: list[Difference]


class Audit:
    """The audit of the host whose / is ``root``. ``verify`` gives the words of `dpkg --verify`."""

    def __init__(self, root: Path = Path("/"), verify: Callable[[], str] = packages.verify) -> None:
        self._root, self._verify = root, verify
        self._place = Path(os.environ.get("RECIO_DEPLOY_DIR", root / "var/lib/recio/deploy")) / "audit.record"

    def look(self, tell: bool = True) -> Look | None:
        """Compare now, and leave the outcome for the services unless not to ``tell`` (what is half way changed is no incident);
        None, and why in the outcome, when nothing is recorded."""
        with self._alone():
            was = self._read()
            if was is None:
                why = f"there is no record {self._place}, or it is damaged: deploy again, or `recio audit accept`"
                _tell(Outcome(time.time(), why=why))
                return None
            look, _ = self._compared(was)
            if tell:
                _tell(_outcome(look))
            return look

    def accept(self, by: str, mine: Callable[[str], bool] = lambda _path: True) -> tuple[Look, list[Difference]]:
        """Record what is there, but of differences that are not ``mine`` what was recorded before; the first record is whole.
        Gives the look that holds now, and what was taken over."""
        with self._alone():
            was = self._read()
            if was is None:
                now, _ = self._present({})
                look = self._keep(Record(time.time(), by, now), [], 0.0)
                return look, []
            before, now = self._compared(was)
            taken = [one for one in before.differences if mine(one.path)]
            left = [one for one in before.differences if not mine(one.path)]
            kept = Record(time.time(), by, taken_over(was.files, now, before.differences, mine))
            return self._keep(kept, left, before.seconds), taken

    def take_over(self, patterns: tuple[str, ...], by: str) -> None:
        """Record what is there below these patterns alone, in an instant: root itself has just changed it. Without a record nothing."""
        if not self._place.exists():
            return
        with self._alone():
            was = self._read()
            if was is None:
                return
            mine = places.matcher(patterns)
            now = scan(self._root, patterns)
            rest = {path: entry for path, entry in was.files.items() if not mine(path)}
            self._write(Record(was.at_s, f"{was.by}, then {by}" if by not in was.by else was.by, rest | now))

    # ------------------------------------------------------------------ looking
    def _present(self, known: Mapping[str, Entry]) -> tuple[dict[str, Entry], packages.Packages]:
        """Everything as it is now. ``known`` that no place gives any more (a program that lost its setuid bit) is looked at too."""
        with ThreadPoolExecutor(1) as beside:  # dpkg sums its own files meanwhile
            verified = beside.submit(self._verify)
            found = scan(self._root, (*places.OURS, *places.OTHERS)) | accounts(self._root)
            for path in privileged_programs(self._root):
                if (name := name_of(self._root, path)) not in found and (entry := entry_of(path)):
                    found[name] = entry
        for name, missing in packages.differing(verified.result()).items():
            if missing:
                found.setdefault(printable(name), Entry("missing"))
            else:
                self._add(found, name, altered=True)
        for name in known.keys() - found.keys():
            if not places.ignored(name) and ":" not in name:
                self._add(found, name)
        brought = packages.Packages(self._root)
        return {
            name: msgspec.structs.replace(entry, packaged=True) if brought.owns(name) else entry
            for name, entry in found.items()
        }, brought

    def _add(self, found: dict[str, Entry], name: str, altered: bool = False) -> None:
        if printable(name) not in found and (entry := entry_of(self._root / name.lstrip("/"), altered)):
            found[printable(name)] = entry

    def _compared(self, was: Record) -> tuple[Look, dict[str, Entry]]:
        began_s = time.monotonic()
        now, brought = self._present(was.files)
        differences = compare(was.files, now, brought.vouches)
        return Look(time.time(), was.at_s, was.by, len(now), time.monotonic() - began_s, differences), now

    # ------------------------------------------------------------------ keeping
    def _read(self) -> Record | None:
        try:
            return msgspec.json.decode(self._place.read_bytes(), type=Record)
        except (FileNotFoundError, msgspec.DecodeError):
            return None

    def _keep(self, record: Record, left: list[Difference], seconds: float) -> Look:
        self._write(record)
        look = Look(record.at_s, record.at_s, record.by, len(record.files), seconds, left)
        _tell(_outcome(look))
        return look

    def _write(self, record: Record) -> None:
        fresh = self._place.with_name(self._place.name + ".new")
        fresh.unlink(missing_ok=True)
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(msgspec.json.encode(record))
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(self._place)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        self._place.parent.mkdir(parents=True, exist_ok=True)
        held = os.open(self._place.with_name("audit.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(held, fcntl.LOCK_EX)
            yield
        finally:
            os.close(held)


def _outcome(look: Look) -> Outcome:
    return Outcome(
        look.at_s, look.recorded_s, look.by, look.files, len(look.differences), tuple(look.differences[:_TOLD])
    )


def _tell(outcome: Outcome) -> None:
    """Replace the file that services read, whole."""
    place = outcome_path()
    fresh = place.with_suffix(".new")
    fresh.write_bytes(msgspec.json.encode(outcome))
    fresh.chmod(0o644)
    fresh.replace(place)
