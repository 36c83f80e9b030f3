"""backup: make, list, verify, restore. Cron makes and tests them every night; the same words work by hand."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from recio.contract import Contract, load
from recio.monitoring.backup import BackupStatus, complaint, read_status

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True)
AsJson = Annotated[bool, typer.Option("--json", help="For programs.")]
_KINDS = ("database", "files", "configuration", "base")


@contextmanager
def _clear() -> Iterator[None]:
    """Known failures as one sentence and status 1. The backup's own modules are imported late: they need cryptography."""
    from recio.backup.errors import BackupError

    if os.geteuid() != 0:
        sys.exit("recio: backups hold every key of this host and belong to root; run it as root")
    try:
        yield
    except BackupError as failure:
        sys.exit(f"recio: {failure}")
    except OSError as failure:
        sys.exit(f"recio: {failure.filename or 'input and output'}: {failure.strerror}")


def _archive(contract: Contract) -> dict[str, Any]:
    """The continuous archive: its bases (label, end, bytes), all it holds in bytes, when its newest segment came."""
    from recio.backup.recover import newest_segment_s
    from recio.backup.wal import Wal, info, repository_bytes

    wal = Wal.of(contract)
    bases = [(made.label, made.stopped_s, made.size) for made in info(wal)] if wal.config.exists() else []
    return {"bases": bases, "size": repository_bytes(wal.repository), "newest_s": newest_segment_s(wal)}


def _size(size: int) -> str:
    return f"{size / 1048576:.1f} MB" if size >= 104858 else f"{size / 1024:.1f} kB"


def _age(at_s: float) -> str:
    age_s = time.time() - at_s
    return f"{age_s / 3600:.1f} h" if age_s < 48 * 3600 else f"{age_s / 86400:.0f} days"


@app.command("now")
def now(
    which: Annotated[
        str, typer.Argument(help="database, files, configuration, base (of the WAL archive) or all.")
    ] = "all",
    as_json: AsJson = False,
) -> None:
    """Make a backup, read it back, and only then count it; then remove what retention no longer wants."""
    from recio.backup.manifest import Kind
    from recio.backup.operations import Place, make, make_base, retain

    if which not in (*_KINDS, "all"):
        sys.exit(f"recio: there is no backup {which!r}; there are: all, {', '.join(_KINDS)}")
    contract, made = load(), []
    with _clear():
        place = Place.of(contract)
        with place.repository.locked():
            place.repository.clear_unfinished()
            for kind in _KINDS if which == "all" else (which,):
                began_s = time.monotonic()
                if kind == "base":
                    begun = make_base(place, contract)
                    made.append({"kind": kind, "name": begun.label, "size": begun.size, "path": ""})
                    if not as_json:
                        typer.echo(
                            f"{begun.label}  {_size(begun.size)}, base of the archive, {time.monotonic() - began_s:.1f} s"
                        )
                    continue
                entry = make(place, contract, Kind(kind), datetime.now())
                made.append({"kind": kind, "name": entry.name, "size": entry.size, "path": str(entry.folder)})
                if not as_json:
                    typer.echo(f"{entry.name}  {_size(entry.size)}, verified, {time.monotonic() - began_s:.1f} s")
            removed = [entry.name for entry in retain(place, contract, time.time())]
    if as_json:
        typer.echo(msgspec.json.encode({"made": made, "removed": removed}).decode())
    elif removed:
        typer.echo(f"removed: {', '.join(removed)}")


@app.command("list")
def list_backups(as_json: AsJson = False) -> None:
    """Every backup with age and size, what was proven of it, and what is wrong. Exit status 1 when something is."""
    from recio.backup.operations import Place

    contract = load()
    with _clear():
        entries = Place.of(contract).repository.entries()
        archive = _archive(contract)
    status = read_status() or BackupStatus()
    verified = {attempt.name for attempt in status.kinds.values()}
    test = status.restore_test
    rows: list[dict[str, Any]] = [
        {
            "name": entry.name, "kind": entry.manifest.kind.value if entry.manifest else "?", "made_s": entry.made_s,
            "size": entry.size, "release": entry.manifest.release if entry.manifest else "", "why": entry.why,
            "schema": entry.manifest.schema if entry.manifest else "", "verified": entry.name in verified,
            "restored": bool(test and test.ok and test.name == entry.name),
        }
        for entry in entries
    ]  # fmt: skip
    wrong = complaint(read_status(), time.time(), contract.backup.max_age_h)
    budget = contract.directories["backup"].size_mb * 1048576
    total = sum(r["size"] for r in rows) + archive["size"]
    if as_json:
        answer = {
            "backups": rows,
            "archive": archive,
            "total": total,
            "budget": budget,
            "restore_test": test,
            "wal_test": status.wal_test,
            "wrong": wrong,
        }
        typer.echo(msgspec.json.encode(answer).decode())
        raise typer.Exit(1 if wrong else 0)
    typer.echo(f"{'backup':<32} {'age':>8} {'size':>9}  what was proven")
    for row in rows:
        proven = "restored" if row["restored"] else "verified (newest)" if row["verified"] else "verified when made"
        typer.echo(f"{row['name']:<32} {_age(row['made_s']):>8} {_size(row['size']):>9}  {row['why'] or proven}")
    for label, stopped_s, size in archive["bases"]:
        typer.echo(f"{label:<32} {_age(stopped_s):>8} {_size(size):>9}  base of the archive")
    young = (
        f"its newest segment is {_age(archive['newest_s'])} old" if archive["newest_s"] else "it holds no segment yet"
    )
    typer.echo(f"archive of the WAL: {_size(archive['size'])}, {young}")
    typer.echo(f"{_size(total)} of {_size(budget)}")
    for what, last in (("restore test", test), ("archive's restore test", status.wal_test)):
        if last:
            outcome = f"well, {last.seconds:.0f} s" if last.ok else f"FAILED: {last.why}"
            typer.echo(f"{what} {_age(last.at_s)} ago of {last.name}: {outcome}")
        else:
            typer.echo(f"{what}: none yet; `recio backup restore-test`")
    if wrong:
        typer.echo(typer.style(f"wrong: {wrong}", fg="red"))
    raise typer.Exit(1 if wrong else 0)


