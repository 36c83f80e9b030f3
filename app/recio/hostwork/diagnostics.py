"""One archive that a support engineer can work from, without secrets: what runs, what was said, what was measured, how it is set up."""

from __future__ import annotations

import io
import os
import platform
import shutil
import tarfile
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from recio import release
from recio.hostwork.job import Job, WorkFailed, run_command
from recio.hostwork.scrub import known_secrets, scrub
from recio.hostwork.work import RECIO
from recio.monitoring.bundles import BUNDLE, bundle_folder
from recio.monitoring.releases import kept
from recio.store.db import Database

__all__ = ["diagnostics", "sections", "write_bundle"]

_KEEP = 3
_PART_MAX = 4 * 1024 * 1024  # of one file: the newest end of it
_SETTINGS = (
    "kill_switch",
    "risk",
    "auto_entry",
    "auto_stop",
)  # what is stored under other names may hold addresses or keys

# No table that holds a password, a session or a second factor is named here.
_QUERIES: dict[str, tuple[str, tuple[Any, ...]]] = {
    "incidents": ("SELECT * FROM system.incidents ORDER BY opened_at DESC LIMIT 200", ()),
    "requests": ("SELECT * FROM system.requests ORDER BY request_id DESC LIMIT 100", ()),
    "database_samples": ("SELECT * FROM system.database_samples ORDER BY at DESC LIMIT 360", ()),
    "database_details": ("SELECT * FROM system.database_details", ()),
    "host_samples": ("SELECT * FROM system.host_samples ORDER BY at DESC LIMIT 360", ()),
    "contract_readings": ("SELECT at, figures, traffic FROM system.readings", ()),
    "dependencies": ("SELECT * FROM system.dependency_state", ()),
    "exchange": ("SELECT * FROM live_data.exchange_state", ()),
    "settings": (
        "SELECT name, value, version, changed_at FROM users.settings WHERE name = ANY(%s)",
        (list(_SETTINGS),),
    ),
    "schema": ("SELECT version_num FROM public.schema_version", ()),
    "trades_by_state": ("SELECT mode, state, count(*) FROM users.trades GROUP BY mode, state ORDER BY mode, state", ()),
}
_COMMANDS: dict[str, tuple[str, ...]] = {
    "status.json": (RECIO, "status", "--json"),
    "doctor.txt": (RECIO, "doctor"),
    "backups.txt": (RECIO, "backup", "list"),
    "units.txt": (
        "systemctl",
        "list-units",
        "--all",
        "--no-pager",
        "--no-legend",
        "--plain",
        "recio*",
        "postgresql*",
        "caddy*",
    ),
    "unit-files.txt": ("systemctl", "cat", "--no-pager", "recio*"),
    "sandbox.txt": ("systemd-analyze", "security", "--no-pager"),
    "disk.txt": ("df", "-h"),
    "memory.txt": ("free", "-m"),
    "logs.txt": ("journalctl", "--no-pager", "--output=short-iso", "--lines=5000", "--unit=recio-*"),
    "logs-errors.txt": ("journalctl", "--no-pager", "--output=short-iso", "--lines=500", "--priority=warning"),
    "logs-postgresql.txt": ("journalctl", "--no-pager", "--output=short-iso", "--lines=500", "--identifier=postgresql"),
}
_FILES = (Path("/etc/recio/settings.yml"), Path("/etc/recio/contract.yml"), Path("/etc/os-release"))


def _command(words: tuple[str, ...]) -> str:
    try:
        return run_command(words, 60)
    except WorkFailed as failure:  # `recio doctor` ends with 1 when it found something: that is in the message
        return f"{failure}\n"


def sections(db: Database, files: tuple[Path, ...] = _FILES) -> dict[str, Callable[[], str]]:
    """What the archive holds: name -> how it is found out. Whatever fails says so in its place."""

    def rows(sql: str, params: tuple[Any, ...]) -> str:
        found = msgspec.json.format(msgspec.json.encode(db.all(sql, params)))
        return found.decode()

    made: dict[str, Callable[[], str]] = {
        "versions.json": lambda: msgspec.json.format(msgspec.json.encode(_versions())).decode()
    }
    for name, words in _COMMANDS.items():
        made[name] = partial(_command, words)
    for name, (sql, params) in _QUERIES.items():
        made[f"database/{name}.json"] = partial(rows, sql, params)
    for path in files:
        made[f"configuration/{path.name}"] = partial(path.read_text, errors="replace")
    return made


def _versions() -> dict[str, Any]:
    return {
        "release": release(), "python": platform.python_version(), "kernel": platform.release(), "machine": platform.machine(),
        "cores": os.cpu_count(), "releases": kept(),
    }  # fmt: skip


def write_bundle(path: Path, found: Mapping[str, Callable[[], str]], secrets: list[str]) -> int:
    """Write the archive, every part scrubbed; gives its size in bytes. Appears under its name only when it is whole."""
    unfinished = path.with_suffix(".part")
    with tarfile.open(unfinished, "w:gz", compresslevel=6) as archive:
        for name, make in found.items():
            try:
                text = make()
            except Exception as failure:  # one part missing must not cost the others
                text = f"not found out: {' '.join(str(failure).split())}\n"
            data = scrub(text[-_PART_MAX:], secrets).encode()
            entry = tarfile.TarInfo(f"recio-diagnostics/{name}")
            entry.size, entry.mtime, entry.mode = len(data), int(time.time()), 0o644
            archive.addfile(entry, io.BytesIO(data))
    unfinished.chmod(0o640)
    unfinished.rename(path)
    return path.stat().st_size


def diagnostics(job: Job) -> str:
    """Make the archive, readable by the page; the last three are kept. The result begins with its file's name."""
    folder = bundle_folder()
    folder.mkdir(mode=0o750, parents=True, exist_ok=True)
    shutil.chown(folder, group="recio")
    folder.chmod(0o750)
    job.say("collecting status, readings, logs and configuration; secrets are taken out")
    secrets = known_secrets([Path(job.contract.directories["credentials"].path), Path("/etc/recio/keys")])
    path = folder / time.strftime(f"recio-diagnostics-{job.request_id}-%Y%m%d-%H%M%S.tar.gz", time.gmtime())
    size = write_bundle(path, sections(job.db), secrets)
    shutil.chown(path, group="recio")
    for old in sorted((p for p in folder.iterdir() if BUNDLE.fullmatch(p.name)), key=lambda p: p.stat().st_mtime)[
        :-_KEEP
    ]:
        old.unlink()
    return f"{path.name}: {size / 1048576:.2f} MB, without secrets"
