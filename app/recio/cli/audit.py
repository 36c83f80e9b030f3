"""audit: what of the privileged files differs from what was recorded, and recording what is there as right. Root's."""

from __future__ import annotations

import os
import sys
import syslog
import time
from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from recio import release

if TYPE_CHECKING:
    from recio.hostwork.audit.record import Look
    from recio.monitoring.audit import Difference

__all__ = ["app"]

app = typer.Typer(invoke_without_command=True)
_AGAIN_S = 60.0
_RELEASES = "/opt/recio/releases/"
_MANY = 20


@app.callback()
def audit(
    context: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
    wait_s: Annotated[
        float, typer.Option(help="While dpkg or a deploy is at work, wait until it has ended, at most this long.")
    ] = 0.0,
) -> None:
    """Compare every privileged file with its record; exit status 1 on a difference. The System page tells what was found last."""
    if context.invoked_subcommand:
        return
    from recio.hostwork.audit.record import Audit  # late: no other command needs it

    _root_only()
    until_s = time.monotonic() + wait_s
    while (busy := _busy()) and time.monotonic() < until_s:
        typer.echo(f"{busy}: looking when that has ended", err=True)
        time.sleep(_AGAIN_S)
    found = Audit().look(tell=not busy or bool(wait_s))
    if found is None:
        sys.exit("recio: nothing is recorded yet; deploy again, or `recio audit accept` if what is there is right")
    typer.echo(msgspec.json.encode(found).decode() if as_json else _words(found))
    if found.differences:
        if busy:
            typer.echo(f"{busy}: look again when that has ended; the page is not told of this look", err=True)
        raise typer.Exit(1)


@app.command("accept")
def accept(
    deploy: Annotated[
        bool,
        typer.Option("--deploy", help="Only what a deploy writes; other differences stay. The deploy's own last word."),
    ] = False,
) -> None:
    """Record what is there as right. Says what was taken over, here and in the journal (journalctl -t recio-audit)."""
    from recio.hostwork.audit.places import ours
    from recio.hostwork.audit.record import Audit

    _root_only()
    by = f"the deploy of {release()}" if deploy else f"{os.environ.get('SUDO_USER', 'root')} on the host"
    found, taken = Audit().accept(by, ours) if deploy else Audit().accept(by)
    # A new release is ten thousand files: one line for all of them.
    shown = [one for one in taken if not (deploy and one.path.startswith(_RELEASES))]
    syslog.openlog("recio-audit")
    for one in shown:
        syslog.syslog(syslog.LOG_NOTICE, f"taken over by {by}: {one.path} ({one.what})")
        typer.echo(f"taken over: {one.path} ({one.what})")
    if len(shown) < len(taken):
        syslog.syslog(syslog.LOG_NOTICE, f"taken over by {by}: {len(taken) - len(shown)} files below {_RELEASES}")
    for one in found.differences:
        typer.echo(f"not taken over: {one.path} ({one.what})")
    typer.echo(f"{found.files} files recorded by {by}, {_count(len(taken))} taken over")


def _root_only() -> None:
    if os.geteuid() != 0:
        sys.exit("recio: only root can read every privileged file; run it as root")


def _busy() -> str:
    from recio.hostwork.audit.packages import package_manager_works
    from recio.monitoring.modes import deploy_under_way

    if deploy_under_way():
        return "a deploy is under way, which records at its end"
    return "Debian's package manager is at work" if package_manager_works() else ""


def _words(found: Look) -> str:
    recorded = f"{datetime.fromtimestamp(found.recorded_s, UTC):%Y-%m-%d %H:%M:%S} UTC by {found.by}"
    shown = _by_release(found.differences)
    width = min(90, max((len(path) for path, _ in shown), default=0))
    lines = [f"{path:<{width}}  {what}" for path, what in shown]
    well = f"all {found.files} privileged files are as recorded {recorded} ({found.seconds:.1f} s)"
    wrong = (
        f"{_count(len(found.differences))} from what was recorded {recorded}. What you changed yourself: `recio audit accept`;"
        " what is a deploy's: deploy again; what nobody did: see docs/security.md"
    )
    return "\n".join([*lines, wrong if lines else well])


def _by_release(differences: list[Difference]) -> list[tuple[str, str]]:
    """Path and what of it; of a release of which much is the same (it is new, it is gone) one line, since it is ten thousand files."""

    def group(one: Difference) -> tuple[str, str]:
        release_, below, _ = one.path.removeprefix(_RELEASES).partition("/")
        return (_RELEASES + release_, one.what) if one.path.startswith(_RELEASES) and below else ("", "")

    sizes = Counter(map(group, differences))
    large = {place: size for place, size in sizes.items() if place[0] and size > _MANY}
    rest = [(one.path, one.what) for one in differences if group(one) not in large]
    return sorted([*rest, *((f"{place}/", f"{what}: {size} files") for (place, what), size in large.items())])


def _count(number: int) -> str:
    return "1 difference" if number == 1 else f"{number} differences"