@app.command("verify")
def verify(name: Annotated[str, typer.Argument(help="A backup, or all.")] = "all") -> None:
    """Read backups to the last byte: signature, checksum, encryption, contents. Exit status 1 when one is damaged."""
    from recio.backup.crypt import key_for
    from recio.backup.errors import Damaged
    from recio.backup.operations import Place, verify_folder

    with _clear():
        place = Place.of(load())
        entries = place.repository.entries() if name == "all" else [place.repository.find(name)]
        if not entries:
            sys.exit("recio: there is no backup to verify; `recio backup now`")
        damaged = 0
        for entry in entries:
            try:
                made_with = entry.manifest.key_id if entry.manifest else ""
                manifest = verify_folder(entry.folder, key_for(place.key_file, made_with))
                typer.echo(
                    f"ok   {entry.name}: {manifest.items} {'tables' if manifest.census else 'files'}, {_size(entry.size)}"
                )
            except Damaged as damage:
                damaged += 1
                typer.echo(f"BAD  {damage}", err=True)
    raise typer.Exit(1 if damaged else 0)


@app.command("restore-test")
def test_restore() -> None:
    """Restore the newest dump, and the archive to this moment, into throw-away clusters; status 1 when a ledger differs."""
    from recio.backup.operations import Place
    from recio.backup.restore_test import restore_test, wal_test

    contract = load()
    with _clear():
        place = Place.of(contract)
        with place.repository.locked():
            result = restore_test(place)
            typer.echo(f"{result.name}: restored, the ledger is the recorded one, {result.seconds:.1f} s")
            result = wal_test(place, contract.database.name)
    typer.echo(
        f"{result.name} and the WAL since: restored to now, the ledger is the living one, {result.seconds:.1f} s"
    )


@app.command("key")
def key() -> None:
    """Make this host's backup key, once. The last line is `changed` or `unchanged`."""
    from recio.backup.crypt import ensure_key
    from recio.backup.operations import Place

    with _clear():
        typer.echo("changed" if ensure_key(Place.of(load()).key_file) else "unchanged")


@app.command("restore")
def restore(
    folder: Annotated[Path, typer.Option("--from", help="Holds the backups of database, files and configuration.")],
    key_file: Annotated[Path, typer.Option(help="The backup_key they were made with.")],
    check: Annotated[bool, typer.Option("--check", help="Only check; change nothing.")] = False,
) -> None:
    """Bring this host back from backups; everything is checked first. Stop the services before: playbooks/restore.yml does it all."""
    from recio.backup.operations import Place
    from recio.backup.restore import plan, restore_database, restore_files

    contract = load()
    with _clear():
        chosen = plan(folder, key_file)
        for manifest in chosen.manifests.values():
            typer.echo(
                f"good: {manifest.name} of {manifest.host}, {_age(manifest.made_s)} old, release {manifest.release}"
            )
        if check:
            return
        running = [name for name in contract.services if _runs(name)]
        if running:
            sys.exit(
                f"recio: {', '.join(running)} still run; `systemctl stop recio.target` first, or use playbooks/restore.yml"
            )
        place = Place.of(contract)
        with place.repository.locked():
            found = restore_database(chosen, contract.database.name)
            rows = ", ".join(f"{table.partition('.')[2]} {count.rows}" for table, count in found.tables.items())
            typer.echo(f"database restored, the ledger is the recorded one: {rows}")
            for kind, files in restore_files(chosen, place).items():
                typer.echo(f"{kind} restored: {files} files")


def _runs(service: str) -> bool:
    from recio.monitoring.status import units

    unit = units([service]).get(service)
    return unit is not None and unit.pid != 0
