"""The copy on another machine: what is new goes there by rsync over SSH after every segment, and comes back from there.

    archive_status changes, or a minute passes --> recio-off-host.service --> rsync --ignore-existing --> user@host:path/desk-…/

rsync writes under another name and renames, so what has a name there is whole. Lists go last: they name only what is there.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import tempfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

from recio.backup.copy import INFO, choose, desk_name, folders, segments, stage_info
from recio.backup.crypt import Key, read_key
from recio.backup.errors import BackupError, Damaged
from recio.backup.lock import locked
from recio.backup.wal import Wal, config_key_id
from recio.monitoring.off_host import OffHost, off_host_path, read_off_host

__all__ = ["Target", "Way", "alone", "check", "ensure_ssh_key", "fetch", "push", "read_target"]

SETTINGS = Path("/etc/recio/off_host.yml")
SSH_KEY = "off_host_key"
_TRANSFER_S = 3600.0
_ANSWER_S = 60  # rsync gives up when nothing moved for so long
_SETTLE_S = 10.0
_FULL_S = 3600.0  # every file is offered again this often; between, those that came since the last push
_OVERLAP_S = 900.0


class Target(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``target`` is user@host:path, ``host_key`` the line of its public key (type and base64), which is the only one that is believed."""

    target: str
    host_key: str
    port: int = 22


@dataclass(frozen=True)
class Way:
    """A target, and the key that opens it. ``shell`` stands in for ssh in tests."""

    target: Target
    ssh_key: Path
    shell: str = ""

    def place(self, desk: str) -> str:
        """The desk's folder there, as rsync takes it."""
        return f"{self.target.target.rstrip('/')}{'' if self.target.target.endswith((':', '/')) else '/'}{desk}/"


def read_target(path: Path = SETTINGS) -> Target:
    """The settings; BackupError when there are none or they cannot be used."""
    try:
        target = msgspec.yaml.decode(path.read_bytes(), type=Target)
    except FileNotFoundError as error:
        raise BackupError(
            f"no other machine is named ({path} is missing); set backup_off_host_target in the inventory"
        ) from error
    except (OSError, msgspec.MsgspecError) as error:
        raise BackupError(f"{path} cannot be used: {error}") from error
    user, _, rest = target.target.partition("@")
    if (
        not user
        or ":" not in rest
        or any(character in target.target for character in " \t\n'\"")
        or user.startswith("-")
    ):
        raise BackupError(f"{path}: target {target.target!r} is not user@host:path")
    if len(target.host_key.split()) < 2:
        raise BackupError(f"{path}: host_key is no line like `ssh-ed25519 AAAA…` (ssh-keyscan, on a way you trust)")
    return target


def ensure_ssh_key(folder: Path, host: str) -> tuple[bool, str]:
    """Make the key that opens the other machine, once; gives (is new, its public line)."""
    private = folder / SSH_KEY
    new = not private.exists()
    if new:
        command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", f"recio {host}", "-f", str(private)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
        if done.returncode:
            raise BackupError(f"ssh-keygen: {done.stderr.strip()}")
    return new, private.with_name(f"{SSH_KEY}.pub").read_text().strip()


def _rsync(way: Way, words: list[str], names: Iterable[str] | None = None) -> str:
    with tempfile.TemporaryDirectory(prefix="recio-ssh-") as folder:
        known = Path(folder) / "known_hosts"
        known.write_text(f"recio-off-host {way.target.host_key}\n")
        shell = way.shell or (
            f"ssh -F none -i {way.ssh_key} -p {way.target.port} -o BatchMode=yes -o IdentitiesOnly=yes -o StrictHostKeyChecking=yes"
            f" -o UserKnownHostsFile={known} -o GlobalKnownHostsFile=none -o HostKeyAlias=recio-off-host -o ConnectTimeout=15"
            " -o ServerAliveInterval=10 -o LogLevel=ERROR"
        )
        command = ["rsync", "-e", shell, "--times", f"--timeout={_ANSWER_S}"]
        if names is not None:
            command += ["--files-from=-", "--relative"]
        try:
            done = subprocess.run(  # noqa: S603
                [*command, *words],
                input="\n".join(names or ()),
                capture_output=True,
                text=True,
                timeout=_TRANSFER_S,
                cwd="/",
                check=False,
                env={**os.environ, "LC_ALL": "C"},
            )
        except FileNotFoundError as error:
            raise BackupError("there is no rsync on this host; `apt-get install rsync`, or run site.yml") from error
        except subprocess.TimeoutExpired as late:
            raise BackupError(f"{way.target.target} took longer than {_TRANSFER_S:.0f} s") from late
    if done.returncode:
        raise BackupError(
            f"{way.target.target}: {' '.join((done.stderr or done.stdout).split())[-300:]} ({done.returncode})"
        )
    return done.stdout


def push(wal: Wal, way: Way, everything: bool = False) -> OffHost:
    """Bring over what is new, until nothing is; the outcome is kept in the status either way."""
    with alone():
        return _push(wal, way, everything)


