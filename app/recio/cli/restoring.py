"""backup restore: this host brought back from a folder of backups or a copy of another host's archive."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from recio.cli.backup import _age, _clear, refuse_while_running
from recio.cli.off_host import app
from recio.cli.recovery import cluster_server
from recio.contract import load

__all__ = ["app"]


@app.command("restore")
def restore(
    folder: Annotated[Path, typer.Option("--from", help="Holds backups: dumps, or a copy of the archive and dumps.")],
    key_file: Annotated[Path, typer.Option(help="The backup_key they were made with.")],
    check: Annotated[bool, typer.Option("--check", help="Only check; change nothing.")] = False,
    to: Annotated[
        str,
        typer.Option(
            help="newest, or a moment with its zone like 2026-11-28T04:30:00+00:00; a moment needs the archive."
        ),
    ] = "newest",
) -> None:
    """Bring this host back from backups; everything is checked first. Stop the services before: playbooks/restore.yml does it all."""
    from recio.backup.copy import choose
    from recio.backup.crypt import read_key
    from recio.backup.errors import BackupError
    from recio.backup.from_copy import check_archive, recover_from, take_over
    from recio.backup.manifest import Kind
    from recio.backup.off_host import alone
    from recio.backup.operations import Place
    from recio.backup.recover import parse_moment
    from recio.backup.restore import plan, restore_database, restore_files
    from recio.backup.wal import Wal

    contract = load()
    with _clear():
        moment, own = parse_moment(to), Wal.of(contract)
        folder = choose(folder, read_key(key_file))
        with_archive = (folder / "wal").is_dir()
        if moment is not None and not with_archive:
            raise BackupError(
                f"{folder} holds dumps only, no archive of the WAL: it cannot be brought to {to}, only to its newest dump"
            )
        chosen = plan(folder, key_file, kinds=(Kind.FILES, Kind.CONFIGURATION) if with_archive else tuple(Kind))
        archive = check_archive(folder, key_file, own, moment) if with_archive else None
        for manifest in chosen.manifests.values():
            typer.echo(
                f"good: {manifest.name} of {manifest.host}, {_age(manifest.made_s)} old, release {manifest.release}"
            )
        if archive:
            typer.echo(
                f"good: archive of {archive.desk.host}, base {archive.bases[-1].label} and {archive.segments} segments, the newest"
                f" {_age(archive.newest_s)} old, release {archive.desk.release}"
            )
        if check:
            return
        refuse_while_running(contract)
        place = Place.of(contract)
        with alone(), place.repository.locked():
            if archive:
                back = recover_from(archive, cluster_server(own), moment, contract.database.name)
                newest = f"{back.newest:%Y-%m-%d %H:%M:%S} UTC" if back.newest else "unknown"
                found, how = back.ledger, f"recovered from {back.label} in {back.seconds} s, newest price of {newest}"
            else:
                found = restore_database(chosen, contract.database.name)
                how = "restored, the ledger is the recorded one"
            rows = ", ".join(f"{table.partition('.')[2]} {count.rows}" for table, count in found.tables.items())
            typer.echo(f"database {how}: {rows}")
            for kind, files in restore_files(chosen, place).items():
                typer.echo(f"{kind} restored: {files} files")
            if archive:
                take_over(archive, own)
                typer.echo(
                    "the archive goes on from here; what was ordered in the seconds it lacks: `recio account adopt`"
                )
                if back.aside:
                    typer.echo(f"the database that was here lies in {back.aside}: remove it when you no longer want it")
