"""What playbooks/upgrade.yml decides by: which of Debian's security updates come now, and which wait for their window."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleFilterError

# What restarts trading or the page when it is updated: only in the window. libpq5 restarts nothing, but apt brings packages of one
# source to one version together: asked for the library alone it updates the server as well.
HELD = re.compile(r"postgresql(-|$)|libpq5$|pgbackrest$|caddy$")
APP = Path(__file__).resolve().parents[2] / "app"
DAY_MIN = 24 * 60


def _entries(simulated: str) -> Iterator[tuple[str, str, str, bool]]:
    """As the host itself reads apt's words (recio.monitoring.updates): name, old, new, whether a security update."""
    if str(APP) not in sys.path:
        sys.path.insert(0, str(APP))
    from recio.monitoring.updates import entries

    return entries(simulated)


def security_updates(simulated: str, window_open: bool) -> dict[str, list[dict[str, str]]]:
    """From the words of `apt-get --simulate upgrade`: ``now`` to be installed, ``held`` until the window opens.

    Each with name, old and new version. Updates that are not security updates are left to the owner of the host.
    """
    found: dict[str, list[dict[str, str]]] = {"now": [], "held": []}
    for name, old, new, security in _entries(simulated):
        if security:
            held = HELD.match(name) and not window_open
            found["held" if held else "now"].append({"name": name, "old": old, "new": new})
    return found


def dragged_along(simulated: str, window_open: bool) -> list[str]:
    """Names of packages an installation would update, by the words of its simulation, that must wait for their window."""
    return [] if window_open else [name for name, *_ in _entries(simulated) if HELD.match(name)]


def window_open(window: str, clock_s: float) -> bool:
    """Whether ``clock_s`` (epoch seconds) lies in a daily window `HH:MM-HH:MM` (UTC), which may reach over midnight."""
    given = re.fullmatch(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)", window)
    if given is None:
        raise AnsibleFilterError(f"host_update_window is {window!r}: write HH:MM-HH:MM in UTC, like 03:30-05:30")
    begin, end = int(given[1]) * 60 + int(given[2]), int(given[3]) * 60 + int(given[4])
    now = int(clock_s // 60) % DAY_MIN
    return (now - begin) % DAY_MIN < ((end - begin) % DAY_MIN or DAY_MIN)


class FilterModule:
    """Registers the functions above."""

    def filters(self) -> dict[str, Any]:
        """Name -> function."""
        return {
            "recio_security_updates": security_updates,
            "recio_dragged_along": dragged_along,
            "recio_window_open": window_open,
        }
