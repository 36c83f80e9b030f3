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
from recio.monitoring.off_host import configured_since_s, off_host_complaint, read_off_host

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
    since_s = configured_since_s()
    said = (
        complaint(read_status(), time.time(), contract.backup.max_age_h),
        off_host_complaint(time.time(), contract.backup.off_host.max_age_s),
    )
    wrong = "; ".join(filter(None, said))
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
            "off_host": read_off_host() if since_s is not None else None,
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
    if since_s is not None:
        copied = read_off_host()
        there = (
            f"{_age(copied.reached_s)} behind at most, up to segment {copied.segment}"
            if copied and copied.reached_s
            else "nothing yet"
        )
        checked = f", compared by checksum {_age(copied.checked_s)} ago" if copied and copied.checked_s else ""
        typer.echo(f"copy at {copied.target if copied else 'another machine'}: {there}{checked}")
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


def refuse_while_running(contract: Contract, wait_s: float = 60.0) -> None:
    """End with exit status 1 while a service of the desk runs: nothing is put back under its hands.

    One that stops just now is waited for: `systemctl stop recio.target` returns before the last of them has ended.
    """
    from recio.monitoring.status import units

    until_s, names = time.monotonic() + wait_s, list(contract.services)
    while True:
        found = units(names)
        if not found and Path("/run/systemd/system").exists():
            sys.exit(
                "recio: systemd does not say which services run; try again when `systemctl status recio.target` answers"
            )
        # one that systemd is about to start again has no process and runs all the same
        ended = ("stopped", "failed")
        alive = {name: unit.state for name, unit in found.items() if not unit.state.startswith(ended)}
        if not alive:
            return
        if time.monotonic() > until_s or any(state != "stopping" for state in alive.values()):
            sys.exit(
                f"recio: {', '.join(alive)} still run; `systemctl stop recio.target` first, or use playbooks/restore.yml"
            )
        time.sleep(0.2)
