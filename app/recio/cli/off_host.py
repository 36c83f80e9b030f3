"""backup off-host, off-host-key, fetch: the copy on another machine, by hand. A systemd unit does the first after every segment."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from recio.cli.backup import _clear, app
from recio.contract import Contract, load

if TYPE_CHECKING:
    from recio.backup.off_host import Way

__all__ = ["app"]


def way(contract: Contract) -> Way:
    """The other machine of the inventory, and this host's key to it."""
    from recio.backup.off_host import SSH_KEY, Way, read_target

    return Way(read_target(), Path(contract.directories["credentials"].path) / SSH_KEY)


@app.command("off-host")
def off_host(
    everything: Annotated[bool, typer.Option("--all", help="Offer every file again, not only what is new.")] = False,
    verify: Annotated[bool, typer.Option("--verify", help="Then compare every file there by checksum.")] = False,
) -> None:
    """Bring to the other machine what it lacks. Exit status 1 when it cannot be reached, or holds something else than was sent."""
    from recio.backup.off_host import check, push
    from recio.backup.wal import Wal

    contract = load()
    with _clear():
        there, wal = way(contract), Wal.of(contract)
        if verify:
            typer.echo(f"{check(wal, there)} files are at {there.target.target}, each the same by its checksum")
            return
        state = push(wal, there, everything)
        typer.echo(
            f"{state.target} has all that was archived, up to segment {state.segment or 'none'}; {state.seconds} s"
        )


@app.command("off-host-key")
def off_host_key() -> None:
    """Make the key that opens the other machine, once, and show its public half. The last line is `changed` or `unchanged`."""
    from recio.backup.off_host import ensure_ssh_key

    with _clear():
        new, public = ensure_ssh_key(Path(load().directories["credentials"].path), socket.gethostname())
        typer.echo(public)
        typer.echo("changed" if new else "unchanged")


@app.command("fetch")
def fetch_copy(
    into: Annotated[Path, typer.Option("--into", help="A new folder for the copy.")],
    key_file: Annotated[Path, typer.Option(help="The backup_key it was made with.")],
) -> None:
    """Bring the copy on the other machine here, for `recio backup restore --from`; playbooks/restore.yml does it all."""
    from recio.backup.crypt import read_key
    from recio.backup.off_host import fetch

    with _clear():
        into.mkdir(mode=0o711, parents=True, exist_ok=True)
        typer.echo(f"{fetch(way(load()), read_key(key_file), into)} is here")