@contextlib.contextmanager
def alone(wait_s: float = 600.0) -> Iterator[None]:
    """One push at a time: the unit's and one by hand wait for each other, and for a restore that changes whose archive it is."""
    path = off_host_path().with_suffix(".lock")
    path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    with locked(path, wait_s, f"another push did not end within {wait_s:.0f} s; `systemctl status recio-off-host`"):
        yield


def _push(wal: Wal, way: Way, everything: bool) -> OffHost:
    before = read_off_host()
    if before is None or before.target != way.target.target:
        before = OffHost(way.target.target)
    try:
        state = _push_once(wal, way, before, everything)
        while segments(wal, state.reached_s):  # came meanwhile
            state = _push_once(wal, way, state, False)
    except Exception as failure:
        _write(msgspec.structs.replace(before, failed_s=time.time(), why=" ".join(str(failure).split())[:300]))
        raise
    _write(state)
    return state


def _push_once(wal: Wal, way: Way, state: OffHost, everything: bool) -> OffHost:
    key = read_key(wal.key_file)
    if (made_with := config_key_id(wal)) != key.key_id:
        raise BackupError(
            f"the archive is of the key {made_with or 'unknown'}, this host's is {key.key_id}: `recio backup wal-setup`"
        )
    _settle(wal)
    began_s, began = time.time(), time.monotonic()
    everything = everything or began_s - state.full_s > _FULL_S
    with tempfile.TemporaryDirectory(prefix="recio-off-host-") as temporary:
        lists = Path(temporary)
        info = stage_info(wal, key, lists / INFO, began_s)
        whole = folders(wal)
        names = segments(wal, 0.0 if everything else state.reached_s - _OVERLAP_S)
        names += [file for name, files in whole.items() if everything or name not in state.sent for file in files]
        place = way.place(desk_name(key, wal.data))
        options = ["--ignore-existing", "--fsync"]
        if names:
            _rsync(way, [*options, f"{wal.repository.parent}/", place], names)
        if info != state.info:
            files = [str(path.relative_to(lists)) for path in sorted(lists.rglob("*")) if path.is_file()]
            _rsync(way, [*options, f"{lists}/", place], files)
    newest = max(
        (Path(name).name[:24] for name in names if "/archive/" in name and "-" in Path(name).name),
        default=state.segment,
    )
    return msgspec.structs.replace(
        state, reached_s=began_s, segment=newest, seconds=round(time.monotonic() - began, 2), failed_s=0.0, why="", info=info,
        sent=tuple(whole), full_s=began_s if everything else state.full_s,
    )  # fmt: skip


def _settle(wal: Wal) -> None:
    """What the server just handed to the archive is about to be there: wait for it, but not for an archive that does not take it."""
    until_s = time.monotonic() + _SETTLE_S
    while any((wal.data / "pg_wal/archive_status").glob("*.ready")) and time.monotonic() < until_s:
        time.sleep(0.1)


def check(wal: Wal, way: Way) -> int:
    """Compare everything with the other machine's by checksum; gives how many files are there. Damaged names what differs."""
    state = push(wal, way, everything=True)
    names = [*segments(wal), *(file for files in folders(wal).values() for file in files)]
    place = way.place(desk_name(read_key(wal.key_file), wal.data))
    words = [
        "--dry-run",
        "--checksum",
        "--recursive",
        "--itemize-changes",
        "--existing",
        place,
        f"{wal.repository.parent}/",
    ]
    said = _rsync(way, words)
    wrong = sorted(line.split(" ", 1)[1] for line in said.splitlines() if line.startswith(">f") and line[2] == "c")
    wrong = [name for name in wrong if name in set(names)]
    there = set(_rsync(way, ["--recursive", "--list-only", "--no-motd", place]).split())
    missing = sorted(set(names) - there)
    why = "; ".join(
        f"{len(found)} {what}, the first {found[0]}"
        for found, what in ((wrong, "differ"), (missing, "are not there"))
        if found
    )
    _write(msgspec.structs.replace(state, checked_s=time.time(), check_why=why))
    if why:
        raise Damaged(f"the copy at {way.target.target}: {why}; look at that machine, and begin another folder there")
    return len(names)


def fetch(way: Way, key: Key, into: Path) -> Path:
    """Bring the copy made with ``key`` here; gives the desk's folder in ``into``."""
    there = _rsync(way, ["--list-only", way.place(".")])
    mine = [word for line in there.splitlines() for word in line.split()[-1:] if word.startswith(f"desk-{key.key_id}-")]
    if not mine:
        raise BackupError(
            f"{way.target.target} holds no copy made with the key {key.key_id}: give the right backup_key"
        )
    into.mkdir(mode=0o711, parents=True, exist_ok=True)
    for name in mine:
        _rsync(way, ["--recursive", way.place(name), f"{into / name}/"])
    return choose(into, key)


def _write(state: OffHost) -> None:
    path = off_host_path()
    fresh = path.with_name(path.name + ".new")
    try:
        path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        fresh.write_bytes(msgspec.json.encode(state))
        fresh.chmod(0o644)
        fresh.replace(path)
    except OSError as error:
        raise BackupError(f"cannot write {path}: {error.strerror}") from error
